"""Guards: what is sent, what counts as bad, and how many bad answers are too many.

A guard asks a running system whether a signal is as it was when healthy, or as bad as in the anomaly it was made from.
It has no conditions: it is run against a system as it is. Renderers translate it; they all send the same requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from prodintel_lib.markup import Markup, figure_text, number, paragraph, percent, table, tag, text
from prodintel_lib.scenarios.model import Frozen, Request, Slug

GUARD_SCHEMA = "prodintel/guards/1"

GuardKind = Literal["error_ratio", "latency", "throughput", "conversion"]
FindingId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
RequestName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]

WORDS: dict[GuardKind, str] = {
    "error_ratio": "fail",
    "latency": "are too slow",
    "throughput": "are not answered in time at production's rate",
    "conversion": "do not get through",
}
"""What a bad answer is, by kind, for sentences."""


class Look(Frozen):
    """What to conclude after `n` requests: healthy at up to so many bad ones, bad from so many on, else go on."""

    n: int
    green_at_most: int
    red_at_least: int


class Plan(Frozen):
    """A test of one share against another, in looks.

    Attributes
    ----------
    healthy, bad : float
        The shares that are told apart.
    looks : tuple of Look
        In order; the last one always concludes.
    fixed_requests : int
        How many one single look would take.
    power, false_alarm : float
        Exactly: the chance of red at the share `bad`, and at the share `healthy`.
    expected_healthy, expected_bad : float
        Requests on average until the conclusion, at either share.
    """

    healthy: float
    bad: float
    looks: tuple[Look, ...]
    fixed_requests: int
    power: float
    false_alarm: float
    expected_healthy: float
    expected_bad: float

    @property
    def max_requests(self) -> int:
        """How many it takes at most."""
        return self.looks[-1].n

    @property
    def critical(self) -> int:
        """From how many bad ones the last look is red."""
        return self.looks[-1].red_at_least


class Level(Frozen):
    """A share of bad requests as production had it.

    `bound` is the end of its one-sided 95 % interval towards the other level: that is what the plan tells apart.
    """

    bad: Annotated[int, Field(ge=0)]
    n: Annotated[int, Field(ge=1)]
    bound: Annotated[float, Field(ge=0, le=1)]

    @property
    def share(self) -> float:
        """Bad ones of all."""
        return self.bad / self.n


class Exchange(Frozen):
    """What one customer does, as names of requests: some steps that lead to the point, then what is judged."""

    prepare: tuple[RequestName, ...]
    request: RequestName


class Guard(Frozen):
    """One signal of one route, and how to tell its healthy level from the one seen.

    Attributes
    ----------
    id : Slug
        Names the test.
    finding_id : str
        What it was made from.
    kind : {"error_ratio", "latency", "throughput", "conversion"}
    route : str
        Method and template.
    title, seen : str
        Sentences for people.
    healthy, anomalous : Level
    limit_ms : int
        An answer that takes longer is bad. Of latency it is the limit the shares were counted with.
    statuses : tuple of int
        What healthy answers had; others below 500 that are no success mean that the guard cannot judge here.
    whole : bool
        Whether a step on the way that fails counts as well.
    at_once : int
        Requests under way side by side, as in production.
    rate_per_s : float
        Requests a second as in production, for what sends at a rate.
    exchanges : tuple of Exchange
        Sent in turn, again from the first after the last.
    plan : Plan
    """

    id: Slug
    finding_id: FindingId
    kind: GuardKind
    route: str
    title: str
    seen: str
    healthy: Level
    anomalous: Level
    limit_ms: Annotated[int, Field(ge=1)]
    statuses: tuple[int, ...]
    whole: bool = False
    at_once: Annotated[int, Field(ge=1)]
    rate_per_s: Annotated[float, Field(gt=0)]
    exchanges: Annotated[tuple[Exchange, ...], Field(min_length=1)]
    plan: Plan


class GuardSet(Frozen):
    """The guards of a run with the requests they send, as they are rendered together."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["prodintel/guards/1"] = Field(default="prodintel/guards/1", alias="schema")
    generator: str
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]
    requests: dict[RequestName, Request]
    guards: Annotated[tuple[Guard, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_agree(self) -> GuardSet:
        ids = [guard.id for guard in self.guards]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two guards share an id: {ids}")
        named = {
            name
            for guard in self.guards
            for exchange in guard.exchanges
            for name in (*exchange.prepare, exchange.request)
        }
        if named != set(self.requests):
            raise ValueError(f"requests and their names differ in {sorted(named ^ set(self.requests))}")
        return self

    def writes(self, guard: Guard) -> bool:
        """Say whether a guard may change the system."""
        return any(
            self.requests[name].writes for exchange in guard.exchanges for name in (*exchange.prepare, exchange.request)
        )


@dataclass(frozen=True, slots=True)
class GuardSuite:
    """The guards that could be made of findings, and why others could not.

    Attributes
    ----------
    made : GuardSet or None
        What is rendered; None where there is none.
    left_out : tuple of (str, str)
        A finding's id and title, and why there is no guard of it.
    """

    made: GuardSet | None
    left_out: tuple[tuple[str, str], ...]

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The guards, those of the severest findings first."""
        return self.made.guards if self.made else ()

    def _repr_html_(self) -> str:
        rows = [
            [
                figure_text(guard.title, note=guard.finding_id),
                tag(guard.kind.replace("_", " ")),
                figure_text(percent(guard.healthy.share), n=guard.healthy.n),
                figure_text(percent(guard.anomalous.share), n=guard.anomalous.n),
                number(guard.plan.max_requests),
                text(f"{guard.plan.expected_healthy:,.0f} / {guard.plan.expected_bad:,.0f}"),
                percent(guard.plan.power),
                percent(guard.plan.false_alarm),
            ]
            for guard in self.guards
        ]
        headers = [
            "Guard",
            "Kind",
            "Healthy",
            "Seen",
            "Requests at most",
            "On average, healthy / bad",
            "Power",
            "False",
        ]
        caption = "Bad requests of all; power and false alarms are computed exactly, looks included."
        shown = table(headers, rows, align="llrrrrrr", caption=caption) if rows else paragraph("No guard was made.")
        left = [[text(what), text(why)] for what, why in self.left_out]
        return str(shown + (table(["No guard of", "Why"], left) if left else Markup("")))
