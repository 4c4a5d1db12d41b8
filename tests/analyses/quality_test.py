import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.clocks import find_clock_offsets
from prodintel_lib.analyses.quality import check_quality, find_cycles
from prodintel_lib.tables import METRICS, SPANS, conform

S = 1_000_000
LINKS = {"trace_id": pl.String, "span_id": pl.String, "parent_span_id": pl.String}


def table(rows, known, **common):
    frame = pl.DataFrame([{**common, **row} for row in rows], infer_schema_length=None)
    return nw.from_native((conform(frame, known) if rows else pl.DataFrame(schema=known.schema)).lazy())


def check(spans, metrics=(), **account):
    frame = table(spans, SPANS, trace_id="t", time_us=0, duration_ms=1.0)
    counters = table(metrics, METRICS, metric_name="m", metric_kind="sum", is_monotonic=True, temporality="cumulative")
    return check_quality(frame, counters, clocks=find_clock_offsets(frame), **account)


def cycles(*links):
    found = find_cycles(pl.DataFrame(list(links), schema=LINKS, orient="row"))
    return sorted(zip(found["trace_id"], found["span_id"], strict=True))


def test_find_cycles_finds_every_span_of_a_cycle_and_none_that_only_leads_to_one():
    assert cycles(
        ("t", "a", "b"), ("t", "b", "c"), ("t", "c", "a"), ("t", "d", "a"), ("t", "e", "d"),
        ("u", "a", "b"), ("u", "b", "root"),
        ("v", "x", "y"), ("v", "y", "x"), ("v", "x", "root"),
    ) == [("t", "a"), ("t", "b"), ("t", "c"), ("v", "x"), ("v", "y")]  # fmt: skip
    assert cycles() == []


@pytest.mark.parametrize("length", [2, 3, 7, 8, 9, 1000])
def test_find_cycles_finds_long_cycles_and_long_chains(length):
    ring = [("t", str(number), str((number + 1) % length)) for number in range(length)]
    assert len(cycles(*ring)) == length
    assert cycles(*ring[:-1]) == []


def test_check_quality_counts_orphans_cycles_and_roots():
    quality = check(
        [
            {"span_id": "a"},
            {"span_id": "b", "parent_span_id": "a"},
            {"span_id": "c", "parent_span_id": "gone"},
            {"span_id": "d", "parent_span_id": "e"},
            {"span_id": "e", "parent_span_id": "d", "time_us": 7},
            {"span_id": "f", "parent_span_id": "f"},
            {"span_id": "g"},
            {"span_id": "a", "trace_id": "u"},
        ],
        dropped={"duplicate": 3},
        quarantined={"negative duration": 2},
    )
    assert [(defect.what, defect.count, defect.of) for defect in quality.defects] == [
        ("Spans whose parent is missing", 1, 8),
        ("Traces with such a span", 1, 2),
        ("Spans that name themselves as parent", 1, 8),
        ("Spans in a cycle of parents", 2, 8),
        ("Traces with a cycle of parents", 1, 2),
        ("Traces with several roots", 1, 2),
        ("Rows left out: duplicate", 3, 0),
        ("Rows not read: negative duration", 2, 0),
    ]
    assert quality.sentences()[1] == "Spans whose parent is missing: 1 of 8; each begins a tree of its own."
    assert "negative duration" in quality._repr_html_()


def test_check_quality_says_where_counters_began_anew():
    points = [(0, 5.0, "stock"), (60, 9.0, "stock"), (120, 1.0, "stock"), (0, 1.0, "pay"), (60, 2.0, "pay")]
    quality = check([], [{"time_us": t * S, "value": v, "service_name": of} for t, v, of in points])
    assert quality.restarts.rows() == [("stock", "", 120 * S, 1)]
    assert quality.sentences()[1:] == (
        "Counters that began anew: 1; counted from zero again: stock at 1970-01-01 00:02:00 UTC.",
    )


def test_check_quality_without_defects_says_so():
    quality = check([{"span_id": "a"}, {"span_id": "b", "parent_span_id": "a", "time_us": 1}])
    assert quality.defects == ()
    assert "Nothing odd about parents, counters and rows (n 2 spans)." in quality._repr_html_()
    assert check([]).defects == ()
