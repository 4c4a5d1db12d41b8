"""The load model is put together: curve, classes, feeders, limits and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib import __version__
from prodintel_lib.analyses.behaviour.simulation import MAX_LENGTH_RATIO
from prodintel_lib.scenarios.load_model.classes import build_walks
from prodintel_lib.scenarios.load_model.events import build_events
from prodintel_lib.scenarios.load_model.feeders import METHOD, Feeder, build_feeders
from prodintel_lib.scenarios.load_model.left_out import say_what_is_left_out
from prodintel_lib.scenarios.load_model.limits import (
    USUAL_STATUSES,
    build_thresholds,
    measure_endpoints,
    patience_ms,
)
from prodintel_lib.scenarios.load_model.model import LoadDefaults, LoadEndpoint, LoadModel, Login
from prodintel_lib.scenarios.load_model.needed_values import guard_values
from prodintel_lib.scenarios.model import Extract, Extracted, Replacement
from prodintel_lib.scenarios.recorded import slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.behaviour import BehaviourModel
    from prodintel_lib.analyses.load import LoadProfiles
    from prodintel_lib.scenarios.load_model.exchanges import Exchanges
    from prodintel_lib.scenarios.load_model.flows import Flows
    from prodintel_lib.scenarios.load_model.limits import Measured
    from prodintel_lib.scenarios.load_model.model import LoadCurve, LoadGuard, Variant
    from prodintel_lib.scenarios.recorded import Authorization
    from prodintel_lib.workspace import RouteSlo

_NO_METHOD: Final = "GET"
_NOT_SAMPLED: Final = Feeder((), 0, 0, 0)


def build_load_model(
    *,
    curve: LoadCurve,
    behaviour: BehaviourModel,
    exchanges: Exchanges,
    profiles: LoadProfiles | None = None,
    slos: Sequence[RouteSlo] = (),
    authorization: Authorization | None = None,
    defaults: LoadDefaults | None = None,
    digest: str,
) -> LoadModel:
    """Make a load model of what was found.

    Parameters
    ----------
    curve : LoadCurve
    behaviour : BehaviourModel
    exchanges : Exchanges
        Of the same requests, endpoints called the same.
    profiles : LoadProfiles, optional
        For its events.
    slos : sequence of RouteSlo
        Promises, which stand in place of what production had.
    authorization : Authorization, optional
        How a session is authorised, from prodintel.yaml.
    defaults : LoadDefaults, optional
        Without it the curve as production had it.
    digest : str
        Of the evidence: 12 to 64 hex digits.

    Returns
    -------
    LoadModel
        Its endpoints are those of `behaviour`, in their order, and the one that authorises where sessions never asked
        for it themselves.
    """
    measured = measure_endpoints(exchanges.answers)
    feeders = build_feeders(exchanges, {label: one.statuses for label, one in measured.items()})
    labels = list(behaviour.endpoints)
    # A login that nobody can send would end every session.
    asks_first = authorization if authorization and _feeder_of(feeders, authorization.route).variants else None
    if asks_first and asks_first.route not in labels:
        labels.append(asks_first.route)
    promised = {label: [slo for slo in slos if slo.route == label] for label in labels}
    endpoints = [
        _endpoint(label, exchanges.flows, measured.get(label), _feeder_of(feeders, label), promised[label])
        for label in labels
    ]
    thresholds = [
        threshold
        for place, label in enumerate(labels)
        if label in measured
        for threshold in build_thresholds(place, measured[label], promised[label])
    ]
    login = None
    if asks_first:
        login, endpoints = authorise(endpoints, labels.index(asks_first.route), asks_first)
    walks = build_walks(behaviour)
    needed = guard_values(behaviour, endpoints, login=login)
    model = LoadModel(
        generator=f"prodintel {__version__}",
        input_digest=digest,
        curve=curve,
        events=build_events(profiles),
        endpoints=tuple(endpoints),
        gaps=walks.gaps,
        classes=walks.classes,
        guards=_joined(walks.guards, needed.guards),
        longest=MAX_LENGTH_RATIO * behaviour.longest,
        login=login,
        thresholds=tuple(thresholds),
        defaults=defaults or LoadDefaults(length_s=len(curve.sessions) * curve.bucket_s),
        sessions=behaviour.sessions,
        requests=behaviour.requests,
    )
    said = say_what_is_left_out(model, measured, feeders, profiles=profiles, authorization=authorization)
    return model.model_copy(update={"left_out": (*said, *needed.said)})


def _feeder_of(feeders: Mapping[str, Feeder], label: str) -> Feeder:
    return feeders.get(label, _NOT_SAMPLED)


def _joined(found: Sequence[LoadGuard], needed: Sequence[LoadGuard]) -> tuple[LoadGuard, ...]:
    """Return guards of behaviour and of values; of two for the same pair the one that behaviour showed."""
    known = {(guard.endpoint, guard.needs) for guard in found}
    return (*found, *(guard for guard in needed if (guard.endpoint, guard.needs) not in known))


def authorise(
    endpoints: Sequence[LoadEndpoint], place: int, authorization: Authorization
) -> tuple[Login, list[LoadEndpoint]]:
    """Let every endpoint but one send what that one's answer gives.

    Parameters
    ----------
    endpoints : sequence of LoadEndpoint
    place : int
        Of the one that authorises.
    authorization : Authorization
    """
    giver = endpoints[place]
    known = {one.pointer: one.name for one in giver.extracts}
    taken = {one.name for endpoint in endpoints for one in endpoint.extracts}
    wanted = slug(authorization.pointer.rsplit("/", 1)[-1])
    free = next(name for name in (wanted, slug(f"{giver.label} {wanted}"), "authorization") if name not in taken)
    name = known.get(authorization.pointer, free)
    extracts = giver.extracts
    if authorization.pointer not in known:
        extracts = (*extracts, Extract(name=name, pointer=authorization.pointer))
    header = Replacement(
        into="header", at=authorization.header, value=Extracted(name=name, prefix=authorization.prefix)
    )
    changed = [
        endpoint.model_copy(update={"extracts": extracts})
        if number == place
        else endpoint.model_copy(update={"variants": tuple(_with(header, variant) for variant in endpoint.variants)})
        for number, endpoint in enumerate(endpoints)
    ]
    return Login(endpoint=place, value=name), changed


def _with(header: Replacement, variant: Variant) -> Variant:
    """Return a variant with a replaced header, whatever was captured of it before."""
    name = header.at.lower()
    others = [part for part in variant.replacements if part.into != "header" or part.at.lower() != name]
    headers = tuple(pair for pair in variant.headers if pair[0].lower() != name)
    return variant.model_copy(update={"headers": headers, "replacements": (*others, header)})


def _endpoint(
    label: str, flows: Flows, measured: Measured | None, feeder: Feeder, slos: Sequence[RouteSlo]
) -> LoadEndpoint:
    method = next((name for name in measured.methods if METHOD.fullmatch(name)), _NO_METHOD) if measured else _NO_METHOD
    return LoadEndpoint(
        label=label,
        method=method,
        route=label.removeprefix(f"{method} "),
        variants=feeder.variants,
        extracts=flows.extracts.get(label, ()),
        statuses=measured.statuses if measured else USUAL_STATUSES,
        patience_ms=patience_ms(measured, slos),
        requests=measured.requests if measured else 0,
    )
