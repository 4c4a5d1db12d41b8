from types import SimpleNamespace

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.correlation import build_signal_series, build_trace_evidence, correlate
from prodintel_lib.analyses.correlation.preparation import SERIES_SCHEMA
from prodintel_lib.engines import collect
from prodintel_lib.tables import METRICS, SPANS, conform
from prodintel_lib.windows import Window

S = 1_000_000
WINDOW = Window(0, 60 * S)


class View:
    """A lake in memory, in which nothing is personal."""

    private = SimpleNamespace(frame=lambda frame: frame)

    def __init__(self, **tables):
        self._tables = {
            "metrics": pl.DataFrame(schema=METRICS.schema),
            **tables,
        }

    def scan(self, table, window):
        inside = pl.col("time_us").is_between(window.start_us, window.end_us, closed="left")
        return nw.from_native(self._tables[table].lazy().filter(inside))

    def collect(self, lazy, *, schema, sort_by):
        return collect(lazy, schema=schema, sort_by=sort_by)


def request(number, time_us, *, query_ms):
    """A request of the shop with one query; slow where the query is."""
    trace = f"{number:032x}"
    server = {
        "trace_id": trace, "span_id": "1", "time_us": time_us, "duration_ms": query_ms + 2, "span_kind": "server",
        "service_name": "shop", "http_request_method": "GET", "http_route": "/cart", "http_response_status_code": 200,
    }  # fmt: skip
    query = {
        "trace_id": trace, "span_id": "2", "parent_span_id": "1", "time_us": time_us + 1000, "duration_ms": query_ms,
        "span_kind": "client", "service_name": "shop", "db_system_name": "postgresql",
    }  # fmt: skip
    return [server, query]


@pytest.fixture
def view():
    """Six requests in each of six buckets; in the fourth bucket every second query is slow."""
    rows = []
    for number in range(36):
        bucket, place = divmod(number, 6)
        is_slow = bucket == 3 and place % 2 == 0
        rows += request(number, bucket * 10 * S + place * S, query_ms=100.0 if is_slow else 4.0)
    pool = [{"time_us": bucket * 10 * S + 5 * S, "metric_name": "db.pool.in_use", "metric_kind": "gauge",
             "service_name": "shop", "value": float(bucket)} for bucket in range(6)]  # fmt: skip
    return View(spans=conform(pl.DataFrame(rows), SPANS), metrics=conform(pl.DataFrame(pool), METRICS))


def values(series, signal, column="value"):
    return series.filter(pl.col("signal") == signal)[column].to_list()


def test_build_signal_series_measures_latency_slow_queries_pools_and_throughput(view):
    series = build_signal_series(view, WINDOW, 10)
    assert dict(series.schema) == SERIES_SCHEMA
    slow = "slow calls of shop postgresql by shop"
    assert set(series["signal"]) == {
        slow, "latency of calls of shop postgresql by shop", "latency of shop /cart", "requests of shop",
        "metric db.pool.in_use shop  ",
    }  # fmt: skip
    assert values(series, slow) == [0, 0, 0, 3, 0, 0]
    assert values(series, slow, "exposure") == [6] * 6
    assert values(series, slow, "label")[0] == "slow queries of shop postgresql by shop"
    assert values(series, "latency of shop /cart") == [6, 6, 6, 102, 6, 6]
    assert values(series, "requests of shop") == [6] * 6
    assert values(series, "metric db.pool.in_use shop  ") == [0, 1, 2, 3, 4, 5]


def test_build_signal_series_counts_zero_where_a_pattern_did_not_come(view):
    patterns = pl.DataFrame({"pattern_id": ["P", "Q"], "label": ["p", "q"], "service_name": ["shop", "job"],
                             "exposure_unit": ["requests", "seconds"]})  # fmt: skip
    buckets = pl.DataFrame({"pattern_id": ["P", "Q"], "bucket_us": [30 * S, 10 * S], "rows": [3, 2]})
    traffic = pl.DataFrame({"unit": "requests", "service_name": "shop", "bucket_us": [b * 10 * S for b in range(6)],
                            "rows": [6, 6, 6, 7, 6, 6]})  # fmt: skip
    series = build_signal_series(view, WINDOW, 10, patterns=patterns, buckets=buckets, traffic=traffic)
    assert values(series, "P") == [0, 0, 0, 3, 0, 0]
    assert values(series, "P", "exposure") == [6, 6, 6, 7, 6, 6]
    assert values(series, "Q") == [0, 2, 0, 0, 0, 0]
    assert values(series, "Q", "exposure") == [10] * 6


def test_build_trace_evidence_knows_slow_spans_and_every_trace_of_a_route(view):
    members = pl.DataFrame({"pattern_id": ["P", "P"], "trace_id": [f"{n:032x}" for n in (18, 20)], "time_us": [1, 2],
                            "sample_key": [18 / 2**32, 20 / 2**32]})  # fmt: skip
    found = build_trace_evidence(
        view, WINDOW, members=members, traces=pl.DataFrame({"pattern_id": ["P"], "traces": [3]})
    )
    counts = dict(found.traces["signal"].value_counts().iter_rows())
    assert counts == {"P": 2, "latency of shop /cart": 3, "slow calls of shop postgresql by shop": 3}
    assert found.strata.rows() == [("GET /cart", 36)]
    assert found.sampled == {"P"}
    ends = found.traces.filter(pl.col("trace_id") == f"{18:032x}").sort("time_us").select("signal", "time_us").rows()
    # A query that is slow ends before the request around it does.
    assert ends[1:] == [
        ("slow calls of shop postgresql by shop", 30 * S + 101_000),
        ("latency of shop /cart", 30 * S + 102_000),
    ]


def test_correlate_pairs_an_error_with_the_queries_of_its_requests(view):
    slow = (18, 20, 22)
    patterns = pl.DataFrame({"pattern_id": ["P"], "label": ["Timeout"], "service_name": ["shop"],
                             "exposure_unit": ["requests"], "traces": [3]})  # fmt: skip
    buckets = pl.DataFrame({"pattern_id": ["P"], "bucket_us": [30 * S], "rows": [3]})
    traffic = pl.DataFrame({"unit": ["requests"], "service_name": ["shop"], "bucket_us": [30 * S], "rows": [6]})
    members = pl.DataFrame({"pattern_id": ["P"] * 3, "trace_id": [f"{n:032x}" for n in slow], "time_us": [31 * S] * 3,
                            "sample_key": [n / 2**32 for n in slow]})  # fmt: skip
    series = build_signal_series(view, WINDOW, 10, patterns=patterns, buckets=buckets, traffic=traffic)
    evidence = build_trace_evidence(view, WINDOW, members=members, traces=patterns)
    found = correlate(series, evidence=evidence, focus=("pattern",))
    assert found.pairs.select("first_label", "second_label", "traces_both", "traces_second", "is_ordered").rows() == [
        ("Timeout", "latency of shop /cart (p95, ms)", 3, 3, False),
        ("Timeout", "slow queries of shop postgresql by shop", 3, 3, False),
    ]
    assert found.hypotheses.found[1].sentence == (
        "`Timeout` and `slow queries of shop postgresql by shop` happen in the same requests: "
        "3 have both; which is first cannot be told."
    )
