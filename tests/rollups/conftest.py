"""Frames for the tests of rollups: only what a test says, the rest null."""

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.tables import METRICS, SPANS, conform


@pytest.fixture
def spans():
    """Return a function that makes the table `spans` from short rows: ids are texts of one letter."""

    def make(*rows):
        whole = [{"time_us": 0, "duration_ms": 1.0, "trace_id": "t", "span_kind": "server", **row} for row in rows]
        return nw.from_native(conform(pl.DataFrame(whole, infer_schema_length=None), SPANS).lazy())

    return make


@pytest.fixture
def metrics():
    """Return a function that makes the table `metrics` from short rows."""

    def make(*rows):
        whole = [{"metric_name": "m", "metric_kind": "gauge", "service_name": "pay", **row} for row in rows]
        return nw.from_native(conform(pl.DataFrame(whole, infer_schema_length=None), METRICS).lazy())

    return make
