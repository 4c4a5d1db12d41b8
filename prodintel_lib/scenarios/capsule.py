"""The condition capsule: the conditions of an incident in one versioned JSON file, each field with how it is known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from prodintel_lib.scenarios.model import Frozen, IncidentId, Request
from prodintel_lib.windows import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prodintel_lib.analyses.differences import Aspect, Difference, Differences
    from prodintel_lib.analyses.findings import IncidentFindings

How = Literal["observed", "inferred", "missing"]
INFERRED_WEIGHT: Final = 0.5
MAX_SHARES: Final = 6


class Known(Frozen):
    """One field: its value and baseline, how it is known, on what evidence, over how many rows."""

    value: JsonValue
    baseline: JsonValue = None
    unit: str = ""
    limit: float | None = None
    n: int | None = None
    how: How
    evidence: tuple[str, ...]


class SystemState(Frozen):
    """The system's state: means over the window."""

    cpu: tuple[Known, ...]
    memory: tuple[Known, ...]
    connections_in_use: tuple[Known, ...]
    queue_depth: tuple[Known, ...]
    cache: tuple[Known, ...]


class Dependency(Frozen):
    """A dependency that was called: its latency (p99, ms) and the share of its calls that failed."""

    caller: str
    name: str
    latency_p99_ms: Known
    failure_rate: Known


class RequestPath(Frozen):
    """The request traces: a failing and a healthy one, their hops, the bottleneck."""

    route: str
    failing_trace_id: Known
    healthy_trace_id: Known
    bottleneck: Known
    hops: tuple[Known, ...]


class Exemplar(Frozen):
    """A request that stands for the failing ones, as it may be sent again."""

    request: Request
    prepare: tuple[str, ...]
    outcome: Known


class Capsule(Frozen):
    """The condition capsule."""

    schema_name: Annotated[Literal["prodintel/capsule/1"], Field(alias="schema")] = "prodintel/capsule/1"
    incident: IncidentId
    input_digest: str
    window: dict[str, str]
    baseline: dict[str, str]
    onset: Known
    system: SystemState
    dependencies: tuple[Dependency, ...]
    path: RequestPath | None
    users: dict[str, Known]
    environment: dict[str, Known]
    changes: tuple[Known, ...]
    load: dict[str, Known]
    exemplars: tuple[Exemplar, ...]
    fidelity: float = 0.0
    counts: dict[How, int] = Field(default_factory=dict)

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def fields_known(self) -> Iterator[Known]:
        """Yield every field of the capsule."""
        yield from _walk(self)


def _walk(node: object) -> Iterator[Known]:
    if isinstance(node, Known):
        yield node
    elif isinstance(node, Frozen):
        for name in type(node).model_fields:
            yield from _walk(getattr(node, name))
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _walk(inner)
    elif isinstance(node, tuple | list):
        for inner in node:
            yield from _walk(inner)


def build_capsule(findings: IncidentFindings, exemplars: Sequence[Exemplar]) -> Capsule:
    """Put the conditions of an incident into a capsule.

    Fidelity is the share of fields that are known: observed ones count one, inferred ones a half, missing ones nothing.
    """
    onset = findings.onset
    capsule = Capsule(
        incident=findings.record.incident_id,
        input_digest=findings.digest,
        window={
            "start": format_time(onset.window.start_us, precision="ms"),
            "end": format_time(onset.window.end_us, precision="ms"),
        },
        baseline={"start": format_time(onset.baseline.start_us), "end": format_time(onset.baseline.end_us)},
        onset=Known(
            value=format_time(onset.window.start_us, precision="ms"), how=onset.how, evidence=(onset.evidence,)
        ),
        system=_system(findings.differences),
        dependencies=_dependencies(findings.differences),
        path=_path(findings),
        users=_users(findings),
        environment=_environment(findings),
        changes=_changes(findings),
        load=_load(findings),
        exemplars=tuple(exemplars),
    )
    counts = Counter(field.how for field in capsule.fields_known())
    known = counts["observed"] + INFERRED_WEIGHT * counts["inferred"]
    tally: dict[How, int] = {how: counts[how] for how in ("observed", "inferred", "missing")}
    return capsule.model_copy(update={"fidelity": round(known / max(1, sum(tally.values())), 3), "counts": tally})


def _known(row: Difference) -> Known:
    return Known(
        value=_rounded(row.incident),
        baseline=_rounded(row.baseline),
        unit=row.unit,
        limit=row.limit,
        n=row.incident_n or None,
        how=row.how,
        evidence=(f"{row.subject}: {row.evidence}",),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _aspect(differences: Differences, aspect: Aspect) -> tuple[Known, ...]:
    return tuple(_known(row) for row in differences.of(aspect))


def _system(differences: Differences) -> SystemState:
    return SystemState(
        cpu=_aspect(differences, "cpu"),
        memory=_aspect(differences, "memory"),
        connections_in_use=_aspect(differences, "connections"),
        queue_depth=_aspect(differences, "queue"),
        cache=_aspect(differences, "cache"),
    )


def _dependencies(differences: Differences) -> tuple[Dependency, ...]:
    rows = [row for row in differences.rows if row.aspect in {"dependency", "database"} and row.how != "missing"]
    failures = {row.subject: row for row in rows if row.measure == "calls that failed"}
    return tuple(
        Dependency(
            caller=row.subject.partition(" → ")[0],
            name=row.subject.partition(" → ")[2],
            latency_p99_ms=_known(row),
            failure_rate=_known(failures[row.subject]),
        )
        for row in sorted(rows, key=lambda row: row.subject)
        if row.measure == "p99 of calls"
    )


def _path(findings: IncidentFindings) -> RequestPath | None:
    path = findings.path
    if path is None:
        return None
    trace = (f"trace {path.failing_trace_id}",)
    return RequestPath(
        route=path.route,
        failing_trace_id=Known(value=path.failing_trace_id, how="observed", evidence=("median by duration",)),
        healthy_trace_id=Known(value=path.healthy_trace_id, how="observed", evidence=("median by duration",)),
        bottleneck=Known(
            value=path.bottleneck, how="observed", evidence=(*trace, f"own time {path.bottleneck_ms:,.0f} ms")
        ),
        hops=tuple(
            Known(
                value={"hop": row["hop"], "duration_ms": round(row["duration_ms"], 1), "depth": row["depth"]},
                how="observed",
                evidence=trace,
            )
            for row in path.failing.iter_rows(named=True)
        ),
    )


def _users(findings: IncidentFindings) -> dict[str, Known]:
    blast = findings.blast
    users = {
        "affected_users": Known(
            value=blast.users.hits,
            n=blast.users.n,
            how="observed" if blast.users.n else "missing",
            evidence=(f"users with a bad request: {blast.users}",),
        )
    }
    for name, shares in findings.context_shares.items():
        users[name] = Known(
            value=dict(sorted(shares.items(), key=lambda part: (-part[1], part[0]))[:MAX_SHARES]),
            n=blast.requests.hits,
            how="observed",
            evidence=(f"share of {blast.requests.hits:,} bad requests",),
        )
    for name, (median, n) in findings.context_medians.items():
        users[name] = Known(value=_rounded(median), n=n, how="observed", evidence=(f"median over {n:,} bad requests",))
    return users


def _environment(findings: IncidentFindings) -> dict[str, Known]:
    traffic = next(iter(findings.differences.of("traffic")), None)
    slow = [row for row in findings.differences.of("database") if row.notable and row.measure == "p99 of calls"]
    ratio = None
    if traffic and traffic.baseline and traffic.incident is not None:
        ratio = round(traffic.incident / traffic.baseline, 2)
    return {
        "traffic_ratio": Known(
            value=ratio,
            baseline=1.0,
            how="observed" if ratio is not None else "missing",
            evidence=("entry requests a second against the baseline",),
        ),
        "slow_queries": Known(
            value=[f"{row.subject}: p99 {row.baseline:,.0f} → {row.incident:,.0f} ms" for row in slow],
            how="observed" if findings.differences.of("database")[0].how == "observed" else "missing",
            evidence=("database client spans",),
        ),
    }


def _changes(findings: IncidentFindings) -> tuple[Known, ...]:
    if findings.changes.is_empty():
        return (
            Known(value=None, how="missing", evidence=("no deployments, flags or configuration among the sources",)),
        )
    return tuple(
        Known(
            value=f"{row['service_name']} {row['service_version'] or ''} {row['status'] or ''}".strip(),
            how="observed",
            evidence=(f"{row['change_kind']} {row['change_id']} at {format_time(row['time_us'])}",),
        )
        for row in findings.changes.iter_rows(named=True)
    )


def _load(findings: IncidentFindings) -> dict[str, Known]:
    rows = {row.aspect: row for row in findings.differences.rows if row.aspect in {"traffic", "concurrency"}}
    return {
        "requests_per_second": _known(rows["traffic"]),
        "concurrency_peak": _known(rows["concurrency"]),
        "subject_concurrency_peak": Known(
            value=findings.subject_in_flight,
            how="inferred",
            evidence=(f"overlap of entry spans of {findings.subject_route}",),
        ),
    }
