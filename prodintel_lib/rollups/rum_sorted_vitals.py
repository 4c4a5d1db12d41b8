"""Web vitals of page views from events in order, as rum_vitals.py finds them; on Polars alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.histograms import bin_of
from prodintel_lib.rollups.rum_vitals import VITAL_DIMENSIONS, VITALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.rollups.rum_sorted import SortedEvents

REPORTED: Final = (*VITALS, "view_id", *(name for name in VITAL_DIMENSIONS if name != "route"))
"""Columns of rum_events that are looked up."""


def list_reports(events: SortedEvents) -> pl.DataFrame:
    """List what each page view reported last of each vital.

    Parameters
    ----------
    events : SortedEvents
        With REPORTED among the columns that were kept.

    Returns
    -------
    polars.DataFrame
        ``vital`` (its place in VITALS), ``bin``, VITAL_DIMENSIONS (Categorical) and whether it was ``good`` or
        ``poor``, a row for each vital of each page view; counted, they are the rows of rum_vitals.build_vital_cells.

    Notes
    -----
    Whether two reports are of the same view is told by 64-bit hashes of the visitor and the view's id.
    """
    rows = events.rows.filter("has_vitals")
    reports = _with_view(events, rows).hstack(_dimensions(events, rows)).hstack(events.look_up(rows, *VITALS))
    known = _with_dimensions_of_views(events, reports)
    return pl.concat([_last_of(known, vital) for vital in VITALS])


def _with_view(events: SortedEvents, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what tells page views apart: the view's id; without one, the session and the number of the view in it."""
    is_named = pl.col("view_id").is_not_null()
    view = pl.struct(
        "visitor",
        "view_id",
        pl.when(~is_named).then("session_no").alias("session_no"),
        pl.when(~is_named).then("view_no").alias("view_no"),
    ).hash()
    whole = rows.select("visitor", "session_no", "view_no", "time_us").hstack(events.look_up(rows, "view_id"))
    return whole.select(view.alias("view"), "time_us")


def _dimensions(events: SortedEvents, rows: pl.DataFrame) -> pl.DataFrame:
    """Return where and with what client it was; empty where that is not known."""
    dtype = events.rows.schema["route"]
    others = [name for name in VITAL_DIMENSIONS if name != "route"]
    return rows.select("route").hstack(events.look_up(rows, *others).cast(dtype)).select(
        pl.col(VITAL_DIMENSIONS).fill_null("")
    )  # fmt: skip


def _with_dimensions_of_views(events: SortedEvents, reports: pl.DataFrame) -> pl.DataFrame:
    """Say of reports without a dimension what their page view says."""
    is_unsaid = reports.select((pl.col(VITAL_DIMENSIONS) == "").any())
    unsaid = [name for name in VITAL_DIMENSIONS if is_unsaid[name].item()]
    if not unsaid:
        return reports
    rows = events.rows.filter("is_view")
    views = _with_view(events, rows).select("view").hstack(_dimensions(events, rows).select(unsaid))
    said = [pl.when(pl.col(name) != "").then(name).min().alias(f"_{name}") for name in unsaid]
    known = reports.join(views.group_by("view").agg(said), on="view", how="left", maintain_order="left")
    return known.with_columns(
        pl.when(pl.col(name) == "").then(pl.col(f"_{name}").fill_null("")).otherwise(name).alias(name)
        for name in unsaid
    ).drop(f"_{name}" for name in unsaid)


def _last_of(reports: pl.DataFrame, vital: str) -> pl.DataFrame:
    """Return the last report of one vital of each view."""
    value = pl.col("value")
    given = reports.select("view", "time_us", *VITAL_DIMENSIONS, pl.col(vital).alias("value")).filter(
        value.is_finite() & (value >= 0)
    )
    # Most views report a vital once: only the others need to be put in order.
    again = given["view"].is_duplicated()
    last = given.filter(again).sort("view", "time_us", "value", *VITAL_DIMENSIONS).unique(
        "view", keep="last", maintain_order=True
    )  # fmt: skip
    whole = pl.concat([given.filter(~again), last])
    binned: pl.DataFrame = nw.from_native(whole).with_columns(bin_of("value").alias("bin")).to_native()
    return binned.select(
        pl.lit(list(VITALS).index(vital), dtype=pl.Int64).alias("vital"),
        *VITAL_DIMENSIONS,
        "bin",
        (value <= VITALS[vital].good).alias("good"),
        (value > VITALS[vital].poor).alias("poor"),
    )


def count_reports(reports: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Count reports by one or two of their VITAL_DIMENSIONS, by vital and bin.

    Parameters
    ----------
    reports : polars.DataFrame
        As list_reports returns them.
    by : sequence of str
        Of VITAL_DIMENSIONS; of more than two the numbers made of them would be too large.

    Returns
    -------
    polars.DataFrame
        The columns of `by` as text, ``vital, bin, views, good, poor``; unordered.
    """
    dtype = reports.schema[by[0]]
    codes = reports.select("good", "poor", "bin", "vital", *(pl.col(name).to_physical().cast(pl.Int64) for name in by))
    # One number for all keys: to group by several is several times as dear.
    keys = ["bin", "vital", *by]
    least = {name: int(str(codes[name].min() or 0)) for name in keys}
    sizes = {name: int(str(codes[name].max() or 0)) - least[name] + 1 for name in keys}
    place, places = 1, {}
    for name in keys:
        places[name] = place
        place *= sizes[name]
    number = pl.sum_horizontal((pl.col(name) - least[name]) * places[name] for name in keys).alias("number")
    counted = codes.group_by(number).agg(
        pl.len().cast(pl.Int64).alias("views"), pl.col("good", "poor").sum().cast(pl.Int64)
    )
    keyed = counted.select(
        *(((pl.col("number") // places[name]) % sizes[name] + least[name]).alias(name) for name in keys),
        "views", "good", "poor",
    )  # fmt: skip
    names = pl.Series(list(VITALS), dtype=pl.String)
    return keyed.select(
        *(pl.col(name).cast(pl.UInt32).cat.to(dtype).cast(pl.String) for name in by),
        names.gather(keyed["vital"]).alias("vital"),
        "bin", "views", "good", "poor",
    )  # fmt: skip
