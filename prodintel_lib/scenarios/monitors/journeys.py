"""Monitors of journeys: visits that a browser makes on a schedule, as production's visitors made them."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import polars as pl
from pydantic import Field

from prodintel_lib.analyses.experience import watch_experience
from prodintel_lib.analyses.journeys import analyse_journeys, read_session
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.vitals import add_tallies
from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.histograms import value_of
from prodintel_lib.scenarios.model import Frozen
from prodintel_lib.scenarios.monitors.attempts import FALSE_ALARM
from prodintel_lib.scenarios.monitors.clients import DIMENSIONS, choose_clients
from prodintel_lib.scenarios.monitors.left_out import LeftOut
from prodintel_lib.scenarios.ui_clients import client_of
from prodintel_lib.scenarios.ui_from_findings import choose_journeys, journey_of
from prodintel_lib.scenarios.ui_journeys import METRICS, Journey, build_journey_scenario, build_ui_suite
from prodintel_lib.scenarios.ui_model import ExpectConversion, ExpectVitals, UiScenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prodintel_lib.analyses.journeys import JourneyFindings
    from prodintel_lib.analyses.journeys.passes import Passes
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.windows import Window

SLOW: Final = 0.05
"""The share of production's views that is beyond a limit: of each, one in twenty is."""

CONFIDENCE: Final = 0.95
SLOW_WALKS: Final = math.ceil(math.log(FALSE_ALARM) / math.log(SLOW))
"""In so many walks one after another a page has to be slow before it is an alarm."""

BROKEN_WALKS: Final = 2
"""In so many walks one after another the journey has to break off before it is an alarm."""


class JourneyMonitor(Frozen):
    """A journey that is walked on a schedule.

    Attributes
    ----------
    scenario : UiScenario
        What is done and expected. Of its web vitals, ``budget`` is production's p95, and ``limit`` the upper end of
        that p95's one-sided 95 % interval, over ``n`` page views.
    converts : bool
        Whether it leads to what the site is for.
    every_min : int
    broken_walks, slow_walks : int
        In so many walks one after another it has to break off, or the same vital of the same page has to be over its
        limit, before it is an alarm.
    slow_false_alarm : float
        The chance, in one run, that a site as fast as it was raises the alarm of slowness: the share beyond a limit to
        the power of `slow_walks`, times the number of limits; walks are taken to be independent.
    """

    scenario: UiScenario
    converts: bool
    every_min: Annotated[int, Field(ge=1)]
    broken_walks: Annotated[int, Field(ge=1)] = BROKEN_WALKS
    slow_walks: Annotated[int, Field(ge=1)] = SLOW_WALKS
    slow_false_alarm: Annotated[float, Field(ge=0, le=1)]

    @property
    def limits(self) -> int:
        """How many vitals of how many pages are held to a limit."""
        return sum(len(step.budgets) for step in self.scenario.steps if isinstance(step, ExpectVitals))


class JourneyMonitors(Frozen):
    """The journeys that are walked on a schedule, and those that are not, with the reason."""

    title: str = ""
    monitors: tuple[JourneyMonitor, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def build_journey_monitors(
    view: LakeView,
    *,
    window: Window,
    conversions: Sequence[str] = (),
    gap_min: float = 30.0,
    top: int = 3,
    clients: int = 4,
    every_min: int = 15,
) -> JourneyMonitors:
    """Build monitors of the critical journeys: those that convert most, and those that are walked most.

    Parameters
    ----------
    view : LakeView
        Its lake holds ``rum_events``; without any there are no monitors, and the reason is given.
    window : Window
    conversions : sequence of str
        Event names and page routes that mean a visitor did what the site is for.
    gap_min : float
        Minutes without an event that end a session.
    top : int
        At most so many journeys, with the browser as it is.
    clients : int
        At most so many more, each as another of the clients that stand for most visitors; see clients.choose_clients.
    every_min : int
        How often each is meant to be walked.

    Notes
    -----
    A limit is an order statistic of the window's views (Conover 1999, Practical Nonparametric Statistics, section
    3.2): with 95 % confidence, no more than one view in twenty was beyond it. Fewer than 59 views tell no such limit.
    """
    passes = open_passes(view, window=window, conversions=tuple(conversions), gap_min=gap_min)
    tallies = watch_experience(passes)
    try:
        findings = analyse_journeys(
            view, window=window, conversions=conversions, gap_min=gap_min, top=max(10, 2 * top), passes=passes
        )
    except NoDataError as error:
        return JourneyMonitors(left_out=(LeftOut(what="journeys", why=error.message),))
    limits = find_limits(add_tallies(tally.vitals for tally in tallies.every()), private=view.private)
    made: list[UiScenario] = []
    left_out: list[LeftOut] = []
    part = passes.part(passes.slices[0])
    for sessions in choose_clients(part, most=clients, has_conversions=bool(conversions)):
        known = view.private.frame(sessions, columns={"session": "keep"})
        _try(partial(_as_client, passes, known, conversions, limits), _client(known), made, left_out)
    for row in choose_journeys(findings.journeys.frame, top=top, min_frequency=0.0).iter_rows(named=True):
        build = partial(_journey_scenario, passes, findings, row, limits)
        _try(build, f"journey {row['path']}", made, left_out)
    if not made and not left_out:
        left_out.append(LeftOut(what="journeys", why="no journey of more than one page was walked often enough."))
    scenarios = build_ui_suite("monitors", made).scenarios if made else ()
    monitors = tuple(_monitor(scenario, every_min) for scenario in scenarios)
    left_out += [
        LeftOut(what=f"speed of {each.scenario.id}", why="no page on its way has 59 views with web vitals.")
        for each in monitors
        if not each.limits
    ]
    return JourneyMonitors(title=f"Critical journeys, {window.label()}", monitors=monitors, left_out=tuple(left_out))


def _try(build: Callable[[], UiScenario], what: str, made: list[UiScenario], left_out: list[LeftOut]) -> None:
    try:
        made.append(build())
    except NoDataError as error:
        left_out.append(LeftOut(what=what, why=error.message))


def _journey_scenario(
    passes: Passes, findings: JourneyFindings, row: dict[str, Any], limits: pl.DataFrame
) -> UiScenario:
    return build_journey_scenario(journey_of(passes, findings, row), conversions=findings.conversions, vitals=limits)


def _as_client(passes: Passes, sessions: pl.DataFrame, conversions: Sequence[str], limits: pl.DataFrame) -> UiScenario:
    """Tell a visit again, by the browser's name, window, language and clock of who made it."""
    reasons = []
    for name, alike in sessions.select("session", "alike").iter_rows():
        events = read_session(passes.view, name, gap_min=passes.gap_min, routes=passes.routes).events
        journey = Journey(name, [events], alike, passes.part(passes.slices[0]).sessions.height)
        try:
            told = build_journey_scenario(journey, conversions=conversions, vitals=limits)
        except NoDataError as error:
            reasons.append(error.message)
            continue
        client = client_of(events, as_browser=True)
        return told.model_copy(update={"client": client, "title": f"{told.title}, as {_client(sessions)}"})
    raise NoDataError(" ".join(dict.fromkeys(reasons)))


def _client(sessions: pl.DataFrame) -> str:
    browser, country, device = sessions.select(DIMENSIONS).row(0)
    return f"{browser or 'a browser'} on a {device or 'device'} in {country or 'an unknown country'}"


def find_limits(tally: pl.DataFrame, *, private: Pseudonymiser) -> pl.DataFrame:
    """Find how slow a page's view has to be to be among the slowest one in twenty, for certain.

    Parameters
    ----------
    tally : polars.DataFrame
        As analyses.vitals.add_tallies returns it.
    private : Pseudonymiser
        Pages may be named by a person's data.

    Returns
    -------
    polars.DataFrame
        ``route, metric, p75, p95, n`` as ui_journeys.budgets_of takes them, in order of the first two: in the place of
        ``p75`` the p95, and in that of ``p95`` the upper end of its interval. Pages with too few views have no row.
    """
    from scipy.stats import binom  # noqa: PLC0415 - costs a second to import

    keys = ["part", "vital"]
    pages = tally.filter((pl.col("dimension") == "page") & pl.col("vital").is_in(METRICS))
    binned = pages.group_by(*keys, "bin").agg(pl.col("views").sum()).sort(*keys, "bin")
    counts = binned.group_by(keys, maintain_order=True).agg(pl.col("views").sum().alias("n"))
    n = counts["n"].to_numpy()
    ranked = counts.with_columns(
        pl.Series("rank", np.ceil(n * (1 - SLOW) - 1e-9).astype(np.int64)),
        pl.Series("rank_high", binom.ppf(CONFIDENCE, n, 1 - SLOW).astype(np.int64) + 1),
    ).filter(pl.col("rank_high") <= pl.col("n"))
    below = binned.with_columns(
        pl.col("views").cum_sum().over(keys).alias("below"),
        pl.Series("value", value_of(binned["bin"].to_numpy())),
    ).join(ranked, on=keys, how="inner", maintain_order="left")
    found = below.group_by(keys, maintain_order=True).agg(
        pl.col("value").filter(pl.col("below") >= pl.col("rank")).first().alias("p75"),
        pl.col("value").filter(pl.col("below") >= pl.col("rank_high")).first().alias("p95"),
        pl.col("n").first(),
    )
    named = private.frame(found.with_columns(pl.lit("page").alias("dimension")))
    return named.select(pl.col("part").alias("route"), pl.col("vital").alias("metric"), "p75", "p95", "n").sort(
        "route", "metric"
    )


def _monitor(scenario: UiScenario, every_min: int) -> JourneyMonitor:
    limits = sum(len(step.budgets) for step in scenario.steps if isinstance(step, ExpectVitals))
    told: dict[str, Any] = {
        "scenario": scenario,
        "converts": any(isinstance(step, ExpectConversion) for step in scenario.steps),
        "every_min": every_min,
        "slow_false_alarm": min(1.0, limits * SLOW**SLOW_WALKS),
    }
    return JourneyMonitor(**told)
