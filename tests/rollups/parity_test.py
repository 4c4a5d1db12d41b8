"""Every rollup gives the same to the byte on every engine."""

import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.calls import CALLS_SCHEMA, build_calls
from prodintel_lib.rollups.clocks import CLOCK_EDGES_KEYS, CLOCK_EDGES_SCHEMA, build_clock_edges, correct_clocks
from prodintel_lib.rollups.concurrency import CONCURRENCY_SCHEMA, build_concurrency
from prodintel_lib.rollups.links import (
    LINK_COUNTS_SCHEMA,
    LINKS_KEYS,
    LINKS_SCHEMA,
    build_doubtful_links,
    count_links,
)
from prodintel_lib.rollups.metric_points import (
    POINTS_KEYS,
    POINTS_SCHEMA,
    RESETS_KEYS,
    RESETS_SCHEMA,
    build_counter_resets,
    build_metric_points,
)
from prodintel_lib.rollups.red import RED_KEYS, RED_SCHEMA, build_red
from prodintel_lib.rollups.requests import REQUESTS_KEYS, REQUESTS_SCHEMA, build_requests
from prodintel_lib.tables import METRICS, SPANS, conform
from prodintel_lib.windows import Window

S = 1_000_000
WINDOW = Window(100 * S, 400 * S)


def many_services(spans):
    """Split each service in sixteen, so that there are more rows to compare."""
    return spans.with_columns(nw.concat_str("service_name", nw.col("trace_id").str.slice(31, 1)).alias("service_name"))


ROLLUPS = {
    "red": (lambda spans, _: build_red(spans, bucket_s=10), RED_SCHEMA, RED_KEYS),
    "requests": (lambda spans, _: build_requests(spans, window=WINDOW), REQUESTS_SCHEMA, REQUESTS_KEYS),
    "calls": (lambda spans, _: build_calls(spans), CALLS_SCHEMA, ("time_us", "trace_id", "span_id")),
    "concurrency": (lambda spans, _: build_concurrency(build_requests(spans)), CONCURRENCY_SCHEMA, ("time_us",)),
    "points": (lambda _, metrics: build_metric_points(metrics), POINTS_SCHEMA, POINTS_KEYS),
    "resets": (lambda _, metrics: build_counter_resets(metrics), RESETS_SCHEMA, RESETS_KEYS),
    "clocks": (lambda spans, _: build_clock_edges(many_services(spans)), CLOCK_EDGES_SCHEMA, CLOCK_EDGES_KEYS),
    "links": (lambda spans, _: build_doubtful_links(correct_clocks(spans, {"shop": 3})), LINKS_SCHEMA, LINKS_KEYS),
    "trace counts": (
        lambda spans, _: count_links(many_services(spans), by="service_name"),
        {"service_name": pl.String(), **LINK_COUNTS_SCHEMA},
        ("service_name",),
    ),
    "corrected": (
        lambda spans, _: correct_clocks(spans, {"shop": 2_400_000, "gateway": -3}),
        {"time_us": pl.Int64(), "service_name": pl.String(), "trace_id": pl.String(), "span_id": pl.String()},
        ("trace_id", "span_id"),
    ),
}


def some_spans(seed):
    """Traces of a gateway, a shop and a database, with every kind of failure, null and missing parent."""
    chance = random.Random(seed)
    rows = []
    for number in range(800):
        trace, at = f"{number:032x}", chance.randrange(500 * S)
        parent = None
        for depth, (service, kind) in enumerate(
            (("gateway", "server"), ("gateway", "client"), ("shop", "server"), ("shop", "client"))
        ):
            if chance.random() < 0.05:
                parent = f"{number * 10 + depth:016x}"
                continue
            is_call = kind == "client"
            rows.append(
                {
                    "time_us": at + depth,
                    "duration_ms": round(chance.expovariate(0.02), 6),
                    "trace_id": trace,
                    "span_id": f"{number * 10 + depth:016x}",
                    "parent_span_id": parent,
                    "span_name": f"{kind} {depth}",
                    "span_kind": kind,
                    "status_code": chance.choice(["ok", "error", "unset", None]),
                    "service_name": service if chance.random() < 0.98 else None,
                    "http_request_method": chance.choice(["GET", "POST", None]),
                    "http_route": chance.choice(["/orders", "/é 'x'", None]),
                    "http_response_status_code": chance.choice([200, 404, 503, None]),
                    "error_type": chance.choice([None, None, "timeout"]),
                    "server_address": "127.0.0.1" if is_call else None,
                    "server_port": chance.choice([80, 81, None]) if is_call else None,
                    "peer_service": chance.choice(["cards", None]) if is_call else None,
                    "db_system_name": "sqlite" if is_call and depth == 3 and chance.random() < 0.5 else None,
                    "attributes": '{"a":1}',
                }
            )
            parent = rows[-1]["span_id"]
    return conform(pl.DataFrame(rows, infer_schema_length=None), SPANS)


def some_metrics(seed):
    chance = random.Random(seed)
    rows = []
    for name, kind, monotonic, temporality in (
        ("used", "gauge", None, None),
        ("hits", "sum", True, "cumulative"),
        ("sent", "sum", True, "delta"),
        ("depth", "sum", False, "cumulative"),
        ("latency", "histogram", None, "delta"),
    ):
        for state in ('{"state":"used","description":"d"}', '{"state":"idle","resource":{"a":"b"}}', None):
            total = 0.0
            for at in range(0, 500, 7):
                total = 0.0 if chance.random() < 0.05 else total + chance.random() * 10
                rows.append(
                    {
                        "time_us": at * S + chance.randrange(S),
                        "metric_name": name,
                        "metric_kind": kind,
                        "is_monotonic": monotonic,
                        "temporality": temporality,
                        "start_time_us": chance.choice([None, (at - 7) * S]),
                        "service_name": chance.choice(["shop", None]),
                        "value": total if kind != "histogram" and chance.random() < 0.97 else None,
                        "attributes": state,
                    }
                )
    return conform(pl.DataFrame(rows, infer_schema_length=None), METRICS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    paths = {"spans": [], "metrics": []}
    for seed in (1, 2):
        for name, frame in (("spans", some_spans(seed)), ("metrics", some_metrics(seed))):
            if name == "spans":
                frame = frame.with_columns(pl.col("trace_id") + f"{seed}")  # noqa: PLW2901 - two files, no common trace
            paths[name].append(folder / f"{name}{seed}.parquet")
            frame.write_parquet(paths[name][-1])
    return paths


def run(engine, files, name):
    build, schema, keys = ROLLUPS[name]
    spans = scan_parquet(files["spans"], schema=SPANS.schema, engine=engine)
    metrics = scan_parquet(files["metrics"], schema=METRICS.schema, engine=engine)
    return collect(build(spans, metrics), schema=schema, sort_by=list(keys))


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ROLLUPS)
def test_rollups_give_the_same_on_every_engine(files, name, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    expected, found = run("polars", files, name), run(engine, files, name)
    assert expected.height > 5
    assert found.schema == expected.schema
    assert found.write_csv().encode() == expected.write_csv().encode()
