"""The stack traces of a window with what is needed to find the places that fail the most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.error_events import build_error_events

if TYPE_CHECKING:
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window

STACK_RECORD_KEYS: Final = ("stacktrace", "error_type", "service_name", "service_version")
STACK_RECORDS_SCHEMA: Final[dict[str, pl.DataType]] = {
    **dict.fromkeys(STACK_RECORD_KEYS, pl.String()),
    "rows": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
}


def read_stack_records(view: LakeView, window: Window) -> pl.DataFrame:
    """Count the errors of a window that have a stack trace, by trace, class, service and release.

    Parameters
    ----------
    view : LakeView
    window : Window

    Returns
    -------
    polars.DataFrame
        STACK_RECORDS_SCHEMA, pseudonymised; as stack_traces.find_hot_spots takes it. An error that several records of
        one request tell is counted once (rollups.error_events).
    """
    tables = (view.scan(table, window) for table in ("logs", "spans", "rum_events"))
    errors = build_error_events(*tables).filter(nw.col("stacktrace") != nw.lit(""))
    counted = errors.group_by(*STACK_RECORD_KEYS).agg(
        nw.len().alias("rows"), nw.col("time_us").min().alias("first_us"), nw.col("time_us").max().alias("last_us")
    )
    records = view.collect(counted, schema=STACK_RECORDS_SCHEMA, sort_by=STACK_RECORD_KEYS)
    # Two texts may be one once what is personal in them was replaced.
    return (
        records.group_by(*STACK_RECORD_KEYS)
        .agg(pl.col("rows").sum(), pl.col("first_us").min(), pl.col("last_us").max())
        .sort(*STACK_RECORD_KEYS)
        .with_columns(pl.col("error_type", "service_name", "service_version").replace("", None))
    )
