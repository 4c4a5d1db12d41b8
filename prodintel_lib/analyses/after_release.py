"""What a changed service was like before the change, after it until the onset, and in the incident."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.causes.change_views import view_changes
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.statistics import Z95, Proportion
from prodintel_lib.markup import Markup, Note, number, table, text, tone
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodintel_lib.analyses.causes import Causes
    from prodintel_lib.analyses.causes.change_views import ChangeView

MAX_SHOWN: Final = 3
MIN_REQUESTS: Final = 10
TRAFFIC_BUCKET_S: Final = 10
_QUANTILES: Final = ((0.5, "p50, ms"), (0.95, "p95, ms"))
FAILED: Final = "requests that failed"
RATE: Final = "requests per second"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `high` is infinite where too few were seen to bound it."""

    value: float
    low: float
    high: float
    n: int

    def is_apart(self, other: Estimate) -> bool:
        """Say whether the two intervals do not overlap, which is stricter than a test of the difference."""
        return self.low > other.high or other.low > self.high


@dataclass(frozen=True, slots=True)
class ReleaseEffect:
    """One measure of a changed service on the three stretches.

    Attributes
    ----------
    change_id, label, service : str
    measure : str
        ``requests that failed`` (a share), ``p50, ms``, ``p95, ms`` or ``requests per second``.
    before, after, incident : Estimate or None
        Until the change; from it to the onset; from the onset on. None where too few requests were seen.
    """

    change_id: str
    label: str
    service: str
    measure: str
    before: Estimate | None
    after: Estimate | None
    incident: Estimate | None

    @property
    def after_it(self) -> str:
        """Say how the time after the change, before the onset, compares with the time before it."""
        return _compare(self.before, self.after)

    @property
    def in_incident(self) -> str:
        """Say how the incident compares with the time before the change."""
        return _compare(self.before, self.incident)


@dataclass(frozen=True, slots=True)
class AfterRelease:
    """The changes before an onset, each with its service before and after it.

    Attributes
    ----------
    effects : tuple of ReleaseEffect
        Four a change; changes in the order in which they are blamed.
    without_before : int
        Changes that came before the data begin, or of services whose requests were not recorded: not compared.
    """

    effects: tuple[ReleaseEffect, ...]
    without_before: int

    def to_dicts(self) -> list[dict[str, object]]:
        """Return every comparison as plain JSON values; an interval without an upper end has null there."""
        return [
            {
                "change_id": effect.change_id,
                "service": effect.service,
                "measure": effect.measure,
                "before": _plain(effect.before),
                "after": _plain(effect.after),
                "incident": _plain(effect.incident),
                "after_it": effect.after_it,
                "in_incident": effect.in_incident,
            }
            for effect in self.effects
        ]

    def _repr_html_(self) -> str:
        left = f"{self.without_before} more could not be compared: nothing was recorded of their service before them."
        if not self.effects:
            return Note(
                "No change before the onset can be compared with the time before it."
                + (f" {left}" if self.without_before else "")
            )._repr_html_()
        changes = dict.fromkeys(effect.change_id for effect in self.effects)
        shown = list(changes)[:MAX_SHOWN]
        rows = [
            [
                text(effect.label),
                text(effect.measure),
                *(_cell(part, effect.measure) for part in (effect.before, effect.after, effect.incident)),
                _verdict(effect.after_it),
                _verdict(effect.in_incident),
            ]
            for effect in self.effects
            if effect.change_id in shown
        ]
        caption = (
            "Requests of the changed service as users and callers saw them; 95 % intervals and n in brackets. Higher "
            "and lower are against the time before the change, and said only where the two intervals do not overlap."
            + (f" {len(changes) - len(shown)} more changes are in result.json." if len(changes) > len(shown) else "")
            + (f" {left}" if self.without_before else "")
        )
        headers = ["Change", "Measure", "Before", "After, until the onset", "Incident", "After it", "In the incident"]
        return str(table(headers, rows, align="llrrrll", caption=caption))


def compare_releases(
    *,
    changes: pl.DataFrame,
    requests: pl.DataFrame,
    calls: pl.DataFrame,
    causes: Causes,
    span: Window,
    window: Window,
) -> AfterRelease:
    """Compare each service that was changed before the onset with itself before the change.

    Parameters
    ----------
    changes : polars.DataFrame
        The canonical table.
    requests : polars.DataFrame
        Entry requests: ``time_us, service_name, duration_ms, failed``.
    calls : polars.DataFrame
        ``time_us, dependency, duration_ms, failed``.
    causes : Causes
        Its order of changes.
    span, window : Window
        What was read, and the incident from its onset.

    Notes
    -----
    Intervals: Wilson's for shares; order statistics for quantiles (Conover 1999, Practical Nonparametric Statistics,
    section 3.2); Byar's approximation to the Poisson limits for rates (Breslow and Day 1987, section 2.3), as if
    requests came independently of each other. The time before a change begins at the change before it of the same
    service. Seconds without a single request of anybody are not counted: nothing was recorded in them.
    """
    columns = ["time_us", "duration_ms", "failed"]
    seen = pl.concat(
        [
            requests.select(pl.col("service_name").alias("service"), *columns),
            calls.select(pl.col("dependency").alias("service"), *columns),
        ]
    ).sort("time_us")
    views = view_changes(changes, from_us=0, until_us=window.start_us, services=set(seen["service"].drop_nulls()))
    order = {cause.change_id: place for place, cause in enumerate(causes.ranked) if cause.change_id}
    effects: list[ReleaseEffect] = []
    skipped = 0
    for view in sorted(views, key=lambda view: (order.get(view.change_id, len(order)), -view.time_us, view.change_id)):
        for service in view.services:
            own = seen.filter(pl.col("service") == service)
            parts = _stretches(view, service, views, span, window)
            found = list(_effects(view, service, own, seen, parts))
            effects += found
            skipped += not found
    return AfterRelease(tuple(effects), skipped)


def _stretches(
    view: ChangeView, service: str, views: Iterable[ChangeView], span: Window, window: Window
) -> tuple[tuple[int, int], ...]:
    """Return the beginnings and ends of the three stretches, µs."""
    earlier = [other.time_us for other in views if other.time_us < view.time_us and service in other.services]
    cuts = (max([span.start_us, *earlier]), view.time_us, window.start_us, window.end_us)
    return tuple(pairwise(cuts))


def _effects(
    view: ChangeView, service: str, own: pl.DataFrame, every: pl.DataFrame, parts: Iterable[tuple[int, int]]
) -> Iterable[ReleaseEffect]:
    measured = [_measure(own, every, Window(*part)) if part[0] < part[1] else {} for part in parts]
    if not measured[0]:
        return
    for measure in measured[0]:
        before, after, incident = (part.get(measure) for part in measured)
        yield ReleaseEffect(view.change_id, view.label, service, measure, before, after, incident)


def _measure(own: pl.DataFrame, every: pl.DataFrame, part: Window) -> Mapping[str, Estimate]:
    rows = within(own, part)
    if rows.height < MIN_REQUESTS:
        return {}
    failed = Proportion.of(int(rows["failed"].sum()), rows.height)
    ordered = np.sort(rows["duration_ms"].to_numpy())
    width_us = TRAFFIC_BUCKET_S * US_PER_S
    recorded_s = TRAFFIC_BUCKET_S * (within(every, part)["time_us"] // width_us).n_unique()
    return {
        FAILED: Estimate(failed.share, failed.low, failed.high, failed.n),
        **{name: estimate_quantile(ordered, q) for q, name in _QUANTILES},
        RATE: estimate_rate(rows.height, min(recorded_s, part.duration_s)),
    }


def estimate_quantile(ordered: np.ndarray[tuple[int], np.dtype[np.float64]], q: float) -> Estimate:
    """Estimate a quantile of sorted values; its interval is between two of them."""
    n = len(ordered)
    half = Z95 * math.sqrt(n * q * (1 - q))
    low, high = max(0, math.floor(n * q - half) - 1), math.ceil(n * q + half)
    return Estimate(
        float(np.quantile(ordered, q)), float(ordered[low]), float(ordered[high]) if high < n else math.inf, n
    )


def estimate_rate(n: int, seconds: float) -> Estimate:
    """Estimate how many come a second, from at least one that came."""
    low = n * (1 - 1 / (9 * n) - Z95 / (3 * math.sqrt(n))) ** 3
    high = (n + 1) * (1 - 1 / (9 * (n + 1)) + Z95 / (3 * math.sqrt(n + 1))) ** 3
    return Estimate(n / seconds, low / seconds, high / seconds, n)


def _compare(before: Estimate | None, later: Estimate | None) -> str:
    if before is None or later is None:
        return "too few to say"
    if not before.is_apart(later):
        return "no clear change"
    return "higher" if later.value > before.value else "lower"


def _plain(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {**asdict(estimate), "high": estimate.high if math.isfinite(estimate.high) else None}


def _verdict(said: str) -> Markup:
    return tone(said, "warn") if said in {"higher", "lower"} else text(said)


def _cell(estimate: Estimate | None, measure: str) -> Markup:
    if estimate is None:
        return text(None)
    scale, unit = (100, " %") if measure == FAILED else (1, "")
    low, high = number(scale * estimate.low), "∞" if math.isinf(estimate.high) else number(scale * estimate.high)
    return Markup("{}{} <small>({} to {}; n {:,})</small>").format(
        number(scale * estimate.value), unit, low, high, estimate.n
    )
