import polars as pl
import pytest

from prodintel_lib.analyses.log_templates import OTHER_ID, OTHER_SHAPE, add_up_shapes, mine_templates
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_SCHEMA


def part(*rows):
    return pl.DataFrame(rows, schema=LOG_SHAPES_SCHEMA, orient="row")


FIRST = part(
    ("pay", "paid <*>", 3, 10, 20, "paid 1", "paid 3"), ("pay", "rare words", 1, 12, 12, "rare words", "rare words")
)
SECOND = part(("pay", "paid <*>", 2, 30, 40, "paid 0", "paid 2"), ("shop", "open", 2, 31, 32, "open", "open"))


def test_add_up_shapes_adds_parts_up():
    assert add_up_shapes([FIRST, SECOND]).rows() == [
        ("pay", "paid <*>", 5, 10, 40, "paid 0", "paid 3"),
        ("pay", "rare words", 1, 12, 12, "rare words", "rare words"),
        ("shop", "open", 2, 31, 32, "open", "open"),
    ]


def test_add_up_shapes_loses_no_line_beyond_the_bound():
    bounded = add_up_shapes([FIRST, SECOND], max_shapes=1)
    assert bounded.select("service_name", "shape", "rows").rows() == [
        ("pay", OTHER_SHAPE, 1),
        ("pay", "paid <*>", 5),
        ("shop", OTHER_SHAPE, 2),
    ]
    templates = mine_templates(bounded)
    assert templates.frame.select("rows", "is_other").rows() == [(5, False), (3, True)]
    assert templates.frame.filter("is_other")["pattern_id"].to_list() == [OTHER_ID]


def test_add_up_shapes_of_nothing_is_empty():
    assert add_up_shapes([]).schema == pl.Schema(LOG_SHAPES_SCHEMA)


def test_add_up_shapes_needs_a_bound():
    with pytest.raises(ParameterError, match="must be 1 or more, not 0"):
        add_up_shapes([], max_shapes=0)
