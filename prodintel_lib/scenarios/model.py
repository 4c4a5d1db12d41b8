"""The scenario model: conditions, requests, actions and expectations, apart from any test framework.

A scenario is a short program over labelled sets of answers. Its ``actions`` run in order; each ``Send`` leaves its
answers under a label; the ``expectations`` speak of those labels. Renderers translate, they add nothing: what one
of them sends, all of them send.

Strings in here come from production and are hostile until a renderer has written them as literals or table cells.
Only the fields checked by ``Slug`` may become part of an identifier or a file name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

SCHEMA = "prodintel/scenario/1"

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=80)]
"""A name that is safe as a Python identifier, a file name and a tag."""

IncidentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]

ScenarioKind = Literal["graceful_handling", "fails_fast", "integrity_recovery", "isolation"]
SymptomKind = Literal["no_answer_in_time", "server_error", "wrong_state"]


class Frozen(BaseModel):
    """A value: unchangeable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Evidence(Frozen):
    """One observation a scenario rests on: what was seen, in which table, over how many rows."""

    saw: str
    table: str
    n: int | None = None


class DependencyFault(Frozen):
    """A dependency that is slow or fails for a share of its requests.

    `dependency` is the name people use, `proxy` the name of the proxy before it. A fault has a `latency_ms`, a
    `status`, or both; `rate` is the share of requests it strikes.
    """

    kind: Literal["dependency_fault"] = "dependency_fault"
    id: Slug
    dependency: str
    proxy: str
    rate: Annotated[float, Field(gt=0, le=1)]
    latency_ms: Annotated[int, Field(ge=1)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    seen: str

    @model_validator(mode="after")
    def _does_something(self) -> DependencyFault:
        if self.latency_ms is None and self.status is None:
            raise ValueError("a dependency fault needs latency_ms or status")
        return self


class Behaviour(Frozen):
    """What failing customers did and others did not: an input, a history, a number of items, two requests at once.

    Nothing has to be applied: the customers of the scenario behave so. Without the conditions they do what is named
    ``otherwise`` in the scenario's actions, as healthy customers did. `differs` says what sets the two apart.
    """

    kind: Literal["behaviour"] = "behaviour"
    id: Slug
    differs: str
    seen: str


Condition = Annotated[DependencyFault | Behaviour, Field(discriminator="kind")]


class Fresh(Frozen):
    """A value made anew for every send: the client's own id of the request."""

    source: Literal["fresh"] = "fresh"
    format: Literal["uuid", "hex", "digits", "text"] = "uuid"
    length: int = 36


class Extracted(Frozen):
    """A value that an earlier answer to the same customer gave, under the name of its `Extract`."""

    source: Literal["extracted"] = "extracted"
    name: Slug
    prefix: str = ""


class Masked(Frozen):
    """A value that was masked where it was recorded: the suite's `secret_values` fixture provides one."""

    source: Literal["masked"] = "masked"
    name: Slug


Place = Literal["path", "query", "header", "body"]

Origin = Annotated[Fresh | Extracted | Masked, Field(discriminator="source")]


class Replacement(Frozen):
    """Where a recorded value may not be sent as it is, and where the value to send comes from.

    `at` is the segment's number (from 0, after the first slash) for `path`, the name for `query` and `header`, and
    a JSON pointer for `body`.
    """

    into: Place
    at: str
    value: Origin


class Extract(Frozen):
    """A value to keep from the answer: the JSON `pointer` to it, and the name later requests use."""

    name: Slug
    pointer: str


class Request(Frozen):
    """A recorded request as it may be sent again.

    `path` is the path as recorded; `route` its template; `replacements` say which recorded values are volatile.
    """

    id: Slug
    method: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,16}$")]
    route: str
    path: Annotated[str, StringConstraints(pattern=r"^/")]
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: JsonValue = None
    replacements: tuple[Replacement, ...] = ()
    extracts: tuple[Extract, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it may change the system."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}


class Prepare(Frozen):
    """Bring `customers` new customers to the point before the request that failed, each by the `requests` in order.

    Preparation happens while no condition is applied; an answer other than 2xx is an error of the set-up, not a
    finding. `otherwise` is what healthy customers sent instead, for a run without the conditions.
    """

    do: Literal["prepare"] = "prepare"
    customers: Annotated[int, Field(ge=1)]
    requests: tuple[Request, ...]
    otherwise: tuple[Request, ...] | None = None
    label: Slug


class Apply(Frozen):
    """Apply conditions by their ids."""

    do: Literal["apply"] = "apply"
    conditions: tuple[Slug, ...]


class Lift(Frozen):
    """Remove all conditions."""

    do: Literal["lift"] = "lift"


class Send(Frozen):
    """Each of the `customers` prepared under that label sends the request once, or `copies` times at the same moment.

    Without the conditions each sends `otherwise` instead where it is given, and copies one after another.

    ``together``: all at the same moment; ``in_turn``: one after another; ``behind``: all at the same moment, and the
    next action starts at once while they wait (their answers are collected at the end); ``until_recovered``: one after
    another, spread over the time of the label's `Recovers`, until one is answered as it says; ``crowd``: all ask for
    the same thing at the same moment, and one after another without the conditions.
    """

    do: Literal["send"] = "send"
    request: Request
    otherwise: Request | None = None
    customers: Slug
    copies: Annotated[int, Field(ge=1)] = 1
    how: Literal["together", "in_turn", "behind", "until_recovered", "crowd"] = "together"
    label: Slug


class Wait(Frozen):
    """Let `seconds` go by, as failing customers did. Without the conditions nobody waits."""

    do: Literal["wait"] = "wait"
    seconds: Annotated[float, Field(gt=0, le=3600)]


class Disturb(Frozen):
    """Each of the `customers` prepared under that label sends the request once, all at the same moment.

    It is the condition: nobody sends it without the conditions, and what it is answered is not judged.
    """

    do: Literal["disturb"] = "disturb"
    request: Request
    customers: Slug


Action = Annotated[Prepare | Apply | Lift | Wait | Disturb | Send, Field(discriminator="do")]


class Answered(Frozen):
    """Every answer under `of` comes within `deadline_ms` and has one of `statuses`.

    With `refusals`, an honest refusal is an answer as well: 429 or 503 that says when to try again (Retry-After).
    """

    kind: Literal["answered"] = "answered"
    of: Slug
    deadline_ms: Annotated[int, Field(ge=1)]
    statuses: tuple[int, ...]
    refusals: bool = False
    oracle: str


class Fact(Frozen):
    """One thing a read-back must show: the value at `pointer`.

    ``equals``: that value; ``same_as_answer``: what the first answer held at `other`; ``length``: a list that long.
    """

    pointer: str
    check: Literal["equals", "same_as_answer", "length"]
    value: JsonValue = None
    other: str = ""


class Settles(Frozen):
    """What was accepted under `of` is there afterwards: `read` shows every one of `facts` within `within_s` seconds.

    Answers with a 2xx status count as accepted. `at_least` of them are needed to judge.
    """

    kind: Literal["settles"] = "settles"
    of: Slug
    read: Request
    facts: tuple[Fact, ...]
    within_s: Annotated[float, Field(gt=0)]
    at_least: int = 1
    oracle: str


class Recovers(Frozen):
    """The last answer under `of` is healthy: in `deadline_ms`, with one of `statuses`, `within_s` after the first try.

    It speaks of a ``Send`` that is done ``until_recovered``.
    """

    kind: Literal["recovers"] = "recovers"
    of: Slug
    deadline_ms: Annotated[int, Field(ge=1)]
    statuses: tuple[int, ...]
    within_s: Annotated[float, Field(gt=0)]
    oracle: str


Expectation = Annotated[Answered | Settles | Recovers, Field(discriminator="kind")]


class Symptom(Frozen):
    """How users met the failure on the route: the shape a reproduction has to have."""

    route: str
    kinds: tuple[SymptomKind, ...]
    statuses: tuple[int, ...]
    words: str
    failed: int
    requests: int


class Provenance(Frozen):
    """Where a scenario comes from."""

    generator: str
    incident_id: IncidentId
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]


class Scenario(Frozen):
    """One behaviour to hold, the evidence for it, and how to see it.

    `id` names the test; `title` and `seen` are sentences for people; at least one expectation speaks of the symptom.
    """

    id: Slug
    title: str
    kind: ScenarioKind
    priority: Literal["P0", "P1", "P2", "P3"]
    seen: str
    symptom: Symptom
    evidence: tuple[Evidence, ...]
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    expectations: tuple[Expectation, ...]
    provenance: Provenance

    @model_validator(mode="after")
    def _labels_agree(self) -> Scenario:
        known = {condition.id for condition in self.conditions if isinstance(condition, DependencyFault)}
        prepared: set[str] = set()
        sent: set[str] = set()
        for action in self.actions:
            if isinstance(action, Apply) and not set(action.conditions) <= known:
                raise ValueError(f"unknown condition among {action.conditions}")
            if isinstance(action, Prepare):
                prepared.add(action.label)
            if isinstance(action, Disturb | Send) and action.customers not in prepared:
                raise ValueError(f"customers `{action.customers}` are sent before they are prepared")
            if isinstance(action, Send):
                sent.add(action.label)
        retried = {
            action.label for action in self.actions if isinstance(action, Send) and action.how == "until_recovered"
        }
        if retried != {part.of for part in self.expectations if isinstance(part, Recovers)}:
            raise ValueError(f"what is sent until recovered needs a Recovers of its label, and only that: {retried}")
        lost = {expectation.of for expectation in self.expectations} - sent
        if lost or not self.expectations:
            raise ValueError(f"expectations need answers that were sent; no such label: {sorted(lost)}")
        return self


class Suite(Frozen):
    """The scenarios of one incident, as they are rendered together."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["prodintel/scenario/1"] = Field(default="prodintel/scenario/1", alias="schema")
    incident_id: IncidentId
    title: str
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_differ(self) -> Suite:
        ids = [scenario.id for scenario in self.scenarios]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two scenarios share an id: {ids}")
        return self
