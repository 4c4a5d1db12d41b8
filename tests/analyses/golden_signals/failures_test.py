import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.failures import measure_errors
from prodintel_lib.analyses.golden_signals.schemas import CATEGORIES_SCHEMA, ERRORS_SCHEMA, ERRORS_TIME_SCHEMA
from prodintel_lib.analyses.golden_signals.subjects import choose_subjects
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.request_failures import REQUEST_FAILURES_SCHEMA

from . import made
from .made import HOUR_US, MINUTE_US

WINDOW = {"window": (HOUR_US, 2 * HOUR_US), "history_us": HOUR_US}


def failing(before, now, seed=1):
    """Sixty requests a minute for two hours; so many of them fail on average before the window and in it."""
    chance = np.random.default_rng(seed)
    failed = np.minimum(60, np.concatenate([chance.poisson(before, 60), chance.poisson(now, 60)]))
    return made.requests(
        [{"bucket_us": at * MINUTE_US, "requests": 60, "failed": int(n)} for at, n in enumerate(failed)]
    )


def errors(rows, **options):
    production = made.production(rows, **WINDOW, **options)
    return measure_errors(production, choose_subjects(production, services=None, max_routes=12))


@pytest.mark.parametrize(
    ("before", "now", "trend"),
    [(1.0, 6.0, "rising"), (6.0, 1.0, "falling"), (3.0, 3.0, "steady"), (0.0, 3.0, "new"), (3.0, 0.0, "gone"),
     (0.0, 0.0, "none"), (0.0, 0.05, "too few to say")],
)  # fmt: skip
def test_measure_errors_says_how_the_ratio_went(before, now, trend):
    frame = errors(failing(before, now, seed=3)).frame
    assert frame["trend"].unique().to_list() == [trend]
    assert dict(frame.schema) == ERRORS_SCHEMA


def test_measure_errors_gives_counts_ratio_and_interval():
    rows = failing(0, 0).with_columns(pl.when(pl.col("bucket_us") == HOUR_US).then(36).otherwise(0).alias("failed"))
    row = errors(rows).frame.filter(pl.col("grain") == "route").row(0, named=True)
    assert (row["n"], row["failed"], row["ratio"], row["history_failed"]) == (3600, 36, 0.01, 0)
    assert (row["low"], row["high"]) == pytest.approx((0.00723, 0.01382), abs=1e-4)
    assert row["times"] is None


def failures(rows):
    usual = {"bucket_us": 0, "service_name": "shop", "route": "GET /a", "is_entry": True, "status": 500,
             "error_type": "", "requests": 1}  # fmt: skip
    return pl.DataFrame([usual | row for row in rows], schema=REQUEST_FAILURES_SCHEMA)


def test_measure_errors_counts_answers_by_class_and_failures_by_type():
    told = failures(
        [
            *({"bucket_us": at * MINUTE_US, "status": 404, "requests": 3} for at in range(120)),
            *(
                {"bucket_us": at * MINUTE_US, "status": 503, "error_type": "Timeout", "requests": 6}
                for at in range(60, 120)
            ),
            {"bucket_us": 61 * MINUTE_US, "status": -1, "error_type": "Reset", "requests": 1},
        ]
    )
    found = errors(failing(0, 6), failures=told, levels=levels([])).categories
    assert dict(found.schema) == CATEGORIES_SCHEMA
    by_name = {row["category"]: row for row in found.iter_rows(named=True)}
    assert set(by_name) == {"4xx", "5xx", "Timeout", "Reset"}
    assert (by_name["4xx"]["n"], by_name["4xx"]["of_n"], by_name["4xx"]["trend"]) == (180, 3600, "steady")
    assert (by_name["5xx"]["n"], by_name["5xx"]["history_n"], by_name["5xx"]["trend"]) == (360, 0, "new")
    assert by_name["Timeout"]["first_us"] == HOUR_US
    assert by_name["Reset"]["trend"] == "too few to say"


def levels(rows):
    usual = {"bucket_us": 0, "service_name": "shop", "errors": 0, "warnings": 0, "rows": 10}
    return pl.DataFrame([usual | row for row in rows], schema=LOG_LEVELS_SCHEMA)


def test_measure_errors_counts_log_rows_against_requests():
    logged = levels([{"bucket_us": at * MINUTE_US, "errors": 90 if at >= 60 else 9} for at in range(120)])
    row = errors(failing(0, 0), levels=logged).categories.row(0, named=True)
    assert (row["kind"], row["category"], row["n"], row["of_n"], row["share"]) == (
        "log level",
        "error",
        5400,
        3600,
        1.5,
    )
    assert row["trend"] == "rising"
    assert row["times"] == pytest.approx(10)


def test_measure_errors_counts_log_rows_of_a_service_without_requests_against_all_its_rows():
    logged = levels([{"bucket_us": at * MINUTE_US, "service_name": "job", "errors": 1} for at in range(60, 120)])
    row = errors(failing(0, 0), levels=logged).categories.row(0, named=True)
    assert (row["service_name"], row["n"], row["of_n"]) == ("job", 60, 600)


def test_measure_errors_says_what_was_not_recorded():
    assert errors(failing(1, 1)).not_recorded == ("HTTP class", "error type", "log level")
    assert errors(failing(0, 0), levels=levels([{}])).not_recorded == ()


def test_measure_errors_over_time_adds_up():
    found = errors(failing(1, 6)).over_time
    assert dict(found.schema) == ERRORS_TIME_SCHEMA
    whole = found.filter(pl.col("grain") == "all", "in_window")
    assert whole["n"].sum() == 3600
    assert ((whole["low"] <= whole["ratio"]) & (whole["ratio"] <= whole["high"])).all()
