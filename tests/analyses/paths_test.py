import polars as pl
import pytest

from prodintel_lib.analyses.paths import build_path, build_service_map, choose_traces, compare_paths
from prodintel_lib.errors import NoDataError
from prodintel_lib.windows import Window


def span(span_id, parent, start_ms, duration_ms, service="gateway", dependency=None, trace_id="t", failed=False):
    return {
        "trace_id": trace_id, "span_id": span_id, "parent_span_id": parent, "time_us": start_ms * 1000,
        "duration_ms": float(duration_ms), "service_name": service, "span_name": span_id, "span_kind": "internal",
        "dependency": dependency, "failed": failed, "error_type": None,
    }  # fmt: skip


SCHEMA = {"dependency": pl.String, "parent_span_id": pl.String, "error_type": pl.String}


def frame(*spans):
    return pl.DataFrame(list(spans), schema_overrides=SCHEMA)


def test_build_path_own_time_leaves_out_the_union_of_the_children():
    path = build_path(
        frame(span("a", None, 0, 100), span("b", "a", 10, 40), span("c", "a", 30, 40), span("d", "b", 10, 5))
    )
    assert path.select("span_id", "depth", "self_ms").rows() == [
        ("a", 0, 40.0), ("b", 1, 35.0), ("d", 2, 5.0), ("c", 1, 40.0),
    ]  # fmt: skip


def test_build_path_child_past_its_parent_counts_only_inside():
    path = build_path(frame(span("a", None, 0, 10), span("b", "a", 5, 100)))
    assert path["self_ms"].to_list() == [5.0, 100.0]


def test_build_path_ends_on_cycles_and_keeps_orphans():
    path = build_path(frame(span("a", "b", 0, 1), span("b", "a", 0, 1), span("c", "gone", 0, 1), span("d", "d", 0, 1)))
    assert sorted(path["span_id"]) == ["a", "b", "c", "d"]


def test_compare_paths_names_the_hop_that_grew():
    failing = [
        span("a", None, 0, 30_100, trace_id="bad"),
        span("b", "a", 10, 30_050, "payment", "card-processor", "bad"),
    ]
    healthy = [span("a", None, 0, 100, trace_id="good"), span("b", "a", 10, 50, "payment", "card-processor", "good")]
    path = compare_paths(frame(*failing, *healthy), route="POST /pay", failing_trace_id="bad", healthy_trace_id="good")
    assert (path.bottleneck, path.bottleneck_ms, path.bottleneck_healthy_ms) == (
        "payment → card-processor",
        30_050.0,
        50.0,
    )
    assert path.failing["bottleneck"].to_list() == [False, True]


def test_choose_traces_takes_the_medians():
    rows = pl.DataFrame(
        {
            "time_us": [1, 2, 3, 11, 12, 13],
            "duration_ms": [5.0, 7.0, 6.0, 900.0, 700.0, 800.0],
            "trace_id": list("abcdef"),
            "route": "GET /x",
            "bad": [False, False, False, True, True, True],
        }
    )
    assert choose_traces(rows, route="GET /x", window=Window(10, 20), baseline=Window(0, 10)) == ("f", "c")
    with pytest.raises(NoDataError, match="No failing request in the incident on `GET /x`"):
        choose_traces(rows, route="GET /x", window=Window(20, 30), baseline=Window(0, 10))


def test_build_service_map_compares_before_and_during():
    calls = pl.DataFrame(
        {
            "time_us": [1, 2, 11, 12],
            "duration_ms": [10.0, 10.0, 1000.0, 1000.0],
            "caller": "payment",
            "dependency": "card",
            "call_kind": "http",
            "failed": [False, False, True, False],
            "has_own_spans": False,
        }
    )
    edge = build_service_map(calls, window=Window(10, 20), baseline=Window(0, 10)).edges.row(0, named=True)
    assert (edge["calls"], edge["failed_share"], edge["baseline_p99_ms"], edge["p99_ms"]) == (2, 0.5, 10.0, 1000.0)


def test_build_service_map_says_how_own_time_grew():
    calls = pl.DataFrame(
        {
            "time_us": [1, 11],
            "duration_ms": [10.0, 10.0],
            "caller": "shop",
            "dependency": "stock",
            "call_kind": "http",
            "failed": False,
            "has_own_spans": True,
        }
    )
    own_time = pl.DataFrame(
        {
            "bucket_us": [1, 2, 11, 12, 12],
            "service_name": ["stock", "stock", "stock", "stock", "new"],
            "spans": [2, 2, 1, 3, 5],
            "own_ms": [10.0, 10.0, 60.0, 20.0, 5.0],
        }
    )
    made = build_service_map(calls, window=Window(10, 20), baseline=Window(0, 10), own_time=own_time)
    assert made.own_time.rows() == [("new", 1.0, 5, None, None), ("stock", 20.0, 4, 5.0, 4)]


def test_build_path_shows_every_span_once_in_a_long_cycle_that_a_tree_hangs_from():
    ring = [span(f"r{number}", f"r{(number + 1) % 500}", number, 1) for number in range(500)]
    path = build_path(frame(*ring, span("leaf", "r7", 600, 1), span("root", None, 700, 1), span("more", None, 800, 1)))
    assert path.height == path["span_id"].n_unique() == 503
    assert path.filter(pl.col("depth") == 0)["span_id"].to_list() == ["root", "more", "r0"]
