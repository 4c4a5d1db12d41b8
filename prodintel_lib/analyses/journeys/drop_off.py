"""Where sessions end without what they came for, and which of the things that happened there made them end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from prodintel_lib.analyses.journeys.exposures import DEFAULT_WINDOW_S, REASONS, STRATUM
from prodintel_lib.analyses.journeys.matched import MatchedDifference, compare_matched
from prodintel_lib.analyses.statistics import Proportion, adjust_for_many
from prodintel_lib.markup import Tone, figure_text, number, paragraph, percent, table, text, tone

MIN_CELL: Final = 30
# Who reads of a cause acts on it: of a hundred that are named, one may be chance.
MAX_Q: Final = 0.01
# Less than two in a hundred is within what strata leave of differences between people.
MIN_DIFFERENCE: Final = 0.02
RAISES: Final = "raises drop-off"
LOWERS: Final = "lowers drop-off"
GOES_WITH: Final = "goes with another"
TOO_SMALL: Final = "too small to matter"
NOT_SHOWN: Final = "no difference shown"
RARE: Final = "rare"
UNEXPLAINED: Final = "unexplained"
REASONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "route": pl.String(),
    "reason": pl.String(),
    "exposed": pl.Int64(),
    "dropped_exposed": pl.Int64(),
    "unexposed": pl.Int64(),
    "dropped_unexposed": pl.Int64(),
    "matched_exposed": pl.Int64(),
    "risk_difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
    "attributable_sessions": pl.Float64(),
    "is_rare": pl.Boolean(),
    "explained_by": pl.String(),
    "verdict": pl.String(),
}
STEPS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "route": pl.String(),
    "at_risk": pl.Int64(),
    "dropped": pl.Int64(),
    "drop_rate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "window_s": pl.Float64(),
}
MAX_PAGES_SHOWN: Final = 6
_NOT_COMPARED: Final = MatchedDifference(0, math.nan, math.nan, math.nan, 1.0)
_TONES: Final[dict[str, Tone]] = {RAISES: "bad", RARE: "soft", UNEXPLAINED: "soft"}


@dataclass(frozen=True, slots=True)
class DropOffs:
    """Drop-off by page, and its reasons.

    Attributes
    ----------
    steps : polars.DataFrame
        Columns of STEPS_SCHEMA, most dropped first. ``at_risk`` are the times that a session which had not converted
        stood there, ``dropped`` those after which nothing came; with Wilson's 95 % interval. ``window_s``: how long
        after a step began an event in it counts as a reason.
    reasons : polars.DataFrame
        Columns of REASONS_SCHEMA; pages as in `steps`, in each the reasons that explain most first, then those that do
        not, then rare ones, and last the row ``unexplained``:

        - ``exposed, dropped_exposed``: steps in which it happened, and those that were the last; ``unexposed,
          dropped_unexposed``: the others; steps in which it was not measured are in neither
        - ``risk_difference``: by how much it raises the risk to drop off, among sessions with the same device, entry
          page and number of steps (``matched_exposed`` of them), with its 95 % interval
        - ``q_value``: corrected for all comparisons made here
        - ``attributable_sessions``: exposed × difference, at least 0; of ``unexplained``: what is left of ``dropped``
          when what the supported reasons together account for is taken away
        - ``is_rare``: fewer than 30 exposed, unexposed or matched: shown, not compared and not ranked
        - ``explained_by``: the supported reason without which this one makes no difference that can be shown
        - ``verdict``: ``raises drop-off``, ``goes with another``, ``too small to matter`` (below two percentage
          points), ``no difference shown``, ``lowers drop-off``, ``rare``, ``unexplained``
    comparisons : int
        How many differences were tested.

    Notes
    -----
    An event counts where it came before the end of the step and within ``window_s`` of its beginning: who stays longer
    has more chances to meet one, and without that limit patience would look like a reason to stay or to go. What is
    left of that bias is not measured. These are comparisons of what was seen, no experiment: sessions are alike in
    device, entry page and position, and may differ in what is not recorded.
    """

    steps: pl.DataFrame
    reasons: pl.DataFrame
    comparisons: int

    @property
    def causes(self) -> pl.DataFrame:
        """The reasons that were found to raise drop-off, those that account for most first."""
        return self.reasons.filter(pl.col("verdict") == RAISES).sort(
            -pl.col("attributable_sessions"), "route", "reason"
        )

    def _repr_html_(self) -> str:
        if self.steps.is_empty():
            return str(paragraph("Nobody stood at a page who could have dropped off there."))
        rows: list[list[object]] = []
        for step in self.steps.head(MAX_PAGES_SHOWN).iter_rows(named=True):
            of_page = self.reasons.filter(pl.col("route") == step["route"])
            share = f"{100 * step['low']:.1f}-{100 * step['high']:.1f} %"
            dropped = figure_text(percent(step["drop_rate"]), n=step["at_risk"], note=share)
            rows.append([text(step["route"]), dropped, *[text("")] * 4])
            told = of_page.filter(pl.col("verdict").is_in([RAISES, UNEXPLAINED, RARE]))
            rows += [self._row(row) for row in told.iter_rows(named=True)]
        headers = ["Page", "Drop-off", "Reason", "Difference", "Drops it accounts for", "Verdict"]
        note = (
            f"{self.comparisons:,} comparisons of matched sessions; q at most {MAX_Q}. "
            f"Reasons without a difference are in the frame."
        )
        return str(table(headers, rows, align="lrlrrl", caption=note))

    @staticmethod
    def _row(row: dict[str, object]) -> list[object]:
        low, high, difference = (row[name] for name in ("low", "high", "risk_difference"))
        shown: object = None
        if isinstance(difference, float) and isinstance(low, float) and isinstance(high, float):
            shown = figure_text(f"{100 * difference:+.1f} points", note=f"{100 * low:+.1f} to {100 * high:+.1f}")
        verdict = str(row["verdict"])
        exposed, accounted = row["exposed"], row["attributable_sessions"]
        reason = figure_text(row["reason"], n=exposed if isinstance(exposed, int) else None)
        drops = number(accounted, digits=0) if isinstance(accounted, float) else text(None)
        return [text(""), text(""), reason, text(shown), drops, tone(verdict, _TONES.get(verdict, ""))]


@dataclass(slots=True)
class _Comparison:
    """One reason at one page, until its verdict is known."""

    route: str
    place: int
    counts: tuple[int, int, int, int]
    matched: MatchedDifference
    q_value: float = math.nan
    verdict: str = RARE
    explained_by: str | None = None

    @property
    def is_rare(self) -> bool:
        exposed, _, unexposed, _ = self.counts
        return min(exposed, unexposed, self.matched.matched) < MIN_CELL

    @property
    def attributable(self) -> float:
        return 0.0 if self.is_rare else max(0.0, self.counts[0] * self.matched.difference)

    def row(self) -> tuple[object, ...]:
        found = self.matched
        figures = (found.difference, found.low, found.high, found.p_value, self.q_value)
        return (
            self.route,
            REASONS[self.place].name,
            *self.counts,
            found.matched,
            *(None if math.isnan(figure) else figure for figure in figures),
            None if self.is_rare else self.attributable,
            self.is_rare,
            self.explained_by,
            self.verdict,
        )


def explain_drop_offs(exposures: pl.DataFrame, windows: pl.DataFrame) -> DropOffs:
    """Compare, page by page and reason by reason, the steps in which it happened with those in which it did not.

    Parameters
    ----------
    exposures : polars.DataFrame
        The tallies of exposures.tally_exposures, added up.
    windows : polars.DataFrame
        As exposures.choose_windows returns them.
    """
    steps = _steps(exposures, windows)
    pages = {str(route): cells for (route,), cells in exposures.group_by("route", maintain_order=True)}
    by_page = {
        route: [_compare(route, place, pages[route]) for place in _seen_at(pages[route])] for route in steps["route"]
    }
    tested = [one for found in by_page.values() for one in found if not one.is_rare]
    for one, q_value in zip(tested, adjust_for_many([one.matched.p_value for one in tested]), strict=True):
        one.q_value = q_value
        one.verdict = _verdict(one.matched, q_value)
    rows: list[tuple[object, ...]] = []
    for route, dropped in steps.select("route", "dropped").iter_rows():
        found = by_page[route]
        supported = _part_from_each_other(found, pages[route])
        rows += [one.row() for one in sorted(found, key=_rank)]
        rows.append(_unexplained(route, dropped, supported, pages[route]))
    return DropOffs(steps, pl.DataFrame(rows, schema=REASONS_SCHEMA, orient="row"), len(tested))


def _steps(exposures: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    counts = (
        exposures.group_by("route")
        .agg(pl.col("steps").sum(), pl.col("dropped").sum())
        .join(windows, on="route", how="left")
        .sort(-pl.col("dropped"), -pl.col("steps"), "route")
    )
    rows = []
    for route, at_risk, dropped, window_s in counts.iter_rows():
        rate = Proportion.of(dropped, at_risk)
        rows.append((route, at_risk, dropped, rate.share, rate.low, rate.high, window_s or DEFAULT_WINDOW_S))
    return pl.DataFrame(rows, schema=STEPS_SCHEMA, orient="row")


def _seen_at(cells: pl.DataFrame) -> list[int]:
    """Return the places of the reasons that occurred at a page at all."""
    bits = 0
    for happened in cells["happened"].unique():
        bits |= happened
    return [place for place in range(len(REASONS)) if bits & (1 << place)]


def _compare(route: str, place: int, cells: pl.DataFrame) -> _Comparison:
    bit = 1 << place
    measured = cells.filter((pl.col("not_measured") & bit) == 0)
    exposed = (pl.col("happened") & bit) != 0
    counts = _count(measured, exposed)
    # A site has many pages that few see: strata are made only where there is something to compare.
    is_rare = min(counts[0], counts[2]) < MIN_CELL
    matched = _NOT_COMPARED if is_rare else _difference(measured, exposed)
    return _Comparison(route, place, counts, matched)


def _count(cells: pl.DataFrame, exposed: pl.Expr) -> tuple[int, int, int, int]:
    counts = cells.select(
        *(
            pl.col(name).filter(which).sum().alias(f"{name}_{group}")
            for group, which in enumerate((exposed, ~exposed))
            for name in ("steps", "dropped")
        )
    )
    steps, dropped, other_steps, other_dropped = (int(count) for count in counts.row(0))
    return steps, dropped, other_steps, other_dropped


def _difference(cells: pl.DataFrame, exposed: pl.Expr) -> MatchedDifference:
    """Compare over the strata."""
    marked = cells.with_columns(exposed.alias("_exposed"))
    columns = {"steps": "steps", "dropped": "dropped"}
    tables = marked.group_by(STRATUM).agg(
        *(pl.col(name).filter("_exposed").sum().alias(f"{name}_1") for name in columns),
        *(pl.col(name).filter(~pl.col("_exposed")).sum().alias(f"{name}_0") for name in columns),
    )
    # The order of strata, and with it the last digits of their sums, must not depend on the engine.
    ordered = tables.sort(STRATUM)
    steps_1, dropped_1, steps_0, dropped_0 = (
        ordered[name].to_numpy() for name in ("steps_1", "dropped_1", "steps_0", "dropped_0")
    )
    return compare_matched(dropped_1, steps_1, dropped_0, steps_0)


def _verdict(found: MatchedDifference, q_value: float) -> str:
    if q_value > MAX_Q:
        return NOT_SHOWN
    if abs(found.difference) < MIN_DIFFERENCE:
        return TOO_SMALL
    return RAISES if found.difference > 0 else LOWERS


def _part_from_each_other(found: list[_Comparison], cells: pl.DataFrame) -> list[_Comparison]:
    """Keep of the reasons that raise drop-off those that do so on their own.

    A slow page has a poor LCP as well, and a failed request throws an error. The strongest is believed; a further one
    only if it makes a difference among the steps in which none that is believed happened.
    """
    believed: list[_Comparison] = []
    for one in sorted((one for one in found if one.verdict == RAISES), key=lambda one: (-_strength(one), one.place)):
        bits = sum(1 << other.place for other in believed)
        if believed and not _stands_alone(one, cells.filter((pl.col("happened") & bits) == 0)):
            one.verdict = GOES_WITH
            one.explained_by = REASONS[max(believed, key=lambda other: _together(one, other, cells)).place].name
        else:
            believed.append(one)
    return believed


def _strength(one: _Comparison) -> float:
    """Return the difference in units of its error."""
    width = one.matched.high - one.matched.low
    return one.matched.difference / width if width else math.inf


def _stands_alone(one: _Comparison, cells: pl.DataFrame) -> bool:
    alone = _compare(one.route, one.place, cells)
    return not alone.is_rare and _verdict(alone.matched, alone.matched.p_value) == RAISES


def _together(one: _Comparison, other: _Comparison, cells: pl.DataFrame) -> int:
    both = (1 << one.place) | (1 << other.place)
    return int(cells.filter((pl.col("happened") & both) == both)["steps"].sum())


def _unexplained(route: str, dropped: int, supported: list[_Comparison], cells: pl.DataFrame) -> tuple[object, ...]:
    """Say how many drops are left when those are taken away that the supported reasons, together, account for."""
    accounted = 0.0
    if supported:
        bits = sum(1 << one.place for one in supported)
        together = (pl.col("happened") & bits) != 0
        exposed, dropped_exposed, _, _ = _count(cells, together)
        matched = _difference(cells, together)
        if matched.matched:
            accounted = min(float(dropped_exposed), max(0.0, exposed * matched.difference))
    return (route, UNEXPLAINED, *(None,) * 10, dropped - accounted, False, None, UNEXPLAINED)


def _rank(one: _Comparison) -> tuple[int, float, int]:
    order = (RAISES, GOES_WITH, TOO_SMALL, NOT_SHOWN, LOWERS, RARE)
    return order.index(one.verdict), -one.attributable, one.place
