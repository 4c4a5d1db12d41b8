import math
import random

import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.own_time import OWN_TIME_KEYS, OWN_TIME_SCHEMA, build_own_time
from prodintel_lib.tables import SPANS

S = 1_000_000


def own_time(spans, *, bucket_s=60):
    return collect(build_own_time(spans, bucket_s=bucket_s), schema=OWN_TIME_SCHEMA, sort_by=OWN_TIME_KEYS)


def test_build_own_time_takes_off_children_and_keeps_the_way_to_another_service_apart(spans):
    frame = own_time(
        spans(
            {"span_id": "a", "service_name": "shop", "duration_ms": 100.0},
            {"span_id": "b", "parent_span_id": "a", "service_name": "shop", "span_kind": "client", "duration_ms": 70.0},
            {"span_id": "c", "parent_span_id": "b", "service_name": "pay", "duration_ms": 40.0},
        )
    )
    keys = ["bucket_us", "service_name", "callee", "spans", "own_ms"]
    assert frame.select(keys).rows() == [(0, "pay", "", 1, 40.0), (0, "shop", "", 1, 30.0), (0, "shop", "pay", 1, 30.0)]


def test_build_own_time_is_never_below_zero(spans):
    frame = own_time(
        spans(
            {"span_id": "a", "service_name": "shop", "duration_ms": 10.0},
            {"span_id": "b", "parent_span_id": "a", "service_name": "shop", "duration_ms": 9.0},
            {"span_id": "c", "parent_span_id": "a", "service_name": "shop", "duration_ms": 8.0},
        )
    )
    assert frame.select("service_name", "callee", "spans", "own_ms").rows() == [("shop", "", 3, 17.0)]


def test_build_own_time_keeps_operations_apart_by_route_then_by_name(spans):
    row = {"service_name": "shop", "duration_ms": 5.0}
    frame = own_time(
        spans(
            {**row, "span_id": "a", "http_route": "/cart/{id}", "span_name": "GET /cart/7"},
            {**row, "span_id": "b", "http_route": "/cart/{id}", "span_name": "GET /cart/8"},
            {**row, "span_id": "c", "http_route": None, "span_name": "render"},
            {**row, "span_id": "d", "http_route": None, "span_name": None},
        )
    )
    assert frame.select("operation", "spans").rows() == [("", 1), ("/cart/{id}", 2), ("render", 1)]


def test_build_own_time_sums_logarithms_and_their_squares(spans):
    row = {"service_name": "shop", "http_route": "/cart"}
    frame = own_time(
        spans({**row, "span_id": "a", "duration_ms": 0.0}, {**row, "span_id": "b", "duration_ms": math.e - 1},
              {**row, "span_id": "c", "duration_ms": math.e**3 - 1})
    )  # fmt: skip
    assert frame["own_log"].to_list() == pytest.approx([4.0])
    assert frame["own_log_squares"].to_list() == pytest.approx([10.0])


def test_build_own_time_counts_a_span_in_the_bucket_it_began_in(spans):
    row = {"service_name": "shop", "duration_ms": 5.0}
    frame = own_time(spans({**row, "span_id": "a", "time_us": 60 * S - 1}, {**row, "span_id": "b", "time_us": 60 * S}))
    assert frame["bucket_us"].to_list() == [0, 60 * S]


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_build_own_time_gives_the_same_on_every_engine(tmp_path, spans, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    chance = random.Random(3)
    rows = [
        {
            "trace_id": f"t{n // 6}",
            "span_id": f"s{n}",
            "parent_span_id": f"s{n - 1}" if n % 6 else None,
            "service_name": chance.choice(["shop", "pay", "bank", None]),
            "http_route": chance.choice(["/cart", "/pay", None]),
            "duration_ms": round(chance.expovariate(0.02), 6),
            "time_us": chance.randrange(500 * S),
        }
        for n in range(3000)
    ]
    spans(*rows).to_native().collect().write_parquet(tmp_path / "spans.parquet")

    def run(name):
        lazy = scan_parquet([tmp_path / "spans.parquet"], schema=SPANS.schema, engine=name)
        return collect(build_own_time(lazy, bucket_s=60), schema=OWN_TIME_SCHEMA, sort_by=OWN_TIME_KEYS)

    assert run("polars").height > 30
    assert run(engine).equals(run("polars"))
