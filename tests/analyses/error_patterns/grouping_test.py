import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns.grouping import group_definitions
from prodintel_lib.engines import collect
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.rollups.error_events import (
    DEFINITION_KEYS,
    DEFINITIONS_SCHEMA,
    build_error_definitions,
    build_error_events,
)
from prodintel_lib.tables import LOGS, RUM_EVENTS, SPANS, conform

PRIVATE = Pseudonymiser(b"k" * 32)
OWN = 'Traceback (most recent call last):\n  File "/srv/pay/{file}.py", line {line}, in {function}\n    x\n{kind}: {said}\n'
LIBRARY = (
    'Traceback (most recent call last):\n  File "/usr/lib/python3/site-packages/db/pool.py", line {line}, in take\n    x\n'
    "{kind}: {said}\n"
)


def grouped(*logs):
    rows = [{"time_us": 1, "severity_text": "ERROR", "service_name": "pay", **row} for row in logs]
    tables = [
        nw.from_native((conform(pl.DataFrame(rows, infer_schema_length=None), LOGS)).lazy()),
        nw.from_native(pl.LazyFrame(schema=SPANS.schema)),
        nw.from_native(pl.LazyFrame(schema=RUM_EVENTS.schema)),
    ]
    lazy = build_error_definitions(build_error_events(*tables))
    return group_definitions(collect(lazy, schema=DEFINITIONS_SCHEMA, sort_by=DEFINITION_KEYS), private=PRIVATE)


def thrown(stack=OWN, said="no card", kind="KeyError", file="app", line=4, function="charge", **row):
    text = stack.format(file=file, line=line, function=function, kind=kind, said=said)
    return {"body": "failed", "error_type": kind, "exception_message": said, "exception_stacktrace": text, **row}


@pytest.mark.parametrize(
    ("first", "second", "patterns"),
    [
        ({}, {"line": 9}, 1),
        ({}, {"said": "quite another text"}, 1),
        ({}, {"function": "refund"}, 2),
        ({}, {"kind": "ValueError"}, 2),
        ({}, {"service_name": "shop"}, 2),
        ({"stack": LIBRARY}, {"stack": LIBRARY, "said": "quite another text"}, 2),
        ({"stack": LIBRARY, "line": 7}, {"stack": LIBRARY, "line": 9}, 1),
    ],
)
def test_group_definitions_takes_one_code_path_for_one_pattern(first, second, patterns):
    assert grouped(thrown(**first), thrown(**second)).patterns.height == patterns


@pytest.mark.parametrize(
    ("first", "second", "patterns"),
    [
        ({"body": "order 17 is gone"}, {"body": "order 4 is gone"}, 1),
        ({"body": "order 17 is gone"}, {"body": "order 17 is late again"}, 2),
        ({"body": "order 17 is gone"}, {"body": "order 17 is gone", "service_name": "shop"}, 2),
        ({"body": "gone", "error_type": "a.b.GoneError"}, {"body": "gone", "error_type": "GoneError"}, 1),
        ({"body": "gone", "error_type": "LostError"}, {"body": "gone", "error_type": "GoneError"}, 2),
    ],
)
def test_group_definitions_without_a_stack_goes_by_service_class_and_template(first, second, patterns):
    assert grouped(first, second).patterns.height == patterns


def test_group_definitions_gives_the_same_ids_next_week_with_other_numbers():
    first = grouped(thrown(), {"body": "order 17 is gone"}).patterns
    later = grouped(*({"body": f"order {number} is gone"} for number in range(30)), thrown(line=77)).patterns
    assert first["pattern_id"].to_list() == later["pattern_id"].to_list()
    assert first["pattern_id"].str.contains("^EP-[0-9a-f]{10}$").all()


def test_group_definitions_describes_a_pattern_by_its_most_frequent_wording():
    found = grouped(thrown(), thrown(said="'7'"), thrown(said="'8'"), thrown(said="'9'")).patterns
    (row,) = found.iter_rows(named=True)
    assert (row["error_type"], row["template"], row["level"]) == ("KeyError", "'<number>'", "error")
    assert row["example"] == "failed: '7'"


def test_group_definitions_shows_no_address_of_a_person():
    said = "no such user ann.meyer@firma-meyer.de"
    found = grouped(thrown(said=said), {"body": said})
    shown = found.patterns.write_csv()
    assert "no such user" in shown
    assert "ann.meyer" not in shown


def test_group_definitions_keeps_every_definition_once():
    found = grouped(
        thrown(), thrown(line=9), thrown(function="refund"), {"body": "a"}, {"body": "b", "service_name": None}
    )
    assert found.keys.select(DEFINITION_KEYS).is_duplicated().sum() == 0
    assert set(found.keys["pattern_no"]) == set(found.patterns["pattern_no"])
