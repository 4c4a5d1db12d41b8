"""Monitors of endpoints: what is sent, what is checked, and how sure an alarm is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from prodintel_lib.markup import Markup, number, table, text
from prodintel_lib.scenarios.guards.model import Exchange, RequestName  # noqa: TC001 - pydantic reads them
from prodintel_lib.scenarios.model import Frozen, Request, Slug
from prodintel_lib.scenarios.monitors.contracts import Contract  # noqa: TC001
from prodintel_lib.scenarios.monitors.journeys import JourneyMonitors  # noqa: TC001
from prodintel_lib.scenarios.monitors.left_out import LeftOut  # noqa: TC001
from prodintel_lib.scenarios.monitors.rules import Rule  # noqa: TC001

CheckKind = Literal["availability", "latency", "schema", "rule"]


class Check(Frozen):
    """One thing a monitor checks, and when it raises the alarm.

    Attributes
    ----------
    id : Slug
        ``availability``, ``latency``, ``schema``, ``rule_1`` …
    kind : {"availability", "latency", "schema", "rule"}
    says : str
        What holds when all is well.
    bad, n : int
        Requests of production that did not keep it, of how many.
    bound : float
        The upper end of the one-sided 95 % interval of that share (Clopper and Pearson).
    tries : int
        The alarm is raised where one customer is answered badly so often in a row.
    false_alarm : float
        The chance of an alarm in a run where each answer is bad with the chance `bound`, by itself.
    detects : float
        The share of bad answers, whoever asks, that is seen in a run with a chance of 90 %.
    group_alarms, groups : int
        Of groups of as many neighbouring requests of production as a run has customers, those with so many bad ones in
        a row, and all; 0 and 0 of what is not counted one by one.
    rule : Rule or None
    """

    id: Slug
    kind: CheckKind
    says: str
    bad: Annotated[int, Field(ge=0)]
    n: Annotated[int, Field(ge=1)]
    bound: Annotated[float, Field(ge=0, le=1)]
    tries: Annotated[int, Field(ge=1)]
    false_alarm: float
    detects: float
    group_alarms: int = 0
    groups: int = 0
    rule: Rule | None = None


class Monitor(Frozen):
    """A scheduled check of one endpoint.

    Attributes
    ----------
    id : Slug
        Names its tests and schemas.
    endpoint : str
        Method and route.
    reasons : tuple of str
        Why it is critical.
    every_min : int
        How often a run is due.
    signs_in, writes : bool
        Whether it sends the request that prodintel.yaml's ``auth`` names; whether it may change the system otherwise.
    statuses : tuple of int
        What healthy answers had; any success is one as well.
    patience_ms : int
        Without an answer after so long, there is none.
    limit_ms : int or None
        An answer that takes longer is slow.
    checks : tuple of Check
    schemas : dict
        Status to the schema of its answers.
    exchanges : tuple of Exchange
        One a customer: as many ask in a run.
    """

    id: Slug
    endpoint: str
    reasons: tuple[str, ...]
    every_min: Annotated[int, Field(ge=1)]
    signs_in: bool
    writes: bool
    statuses: Annotated[tuple[int, ...], Field(min_length=1)]
    patience_ms: Annotated[int, Field(ge=1)]
    limit_ms: Annotated[int, Field(ge=1)] | None = None
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    schemas: dict[int, dict[str, Any]] = Field(default_factory=dict)
    exchanges: Annotated[tuple[Exchange, ...], Field(min_length=1)]


class EndpointMonitors(Frozen):
    """The monitors of endpoints with the requests they send.

    Attributes
    ----------
    requests : dict
        Every request by its name.
    monitors : tuple of Monitor
        The most critical first; none where none could be made.
    left_out : tuple of LeftOut
    criterion : str
        What counted as critical.
    healthy : str
        Which time counted as healthy.
    """

    requests: dict[RequestName, Request]
    monitors: tuple[Monitor, ...]
    left_out: tuple[LeftOut, ...]
    criterion: str
    healthy: str

    @model_validator(mode="after")
    def _names_agree(self) -> EndpointMonitors:
        ids = [monitor.id for monitor in self.monitors]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two monitors share an id: {ids}")
        named = {
            name
            for monitor in self.monitors
            for exchange in monitor.exchanges
            for name in (*exchange.prepare, exchange.request)
        }
        if named != set(self.requests):
            raise ValueError(f"requests and their names differ in {sorted(named ^ set(self.requests))}")
        return self


class MonitorSuite(Frozen):
    """All monitors of a workspace, as they are rendered together.

    Attributes
    ----------
    generator, input_digest, window : str
    endpoints : EndpointMonitors
    journeys : JourneyMonitors or None
        None where they were not asked for.
    contract : Contract or None
        None where no OpenAPI document is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["prodintel/monitors/1"] = Field(default="prodintel/monitors/1", alias="schema")
    generator: str
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]
    window: str
    endpoints: EndpointMonitors
    journeys: JourneyMonitors | None = None
    contract: Contract | None = None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What no monitor was made of, and why."""
        return (*self.endpoints.left_out, *(self.journeys.left_out if self.journeys else ()))

    def _repr_html_(self) -> str:
        rows = [
            [
                text(monitor.endpoint),
                text("; ".join(monitor.reasons)),
                text(", ".join(check.id for check in monitor.checks)),
                text(f"every {monitor.every_min} min" + (", writes" if monitor.writes else "")),
            ]
            for monitor in self.endpoints.monitors
        ]
        made = table(
            ["Endpoint", "Why", "Checks", "Schedule"],
            rows,
            caption=f"{number(len(rows))} monitors. {self.endpoints.criterion} {self.endpoints.healthy}",
        )
        without = [[text(each.what), text(each.why)] for each in self.left_out]
        return str(made + (table(["Without a monitor", "Why"], without) if without else Markup("")))
