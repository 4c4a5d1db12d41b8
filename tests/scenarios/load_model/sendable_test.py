import polars as pl
import pytest

from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.load_steps import LOAD_STEPS_SCHEMA
from prodintel_lib.scenarios.load_model import keep_sendable

from .made import exchange, exchanges_of

S = 1_000_000
STEPS = pl.DataFrame(
    [
        ("b|1", 1, 0, "POST /y", None, None),
        ("a|1", 2, 4 * S, "POST /y", 4.0, 5.0),
        ("a|1", 1, 0, "GET /x", None, None),
        ("a|1", 3, 10 * S, "GET /x", 6.0, 7.0),
        ("c|1", 1, 0, "POST /y", None, None),
        ("c|1", 2, 3 * S, "GET /x", 3.0, None),
    ],
    schema=LOAD_STEPS_SCHEMA,
    orient="row",
)


def test_keep_sendable_closes_the_gaps():
    asked = exchanges_of([exchange("a", "GET", "/x"), exchange("a", "POST", "/y")])
    kept = keep_sendable(STEPS, asked)
    assert kept.schema == LOAD_STEPS_SCHEMA
    assert kept.rows() == [
        ("a|1", 1, 0, "GET /x", None, None),
        ("a|1", 2, 10 * S, "GET /x", 10.0, 7.0),
        ("c|1", 1, 3 * S, "GET /x", None, None),
    ]


def test_keep_sendable_leaves_what_can_all_be_sent():
    asked = exchanges_of([exchange("a", "GET", "/x"), exchange("a", "POST", "/y", body={})])
    assert keep_sendable(STEPS, asked).equals(STEPS.sort("session_key", "step_no"))


def test_keep_sendable_says_where_nothing_can_be_sent():
    with pytest.raises(NoDataError, match="Nothing that was recorded can be sent again"):
        keep_sendable(STEPS, exchanges_of([exchange("a", "POST", "/y")]))
