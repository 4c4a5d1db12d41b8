"""Production's load from end to end, as the notebook calls it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import orjson
import polars as pl

from prodintel_lib.analyses.behaviour import find_behaviour
from prodintel_lib.analyses.load import (
    gather_load,
    gather_steps,
    gather_utilisation,
    measure_concurrency,
    measure_headroom,
    measure_payloads,
    measure_profiles,
)
from prodintel_lib.analyses.telemetry import choose_window, open_view
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.load_patterns.headline import write_headline
from prodintel_lib.load_patterns.load_test import LoadTestView
from prodintel_lib.load_patterns.rehearsal import rehearse
from prodintel_lib.rollups.arrivals import ALL_ENDPOINTS
from prodintel_lib.rollups.load_requests import LoadSource
from prodintel_lib.scenarios.load_model import build_load_model, choose_curve, gather_exchanges, keep_sendable
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.behaviour import BehaviourModel
    from prodintel_lib.analyses.load import Concurrency, Headroom, LoadHistory, LoadProfiles, Payloads
    from prodintel_lib.analyses.load_fidelity import LoadFidelity
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.headline import Headline
    from prodintel_lib.scenarios.load_model import LoadCurve, LoadModel
    from prodintel_lib.sources.report import IngestReport
    from prodintel_lib.workspace import Workspace

MAX_STEPS: Final = 5_000_000
"""Behaviour is learned from so many requests at most: the busiest stretch that holds no more."""

MIN_OWN_SESSIONS: Final = 500
"""The day whose curve is followed tells behaviour alone where it has so many sessions: days differ in who comes."""

TABLES_OF_REQUESTS: Final[Mapping[LoadSource, str]] = {"spans": "spans", "rum": "rum_events"}


@dataclass(frozen=True, slots=True)
class LoadWish:
    """What is asked for.

    Attributes
    ----------
    window : str
        ``START/END``, or a length such as ``30d`` that ends with the last day that has rows.
    source : str
        What requests are read from: ``spans``, ``rum`` (browsers and access logs), or ``""`` for the one that holds
        more of them.
    time_zone : str
        IANA name of the business's clock; ``""`` for that of prodintel.yaml.
    events : tuple of str
        Named events, ``2026-11-27/2026-11-30 black-friday``; empty for those of prodintel.yaml.
    conversions : tuple of str
        Endpoints that count as a conversion, ``POST /api/orders``: what buyers reach; empty for those that
        ``journeys.conversions`` of prodintel.yaml names.
    day : str
        Whose curve the load test follows: ``busiest``, ``whole`` for all of the window, or a date.
    seed : int
    """

    window: str = "30d"
    source: str = ""
    time_zone: str = ""
    events: tuple[str, ...] = ()
    conversions: tuple[str, ...] = ()
    day: str = "busiest"
    seed: int = 0

    def check(self) -> None:
        """Look whether what was asked for can be meant.

        Raises
        ------
        ParameterError
            If not.
        """
        source_named(self.source)
        if self.seed < 0:
            raise ParameterError(f"`seed` is at least 0; got {self.seed}.", hint="leave it out for the default.")


@dataclass(frozen=True)
class LoadReport:
    """What production's load looks like, and a load test of it.

    Attributes
    ----------
    workspace : Workspace
    history : LoadHistory
    profiles : LoadProfiles
    payloads : Payloads
    headroom : Headroom
    behaviour : BehaviourModel or None
        None where no request names its visitor.
    learned_from : Window
        The part of the window behaviour was learned from.
    concurrency : Concurrency or None
        Sessions and requests under way at once; None where no request names its visitor.
    model : LoadModel or None
        What the load test sends; None where there is none.
    rehearsal : LoadFidelity or None
        The load test's plan against production, nothing sent; None where there are too few sessions to tell.
    no_test_because : str
        Why there is no load test; empty where there is one.
    accounting : IngestReport
    digest : str
        Of what was looked at, and of what was asked.
    """

    workspace: Workspace
    history: LoadHistory
    profiles: LoadProfiles
    payloads: Payloads
    headroom: Headroom
    behaviour: BehaviourModel | None
    learned_from: Window
    concurrency: Concurrency | None
    model: LoadModel | None
    rehearsal: LoadFidelity | None
    no_test_because: str
    accounting: IngestReport
    digest: str

    @cached_property
    def headline(self) -> Headline:
        """The answer first."""
        return write_headline(self)

    @property
    def test(self) -> LoadTestView:
        """What the load test sends and must hold."""
        return LoadTestView(self.model, self.no_test_because)


def explore_load(workspace_path: str | Path, wish: LoadWish | None = None, *, engine: str = "polars") -> LoadReport:
    """Measure the load of a workspace and make a load test of it, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    wish : LoadWish, optional
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the window, the time zone, an event or another wish is not usable.
    NoDataError
        If no request was recorded in the window.
    """
    asked = wish or LoadWish()
    asked.check()
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    business = workspace.config.business
    window = choose_load_window(view, asked.window)
    history = choose_history(view, window, asked.source)
    profiles = measure_profiles(
        history.arrivals,
        window=window,
        time_zone=asked.time_zone or business.time_zone,
        events=asked.events or business.events,
        bucket_s=history.bucket_s,
        recorded_us=history.recorded_us,
    )
    metrics = gather_utilisation(view, window=window, bucket_s=history.bucket_s)
    learned = _learn(view, history, profiles, asked)
    return LoadReport(
        workspace=workspace,
        history=history,
        profiles=profiles,
        payloads=measure_payloads(history.sizes),
        headroom=measure_headroom(metrics, history.arrivals, bucket_s=history.bucket_s),
        behaviour=learned.behaviour,
        learned_from=learned.learned_from,
        concurrency=learned.concurrency,
        model=learned.model,
        rehearsal=learned.rehearsal,
        no_test_because=learned.no_test_because,
        accounting=account(workspace),
        digest=_digest(history, asked),
    )


def source_named(text: str) -> LoadSource | None:
    """Return the source of that name; None for ``""``.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    found = next((name for name in get_args(LoadSource) if name == text), None)
    if text and found is None:
        raise ParameterError.unknown("source", text, known=get_args(LoadSource))
    return found


def choose_load_window(view: LakeView, asked: str) -> Window:
    """Return the window asked for; a length ends with the last day in which any request was recorded."""
    return choose_window(view, asked, tables=tuple(TABLES_OF_REQUESTS.values()))


def choose_history(view: LakeView, window: Window, source: str) -> LoadHistory:
    """Count the requests of a window by the source asked for, or by the one that holds more of them.

    Raises
    ------
    NoDataError
        If no source holds a request.
    """
    found = []
    for name in TABLES_OF_REQUESTS:
        if source in ("", name):
            try:
                found.append(gather_load(view, window=window, source=name))
            except NoDataError:
                if source:
                    raise
    counted = [(_requests_of(history), history) for history in found]
    if not any(requests for requests, _ in counted):
        raise NoDataError(
            f"No request was recorded in {window.label()}, by servers or by browsers.",
            hint="choose a window that holds some, or add an export to `sources` in prodintel.yaml.",
        )
    return max(counted, key=lambda pair: pair[0])[1]


def _requests_of(history: LoadHistory) -> int:
    return int(history.arrivals.filter(pl.col("endpoint") == ALL_ENDPOINTS)["requests"].sum())


def busiest_part(history: LoadHistory, *, most: int = MAX_STEPS) -> Window:
    """Return the window, or where it holds more requests than `most` the busiest stretch that does not.

    Parameters
    ----------
    history : LoadHistory
    most : int
        Requests. A single bucket that holds more is returned whole.
    """
    every = history.arrivals.filter(pl.col("endpoint") == ALL_ENDPOINTS).sort("bucket_us")
    counts, starts_us = every["requests"].to_list(), every["bucket_us"].to_list()
    if sum(counts) <= most:
        return history.window
    first, held, best = 0, 0, (0, 0, 0)
    for last, count in enumerate(counts):
        held += count
        while held > most and first < last:
            held -= counts[first]
            first += 1
        best = max(best, (held, first, last))
    width_us = history.bucket_s * US_PER_S
    return Window(max(starts_us[best[1]], history.window.start_us), starts_us[best[2]] + width_us)


@dataclass(frozen=True, slots=True)
class _Learned:
    """How users behave, and the load test of it, or why there is none."""

    behaviour: BehaviourModel | None
    learned_from: Window
    concurrency: Concurrency | None = None
    model: LoadModel | None = None
    rehearsal: LoadFidelity | None = None
    no_test_because: str = ""


def _learn(view: LakeView, history: LoadHistory, profiles: LoadProfiles, asked: LoadWish) -> _Learned:
    """Find behaviour, make the load model of it, and rehearse that."""
    config, part = view.workspace.config, busiest_part(history)
    steps = gather_steps(
        view, window=part, source=history.source, gap_min=config.journeys.session_gap_min, routes=history.routes
    )
    if steps.is_empty():
        return _Learned(None, part, no_test_because="no request names its visitor")
    concurrency = measure_concurrency(steps)
    conversions = _conversions(asked, config.journeys.conversions, steps)
    choose = partial(
        choose_curve, profiles=profiles, time_zone=profiles.time_zone, source=history.source, day=asked.day
    )
    learned_from, followed = part, choose(steps)
    own = sessions_of(followed, steps)
    if own["session_key"].n_unique() >= MIN_OWN_SESSIONS:
        steps, learned_from = own, Window(followed.start_us, followed.end_us)
    exchanges = gather_exchanges(view, window=learned_from, source=history.source, routes=history.routes)
    try:
        sendable = keep_sendable(steps, exchanges)
    except NoDataError as error:
        behaviour = find_behaviour(steps, seed=asked.seed, conversions=conversions)
        return _Learned(behaviour, learned_from, concurrency, no_test_because=error.message.rstrip("."))
    behaviour = find_behaviour(sendable, seed=asked.seed, conversions=conversions)
    model = build_load_model(
        curve=choose(sendable),
        behaviour=behaviour,
        exchanges=exchanges,
        profiles=profiles,
        slos=config.slos,
        authorization=Authorization.of(view.workspace),
        digest=_digest(history, asked),
    )
    return _Learned(behaviour, learned_from, concurrency, model, rehearse(model, steps))


def _conversions(asked: LoadWish, configured: tuple[str, ...], steps: pl.DataFrame) -> tuple[str, ...]:
    """Return the endpoints that count as a conversion; prodintel.yaml names pages and events beside them."""
    known = set(steps["endpoint"].unique())
    for name in asked.conversions:
        if name not in known:
            raise ParameterError.unknown("endpoint", name, known=sorted(known))
    return asked.conversions or tuple(name for name in configured if name in known)


def sessions_of(curve: LoadCurve, steps: pl.DataFrame) -> pl.DataFrame:
    """Return the steps of the sessions that begin in a curve's time."""
    begins = pl.col("time_us").min().over("session_key")
    return steps.filter(begins.is_between(curve.start_us, curve.end_us, closed="left"))


def _digest(history: LoadHistory, wish: LoadWish) -> str:
    asked = [wish.source, wish.time_zone, list(wish.events), list(wish.conversions), wish.day, wish.seed]
    return hashlib.sha256(orjson.dumps([history.digest, *asked])).hexdigest()
