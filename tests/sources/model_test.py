import polars as pl
import pytest

from prodintel_lib.errors import SourceFormatError
from prodintel_lib.sources.model import ReadResult, Rejected, excerpt, read_time
from prodintel_lib.tables import ALERTS

ALERT = pl.DataFrame(
    [{"time_us": 1, "source": "pagerduty", "alert_id": "R1", "event": "triggered"}], schema=ALERTS.schema
)


def test_read_result_accepts_an_account_that_adds_up():
    result = ReadResult({"alerts": ALERT}, 3, {"duplicate": 1}, (Rejected("bad", 1, ""),))
    assert result.kept == {"alerts": 1}


def test_read_result_refuses_an_account_that_does_not_add_up():
    with pytest.raises(SourceFormatError, match="read 3, kept 1, dropped 0, quarantined 1"):
        ReadResult({"alerts": ALERT}, 3, {}, (Rejected("bad", 1, ""),))


def test_read_result_refuses_a_frame_that_is_not_its_table():
    with pytest.raises(SourceFormatError, match="`event` is null in 1 of 1 rows"):
        ReadResult({"alerts": ALERT.with_columns(event=pl.lit(None, dtype=pl.String))}, 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x" * 300, "x" * 200),
        (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
        ({"a": [1]}, '{"a":[1]}'),
        ({"a": 2**70}, "a JSON dict"),
    ],
)
def test_excerpt_is_short_text(content, expected):
    assert excerpt(content) == expected


def test_read_time_reads_iso_times():
    assert read_time("2025-09-29T14:20:00.000001Z") == 1759155600000001


@pytest.mark.parametrize("text", [None, 5, "", "soon", "1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z"])
def test_read_time_refuses_what_cannot_be_kept(text):
    with pytest.raises(ValueError, match=str(text) or "^$"):
        read_time(text)
