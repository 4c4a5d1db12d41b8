"""The load model: when sessions begin, what they do, what they send and what is too slow, apart from any tool.

Locust and k6 read the same document, written with `exclude_none`; the names below are the keys of its JSON. Endpoints,
gaps and states are referred to by their place in the list. How a session walks is said in `LoadClass`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from prodintel_lib.scenarios.model import Extract, Frozen, Replacement, Slug

LOAD_SCHEMA = "prodintel/load/1"

GAP_LEVELS: tuple[float, ...] = (*(step / 100 for step in range(100)), 0.995, 0.998, 0.999, 1.0)
"""Shares of gaps at or under each value of `GapLaw.seconds`."""

Place = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Method = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,16}$")]


class LoadCurve(Frozen):
    """How many sessions begin when, as production had it: before any scale, compression or event.

    Attributes
    ----------
    start_us, end_us : int
        The stretch of production it was counted in, µs since the epoch, UTC.
    time_zone : str
        IANA name of the business's clock, by which a start at an hour is meant.
    local_start_s : int
        Seconds after local midnight at which the curve begins.
    bucket_s : float
    sessions : tuple of float
        Beginning in each bucket.
    source : {"spans", "rum"}
        What the sessions were read from.
    """

    start_us: int
    end_us: int
    time_zone: str
    local_start_s: Annotated[int, Field(ge=0, lt=86_400)]
    bucket_s: Annotated[float, Field(gt=0)]
    sessions: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    source: Literal["spans", "rum"]


class EventMultiplier(Frozen):
    """How many times the expected traffic a named event had, at 95 %; `n` other weeks or days say what was expected."""

    name: Slug
    title: str
    ratio: Annotated[float, Field(gt=0)]
    low: float | None = None
    high: float | None = None
    n: int


class GapLaw(Frozen):
    """Seconds from one request's start to the next one's.

    Attributes
    ----------
    family : {"lognormal", "gamma", "weibull", "quantiles"}
        The curve that describes them, with its `parameters`, for readers; none does where it is ``quantiles``.
    seconds : tuple of float
        Quantiles of the gaps seen, at GAP_LEVELS: what is sampled, by linear interpolation.
    n : int
        Gaps it rests on.
    """

    family: Literal["lognormal", "gamma", "weibull", "quantiles"]
    parameters: tuple[float, ...] = ()
    seconds: Annotated[tuple[float, ...], Field(min_length=len(GAP_LEVELS), max_length=len(GAP_LEVELS))]
    n: int


class LoadArc(Frozen):
    """One possible next step: the endpoint, its weight among the arcs the guards allow, the state after, the gap.

    `gap` is None for the first step of a session.
    """

    endpoint: Place
    weight: Annotated[float, Field(gt=0)]
    state: Place
    gap: Place | None = None


class LoadState(Frozen):
    """What a session remembers (`after`: endpoints, the latest first; ``<start>``), and where it goes from there."""

    after: tuple[str, ...]
    visits: int
    end_logit: float
    arcs: tuple[LoadArc, ...]


class LoadClass(Frozen):
    """Sessions that behave alike.

    A session begins in state 0. From a state, with `done` steps made: it ends where the state has no arc, and with
    chance ``sigmoid(end_logit + shift)``, where shift is 0 before the first step and else ``end_shift[part]``, `part`
    being how many of `step_bounds` are below `done`. Otherwise an arc is drawn by weight among those the guards allow
    (none allowed: it ends), and its request is sent ``gap`` after the start of the one before: the law's quantile at
    ``Phi(sqrt(r) z + sqrt(1 - r) e)``, r = `session_correlation`, z drawn once a session and e once a step, both
    standard normal.

    Attributes
    ----------
    id, name : Slug, str
    weight : float
        Share of all sessions.
    sessions : int
        It rests on.
    """

    id: Slug
    name: str
    weight: Share
    sessions: int
    session_correlation: Annotated[float, Field(ge=0, lt=1)]
    step_bounds: tuple[int, ...]
    end_shift: tuple[float, ...]
    states: Annotated[tuple[LoadState, ...], Field(min_length=1)]


class LoadGuard(Frozen):
    """`endpoint` only after more steps to `needs` than to `used_by`; once is enough for good where there is none."""

    endpoint: Place
    needs: Place
    used_by: Place | None = None
    sessions: int


class Variant(Frozen):
    """One row of a data feeder: what was sent to an endpoint, `n` times so, people replaced by stand-ins.

    `replacements` say which values are not sent as they are: fresh ones, ones an earlier answer of the same session
    gave, ones that were masked.
    """

    path: Annotated[str, StringConstraints(pattern=r"^/")]
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: JsonValue = None
    replacements: tuple[Replacement, ...] = ()
    n: Annotated[int, Field(ge=1)]


class LoadEndpoint(Frozen):
    """What is asked for.

    Attributes
    ----------
    label : str
        ``POST /api/orders``: the name in the model, in scores and in reports.
    method, route : str
    variants : tuple of Variant
        Sent in proportion to their `n`. Empty where nothing that was recorded can be sent: sessions end before it.
    extracts : tuple of Extract
        Kept from each successful answer, for what the same session sends later; the latest counts.
    statuses : tuple of int
        What production answered when it was healthy; any other, and no answer, counts as failed.
    patience_ms : int
        A client waits so long.
    requests : int
        How often it was asked for in production.
    """

    label: str
    method: Method
    route: str
    variants: tuple[Variant, ...]
    extracts: tuple[Extract, ...] = ()
    statuses: tuple[int, ...]
    patience_ms: Annotated[int, Field(ge=1)]
    requests: int

    @property
    def writes(self) -> bool:
        """Whether it may change the system."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}


class Threshold(Frozen):
    """What the run must hold, for one endpoint.

    Attributes
    ----------
    kind : {"latency", "failures"}
    percentile : float or None
        Of latency: 95, 99, or the promise's own.
    limit : float
        ms for latency, a share for failures; the run fails above it.
    origin : {"production", "slo"}
        From production: the upper end of the 95 % interval of what it had; from a promise: the promise.
    seen : float
        What production had.
    n : int
        Requests it rests on.
    """

    endpoint: Place
    kind: Literal["latency", "failures"]
    percentile: Annotated[float, Field(gt=0, le=100)] | None = None
    limit: Annotated[float, Field(ge=0)]
    origin: Literal["production", "slo"]
    seen: float
    n: int


class LoadDefaults(Frozen):
    """What a run does where its command says nothing else.

    Attributes
    ----------
    scale : float
        Times as many sessions a second.
    compress : float
        How many times faster the curve goes by. The rate stays: so many times fewer sessions in all. What happens
        inside a session is not compressed, for users think no faster in a test.
    start_s : float
        Seconds into the curve at which the run begins; it goes on from the curve's beginning after its end.
    length_s : float
        Of the curve, before compression.
    multiplier : float
        An event's.
    seed : int
    """

    scale: Annotated[float, Field(gt=0)] = 1.0
    compress: Annotated[float, Field(gt=0)] = 1.0
    start_s: Annotated[float, Field(ge=0)] = 0.0
    length_s: Annotated[float, Field(gt=0)]
    multiplier: Annotated[float, Field(gt=0)] = 1.0
    seed: int = 0


class Login(Frozen):
    """Which endpoint gives the value that authorises a session: asked first where one lacks it, and not counted."""

    endpoint: Place
    value: Slug


class LoadModel(Frozen):
    """Production's load as a program for a load generator.

    `longest` is the number of steps at which a session ends whatever its chain says. `left_out` says in sentences what
    production did and this load does not: it is for people, and generators pass it over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["prodintel/load/1"] = Field(default="prodintel/load/1", alias="schema")
    generator: str
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]
    curve: LoadCurve
    events: tuple[EventMultiplier, ...] = ()
    endpoints: Annotated[tuple[LoadEndpoint, ...], Field(min_length=1)]
    gap_levels: tuple[float, ...] = GAP_LEVELS
    gaps: tuple[GapLaw, ...]
    classes: Annotated[tuple[LoadClass, ...], Field(min_length=1)]
    guards: tuple[LoadGuard, ...] = ()
    longest: Annotated[int, Field(ge=1)]
    login: Login | None = None
    thresholds: tuple[Threshold, ...] = ()
    defaults: LoadDefaults
    sessions: int
    requests: int
    left_out: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _places_exist(self) -> LoadModel:
        endpoints, gaps = len(self.endpoints), len(self.gaps)
        named = [place for guard in self.guards for place in (guard.endpoint, guard.needs, guard.used_by or 0)]
        named += [threshold.endpoint for threshold in self.thresholds]
        named += [self.login.endpoint] if self.login else []
        for one in self.classes:
            arcs = [arc for state in one.states for arc in state.arcs]
            named += [arc.endpoint for arc in arcs]
            if any(arc.state >= len(one.states) for arc in arcs):
                raise ValueError(f"class `{one.id}` has an arc to a state that there is not")
            if any(arc.gap is not None and arc.gap >= gaps for arc in arcs):
                raise ValueError(f"class `{one.id}` has an arc with a gap that there is not")
            if len(one.end_shift) != len(one.step_bounds) + 1:
                raise ValueError(f"class `{one.id}` needs one end_shift more than step_bounds")
        if any(place >= endpoints for place in named):
            raise ValueError("an endpoint is named that there is not")
        ids = [one.id for one in self.classes]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two classes share an id: {ids}")
        return self
