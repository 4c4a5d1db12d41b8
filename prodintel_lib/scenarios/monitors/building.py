"""From healthy production to monitors of its critical endpoints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib import __version__
from prodintel_lib.analyses.incident import digest_of
from prodintel_lib.analyses.production import gather_production
from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.guards.conversions import find_converting_route
from prodintel_lib.scenarios.guards.exchanges import RequestNames, choose_exchanges
from prodintel_lib.scenarios.monitors.answers import Answers, look_at_requests, read_answers
from prodintel_lib.scenarios.monitors.checks import find_limit, make_checks, measure_standard
from prodintel_lib.scenarios.monitors.client_made import find_client_made, with_fresh_values
from prodintel_lib.scenarios.monitors.contracts import build_contract
from prodintel_lib.scenarios.monitors.critical import CRITERION, choose_critical, measure_ways
from prodintel_lib.scenarios.monitors.healthy_time import HealthyTime, find_healthy_time
from prodintel_lib.scenarios.monitors.journeys import build_journey_monitors
from prodintel_lib.scenarios.monitors.left_out import LeftOut
from prodintel_lib.scenarios.monitors.model import EndpointMonitors, Monitor, MonitorSuite
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.scenarios.guards.exchanges import Built
    from prodintel_lib.scenarios.model import Request
    from prodintel_lib.scenarios.monitors.checks import Limit, Standard
    from prodintel_lib.scenarios.monitors.client_made import Place
    from prodintel_lib.scenarios.monitors.model import Check
    from prodintel_lib.scenarios.monitors.rules import Case
    from prodintel_lib.scenarios.recorded import Authorization
    from prodintel_lib.windows import Window
    from prodintel_lib.workspace import RouteSlo

EVERY_MIN: Final = 5
WRITING_EVERY_MIN: Final = 60
"""What writes leaves something behind each time."""

RECENT_SESSIONS: Final = 100
CUSTOMERS: Final = 6
"""Who ask in a run."""

NO_CONVERSION: Final = (
    "which request converts is not known: prodintel.yaml names none in `journeys.conversions`, or visits and traces "
    "name no sessions that are the same."
)

_SLUG: Final = 60
_HISTORY_DAYS: Final = 1 / 24
"""Nothing before the window is learned from; what counts production wants some history."""


def build_monitors(view: LakeView, window: Window, *, authorization: Authorization | None = None) -> MonitorSuite:
    """Build all monitors: of critical endpoints, of critical journeys, and of the API's document.

    Parameters
    ----------
    view : LakeView
        Where evidence is read; its workspace says what is promised, what a conversion is, and where the document is.
    window : Window
        What is learned from.
    authorization : Authorization, optional
        How a session is authorised, from prodintel.yaml.

    Returns
    -------
    MonitorSuite
        What no monitor can be made of is left out with the reason.

    Raises
    ------
    NoDataError
        If nothing was recorded that a monitor of any kind can be made of.
    ParameterError
        If the document that prodintel.yaml names is none.
    """
    config = view.workspace.config
    contract = build_contract(view.workspace, view, window=window)
    production = gather_production(view, window=window, history_days=_HISTORY_DAYS)
    journeys = build_journey_monitors(
        view, window=window, conversions=config.journeys.conversions, gap_min=config.journeys.session_gap_min
    )
    try:
        endpoints = build_endpoint_monitors(view, production, authorization=authorization)
    except NoDataError as why:
        if not journeys.monitors and contract is None:
            raise
        nothing = (LeftOut(what="endpoints", why=why.message),)
        endpoints = EndpointMonitors(requests={}, monitors=(), left_out=nothing, criterion=CRITERION, healthy="")
    documents = [part.model_dump_json() for part in (endpoints, journeys, contract) if part is not None]
    return MonitorSuite(
        generator=f"prodintel {__version__}",
        input_digest=digest_of(production.digest, *documents),
        window=window.label(),
        endpoints=endpoints,
        journeys=journeys,
        contract=contract,
    )


def build_endpoint_monitors(
    view: LakeView, production: Production, *, authorization: Authorization | None = None
) -> EndpointMonitors:
    """Build the monitors of critical endpoints.

    Parameters
    ----------
    view : LakeView
        Where recorded requests are read.
    production : Production
        Of the window to learn from.
    authorization : Authorization, optional

    Raises
    ------
    NoDataError
        If no request entered the system in healthy time.
    """
    healthy = find_healthy_time(production, production.window)
    if not len(healthy.buckets):
        raise NoDataError(
            f"No request entered the system in healthy time of {production.window.label()}. {healthy.says}",
            hint="choose a window in which production was healthy and its traces were recorded.",
        )
    light = look_at_requests(view, healthy)
    converting = find_converting_route(view, production.window)
    ways = measure_ways(light, converting)
    slos = view.workspace.config.slos
    critical, others = choose_critical(healthy.requests, slos=slos, converting=converting, ways=ways)
    if not converting:
        others = (LeftOut(what="conversions", why=NO_CONVERSION), *others)
    answers = read_answers(view, light, critical)
    maker = _Maker(healthy, answers, authorization, slos, list(others), find_client_made(answers.sessions))
    for route, reasons in critical.items():
        maker.add(route, reasons)
    maker.add_steps()
    return maker.endpoints()


@dataclass(slots=True)
class _Maker:
    """Makes monitors of one production, and names their requests on the way."""

    healthy: HealthyTime
    answers: Answers
    authorization: Authorization | None
    slos: Sequence[RouteSlo]
    left_out: list[LeftOut]
    client_made: frozenset[Place]
    made: list[Monitor] = field(default_factory=list)
    names: RequestNames = field(default_factory=RequestNames)

    def add(self, route: str, reasons: Sequence[str]) -> None:
        """Make the monitor of an endpoint, or say why there is none."""
        light = self.answers.light.filter(pl.col("route") == route)
        cases = self.answers.cases(route)
        requests = self.healthy.requests.filter(pl.col("route") == route)
        limit = find_limit(route, requests, self.slos)
        built = self._exchanges(route, cases, limit)
        if not built:
            self.left_out.append(LeftOut(what=route, why="no request of it with method and path was recorded whole."))
            return
        standard = measure_standard(
            route,
            limit=limit,
            requests=requests,
            light=light,
            cases=cases,
            steps=_mostly_before(built),
            replaced=self.answers.replaced.get(route, frozenset()),
        )
        checks, without = make_checks(standard, len(built), light)
        self.left_out += without
        if checks:
            self.made.append(self._monitor(standard, reasons, built, checks))

    def add_steps(self) -> None:
        """Monitor what monitors send on their way as well: else nobody says why they cannot get there."""
        tried = {monitor.endpoint for monitor in self.made}
        while missing := {
            _label(step): monitor.endpoint
            for monitor in self.made
            for exchange in monitor.exchanges
            for step in (self.names.requests[name] for name in exchange.prepare)
            if _label(step) not in tried
        }:
            for route, leads_to in missing.items():
                tried.add(route)
                self.left_out = [each for each in self.left_out if each.what != route]
                self.add(route, [f"it leads to {leads_to}"])

    def endpoints(self) -> EndpointMonitors:
        """Return what was made."""
        return EndpointMonitors(
            requests=self.names.requests,
            monitors=tuple(self.made),
            left_out=tuple(self.left_out),
            criterion=CRITERION,
            healthy=self.healthy.says,
        )

    def _exchanges(self, route: str, cases: Sequence[Case], limit: Limit | None) -> tuple[Built, ...]:
        """Choose requests to send: those that went well themselves.

        A kind of customer that is refused or slow every time is rare in production, and would be one in CUSTOMERS here.
        """
        went_well = ~pl.col("failed")
        if 2 * sum(case.request.succeeded for case in cases) > len(cases):
            went_well &= pl.col("http_response_status_code").is_between(200, 299).fill_null(value=False)
        if limit is not None:
            went_well &= (pl.col("duration_ms") <= limit.server_ms).fill_null(value=True)
        recorded = self.answers.recorded.with_columns(failed=~went_well)
        # What was asked for long ago may have gone since: an article, a coupon, a price.
        asked = recorded.filter((pl.col("route") == route) & ~pl.col("failed")).sort("time_us", descending=True)
        recent = asked["session_id"].unique(maintain_order=True)[:RECENT_SESSIONS]
        recorded = recorded.with_columns(
            failed=pl.col("failed") | ((pl.col("route") == route) & ~pl.col("session_id").is_in(recent.to_list()))
        )
        built = choose_exchanges(recorded, route, authorization=self.authorization).built
        # Where some only read to get there, nobody needs to write.
        reading = [each for each in built if not self._writes((*each[0], each[1]))]
        chosen = choose_customers(reading or built)
        return tuple(
            (with_fresh_values(steps, self.client_made), with_fresh_values([request], self.client_made)[0])
            for steps, request in chosen
        )

    def _monitor(
        self,
        standard: Standard,
        reasons: Sequence[str],
        built: Sequence[Built],
        checks: tuple[Check, ...],
    ) -> Monitor:
        steps = [step for each in built for step in (*each[0], each[1])]
        writes = self._writes(steps)
        return Monitor(
            id=self._id(standard.route),
            endpoint=standard.route,
            reasons=tuple(reasons),
            every_min=WRITING_EVERY_MIN if writes else EVERY_MIN,
            signs_in=any(_label(step) == self._login for step in steps),
            writes=writes,
            statuses=standard.statuses,
            patience_ms=standard.patience_ms,
            limit_ms=standard.limit.limit_ms if standard.limit else None,
            checks=checks,
            schemas=standard.schemas,
            exchanges=tuple(self.names.exchange(each) for each in built),
        )

    @property
    def _login(self) -> str:
        return self.authorization.route if self.authorization else ""

    def _writes(self, steps: Sequence[Request]) -> bool:
        return any(step.writes and _label(step) != self._login for step in steps)

    def _id(self, route: str) -> str:
        base = slug(route, fallback="endpoint")[:_SLUG].strip("_")
        taken = {monitor.id for monitor in self.made}
        return next(name for name in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def choose_customers(built: Sequence[Built], *, most: int = CUSTOMERS) -> tuple[Built, ...]:
    """Choose who asks in a run: one of each kind of customer first, the most frequent kinds first.

    What is wrong may strike only those who did something before: a kind is the steps that its customers took.

    Parameters
    ----------
    built : sequence of (steps, request)
        A mix of everything that was sent.
    most : int
    """
    kinds: dict[frozenset[str], list[Built]] = {}
    for each in built:
        kinds.setdefault(frozenset(_label(step) for step in each[0]), []).append(each)
    ranked = sorted(kinds.values(), key=lambda members: (-len(members), [_label(step) for step in members[0][0]]))
    rounds = max(map(len, ranked), default=0)
    chosen = [members[turn] for turn in range(rounds) for members in ranked if turn < len(members)]
    return tuple(chosen[:most])


def _mostly_before(built: Sequence[Built]) -> set[str]:
    """Return the steps that more than half of the customers take before."""
    counts = Counter(label for prepare, _ in built for label in {_label(step) for step in prepare})
    return {label for label, n in counts.items() if 2 * n > len(built)}


def _label(step: Request) -> str:
    return f"{step.method} {step.route}"
