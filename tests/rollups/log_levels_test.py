import narwhals as nw
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.rollups.log_levels import LOG_LEVELS_KEYS, LOG_LEVELS_SCHEMA, build_log_levels
from prodintel_lib.rollups.recorded import RECORDED_SCHEMA, build_recorded
from prodintel_lib.tables import LOGS, conform

S = 1_000_000


def logs(*rows):
    return nw.from_native(conform(pl.DataFrame(list(rows), infer_schema_length=None), LOGS).lazy())


ROWS = (
    {"time_us": 10 * S, "service_name": "shop", "severity_number": 17, "severity_text": None},
    {"time_us": 11 * S, "service_name": "shop", "severity_number": 13, "severity_text": None},
    {"time_us": 19 * S, "service_name": "shop", "severity_number": None, "severity_text": "Error"},
    {"time_us": 19 * S, "service_name": "shop", "severity_number": 9, "severity_text": None},
    {"time_us": 20 * S, "service_name": None, "severity_number": None, "severity_text": "warn"},
)


def test_build_log_levels_counts_by_service_and_level():
    frame = collect(build_log_levels(logs(*ROWS), bucket_s=10), schema=LOG_LEVELS_SCHEMA, sort_by=LOG_LEVELS_KEYS)
    assert frame.rows() == [(10 * S, "shop", 2, 1, 4), (20 * S, "", 0, 1, 1)]


def test_build_recorded_counts_the_rows_of_buckets_that_have_some():
    frame = collect(build_recorded(logs(*ROWS), bucket_s=10), schema=RECORDED_SCHEMA, sort_by=["bucket_us"])
    assert frame.rows() == [(10 * S, 4), (20 * S, 1)]
