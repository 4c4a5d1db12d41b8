"""Which recorded requests stand for an incident: the ones that can be sent again, told with how healthy ones went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.scenarios.capsule import Exemplar, Known
from prodintel_lib.scenarios.model import Masked
from prodintel_lib.scenarios.parts import Disturbance, Replay
from prodintel_lib.scenarios.recorded import build_requests
from prodintel_lib.scenarios.wakes import kinds_of, requests_of_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.findings import IncidentFindings
    from prodintel_lib.scenarios.contrast import Case, Contrast
    from prodintel_lib.scenarios.model import Request
    from prodintel_lib.scenarios.recorded import Authorization, RecordedRequest, ValueIndex
    from prodintel_lib.workspace import RouteSlo

MIN_STATUS_SHARE: Final = 0.01
MAX_DISTURBERS: Final = 40
# Of what it takes at least, a little more: some of it may be answered before the others see its wake.
DISTURBERS_MARGIN: Final = 1.25


def learn_disturbance(
    contrast: Contrast,
    sessions: Mapping[str, Sequence[RecordedRequest]],
    index: ValueIndex,
    authorization: Authorization | None,
) -> Disturbance | None:
    """Make what others sent before the failing requests fit to be sent again."""
    name, threshold = contrast.feature.name, contrast.feature.threshold
    if name.shape != "wake" or threshold is None:
        return None
    events = list(requests_of_kind(name.label, sessions))
    built = [(build_requests(event, before, index, authorization=authorization), event) for event, before in events]
    usable = [pair for pair in built if authorization is None or _is_authorised(pair[0][1], authorization)]
    if not usable:
        return None
    (prepare, request), _ = min(usable, key=lambda pair: _effort(*pair, worst_first=False))
    sent_us = sorted(event.time_us for event, _ in events)
    begun = [case for case in contrast.failing if _began_after(case, sent_us)]
    return Disturbance(
        prepare=prepare,
        request=request,
        customers=min(MAX_DISTURBERS, max(round(threshold), round(DISTURBERS_MARGIN * threshold))),
        comes_first=2 * len(begun) >= len(contrast.failing),
    )


def bystanders(contrast: Contrast) -> Sequence[Case]:
    """Return the failing cases that did not do themselves what others failed after; all of them where each did."""
    kind = contrast.feature.name.label
    if contrast.feature.shape != "wake":
        return contrast.failing
    others = [case for case in contrast.failing if not any(kind in kinds_of(step) for step in case.before)]
    return others or contrast.failing


def _began_after(case: Case, sent_us: Sequence[int]) -> bool:
    """Say whether the last thing that others sent came before the last write that led to the request."""
    last_us = max((time_us for time_us in sent_us if time_us < case.request.time_us), default=0)
    writes = [step.time_us for step in case.before if step.writes and step.succeeded]
    return bool(writes) and max(writes) > last_us


def build_replay(
    findings: IncidentFindings,
    route: str,
    cases: Sequence[Case],
    index: ValueIndex,
    slos: Sequence[RouteSlo],
    authorization: Authorization | None,
    contrast: Contrast | None = None,
) -> tuple[Replay | None, RecordedRequest | None]:
    """Make the exemplar of some cases fit to be sent again, and say what healthy answers of its route look like.

    Parameters
    ----------
    findings : IncidentFindings
        Its baseline tells how healthy requests went.
    route : str
    cases : sequence of Case
        Requests of the route that may stand for the others.
    index : ValueIndex
    slos : sequence of RouteSlo
    authorization : Authorization or None
    contrast : Contrast, optional
        What sets these cases apart, where something does.

    Returns
    -------
    Replay or None, RecordedRequest or None
        What may be sent, and the recorded request it comes from; None where none can be sent.
    """
    twice = contrast.feature.name.label if contrast and contrast.feature.shape == "at_once" else ""
    candidates = [
        (built, case.request)
        for case in cases
        for built in [
            build_requests(case.request, without_copies(case.before, twice), index, authorization=authorization)
        ]
        if authorization is None or _is_authorised(built[1], authorization)
    ]
    if not candidates:
        return None, None
    # Where size makes it slow, the slowest shows it best; one at the edge of the deadline would show it now and then.
    worst_first = contrast is not None and contrast.feature.shape == "size"
    (prepare, subject), exemplar = min(candidates, key=lambda pair: _effort(*pair, worst_first=worst_first))
    # Slow ones count: the baseline is what it was, and an oracle made of its best answers would be too strict.
    healthy = within(findings.requests, findings.onset.baseline).filter((pl.col("route") == route) & ~pl.col("failed"))
    counts = healthy["http_response_status_code"].drop_nulls().value_counts()
    statuses = [
        int(status)
        for status, n in counts.iter_rows()
        if 200 <= status < 300 and n >= MIN_STATUS_SHARE * healthy.height
    ]
    slo = next((slo for slo in slos if slo.route == route and slo.latency_ms is not None), None)
    return Replay(
        prepare=prepare,
        request=subject,
        healthy_statuses=tuple(sorted(statuses)) or (200,),
        healthy_p99_ms=float(healthy["duration_ms"].quantile(0.99, "linear") or 0.0),
        healthy_n=healthy.height,
        slo_ms=int(slo.latency_ms) if slo and slo.latency_ms is not None else None,
        at_once=next((step for step in prepare if f"{step.method} {step.route}" == twice), None),
        twice=bool(twice) and twice == route,
    ), exemplar


def without_copies(before: Sequence[RecordedRequest], label: str) -> Sequence[RecordedRequest]:
    """Leave out all but the first request of that label: a scenario sends its copies itself."""
    first = next((request for request in before if request.label == label), None)
    return [request for request in before if request.label != label or request is first] if label else before


def _is_authorised(request: Request, authorization: Authorization) -> bool:
    return any(part.into == "header" and part.at == authorization.header for part in request.replacements)


def _effort(
    built: tuple[tuple[Request, ...], Request], request: RecordedRequest, *, worst_first: bool
) -> tuple[int, int, float, int, str]:
    """Prefer the exemplar that needs the fewest secrets, then the fewest steps, then the slowest or the earliest."""
    prepare, subject = built
    masked = sum(isinstance(part.value, Masked) for step in (*prepare, subject) for part in step.replacements)
    slowness_ms = -request.duration_ms if worst_first else 0.0
    return masked, len(prepare), slowness_ms, request.time_us, request.trace_id


def describe_exemplar(replay: Replay, recorded: RecordedRequest) -> Exemplar:
    """Describe the request that stands for the others, for the capsule."""
    return Exemplar(
        request=replay.request,
        prepare=tuple(f"{step.method} {step.route}" for step in replay.prepare),
        outcome=Known(
            value={"status": recorded.status, "elapsed_ms": round(recorded.duration_ms, 1)},
            how="observed",
            evidence=(f"trace {recorded.trace_id}",),
        ),
    )
