import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.shown_variants import SHOWN_KEYS, SHOWN_SCHEMA, build_shown_variants
from prodintel_lib.tables import EXPOSURES, conform


def exposures(*rows):
    whole = [{"source": "x", "feature_flag_key": "f", "feature_flag_result_variant": "a", **row} for row in rows]
    return conform(pl.DataFrame(whole, infer_schema_length=None), EXPOSURES)


ROWS = exposures(
    {"time_us": 5, "visitor_id": "v"},
    {"time_us": 3, "visitor_id": "v"},
    {"time_us": 4, "visitor_id": "w", "feature_flag_result_variant": "b"},
    {"time_us": 9, "visitor_id": "w"},
    {"time_us": 1, "visitor_id": "v", "feature_flag_key": "g"},
    {"time_us": 1, "session_id": "s", "user_id": "u"},
    {"time_us": 1, "user_id": "u"},
    {"time_us": 1},
    {"time_us": 1, "visitor_id": "z", "feature_flag_result_variant": None},
)
EXPECTED = [
    ("f", "s", "a", "a", 1),
    ("f", "u", "a", "a", 1),
    ("f", "v", "a", "a", 3),
    ("f", "w", "a", "b", 4),
    ("g", "v", "a", "a", 1),
]


def test_build_shown_variants_lists_each_visitor_once_and_names_who_saw_several():
    found = collect(build_shown_variants(nw.from_native(ROWS.lazy())), schema=SHOWN_SCHEMA, sort_by=SHOWN_KEYS)
    assert found.rows() == EXPECTED


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_build_shown_variants_is_the_same_on_every_engine(engine, needs, needs_program, tmp_path):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    file = tmp_path / "exposures.parquet"
    ROWS.write_parquet(file)
    lazy = scan_parquet([file], schema=EXPOSURES.schema, engine=engine)
    assert collect(build_shown_variants(lazy), schema=SHOWN_SCHEMA, sort_by=SHOWN_KEYS).rows() == EXPECTED
