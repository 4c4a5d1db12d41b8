import re

import polars as pl
import pytest

from prodintel_lib.errors import MissingColumnsError, ParameterError, SourceFormatError
from prodintel_lib.tables import ALERTS, SPANS, TABLES, conform, table_named, validate

ALERT = {"time_us": [1], "source": ["pagerduty"], "alert_id": ["R1"], "event": ["triggered"]}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_tables_follow_the_house_rules(table):
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert names[0] == "time_us"
    assert names[-1] == "attributes"
    assert set(table.identity) <= set(names)
    assert set(table.schema.values()) <= {pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()}
    for column in table.columns:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", column.name)
        assert column.meaning
        if "time" in column.name.split("_"):
            assert (column.name.endswith("_us"), column.dtype) == (True, pl.Int64())
        if "duration" in column.name:
            assert column.name.endswith("_ms")


def test_tables_identify_rows_by_columns_that_are_never_null():
    assert {name: table.identity for name, table in TABLES.items()} == {
        "spans": ("trace_id", "span_id"),
        "logs": (),
        "metrics": (),
        "incidents": ("source", "incident_id"),
        "alerts": ("source", "alert_id"),
        "changes": ("source", "change_id", "status"),
        "rum_events": (),
        "exposures": (),
    }
    assert set(SPANS.identity) <= set(SPANS.required)


def test_table_named_finds_a_table_or_the_nearest():
    assert table_named("spans") is SPANS
    with pytest.raises(ParameterError, match=r"Unknown table `span`; known: .*\nHint: did you mean `spans`"):
        table_named("span")


def test_conform_fills_orders_and_casts():
    frame = conform(pl.DataFrame({**ALERT, "summary": ["s"]}).with_columns(pl.col("time_us").cast(pl.Int32)), ALERTS)
    assert frame.schema == pl.Schema(ALERTS.schema)
    assert frame.row(0) == (1, "pagerduty", "R1", None, "triggered", "s", None, None, None)


def test_conform_names_a_missing_column():
    with pytest.raises(MissingColumnsError, match="Table `alerts` needs column `event`; it has columns `alert_id`"):
        conform(pl.DataFrame(ALERT).drop("event"), ALERTS)


def test_conform_refuses_a_column_it_would_lose():
    with pytest.raises(
        SourceFormatError, match=r"Table `alerts` has no column `colour`\.\nHint: put what the table lacks"
    ):
        conform(pl.DataFrame({**ALERT, "colour": ["red"]}), ALERTS)


def test_conform_refuses_a_value_of_another_type():
    with pytest.raises(SourceFormatError, match="Table `alerts`: a column does not hold its type"):
        conform(pl.DataFrame({**ALERT, "time_us": ["noon"]}), ALERTS)


def test_validate_accepts_a_conformed_frame():
    validate(conform(pl.DataFrame(ALERT), ALERTS), ALERTS)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda frame: frame.drop("actor"), MissingColumnsError, "needs column `actor`"),
        (lambda frame: frame.select(reversed(frame.columns)), SourceFormatError, "another order than expected: order"),
        (
            lambda frame: frame.with_columns(more=1),
            SourceFormatError,
            "other types or another order than expected: more",
        ),
        (lambda frame: frame.cast({"time_us": pl.Float64}), SourceFormatError, "than expected: time_us"),
        (
            lambda frame: pl.concat([frame, frame.with_columns(event=pl.lit(None, dtype=pl.String))]),
            SourceFormatError,
            "`event` is null in 1 of 2 rows, first in row 1",
        ),
    ],
    ids=["missing", "order", "more", "type", "null"],
)
def test_validate_names_what_is_wrong(change, kind, message):
    with pytest.raises(kind, match=message):
        validate(change(conform(pl.DataFrame(ALERT), ALERTS)), ALERTS)
