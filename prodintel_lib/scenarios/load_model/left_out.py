"""What production did and the load test made of it does not, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.load_model.limits import MIN_REQUESTS
from prodintel_lib.scenarios.model import Masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.analyses.load import LoadProfiles
    from prodintel_lib.scenarios.load_model.feeders import Feeder
    from prodintel_lib.scenarios.load_model.limits import Measured
    from prodintel_lib.scenarios.load_model.model import LoadModel
    from prodintel_lib.scenarios.recorded import Authorization

NAMED: Final = 5
NEARLY_ALL: Final = 0.95


def describe_left_out(model: LoadModel) -> tuple[str, ...]:
    """Return what production did and this load does not, in sentences; empty where it does all.

    Parameters
    ----------
    model : LoadModel
    """
    return model.left_out


def say_what_is_left_out(
    model: LoadModel,
    measured: Mapping[str, Measured],
    feeders: Mapping[str, Feeder],
    *,
    profiles: LoadProfiles | None,
    authorization: Authorization | None,
) -> tuple[str, ...]:
    """Say what a model lacks, what weighs most first.

    Parameters
    ----------
    model : LoadModel
    measured : mapping of str to Measured
    feeders : mapping of str to Feeder
        By endpoint, as those of the model were made.
    profiles : LoadProfiles or None
    authorization : Authorization or None
    """
    said: list[str] = []
    said += _not_sent(model, measured, feeders)
    if authorization and model.login is None:
        lacks = "cannot be sent again" if authorization.route in measured else "was not recorded"
        said.append(f"`{authorization.route}`, which authorises a session, {lacks}: nothing is authorised.")
    said += _masked(model, feeders)
    said += _shortened(model, feeders)
    said += _not_given(model)
    said += _thresholds(model, measured)
    if profiles is not None:
        known = {event.title for event in model.events}
        lost = [name for name in profiles.events["event"] if name not in known]
        said += [f"{_names(lost)}: how many times the usual traffic came is not known."] if lost else []
    return tuple(said)


def _not_sent(model: LoadModel, measured: Mapping[str, Measured], feeders: Mapping[str, Feeder]) -> Iterator[str]:
    total = sum(one.requests for one in measured.values())
    sent = {endpoint.label for endpoint in model.endpoints if endpoint.variants}
    known = {endpoint.label for endpoint in model.endpoints}
    for label, one in sorted(measured.items(), key=lambda item: (-item[1].requests, item[0])):
        if label in sent:
            continue
        then = "Sessions end before it." if label in known else "Sessions go on without it."
        why = _why_not(feeders.get(label), is_known=label in known)
        yield f"`{label}` ({_percent(one.requests, total)} of all requests) is not sent: {why}. {then}"


def _why_not(feeder: Feeder | None, *, is_known: bool) -> str:
    if feeder is None:
        return "no request of the sample has a method and a path" if is_known else "no request names a visitor"
    return feeder.why_none or "the sessions that behaviour was learned from never asked for it"


def _masked(model: LoadModel, feeders: Mapping[str, Feeder]) -> Iterator[str]:
    for endpoint in model.endpoints:
        needed = sorted(
            {
                part.value.name
                for one in endpoint.variants
                for part in one.replacements
                if isinstance(part.value, Masked)
            }
        )
        feeder = feeders.get(endpoint.label)
        if needed:
            named = " and ".join(f"SECRET_{name.upper()}" for name in needed)
            yield f"`{endpoint.label}` needs {named}: every recorded request had a value that was masked or is secret."
        elif feeder and feeder.masked:
            yield (
                f"`{endpoint.label}`: {feeder.masked:,} of {feeder.sendable:,} recorded requests had a value that was "
                "masked or is secret; only the others are sent."
            )


def _shortened(model: LoadModel, feeders: Mapping[str, Feeder]) -> Iterator[str]:
    for endpoint in model.endpoints:
        feeder = feeders.get(endpoint.label)
        if not feeder or not feeder.variants:
            continue
        kept = feeder.sendable - feeder.masked
        if feeder.sent < NEARLY_ALL * kept:
            yield (
                f"`{endpoint.label}` is sent in {len(feeder.variants):,} variants, the most frequent: they stand for "
                f"{_percent(feeder.sent, kept)} of {kept:,} recorded requests. A cache will be hit more often."
            )
        if feeder.sendable < NEARLY_ALL * feeder.seen:
            yield (
                f"`{endpoint.label}`: {feeder.seen - feeder.sendable:,} of {feeder.seen:,} recorded requests were not "
                "answered as healthy ones are, or not all that they sent is on record; they are not sent."
            )


def _not_given(model: LoadModel) -> Iterator[str]:
    """Say where sessions will end for want of a value."""
    giving = {one.name for endpoint in model.endpoints for one in endpoint.extracts}
    lacking = {
        endpoint.label
        for endpoint in model.endpoints
        for one in endpoint.variants
        for part in one.replacements
        if part.value.source == "extracted" and part.value.name not in giving
    }
    for label in sorted(lacking):
        yield f"`{label}` takes a value that no endpoint of the model gives: sessions end before it."


def _thresholds(model: LoadModel, measured: Mapping[str, Measured]) -> Iterator[str]:
    stated = {(threshold.endpoint, threshold.kind) for threshold in model.thresholds}
    few = [one for place, one in enumerate(model.endpoints) if (place, "failures") not in stated]
    if few:
        yield f"No thresholds for {_names([one.label for one in few])}: fewer than {MIN_REQUESTS} requests each."
    rest = [one for place, one in enumerate(model.endpoints) if one not in few and (place, "latency") not in stated]
    if rest:
        yield f"No thresholds of latency for {_names([one.label for one in rest])}: too few durations were recorded."
    unknown = [one.label for one in model.endpoints if (seen := measured.get(one.label)) and not seen.statuses_known]
    if unknown:
        yield f"Of {_names(unknown)} no status of a healthy answer was recorded: the usual ones count as healthy."


def _names(labels: list[str]) -> str:
    shown = ", ".join(f"`{label}`" for label in labels[:NAMED])
    return f"{shown} and {len(labels) - NAMED:,} more" if len(labels) > NAMED else shown


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
