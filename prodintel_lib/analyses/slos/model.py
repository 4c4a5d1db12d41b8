"""What was promised, how much of it was kept, and how fast what may fail is used up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from prodintel_lib.analyses.slos.presentation import slo_lines, slo_markup
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

SloKind = Literal["availability", "latency"]
SloStatus = Literal["ok", "watch", "bad", "unknown"]
AlertState = Literal["fires", "quiet", "too few", "not known", "cannot fire"]

OBJECTIVES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "route": pl.String(),
    "kind": pl.String(),
    "target": pl.Float64(),
    "limit_ms": pl.Float64(),
    "percentile": pl.Float64(),
    "period_days": pl.Int64(),
    "is_proposed": pl.Boolean(),
    "is_exact": pl.Boolean(),
    "n": pl.Int64(),
    "good": pl.Int64(),
    "bad": pl.Int64(),
    "compliance": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "design_effect": pl.Float64(),
    "recorded_h": pl.Float64(),
    "allowed": pl.Float64(),
    "budget_left": pl.Float64(),
    "used_up_in_h": pl.Float64(),
    "alert": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
}
NOW_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "window": pl.String(),
    "window_h": pl.Float64(),
    "recorded_h": pl.Float64(),
    "n": pl.Int64(),
    "bad": pl.Int64(),
    "burn": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
ALERTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "rule": pl.String(),
    "severity": pl.String(),
    "threshold": pl.Float64(),
    "burn_long": pl.Float64(),
    "burn_short": pl.Float64(),
    "state": pl.String(),
    "since_us": pl.Int64(),
    "reason": pl.String(),
}
FORESEEN_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "horizon": pl.String(),
    "horizon_h": pl.Float64(),
    "probability": pl.Float64(),
    "reason": pl.String(),
}
BURN_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "bucket_us": pl.Int64(),
    "good": pl.Int64(),
    "total": pl.Int64(),
    "burn_5m": pl.Float64(),
    "burn_30m": pl.Float64(),
    "burn_1h": pl.Float64(),
    "burn_2h": pl.Float64(),
    "burn_6h": pl.Float64(),
    "burn_1d": pl.Float64(),
    "burn_3d": pl.Float64(),
}
BUDGET_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "bucket_us": pl.Int64(),
    "bad": pl.Int64(),
    "total": pl.Int64(),
    "left": pl.Float64(),
}
FORECAST_SCHEMA: Final[dict[str, pl.DataType]] = {
    "objective": pl.String(),
    "time_us": pl.Int64(),
    "left_low": pl.Float64(),
    "left": pl.Float64(),
    "left_high": pl.Float64(),
}
FORECAST_LEVEL: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class SloReport:
    """What is promised for routes, what was kept, and whether it will be.

    Attributes
    ----------
    window : Window
        What was asked about.
    period : Window
        The longest period of an objective; it ends at `as_of_us`, and the evidence may begin later.
    as_of_us : int
        The end of the last bucket of the window in which anything was recorded: "now" in all that follows.
    bucket_s : int
        Seconds a bucket holds; a window shorter than it cannot be told.
    objectives : polars.DataFrame
        Columns of OBJECTIVES_SCHEMA, what is worst first:

        - ``objective``: a label that no other has; ``target``: the share of requests promised to be good, 0 to 1
        - ``limit_ms, percentile``: of a latency objective, else null
        - ``is_proposed``: nobody promised it; it is measured. ``is_exact``: counted at its limit, not by coarse bins
        - ``n, good, bad``: entry requests of the period; ``compliance`` is good of n, ``low, high`` its 95 % interval
          with failures that come in bunches counted as fewer (``design_effect``, at least 1)
        - ``recorded_h``: hours of the period in which anything was recorded
        - ``allowed``: bad requests that the budget allows of n; ``budget_left``: share of them not used, below 0 once
          overdrawn, null without a request; ``used_up_in_h``: when the rest is used up if the last hour's burn goes on,
          null where that is not known or it would last the period
        - ``alert``: the severest rule that fires, "" where none does; ``status`` with its ``reason``
    now : polars.DataFrame
        Columns of NOW_SCHEMA: the burn over each window that ends at `as_of_us`, with its 95 % interval. A burn of 1
        uses the budget up in exactly a period. Null where no request was recorded.
    alerts : polars.DataFrame
        Columns of ALERTS_SCHEMA: a row an objective and rule; ``state``: ``fires``, ``quiet``, ``too few`` (both
        windows burn that fast, of too few requests to be sure of any burn), ``not known`` (a window has no request),
        ``cannot fire`` (the target allows so much that no burn is that fast). ``since_us``: since when it fires.
    foreseen : polars.DataFrame
        Columns of FORESEEN_SCHEMA: the chance that the budget is used up at some time within ``6h``, ``24h`` or the
        length of a ``period`` from now; null where the evidence is too short to say, with the ``reason``.
    burn : polars.DataFrame
        Columns of BURN_SCHEMA: burns over time, trailing up to and with the bucket; null where not known.
    budget : polars.DataFrame
        Columns of BUDGET_SCHEMA: the share of the period's budget left at each bucket's end; the budget is that of all
        requests of the period.
    budget_forecast : polars.DataFrame
        Columns of FORECAST_SCHEMA: median and central interval of `forecast_level` of what will be left.
    forecast_level : float
    unpromised_routes : int
        Entry routes that no objective is about: not promised, and too little recorded to propose one.
    """

    window: Window
    period: Window
    as_of_us: int
    bucket_s: int
    objectives: pl.DataFrame
    now: pl.DataFrame
    alerts: pl.DataFrame
    foreseen: pl.DataFrame
    burn: pl.DataFrame
    budget: pl.DataFrame
    budget_forecast: pl.DataFrame
    forecast_level: float
    unpromised_routes: int

    def objective(self, name: str) -> dict[str, Any]:
        """Return the row of an objective.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        found = self.objectives.filter(pl.col("objective") == name)
        if found.is_empty():
            raise ParameterError.unknown("objective", name, known=self.objectives["objective"])
        return found.row(0, named=True)

    def lines(self) -> list[str]:
        """Write it for a terminal of 100 columns."""
        return slo_lines(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known now as plain JSON values; courses over time are left to the frames.

        What is without limit (the burn of what may never fail) is null, as is what is not known: the reasons tell.
        """
        return {
            "window": [self.window.start_us, self.window.end_us],
            "as_of_us": self.as_of_us,
            "objectives": [
                {
                    **_finite(row),
                    "now": self._of(self.now, row),
                    "alerts": self._of(self.alerts, row),
                    "foreseen": self._of(self.foreseen, row),
                }
                for row in self.objectives.iter_rows(named=True)
            ],
            "unpromised_routes": self.unpromised_routes,
        }

    def _of(self, frame: pl.DataFrame, row: dict[str, Any]) -> list[dict[str, Any]]:
        own = frame.filter(pl.col("objective") == row["objective"]).drop("objective")
        return [_finite(one) for one in own.iter_rows(named=True)]

    def _repr_html_(self) -> str:
        return str(slo_markup(self))


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
