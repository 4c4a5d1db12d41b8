"""Web vitals by page, device, browser and region, rated by the bounds they are published with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.regions import region_label
from prodintel_lib.engines import collect
from prodintel_lib.markup import Markup, Tone, number, paragraph, percent, table, tag, text, tone
from prodintel_lib.rollups.histograms import value_of
from prodintel_lib.rollups.rum_vitals import VITAL_CELLS_KEYS, VITAL_CELLS_SCHEMA, VITALS, build_vital_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import narwhals as nw
    from numpy.typing import NDArray

    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

RATED_AT: Final = 0.75
MIN_VIEWS: Final = 30
MAX_SHOWN: Final = 15
MAX_STEPS: Final = 30
RATINGS: Final = ("good", "needs improvement", "poor")
TOO_FEW: Final = "too few"
EVERYTHING: Final = "all"
UNKNOWN: Final = "unknown"
_QUANTILES: Final = {"p50": 0.50, "p75": 0.75, "p95": 0.95, "p99": 0.99}
_TAIL: Final = 0.025
_TONES: Final[dict[str, Tone]] = {"good": "good", "needs improvement": "warn", "poor": "bad", TOO_FEW: "soft"}
# What is looked at, and the columns of a cell that say where it belongs.
_DIMENSIONS: Final[dict[str, tuple[str, ...]]] = {
    EVERYTHING: (),
    "device": ("device_type",),
    "browser": ("browser_name",),
    "country": ("geo_country_iso_code",),
    "region": ("region",),
    "page": ("route",),
    "page and device": ("route", "device_type"),
}
COUNTED_BY: Final = (("route", "device_type"), ("browser_name",), ("geo_country_iso_code", "geo_region_iso_code"))
"""The columns that are looked at together."""

_TALLY_KEYS: Final = ("dimension", "part", "vital", "bin")


@dataclass(frozen=True, slots=True)
class Vitals:
    """Each vital's quantiles over page views, and what they are rated.

    Attributes
    ----------
    cells : polars.DataFrame
        ``dimension, part, vital, title, unit, views, p50, p75, p75_low, p75_high, p95, p99, good, needs_improvement,
        poor, rating, is_sure, is_rare``; a row for each vital in each cell of ``all``, device, browser, country,
        region, page, and page and device, in this order, most views first.

        - ``views``: page views that reported the vital; ``good``, ``needs_improvement``, ``poor`` of them
        - ``p50`` to ``p99``: in the vital's unit, within 1 %; null where fewer views than one lie beyond
        - ``p75_low``, ``p75_high``: 95 % interval; null where there are too few views for that end
        - ``rating``: of p75 by the published bounds, exact; ``too few`` below MIN_VIEWS views (``is_rare``)
        - ``is_sure``: whether the whole interval has that rating
    distribution : polars.DataFrame
        ``vital, title, unit, low, high, views, good, poor``: all page views in classes of one width; ``high`` is null
        for the last, which is open.
    min_views : int
    """

    cells: pl.DataFrame
    distribution: pl.DataFrame
    min_views: int

    def of(self, dimension: str) -> pl.DataFrame:
        """Return the cells of one dimension."""
        return self.cells.filter(pl.col("dimension") == dimension)

    def _repr_html_(self) -> str:
        whole = self.of(EVERYTHING)
        if whole.is_empty():
            return str(paragraph("No page view reported a web vital."))
        headers = ["Vital", "p50", "p75", "95 % CI", "p95", "p99", "Good", "Poor", "Rated", "Views"]
        rows = [[text(f"{row['vital']}, {row['title']}"), *_figures(row)] for row in whole.iter_rows(named=True)]
        caption = "Rated at p75 by the bounds of web.dev/articles/vitals; the last report of each page view counts."
        return str(table(headers, rows, align="lrrrrrrrlr", caption=caption) + self._worst_table())

    def _worst_table(self) -> Markup:
        """List the cells that are worse than good for certain, the poorest first."""
        parts = self.cells.filter(pl.col("dimension") != EVERYTHING)
        rated = parts.filter(~pl.col("is_rare"))
        found = rated.filter(pl.col("is_sure") & (pl.col("rating") != "good"))
        rare = f"{parts.height - rated.height:,} more have fewer than {self.min_views} page views and are not rated."
        if found.is_empty():
            return paragraph(f"None of {rated.height:,} parts is surely worse than good; {rare}")
        order = found.sort(
            pl.col("rating") == "poor", pl.col("poor") / pl.col("views"), "dimension", "part", "vital",
            descending=[True, True, False, False, False],
        )  # fmt: skip
        rows = [
            [text(row["dimension"]), text(row["part"]), text(row["vital"]), *_figures(row)]
            for row in order.head(MAX_SHOWN).iter_rows(named=True)
        ]
        headers = ["By", "Part", "Vital", "p50", "p75", "95 % CI", "p95", "p99", "Good", "Poor", "Rated", "Views"]
        shown = f"{min(found.height, MAX_SHOWN)} of {found.height:,} parts whose whole interval is worse than good"
        return table(headers, rows, align="lllrrrrrrrlr", caption=f"{shown} ({rated.height:,} rated); {rare}")


def _figures(row: dict[str, Any]) -> list[Markup]:
    unit = row["unit"]
    shown = {name: number(row[name], unit=unit) for name in ("p50", "p75", "p95", "p99")}
    interval = text(f"{number(row['p75_low']).unescape()} to {number(row['p75_high']).unescape()}")
    rating = tone(row["rating"], _TONES[row["rating"]])
    doubt = Markup("") if row["is_sure"] or row["is_rare"] else Markup(" {}").format(tag("not sure"))
    shares = [percent(row[name] / row["views"]) for name in ("good", "poor")]
    return [shown["p50"], shown["p75"], interval, shown["p95"], shown["p99"], *shares, rating + doubt,
            number(row["views"])]  # fmt: skip


def tally_vitals(session_events: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Count the page views of one part of the data: of a bucket of visitors, or of all.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rollups.rum_sessions.build_session_events makes it; whole visitors.

    Returns
    -------
    polars.DataFrame
        ``dimension, part, vital, bin, views, good, poor``, unordered: to be added up by `add_tallies`.
    """
    lazy = build_vital_cells(session_events)
    return tally_cells([collect(lazy, schema=VITAL_CELLS_SCHEMA, sort_by=VITAL_CELLS_KEYS)])


def tally_cells(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Count the page views of one part of the data by what is looked at.

    Parameters
    ----------
    counts : sequence of polars.DataFrame
        ``vital, bin, views, good, poor`` by columns of rollups.rum_vitals.VITAL_DIMENSIONS. Every one of COUNTED_BY
        must be among the columns of one of them.

    Returns
    -------
    polars.DataFrame
        As tally_vitals.
    """
    labelled = [
        cells.with_columns(region_label().alias("region")) if "geo_region_iso_code" in cells.columns else cells
        for cells in counts
    ]
    parts = []
    for dimension, columns in _DIMENSIONS.items():
        cells = next(cells for cells in labelled if set(columns) <= set(cells.columns))
        known = [pl.when(pl.col(name) == "").then(pl.lit(UNKNOWN)).otherwise(pl.col(name)) for name in columns]
        part = pl.concat_str(known, separator=", ") if known else pl.lit(EVERYTHING)
        parts.append(cells.with_columns(pl.lit(dimension).alias("dimension"), part.alias("part")))
    return _summed(parts)


def add_tallies(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Add up the tallies of parts of the data."""
    return _summed(parts).sort(*_TALLY_KEYS)


def _summed(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    counts = ("views", "good", "poor")
    rows = pl.concat([part.select(*_TALLY_KEYS, *counts) for part in parts])
    return rows.group_by(*_TALLY_KEYS).agg(pl.col(*counts).sum())


def rate_vitals(tally: pl.DataFrame, *, private: Pseudonymiser, min_views: int = MIN_VIEWS) -> Vitals:
    """Rate each vital in each part of the page views.

    Parameters
    ----------
    tally : polars.DataFrame
        As tally_vitals makes it, added up over all parts.
    private : Pseudonymiser
        Pages may be named by a person's data.
    min_views : int
        Parts with fewer page views are shown and not rated.

    Returns
    -------
    Vitals
        Without cells where no page view reported a vital.

    Notes
    -----
    A rating needs no bins: with k of n views within the bound, p75 is within it where k reaches the rank ceil(0.75 n).
    The interval of p75 is distribution-free, from two order statistics whose ranks are quantiles of Binomial(n, 0.75):
    Conover (1999), Practical Nonparametric Statistics, section 3.2. It takes page views as independent; those of one
    visitor are alike, so that the truth is a little less certain than it says.
    """
    cells = _rated(_with_quantiles(_known(tally)), min_views)
    order = {name: number for number, name in enumerate(_DIMENSIONS)}
    vitals = {column: number for number, column in enumerate(VITALS)}
    sorted_cells = cells.sort(
        pl.col("dimension").replace_strict(order, return_dtype=pl.Int64),
        -pl.col("views").max().over("dimension", "part"),
        "part",
        pl.col("vital").replace_strict(vitals, return_dtype=pl.Int64),
    )
    return Vitals(_named(private.frame(sorted_cells)).select(_CELLS), _named(_classes(tally)), min_views)


_CELLS: Final = (
    "dimension", "part", "vital", "title", "unit", "views", "p50", "p75", "p75_low", "p75_high", "p95", "p99", "good",
    "needs_improvement", "poor", "rating", "is_sure", "is_rare",
)  # fmt: skip


def _known(tally: pl.DataFrame) -> pl.DataFrame:
    """Leave out what no page view says anything of."""
    parts = tally.group_by("dimension").agg((pl.col("part") == UNKNOWN).all().alias("is_unknown"))
    unknown = set(parts.filter(pl.col("is_unknown"))["dimension"])
    if "device" in unknown:
        unknown.add("page and device")
    return tally.filter(~pl.col("dimension").is_in(list(unknown)))


def _with_quantiles(tally: pl.DataFrame) -> pl.DataFrame:
    """Return one row a part and vital: counts, and the values at the ranks of the quantiles and of p75's interval."""
    keys = ["dimension", "part", "vital"]
    counts = tally.group_by(keys).agg(pl.col("views", "good", "poor").sum()).sort(keys)
    n = counts["views"].to_numpy()
    low, high = _interval_ranks(n)
    ranks = {name: np.ceil(n * q - 1e-9).astype(np.int64) for name, q in _QUANTILES.items()}
    # With fewer views than one beyond it, a quantile is but the largest value.
    unknown = {name: n * (1 - q) < 1 - 1e-9 for name, q in _QUANTILES.items()}
    ranked = counts.with_columns(
        *(pl.Series(f"rank_{name}", np.where(unknown[name], 0, rank)) for name, rank in ranks.items()),
        pl.Series("rank_p75_low", low),
        pl.Series("rank_p75_high", np.where(high > n, 0, high)),
    )
    binned = (
        tally.group_by(*keys, "bin").agg(pl.col("views").sum().alias("count")).sort(*keys, "bin")
        .with_columns(pl.col("count").cum_sum().over(keys).alias("below"))
        .join(ranked, on=keys, how="left", maintain_order="left")
    )  # fmt: skip
    binned = binned.with_columns(pl.Series("middle", value_of(binned["bin"].to_numpy())))
    names = (*_QUANTILES, "p75_low", "p75_high")
    picked = [
        pl.col("middle").filter((pl.col("below") >= pl.col(f"rank_{name}")) & (pl.col(f"rank_{name}") > 0))
        .first().alias(name)
        for name in names
    ]  # fmt: skip
    # The ranks of p75 and its interval are what the ratings are read from.
    rating_ranks = pl.Series("rank_p75", ranks["p75"]), pl.Series("rank_low", low), pl.Series("rank_high", high)
    return counts.with_columns(rating_ranks).join(
        binned.group_by(keys, maintain_order=True).agg(picked), on=keys, how="left", maintain_order="left"
    )


def _interval_ranks(n: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ranks between which p75 lies with 95 % confidence: 0 and n + 1 where there is no such value."""
    from scipy.stats import binom  # noqa: PLC0415 - costs a second to import

    low = binom.ppf(_TAIL, n, RATED_AT).astype(np.int64)
    return low, binom.ppf(1 - _TAIL, n, RATED_AT).astype(np.int64) + 1


def _rated(cells: pl.DataFrame, min_views: int) -> pl.DataFrame:
    is_rare = pl.col("views") < min_views
    return cells.with_columns(
        (pl.col("views") - pl.col("good") - pl.col("poor")).alias("needs_improvement"),
        is_rare.alias("is_rare"),
        pl.when(is_rare).then(pl.lit(TOO_FEW)).otherwise(_rating("rank_p75")).alias("rating"),
        (
            ~is_rare
            & (pl.col("rank_low") > 0)
            & (pl.col("rank_high") <= pl.col("views"))
            & (_rating("rank_low") == _rating("rank_high"))
        ).alias("is_sure"),
    )


def _rating(rank: str) -> pl.Expr:
    """Return the rating of the value of a rank, by how many values are within the bounds."""
    good, middle, poor = (pl.lit(name) for name in RATINGS)
    is_poor = pl.col(rank) > pl.col("views") - pl.col("poor")
    return pl.when(pl.col(rank) <= pl.col("good")).then(good).when(is_poor).then(poor).otherwise(middle)


def _classes(tally: pl.DataFrame) -> pl.DataFrame:
    """Count all page views in classes of one width, for a chart."""
    whole = tally.filter(pl.col("dimension") == EVERYTHING)
    whole = whole.with_columns(pl.Series("middle", value_of(whole["bin"].to_numpy())))
    step = pl.col("vital").replace_strict({key: vital.step for key, vital in VITALS.items()}, return_dtype=pl.Float64)
    number = (pl.col("middle") / step).floor().clip(upper_bound=MAX_STEPS)
    classes = whole.group_by("vital", (number * step).round(6).alias("low"), step.alias("step")).agg(
        pl.col("views", "good", "poor").sum()
    )
    is_open = pl.col("low") >= (MAX_STEPS - 0.5) * pl.col("step")
    high = pl.when(~is_open).then((pl.col("low") + pl.col("step")).round(6))
    return classes.sort("vital", "low").select("vital", "low", high.alias("high"), "views", "good", "poor")


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """Replace the column of a vital by its name, its title and its unit."""
    key = pl.col("vital")
    said = [
        key.replace_strict({column: getattr(vital, name) for column, vital in VITALS.items()}, return_dtype=pl.String)
        for name in ("title", "unit", "name")
    ]
    return frame.with_columns(said[0].alias("title"), said[1].alias("unit"), said[2].alias("vital"))
