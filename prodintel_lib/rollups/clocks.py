"""How far the clocks of two services are apart, as their calls tell, and times with that taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.expressions import SERVER_KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLOCK_EDGES_KEYS: Final = ("caller", "callee")
CLOCK_EDGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "caller": pl.String(),
    "callee": pl.String(),
    "pairs": pl.Int64(),
    "outside": pl.Int64(),
    "offset_us_p25": pl.Float64(),
    "offset_us_p50": pl.Float64(),
    "offset_us_p75": pl.Float64(),
}
_TIMES: Final = ("time_us", "start_time_us")
_HALF_MS_US: Final = 500

Frame = TypeVar("Frame", nw.LazyFrame[Any], pl.DataFrame)


def build_clock_edges(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Compare the clocks of two services by the calls between them.

    A call takes in what it waits for: the callee's server span lies inside the caller's client span when both clocks
    agree. The distance of their middles is how far the callee's clock is ahead, wrong by at most half the time that
    the call spent outside the callee.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of CLOCK_EDGES_SCHEMA, unordered, one row a pair of services with calls that can be compared:

        - ``pairs``: client spans with a server span of another service under them that took no longer
        - ``outside``: those whose server span does not lie inside the client span
        - ``offset_us_*``: quartiles of how far the callee's clock is ahead, µs

    Notes
    -----
    The estimate is NTP's (RFC 5905, section 8): half the sum of the differences of starts and of ends. Where the server
    took longer than its client waited (the client gave up, or streams), the ends do not belong together: such a pair
    tells nothing and is left out. Durations do not depend on how a clock is set, so this choice does not either.
    """
    is_call = (nw.col("span_kind") == nw.lit("client")) & ~nw.col("service_name").is_null()
    is_answer = (nw.col("span_kind") == nw.lit(SERVER_KIND)) & ~nw.col("service_name").is_null()
    calls = spans.filter(is_call).select(
        "trace_id",
        nw.col("span_id").alias("parent_span_id"),
        nw.col("service_name").alias("caller"),
        nw.col("time_us").alias("call_us"),
        nw.col("duration_ms").alias("call_ms"),
    )
    answers = spans.filter(is_answer, ~nw.col("parent_span_id").is_null()).select(
        "trace_id",
        "parent_span_id",
        nw.col("service_name").alias("callee"),
        nw.col("time_us").alias("answer_us"),
        nw.col("duration_ms").alias("answer_ms"),
    )
    pairs = (
        calls.join(answers, on=["trace_id", "parent_span_id"], how="inner")
        .filter(nw.col("caller") != nw.col("callee"), nw.col("answer_ms") <= nw.col("call_ms"))
        .with_columns(((nw.col("call_ms") - nw.col("answer_ms")) * _HALF_MS_US).alias("slack_us"))
        .with_columns((nw.col("answer_us") - nw.col("call_us") - nw.col("slack_us")).alias("offset_us"))
    )
    offset = nw.col("offset_us")
    return (
        pairs.with_columns((offset.abs() > nw.col("slack_us")).cast(nw.Int64).alias("outside"))
        .group_by(*CLOCK_EDGES_KEYS)
        .agg(
            nw.len().alias("pairs"),
            nw.col("outside").sum(),
            offset.quantile(0.25, interpolation="linear").alias("offset_us_p25"),
            offset.quantile(0.50, interpolation="linear").alias("offset_us_p50"),
            offset.quantile(0.75, interpolation="linear").alias("offset_us_p75"),
        )
    )


def correct_clocks(frame: Frame, offsets_us: Mapping[str, int], *, by: str = "service_name") -> Frame:
    """Take the error of each service's clock out of its times.

    Parameters
    ----------
    frame : narwhals.LazyFrame or polars.DataFrame
        With ``time_us`` and the column `by`; ``start_time_us`` is corrected too where there is one. Spans, logs, metric
        points, calls (with ``by="caller"``: a call is timed by who makes it).
    offsets_us : mapping of str to int
        Service to how far its clock is ahead, µs; other services, and rows without one, keep their times.
    by : str
        The column that names the service whose clock was read.

    Returns
    -------
    The same kind of frame with the same columns in the same order.
    """
    wrong = {service: offset_us for service, offset_us in offsets_us.items() if offset_us}
    if not wrong:
        return frame
    if isinstance(frame, pl.DataFrame):
        return nw.from_native(frame).with_columns(*_corrected(frame.columns, wrong, by)).to_native()
    return frame.with_columns(*_corrected(frame.collect_schema().names(), wrong, by))


def _corrected(columns: Iterable[str], offsets_us: Mapping[str, int], by: str) -> list[nw.Expr]:
    ahead_us = nw.lit(0)
    for service, offset_us in sorted(offsets_us.items()):
        ahead_us = nw.when(nw.col(by) == nw.lit(service)).then(nw.lit(offset_us)).otherwise(ahead_us)
    return [(nw.col(name) - ahead_us).cast(nw.Int64).alias(name) for name in columns if name in _TIMES]
