"""Golden signals of a small shop, made by hand: half an hour in steps of a minute after half an hour of history."""

from types import SimpleNamespace

import polars as pl

from prodintel_lib.analyses.golden_signals import schemas
from prodintel_lib.windows import Window

S = 1_000_000
MINUTE_US = 60 * S
WINDOW = Window(30 * MINUTE_US, 60 * MINUTE_US)
BASELINE = SimpleNamespace(says="all of the time before")
ALL = {"grain": "all", "service_name": "", "route": ""}
SHOP = {"grain": "service", "service_name": "shop", "route": ""}
PAY = {"grain": "service", "service_name": "pay", "route": ""}
CART = {"grain": "service", "service_name": "cart", "route": ""}
ORDERS = {"grain": "route", "service_name": "shop", "route": "POST /orders"}


def frame(rows, schema):
    """Return rows with every column of a schema, null where nothing is given."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def golden(**signals):
    return SimpleNamespace(window=WINDOW, **signals)


def latency(rows, *, over_time=(), modes=(), splits=(), distribution=(), routes_left_out=0):
    return SimpleNamespace(
        frame=frame(rows, schemas.LATENCY_SCHEMA),
        over_time=frame(over_time, schemas.LATENCY_TIME_SCHEMA),
        modes=frame(modes, schemas.MODES_SCHEMA),
        splits=frame(splits, schemas.SPLITS_SCHEMA),
        distribution=frame(distribution, schemas.DISTRIBUTION_SCHEMA),
        step_s=60,
        baseline=BASELINE,
        routes_left_out=routes_left_out,
    )


def traffic(rows, *, over_time=(), forecast=()):
    return SimpleNamespace(
        frame=frame(rows, schemas.TRAFFIC_SCHEMA),
        over_time=frame(over_time, schemas.TRAFFIC_TIME_SCHEMA),
        forecast=frame(forecast, schemas.FORECAST_SCHEMA),
        step_s=60,
        baseline=BASELINE,
        interval_level=0.9,
    )


def errors(rows, *, over_time=()):
    return SimpleNamespace(
        frame=frame(rows, schemas.ERRORS_SCHEMA),
        over_time=frame(over_time, schemas.ERRORS_TIME_SCHEMA),
        step_s=60,
        baseline=BASELINE,
    )


def saturation(rows, *, over_time=(), resources_left_out=0):
    return SimpleNamespace(
        frame=frame(rows, schemas.SATURATION_SCHEMA),
        over_time=frame(over_time, schemas.SATURATION_TIME_SCHEMA),
        step_s=60,
        resources_left_out=resources_left_out,
    )


def minutes(about, first, last, **values):
    """Return a row for each minute from `first` to `last`, that one included."""
    return [{**about, "bucket_us": minute * MINUTE_US, **values} for minute in range(first, last + 1)]
