"""What an incident of the bank is: two builds, a condition, and the traffic that brings it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.shop.policies import Policy

BuildName = Literal["faulty", "fixed"]
ChangeKind = Literal["deployment", "config", "flag"]


@dataclass(frozen=True, slots=True)
class Release:
    """A version of one service: the policy that its code follows, and what its authors said about it.

    `revision` is the one of its configuration or of the flag, where that is what was changed.
    """

    service: str
    version: str
    policy: Policy | None
    note: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Toxic:
    """A fault on the way to a dependency, in the words of the fault layer's API."""

    proxy: str
    type: str
    attributes: Mapping[str, int | float | str]

    def with_latency(self, latency_ms: int | None) -> Toxic:
        """Return it with another delay (tests scale it down); None leaves it."""
        if latency_ms is None or "latency_ms" not in self.attributes:
            return self
        return Toxic(self.proxy, self.type, {**self.attributes, "latency_ms": latency_ms})

    def with_rate(self, rate: float) -> Toxic:
        """Return it striking another share of the requests."""
        return Toxic(self.proxy, self.type, {**self.attributes, "rate": rate})


@dataclass(frozen=True, slots=True)
class Traffic:
    """How busy the shop is and what its customers come for.

    Attributes
    ----------
    sessions_per_s : float
        New sessions a second; they arrive independently of each other.
    kinds : Mapping[str, float]
        Weight by kind of session; the kinds are in ``demo.traffic.plans``.
    """

    sessions_per_s: float
    kinds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decoy:
    """A change near the onset that does no harm, as life has them.

    Attributes
    ----------
    kind : {"deployment", "config", "flag"}
        A deployment really happens, by the same code under a new version; the others are only told of.
    service : str
    name : str
        The version of a deployment, else the revision.
    note : str
    after_s : float
        How long after the recording's beginning; within ``Phases.before_s`` for a deployment.
    """

    kind: ChangeKind
    service: str
    name: str
    note: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Phases:
    """How long each phase of a recording lasts, in seconds.

    ``warm_up_s`` is not recorded; during ``before_s`` the previous release runs; then the faulty one is deployed and
    ``baseline_s`` go by in peace (0 where customers themselves are the condition); the condition holds for
    ``condition_s``; ``recovery_s`` is the least that follows.
    """

    warm_up_s: float
    before_s: float
    baseline_s: float
    condition_s: float
    recovery_s: float


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Which answers the alert looks at, and which of them are bad.

    Attributes
    ----------
    route : str
        Such as ``GET /api/search``; empty for every answer.
    slow_s : float
        What takes longer is bad, as are failures.
    min_answers : int
        With fewer nobody is called.
    good_for_s : float
        How long it has to be good before it is over.
    """

    route: str = ""
    slow_s: float = 5.0
    min_answers: int = 30
    good_for_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody does to a service, once or again and again: a request from inside the shop.

    Attributes
    ----------
    service, method, path : str
    every_s : float
        0 for once.
    """

    service: str
    method: str
    path: str
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Alert:
    """The words of the alert, who is called, and when."""

    title: str
    urgency: Literal["high", "low"]
    priority: str
    acknowledged_note: str
    resolved_note: str
    rule: AlertRule = AlertRule()


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of the bank.

    Attributes
    ----------
    incident_id, title, summary : str
    previous, faulty, fixed : Release
        The release before the incident, the one with the fault, and the one without it. Where nothing was changed the
        faulty one was there before.
    change : {"deployment", "config", "flag"} or None
        How the previous became the faulty; None where nothing was changed. A flag is switched while the service
        runs; a deployment and a configuration replace the process.
    switch, switch_back : Operation or None
        How a flag is switched, and back.
    decoys : tuple of Decoy
    surge : Traffic or None
        Who comes besides, while the condition holds.
    condition : tuple of Toxic
        What happens outside the shop; without it the faulty release is healthy.
    traffic : Traffic
    phases : Phases
    alert : Alert
    trigger : str
        The condition in words where it is no toxic: what customers or operators do.
    operation : Operation or None
        What is done meanwhile.
    rolled_back : bool
        Whether the condition ends with the previous release being deployed again.
    days_earlier : int
        By how many days the recording is moved back: a workspace's incidents should not lie in each other's hour.
    """

    incident_id: str
    title: str
    summary: str
    previous: Release
    faulty: Release
    fixed: Release
    condition: tuple[Toxic, ...]
    traffic: Traffic
    phases: Phases
    alert: Alert
    trigger: str = ""
    operation: Operation | None = None
    rolled_back: bool = False
    days_earlier: int = 0
    change: ChangeKind | None = "deployment"
    switch: Operation | None = None
    switch_back: Operation | None = None
    decoys: tuple[Decoy, ...] = ()
    surge: Traffic | None = None

    def release(self, build: BuildName) -> Release:
        """Return the release that a build runs."""
        return self.faulty if build == "faulty" else self.fixed
