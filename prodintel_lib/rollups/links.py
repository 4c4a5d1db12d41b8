"""How the spans of the traces hang together: who has a parent, whose parent is missing, who may be in a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from typing import Any

LINK_COUNTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "spans": pl.Int64(),
    "roots": pl.Int64(),
    "orphans": pl.Int64(),
    "own_parents": pl.Int64(),
    "traces": pl.Int64(),
    "traces_with_orphans": pl.Int64(),
    "traces_with_several_roots": pl.Int64(),
}
LINKS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "parent_span_id": pl.String(),
}
LINKS_KEYS: Final = ("trace_id", "span_id", "parent_span_id")


def count_links(spans: nw.LazyFrame[Any], *, by: str | None = None) -> nw.LazyFrame[Any]:
    """Count what is odd about parents.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.
    by : str, optional
        A column to count by; spans of one trace and one value then count as a trace.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LINK_COUNTS_SCHEMA, with `by` before them; one row, or one a value of `by`:

        - ``spans``
        - ``roots``: without a parent
        - ``orphans``: with a parent that is not in the data (lost, sampled away, or a sender that reports nothing)
        - ``own_parents``: named as their own parent
        - ``traces``, ``traces_with_orphans``, ``traces_with_several_roots``
    """
    keys = ["_all" if by is None else by]
    marked = _with_parent(spans).with_columns(
        nw.lit(0).alias("_all"),
        nw.col("parent_span_id").is_null().cast(nw.Int64).alias("roots"),
        (~nw.col("parent_span_id").is_null() & nw.col("parent_us").is_null()).cast(nw.Int64).alias("orphans"),
        _is_own_parent().cast(nw.Int64).alias("own_parents"),
    )
    by_trace = marked.group_by(*keys, "trace_id").agg(
        nw.len().alias("spans"), nw.col("roots").sum(), nw.col("orphans").sum(), nw.col("own_parents").sum()
    )
    counted = (
        by_trace.with_columns(
            (nw.col("orphans") > 0).cast(nw.Int64).alias("traces_with_orphans"),
            (nw.col("roots") > 1).cast(nw.Int64).alias("traces_with_several_roots"),
        )
        .group_by(*keys)
        .agg(
            nw.len().alias("traces"),
            *(nw.col(name).sum() for name in LINK_COUNTS_SCHEMA if name != "traces"),
        )
    )
    return counted.select(*keys[by is None :], *LINK_COUNTS_SCHEMA)


def build_doubtful_links(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """List the links from span to parent of the traces in which there may be a cycle.

    On the way around a cycle at least one span begins no later than its parent. Traces without such a span have no
    cycle and are left out: where clocks agree, that is nearly all.

    Parameters
    ----------
    spans : narwhals.LazyFrame
        The canonical table ``spans``.

    Returns
    -------
    narwhals.LazyFrame
        Columns of LINKS_SCHEMA, unordered: all links of those traces whose parent is in the data, save those of a span
        to itself.
    """
    links = _with_parent(spans).filter(~nw.col("parent_us").is_null(), ~_is_own_parent())
    doubtful = links.filter(nw.col("time_us") <= nw.col("parent_us")).select("trace_id").unique(subset=["trace_id"])
    return links.join(doubtful, on="trace_id", how="inner").select(*LINKS_SCHEMA)


def _with_parent(spans: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    parents = (
        spans.group_by("trace_id", "span_id")
        .agg(nw.col("time_us").min().alias("parent_us"))
        .rename({"span_id": "parent_span_id"})
    )
    return spans.join(parents, on=["trace_id", "parent_span_id"], how="left")


def _is_own_parent() -> nw.Expr:
    return (nw.col("parent_span_id") == nw.col("span_id")).fill_null(value=False)
