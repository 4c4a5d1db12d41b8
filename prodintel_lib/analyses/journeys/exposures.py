"""What may make somebody leave a page, and who of those that stood there had it happen to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.variants import MAX_STEPS
from prodintel_lib.rollups.histograms import bin_of, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.journeys.passes import Part

DEFAULT_WINDOW_S: Final = 60.0
WINDOW_QUANTILE: Final = 0.75
MIN_STEPS: Final = 30


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that may make somebody leave.

    Attributes
    ----------
    name : str
    column : str
        Of the steps: when it first happened, a measure, or a flag.
    above : float or None
        A measure above this is bad; None for the others.
    is_timed : bool
        Whether the column says when it happened: it then counts within the page's window only.
    """

    name: str
    column: str
    above: float | None = None
    is_timed: bool = False

    @property
    def happened(self) -> pl.Expr:
        """Whether it happened in a step in time; needs ``window_s``."""
        value = pl.col(self.column)
        if self.is_timed:
            return (value <= pl.col("window_s")).fill_null(value=False)
        return (value > self.above).fill_null(value=False) if self.above is not None else value

    @property
    def not_measured(self) -> pl.Expr:
        """Whether nobody knows: such steps are neither exposed nor unexposed."""
        return pl.col(self.column).is_null() if self.above is not None else pl.lit(value=False)


# Thresholds of "poor" as web.dev publishes them for LCP, INP, CLS, FCP and TTFB; a page that took as long as a poor LCP
# to load is slow.
REASONS: Final = (
    Reason("error", "error_after_s", is_timed=True),
    Reason("validation failure", "validation_error_after_s", is_timed=True),
    Reason("failed request", "failed_request_after_s", is_timed=True),
    Reason("rage click", "rage_click_after_s", is_timed=True),
    Reason("back and forth", "is_return"),
    Reason("slow page", "load_ms", 4000.0),
    Reason("poor LCP", "lcp_ms", 4000.0),
    Reason("poor INP", "inp_ms", 500.0),
    Reason("poor CLS", "cls_score", 0.25),
    Reason("poor FCP", "fcp_ms", 3000.0),
    Reason("poor TTFB", "ttfb_ms", 1800.0),
)
STRATUM: Final = ("position", "entry_route", "device_type")
EXPOSURE_KEYS: Final = ("route", *STRATUM, "happened", "not_measured")


def tally_dwell(part: Part) -> pl.DataFrame:
    """Count, by page and bins of dwell, the steps after which a session went on."""
    went_on = part.steps.filter("at_risk", pl.col("next_route").is_not_null()).select("route", "dwell_s")
    binned: pl.DataFrame = nw.from_native(went_on).with_columns(bin_of("dwell_s").alias("bin")).to_native()
    return binned.group_by("route", "bin").agg(pl.len().cast(pl.Int64).alias("count"))


def choose_windows(tallies: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Choose for each page how many seconds of a step an event counts in.

    Who stays longer on a page has more chances to meet an error there, whether or not the error drives anybody away. So
    an event counts in the first seconds of a step alone, for those who left as for those who went on: as many as three
    quarters of those who went on had stayed at most.

    Returns
    -------
    polars.DataFrame
        ``route, window_s``; pages from which fewer than 30 went on are not in it (they have DEFAULT_WINDOW_S).
    """
    found = quantile(pl.concat(list(tallies)), WINDOW_QUANTILE, by=["route"])
    return found.filter(pl.col("n") >= MIN_STEPS).select("route", pl.col("value").alias("window_s"))


def tally_exposures(part: Part, windows: pl.DataFrame) -> pl.DataFrame:
    """Count the steps at risk of a part by page, stratum and what happened in them.

    Returns
    -------
    polars.DataFrame
        ``route``, STRATUM, ``happened`` and ``not_measured`` (bit i: REASONS[i]), ``steps, dropped``.
    """
    at_risk = part.steps.filter("at_risk").join(windows, on="route", how="left")
    marked = at_risk.with_columns(pl.col("window_s").fill_null(DEFAULT_WINDOW_S)).select(
        "route",
        pl.min_horizontal("step_no", pl.lit(MAX_STEPS)).cast(pl.Int64).alias("position"),
        "entry_route",
        "device_type",
        "dropped",
        _bits([reason.happened for reason in REASONS]).alias("happened"),
        _bits([reason.not_measured for reason in REASONS]).alias("not_measured"),
    )
    return marked.group_by(*EXPOSURE_KEYS).agg(
        pl.len().cast(pl.Int64).alias("steps"), pl.col("dropped").sum().cast(pl.Int64)
    )


def _bits(flags: list[pl.Expr]) -> pl.Expr:
    return pl.sum_horizontal(flag.cast(pl.Int64) * (1 << place) for place, flag in enumerate(flags))
