"""Which release, flag or configuration change an error began with: its rate before and after, and what else is near."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.causes.change_views import view_changes
from prodintel_lib.analyses.changepoints import find_change, student_tail
from prodintel_lib.analyses.statistics import Z95, adjust_for_many
from prodintel_lib.windows import US_PER_S, Window, format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from prodintel_lib.analyses.causes.change_views import ChangeView
    from prodintel_lib.analyses.changepoints import Change

BEGAN_SCHEMA: Final[dict[str, pl.DataType]] = {
    "signal": pl.String(),
    "label": pl.String(),
    "change_id": pl.String(),
    "change_kind": pl.String(),
    "change_label": pl.String(),
    "change_service": pl.String(),
    "change_us": pl.Int64(),
    "before": pl.Float64(),
    "after": pl.Float64(),
    "before_n": pl.Int64(),
    "after_n": pl.Int64(),
    "before_exposure": pl.Float64(),
    "after_exposure": pl.Float64(),
    "rate_ratio": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
    "onset_us": pl.Int64(),
    "onset_after_s": pl.Float64(),
    "coincidence": pl.Float64(),
    "alternatives": pl.String(),
    "elsewhere": pl.Int64(),
    "elsewhere_of": pl.Int64(),
    "verdict": pl.String(),
    "against": pl.String(),
}
BEGAN: Final = "began with it"
ROSE_OTHERWISE: Final = "rose, but not then"
MIN_RATIO: Final = 1.5
MIN_BUCKETS: Final = 5
MIN_EVENTS: Final = 5
NEAR_S: Final = 600
MAX_LISTED: Final = 3
ENDS_TRIED: Final = (1.0, 0.85, 0.7, 0.55)
MAX_ONSET_CHANCE: Final = 0.05
MAX_SIGNALS: Final = 300
MAX_POINTS: Final = 500


def find_beginnings(
    series: pl.DataFrame,
    changes: pl.DataFrame,
    *,
    bucket_s: int,
    contexts: pl.DataFrame | None = None,
    false_discovery_rate: float = 0.05,
) -> pl.DataFrame:
    """Compare the rate of every counted signal before and after every change.

    Parameters
    ----------
    series : polars.DataFrame
        preparation.SERIES_SCHEMA; only signals with exposure are looked at.
    changes : polars.DataFrame
        The canonical table.
    bucket_s : int
        Width of the series' buckets, seconds.
    contexts : polars.DataFrame, optional
        ``pattern_id, attribute, value, rows``: of the attribute ``release``, on which versions a pattern was seen.
    false_discovery_rate : float

    Returns
    -------
    polars.DataFrame
        Columns of BEGAN_SCHEMA: pairs whose rate rose (``verdict`` is ``began with it`` or ``rose, but not then``),
        the least chance first. ``before`` and ``after`` are per unit of exposure. ``onset_us`` is where the signal's
        own change point lies, null where it has none near; ``alternatives`` names other changes that are about as near
        to it; ``elsewhere`` counts what was seen on other versions than the change's.

    Notes
    -----
    The time before a change reaches back to the change before it of the same service, the time after to the next one;
    where the signal's own change point, found without knowing of the change (changepoints.find_change, which pays for
    its search), lies within ten minutes or two buckets after it, the time after is that of the raised rate. The ratio
    of the rates has the interval of two Poisson counts on the logarithm, with half an event added to each (Haldane
    1956), widened by how much more the buckets, and blocks of them, vary within the two stretches than counts of their
    traffic would (McCullagh and Nelder 1989, section 4.5). The p value is the larger of that of the likelihood ratio
    of two rates against one, over the greater excess, by Student's t with the blocks as degrees of freedom, and that
    of the change point; it is adjusted over all signals and changes.
    "Began with it" asks for such a change point. ``coincidence`` is the chance that one of as many changes, spread at
    random over the time that was read, would lie so close before it: order in time is little evidence where the
    history is short. At most MAX_SIGNALS signals are looked at, those with the most events.
    """
    counted = series.drop_nulls("exposure").filter(pl.col("exposure") > 0)
    if counted.is_empty() or changes.is_empty():
        return pl.DataFrame(schema=BEGAN_SCHEMA)
    span = Window(int(counted["bucket_us"].min()), int(counted["bucket_us"].max()) + bucket_s * US_PER_S)  # type: ignore[arg-type]  # integers
    services = set(counted["service_name"].drop_nulls()) if "service_name" in counted.columns else set()
    views = view_changes(changes, from_us=span.start_us, until_us=span.end_us, services=services)
    rows = []
    for signal, frame in _most_frequent(counted):
        onset = _onset(frame, span)
        for view in views:
            row = _compared(frame, view, views, span, bucket_s, onset)
            if row is not None:
                rows.append({"signal": signal, "label": frame["label"][0], **row, **_elsewhere(signal, view, contexts)})
    q_values = adjust_for_many([row["p_value"] for row in rows])
    rose = [
        {**row, "q_value": q_value} for row, q_value in zip(rows, q_values, strict=True)
        if q_value <= false_discovery_rate and row["low"] > 1 and row["rate_ratio"] >= MIN_RATIO
    ]  # fmt: skip
    judged = [_with_verdict(row, views, span, bucket_s) for row in rose]
    found = pl.DataFrame(judged, schema=BEGAN_SCHEMA, orient="row")
    return found.sort(
        pl.col("verdict") != BEGAN, "p_value", pl.col("onset_after_s").abs(), "signal", "change_id", nulls_last=True
    )


def _most_frequent(counted: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    totals = counted.group_by("signal").agg(pl.col("value").sum()).filter(pl.col("value") >= MIN_EVENTS)
    kept = totals.sort("value", "signal", descending=[True, False]).head(MAX_SIGNALS)
    chosen = counted.join(kept.select("signal"), on="signal", how="semi").sort("signal", "bucket_us")
    return [(str(key[0]), frame) for key, frame in chosen.group_by("signal", maintain_order=True)]


def _onset(frame: pl.DataFrame, span: Window) -> Change | None:
    """Return where the rate left its own past for more, if it did."""
    together = -(-frame.height // MAX_POINTS)
    merged = (
        frame.with_row_index("place")
        .group_by(pl.col("place") // together, maintain_order=True)
        .agg(pl.col("bucket_us").first(), pl.col("value", "exposure").sum())
    )
    # Counts as they would be had every bucket the same traffic.
    level = merged["value"] / merged["exposure"] * (merged["exposure"].sum() / merged.height)
    found: list[Change] = []
    # The search asks for a change that lasts into a window, and the error may be over: earlier ends are tried as well.
    for share in ENDS_TRIED:
        end_us = span.start_us + round(share * (span.end_us - span.start_us))
        seen = Window(end_us - max(1, (end_us - span.start_us) // 10), end_us)
        change = find_change(merged["bucket_us"].to_numpy(), level.to_numpy(), window=seen, is_count=True)
        if change is not None and change.during > change.before and change.p_value * len(ENDS_TRIED) <= 1:
            found.append(replace(change, p_value=change.p_value * len(ENDS_TRIED)))
    best = min(found, key=lambda change: (change.p_value, change.onset_us), default=None)
    return best if best is not None and best.p_value <= MAX_ONSET_CHANCE else None


def _compared(
    frame: pl.DataFrame,
    view: ChangeView,
    views: Iterable[ChangeView],
    span: Window,
    bucket_s: int,
    onset: Change | None,
) -> dict[str, Any] | None:
    same = [other.time_us for other in views if set(other.services) & set(view.services)]
    since = max([span.start_us, *(time_us for time_us in same if time_us < view.time_us)])
    until = min([span.end_us, *(time_us for time_us in same if time_us > view.time_us)])
    width_us = bucket_s * US_PER_S
    times_us, counts, exposure = (frame[name].to_numpy() for name in ("bucket_us", "value", "exposure"))
    # The bucket that the change fell into belongs to neither side.
    before = (times_us >= since) & (times_us + width_us <= view.time_us)
    after = (times_us >= view.time_us) & (times_us < until)
    near = onset is not None and is_near(onset.onset_us, view.time_us, bucket_s)
    if onset is not None and near:
        after &= (times_us >= onset.onset_us) & (times_us <= onset.last_us)
    if before.sum() < MIN_BUCKETS or after.sum() < MIN_BUCKETS or counts[after].sum() < MIN_EVENTS:
        return None
    ratio, low, high, p_value = _rate_ratio(counts, exposure, before, after)
    return {
        "change_id": view.change_id, "change_kind": view.kind, "change_label": view.label,
        "change_service": ", ".join(view.services), "change_us": view.time_us,
        "before": float(counts[before].sum() / exposure[before].sum()),
        "after": float(counts[after].sum() / exposure[after].sum()),
        "before_n": int(counts[before].sum()), "after_n": int(counts[after].sum()),
        "before_exposure": float(exposure[before].sum()), "after_exposure": float(exposure[after].sum()),
        "rate_ratio": ratio, "low": low, "high": high,
        "p_value": max(p_value, onset.p_value) if onset is not None and near else p_value,
        "onset_us": None if onset is None else onset.onset_us,
        "onset_after_s": None if onset is None else (onset.onset_us - view.time_us) / US_PER_S,
    }  # fmt: skip


def is_near(onset_us: int, change_us: int, bucket_s: int) -> bool:
    """Say whether an onset lies at a change or soon after it.

    A point of a series stands for its whole bucket: an onset up to one bucket before the change may be after it.
    """
    return -bucket_s * US_PER_S <= onset_us - change_us <= max(NEAR_S, 2 * bucket_s) * US_PER_S


def _rate_ratio(
    counts: NDArray[np.float64], exposure: NDArray[np.float64], before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """Return the ratio of two rates, its 95 % interval and the chance of rates so far apart."""
    sides = (before, after)
    n = [float(counts[side].sum()) for side in sides]
    seen = [float(exposure[side].sum()) for side in sides]
    excess, blocks = zip(*(_dispersion(counts[side], exposure[side]) for side in sides), strict=True)
    log_ratio = math.log((n[1] + 0.5) / seen[1]) - math.log((n[0] + 0.5) / seen[0])
    error = math.sqrt(sum(more / (count + 0.5) for more, count in zip(excess, n, strict=True)))
    expected = [sum(n) * part / sum(seen) for part in seen]
    likelihood = 2 * sum(count * math.log(count / mean) for count, mean in zip(n, expected, strict=True) if count)
    deviate = math.sqrt(max(0.0, likelihood) / max(excess))
    p_value = student_tail(deviate, degrees=max(3, sum(blocks) - 2))
    return math.exp(log_ratio), math.exp(log_ratio - Z95 * error), math.exp(log_ratio + Z95 * error), p_value


def _dispersion(counts: NDArray[np.float64], exposure: NDArray[np.float64]) -> tuple[float, int]:
    """Return how much more buckets, or blocks of them, vary than counts of their traffic, and how many blocks."""
    worst, most = 1.0, len(counts)
    for block in (1, max(1, round(math.sqrt(len(counts))))):
        starts = np.arange(0, len(counts), block)
        n, traffic = (np.add.reduceat(part, starts) for part in (counts, exposure))
        expected = traffic * n.sum() / traffic.sum()
        squares = float(((n - expected) ** 2 / np.maximum(expected, 1e-12)).sum()) if n.sum() else 0.0
        worst, most = max(worst, squares / max(1, len(starts) - 1)), len(starts)
    return worst, most


def _elsewhere(signal: str, view: ChangeView, contexts: pl.DataFrame | None) -> dict[str, int | None]:
    unknown: dict[str, int | None] = {"elsewhere": None, "elsewhere_of": None}
    if contexts is None or not view.version:
        return unknown
    own = contexts.filter((pl.col("pattern_id") == signal) & (pl.col("attribute") == "release"))
    if own.is_empty():
        return unknown
    other = own.filter(pl.col("value").fill_null("") != view.version)
    return {"elsewhere": int(other["rows"].sum()), "elsewhere_of": int(own["rows"].sum())}


def _with_verdict(row: dict[str, Any], views: list[ChangeView], span: Window, bucket_s: int) -> dict[str, Any]:
    onset = row["onset_us"]
    near = onset is not None and is_near(onset, row["change_us"], bucket_s)
    others = [
        view for view in views
        if view.change_id != row["change_id"] and onset is not None and is_near(onset, view.time_us, bucket_s)
    ]  # fmt: skip
    listed = "; ".join(f"{view.label}, {format_time(view.time_us)}" for view in others[:MAX_LISTED])
    more = f"; {len(others) - MAX_LISTED} more" if len(others) > MAX_LISTED else ""
    coincidence = None
    if near:
        reach = min(1.0, max(float(bucket_s), row["onset_after_s"]) / span.duration_s)
        coincidence = 1 - (1 - reach) ** len(views)
    return {
        **row, "coincidence": coincidence, "alternatives": listed + more,
        "verdict": BEGAN if near else ROSE_OTHERWISE, "against": "; ".join(_against(row, len(others), is_near=near)),
    }  # fmt: skip


def _against(row: dict[str, Any], others: int, *, is_near: bool) -> Iterable[str]:
    if row["before_n"]:
        yield f"it occurred before it: {row['before_n']:,}"
    if row["onset_us"] is None:
        yield "the series has no change point of its own"
    elif not is_near:
        side = "before" if row["onset_after_s"] < 0 else "after"
        yield f"its own change point lies {format_duration(abs(row['onset_after_s']))} {side} it"
    if others:
        yield f"{others} other change{'s are' if others > 1 else ' is'} as near to its change point"
    if row["elsewhere"]:
        yield f"{row['elsewhere']:,} of {row['elsewhere_of']:,} were seen on another version"
