"""From exemplar sessions to scenarios of the user interface: a journey told again, an error pattern met again.

Exemplars come nearest to the journey's medoid first; the first one that can be told again is. A journey's oracle is
production where it went well: the routes the exemplar came to, its conversion, and the route's web vitals. An error
pattern's oracle is never the session that met it: it is that the error stays away, and what others found or came to
after they did the same and did not meet it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import narwhals as nw
import polars as pl

from prodintel_lib import __version__
from prodintel_lib.analyses.frontend_errors.patterns import mask_message, name_patterns
from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.rum_errors import ERROR_TEXTS
from prodintel_lib.rollups.rum_expressions import target
from prodintel_lib.scenarios.model import Evidence
from prodintel_lib.scenarios.ui_clients import client_of, with_failing_requests
from prodintel_lib.scenarios.ui_events import Moment, read_moments
from prodintel_lib.scenarios.ui_fields import slug_of
from prodintel_lib.scenarios.ui_model import (
    Budget,
    ExpectNoErrors,
    ExpectRoute,
    ExpectVisible,
    Step,
    UiProvenance,
    UiScenario,
    UiSuite,
)
from prodintel_lib.scenarios.ui_steps import tell_steps

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_STEPS: Final = 300
WATCH_AT_LEAST_S: Final = 0.5
WATCH_AT_MOST_S: Final = 10.0
MAX_SLUG: Final = 72
METRICS: Final = ("lcp_ms", "inp_ms", "cls_score", "fcp_ms", "ttfb_ms")
_CRASHES: Final = frozenset({"exception", "console"})

Priority = Literal["P0", "P1", "P2", "P3"]


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey to tell again.

    Attributes
    ----------
    journey_id : str
    exemplars : sequence of polars.DataFrame
        RUM_EVENTS rows of one session each, in order and pseudonymised, the nearest to the medoid first.
    sessions, of_sessions : int
        How many sessions took it, of how many.
    priority : {"P0", "P1", "P2", "P3"}
    """

    journey_id: str
    exemplars: Sequence[pl.DataFrame]
    sessions: int
    of_sessions: int
    priority: Priority = "P1"


@dataclass(frozen=True, slots=True)
class ErrorPattern:
    """A front-end error pattern to meet again.

    Attributes
    ----------
    pattern_id : str
    error_type, message : str
        As one of its occurrences has them: by these it is known where the id does not tell.
    error_source : {"exception", "console", "network", "validation"}
    exemplars : sequence of polars.DataFrame
        Sessions that met it.
    healthy : sequence of polars.DataFrame
        Sessions that did the same and did not.
    occurrences, sessions : int
    request_failure_rate : float or None
        The share of requests that fail for those who met it; None where that has no part in it.
    priority : {"P0", "P1", "P2", "P3"}
    """

    pattern_id: str
    error_type: str
    message: str
    error_source: str
    exemplars: Sequence[pl.DataFrame]
    healthy: Sequence[pl.DataFrame]
    occurrences: int
    sessions: int
    request_failure_rate: float | None = None
    priority: Priority = "P1"


def build_journey_scenario(
    journey: Journey,
    *,
    conversions: Collection[str] = (),
    vitals: pl.DataFrame | None = None,
) -> UiScenario:
    """Tell a journey again, from the first of its exemplars that can be.

    Parameters
    ----------
    journey : Journey
    conversions : collection of str, optional
        Routes or names of events that mean a visitor did what the site is for.
    vitals : polars.DataFrame, optional
        Columns ``route``, ``metric``, ``p75``, ``p95``, ``n``: one row for a route and one of `METRICS`.

    Raises
    ------
    NoDataError
        If no exemplar can be told again, with the reasons.
    """
    budgets = budgets_of(vitals)
    reasons = []
    for events in journey.exemplars:
        moments = read_moments(events)
        met = next((m for m in moments if m.kind == "error" and m.error_source in _CRASHES), None)
        if met is not None:
            reasons.append(f"one met the error {met.message[:80]!r}")
            continue
        steps = tell_steps(moments, conversions=conversions, budgets=budgets)
        if reason := _unfit(steps):
            reasons.append(reason)
            continue
        routes = _routes(steps)
        return UiScenario(
            id=_slug(routes),
            title=f"Visitors go {' > '.join(routes)}",
            kind="journey",
            priority=journey.priority,
            seen=f"{journey.sessions} of {journey.of_sessions} sessions took this journey.",
            evidence=(Evidence(saw="sessions of the journey", table="rum_events", n=journey.sessions),),
            client=client_of(events, as_browser=False),
            steps=(*steps, ExpectNoErrors()),
            provenance=_provenance(journey.journey_id, [events]),
        )
    raise _untold(f"journey {journey.journey_id!a}", reasons)


def build_error_scenario(
    pattern: ErrorPattern,
    *,
    conversions: Collection[str] = (),
) -> UiScenario:
    """Tell again how a front-end error was met, by the client it was met with, and expect that it is not.

    Raises
    ------
    NoDataError
        If no exemplar can be told again, or if nothing would show the error's absence: a page's refusal of an entry
        shows only in where others came to.
    """
    reasons = []
    for events in pattern.exemplars:
        moments = read_moments(events, mended=False)
        times_us = occurrences_us(events, pattern)
        at = next((n for n, each in enumerate(moments) if each.kind == "error" and each.time_us in times_us), None)
        if at is None:
            reasons.append("one did not meet the error")
            continue
        before = [moment for moment in moments[:at] if moment.kind != "error"]
        follow_up = find_follow_up(before, pattern)
        steps = tell_steps(before, conversions=conversions)
        if reason := _unfit(steps):
            reasons.append(reason)
            continue
        if follow_up is None and moments[at].error_source not in _CRASHES:
            reasons.append("nobody who did the same and did not meet it shows what should have followed")
            continue
        return _error_scenario(pattern, events, before, moments[at], [*steps, *([follow_up] if follow_up else [])])
    raise _untold(f"error pattern {pattern.pattern_id!a}", reasons)


def build_ui_suite(title: str, scenarios: Sequence[UiScenario]) -> UiSuite:
    """Put scenarios together; where two have one name, the later ones are numbered.

    Raises
    ------
    NoDataError
        If there is none.
    """
    if not scenarios:
        raise NoDataError("There is no scenario to render.", hint="look at a longer period, or at more journeys.")
    taken: dict[str, UiScenario] = {}
    for scenario in scenarios:
        names = (scenario.id, *(f"{scenario.id}_{n}" for n in range(2, len(scenarios) + 2)))
        name = next(each for each in names if each not in taken)
        taken[name] = scenario.model_copy(update={"id": name})
    return UiSuite(title=title, scenarios=tuple(taken.values()))


def find_follow_up(before: Sequence[Moment], pattern: ErrorPattern) -> Step | None:
    """Find what a visitor who did the same, and did not meet the error, used or came to next.

    Parameters
    ----------
    before : sequence of Moment
        What was done until the error.
    pattern : ErrorPattern
        Its `healthy` sessions are looked through in their order.

    Returns
    -------
    ExpectRoute, ExpectVisible or None
        None where no healthy session did the same, or none went on.
    """
    last = next((moment for moment in reversed(before) if moment.kind in {"view", "action"}), None)
    if last is None:
        return None
    for events in pattern.healthy:
        moments = [moment for moment in read_moments(events) if moment.kind in {"view", "action", "error"}]
        for n, moment in enumerate(moments):
            if not _is_like(moment, last):
                continue
            following = next((other for other in moments[n + 1 :]), None)
            if following is None or following.kind == "error":
                continue
            if following.kind == "view" and last.kind == "action":
                return ExpectRoute(route=following.route)
            if following.kind == "action" and following.target is not None and following.target != last.target:
                return ExpectVisible(target=following.target)
    return None


def occurrences_us(events: pl.DataFrame, pattern: ErrorPattern) -> frozenset[int]:
    """Return when a session met an error pattern: by the pattern's id, else by its type and its message but for values.

    Parameters
    ----------
    events : polars.DataFrame
        RUM_EVENTS rows of one session.
    pattern : ErrorPattern
    """
    of_validation = nw.when(nw.col("error_source") == nw.lit("validation")).then(target())
    errors = nw.from_native(events.filter(pl.col("event_kind") == "error")).with_columns(of_validation.alias("field"))
    texts = errors.to_native().with_columns(pl.col(ERROR_TEXTS).cast(pl.String).fill_null(""))
    same_id = texts.filter(name_patterns(texts)["pattern_id"] == pattern.pattern_id)
    if same_id.is_empty():
        said = mask_message(pl.lit(pattern.message))
        same_id = texts.filter(error_source=pattern.error_source, error_type=pattern.error_type).filter(
            mask_message(pl.col("exception_message")) == said
        )
    return frozenset(same_id["time_us"])


def budgets_of(vitals: pl.DataFrame | None) -> dict[str, tuple[Budget, ...]]:
    """Return the budgets of each route from its quantiles in production."""
    budgets: dict[str, tuple[Budget, ...]] = {}
    if vitals is None:
        return budgets
    known = vitals.filter(pl.col("metric").is_in(METRICS), pl.col("n") > 0).drop_nulls(["p75", "p95"])
    for row in known.sort("route", "metric").iter_rows(named=True):
        digits = 3 if row["metric"] == "cls_score" else 0
        made = Budget(
            metric=row["metric"], budget=round(row["p75"], digits), limit=round(row["p95"], digits), n=row["n"]
        )
        budgets[row["route"]] = (*budgets.get(row["route"], ()), made)
    return budgets


def _error_scenario(
    pattern: ErrorPattern, events: pl.DataFrame, before: Sequence[Moment], met: Moment, steps: Sequence[Step]
) -> UiScenario:
    named = pattern.error_type or pattern.error_source
    client = client_of(events, as_browser=True)
    if pattern.request_failure_rate:
        client = with_failing_requests(client, before, rate=pattern.request_failure_rate)
    told = [moment for moment in before if moment.kind in {"view", "action"}]
    # Twice the time it took the error to show: on a slower machine it shows later.
    watch_s = min(WATCH_AT_MOST_S, max(WATCH_AT_LEAST_S, 2 * (met.time_us - told[-1].time_us) / 1e6))
    shown = met.message if met.error_source in _CRASHES else ""
    return UiScenario(
        id=_slug([named, met.route]),
        title=f"{named} does not occur on {met.route}",
        kind="error_pattern",
        priority=pattern.priority,
        seen=f"Production met it {pattern.occurrences} times in {pattern.sessions} sessions: {pattern.message}",
        evidence=(Evidence(saw="the error", table="rum_events", n=pattern.occurrences),),
        client=client,
        steps=(*steps, ExpectNoErrors(seen=shown, watch_s=round(watch_s, 1))),
        provenance=_provenance(pattern.pattern_id, [events, *pattern.healthy]),
    )


def _is_like(moment: Moment, last: Moment) -> bool:
    if (moment.kind, moment.route) != (last.kind, last.route):
        return False
    return moment.kind == "view" or (moment.deed, moment.target) == (last.deed, last.target)


def _unfit(steps: Sequence[Step]) -> str:
    if not steps:
        return "one has no page view"
    return f"one has {len(steps)} steps, more than {MAX_STEPS}" if len(steps) > MAX_STEPS else ""


def _routes(steps: Sequence[Step]) -> list[str]:
    routes = [step.route for step in steps if isinstance(step, ExpectRoute)]
    return [route for n, route in enumerate(routes) if n == 0 or route != routes[n - 1]]


def _slug(parts: Sequence[str]) -> str:
    slug = ""
    for part in parts:
        longer = "_".join(filter(None, [slug, slug_of(part, fallback="home" if part.startswith("/") else "error")]))
        if len(longer) > MAX_SLUG:
            break
        slug = longer
    return slug or slug_of(parts[0], fallback="home")[:MAX_SLUG].rstrip("_")


def _provenance(finding_id: str, frames: Sequence[pl.DataFrame]) -> UiProvenance:
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(frame.select(sorted(frame.columns)).write_ndjson().encode())
    return UiProvenance(
        generator=f"prodintel {__version__}", finding_id=finding_id, input_digest=digest.hexdigest()[:12]
    )


def _untold(what: str, reasons: Sequence[str]) -> NoDataError:
    told = "; ".join(dict.fromkeys(reasons)) or "it has no exemplar session"
    return NoDataError(f"No session of the {what} can be told again: {told}.", hint="look at a longer period.")
