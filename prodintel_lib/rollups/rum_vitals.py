"""Web vitals of page views: what was measured last in each view, counted in histograms by page, client and region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.rollups.histograms import bin_of
from prodintel_lib.rollups.rum_expressions import is_view

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Vital:
    """A web vital and the bounds its quality is published with.

    Attributes
    ----------
    name : str
        Its abbreviation.
    title : str
    unit : str
        ``ms``, or empty for a score without one.
    good, poor : float
        Up to ``good`` a value is good, beyond ``poor`` it is poor, between them it needs improvement.
    step : float
        A width of classes that both bounds are multiples of, to draw the distribution with.
    """

    name: str
    title: str
    unit: str
    good: float
    poor: float
    step: float


VITALS: Final[Mapping[str, Vital]] = {
    "lcp_ms": Vital("LCP", "Largest Contentful Paint", "ms", 2500.0, 4000.0, 250.0),
    "inp_ms": Vital("INP", "Interaction to Next Paint", "ms", 200.0, 500.0, 25.0),
    "cls_score": Vital("CLS", "Cumulative Layout Shift", "", 0.1, 0.25, 0.0125),
    "fcp_ms": Vital("FCP", "First Contentful Paint", "ms", 1800.0, 3000.0, 150.0),
    "ttfb_ms": Vital("TTFB", "Time to First Byte", "ms", 800.0, 1800.0, 100.0),
    "fid_ms": Vital("FID", "First Input Delay", "ms", 100.0, 300.0, 20.0),
}
"""By column of rum_events. The bounds, and that they are meant for the 75th percentile of page views, are Google's:
https://web.dev/articles/vitals and, for each metric, https://web.dev/articles/lcp, inp, cls, fcp, ttfb, fid."""

VITAL_DIMENSIONS: Final = ("route", "device_type", "browser_name", "geo_country_iso_code", "geo_region_iso_code")
VITAL_CELLS_KEYS: Final = ("vital", *VITAL_DIMENSIONS, "bin")
VITAL_CELLS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "vital": pl.String(),
    **dict.fromkeys(VITAL_DIMENSIONS, pl.String()),
    "bin": pl.Int64(),
    "views": pl.Int64(),
    "good": pl.Int64(),
    "poor": pl.Int64(),
}
VIEW_VITALS_KEYS: Final = ("visitor_id", "view_key", "vital")
VIEW_VITALS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "visitor_id": pl.String(),
    "view_key": pl.String(),
    "vital": pl.String(),
    "value": pl.Float64(),
    **dict.fromkeys(VITAL_DIMENSIONS, pl.String()),
}


def build_view_vitals(session_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Find the value of each vital in each page view.

    Browsers report INP and CLS again while they grow, and late: when the tab is left, perhaps in another session. So
    the view counts, and its last report wins.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it.

    Returns
    -------
    narwhals.LazyFrame
        Columns of VIEW_VITALS_SCHEMA, unordered, one row for each of VIEW_VITALS_KEYS that was reported:

        - ``view_key``: the view's id; where the source gives none, the session and the number of the view in it
        - ``vital``: a key of VITALS; ``value``: in its unit. Values below zero and not finite are left out
        - VITAL_DIMENSIONS: of the report, else of the view; empty where neither says
    """
    of_view = ["visitor_id", "view_key"]
    counted = nw.concat_str(nw.col("session_key"), nw.col("view_no").cast(nw.String), separator="#")
    keyed = session_events.with_columns(
        nw.when(~nw.col("view_id").is_null()).then(nw.col("view_id")).otherwise(counted).alias("view_key")
    )
    # Narwhals' own unpivot asks DuckDB's default connection, which does not know these relations.
    values = nw.concat(
        [
            keyed.filter(~nw.col(column).is_null()).select(
                *of_view,
                "time_us",
                *(nw.col(name).fill_null("") for name in VITAL_DIMENSIONS),
                nw.lit(column).alias("vital"),
                nw.col(column).alias("value"),
            )
            for column in VITALS
        ]
    )
    reports = values.filter(nw.col("value").is_finite() & (nw.col("value") >= 0)).unique(
        subset=[*of_view, "vital"], keep="last", order_by=["time_us", "value", *VITAL_DIMENSIONS]
    )
    views = (
        keyed.filter(is_view())
        .group_by(*of_view)
        .agg(nw.col(name).min().alias(f"_{name}") for name in VITAL_DIMENSIONS)
    )
    # Empty and not null: nulls do not sort and group alike on every engine.
    dimensions = [
        nw.when(nw.col(name) == "").then(nw.col(f"_{name}").fill_null("")).otherwise(nw.col(name)).alias(name)
        for name in VITAL_DIMENSIONS
    ]
    return reports.join(views, on=of_view, how="left").with_columns(dimensions).select(*VIEW_VITALS_SCHEMA)


def build_vital_cells(session_events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count page views by vital, page, client, region and bin of the value.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rum_sessions.build_session_events makes it; whole visitors.

    Returns
    -------
    narwhals.LazyFrame
        Columns of VITAL_CELLS_SCHEMA, unordered, one row for each of VITAL_CELLS_KEYS that occurred:

        - ``bin``: as histograms.bin_of makes it
        - ``views``; ``good``, ``poor``: those of them within the vital's bounds, exact whatever the bins
    """
    value, vital = nw.col("value"), nw.col("vital")
    is_good, is_poor = nw.lit(value=False), nw.lit(value=False)
    for column, bounds in VITALS.items():
        is_good = is_good | ((vital == nw.lit(column)) & (value <= bounds.good))
        is_poor = is_poor | ((vital == nw.lit(column)) & (value > bounds.poor))
    return (
        build_view_vitals(session_events)
        .with_columns(
            bin_of("value").alias("bin"),
            is_good.cast(nw.Int64).alias("good"),
            is_poor.cast(nw.Int64).alias("poor"),
        )
        .group_by(*VITAL_CELLS_KEYS)
        .agg(nw.len().alias("views"), nw.col("good").sum(), nw.col("poor").sum())
    )
