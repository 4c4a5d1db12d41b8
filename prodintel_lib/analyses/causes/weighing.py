"""A change against the incident: when, where, what its diff does, and whether that fits what went wrong."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.causes.diffs import words_of
from prodintel_lib.analyses.causes.model import Cause, Claim
from prodintel_lib.analyses.causes.stacks import is_same_file
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prodintel_lib.analyses.causes.case import Case
    from prodintel_lib.analyses.causes.change_views import ChangeView
    from prodintel_lib.analyses.causes.diffs import Fact

CHANGE_HALF_LIFE_S: Final = 3 * 3600
SOON_S: Final = 30 * 60
SOON_HALF_LIFE_S: Final = 10 * 60
UNNAMED: Final = 0.4
MIN_QUIET_REQUESTS: Final = 100
VALUE_TOLERANCE: Final = 0.1
# What speaks against a change whose diff is of this kind: how often such changes break production is known to be low,
# not zero.
_EFFECTS: Final = {
    "nothing": ("nothing that runs is changed by its diff", 5.0),
    "bookkeeping": ("its diff only adds an index, metrics or logs", 3.0),
    "same": ("its diff moves or renames without another effect", 2.5),
    "patch": ("its diff only moves versions of dependencies", 2.0),
}
_QUIET_PREFIXES: Final = ("docs", "test", "style", "ci", "chore", "refactor", "build")
# Which signals have to move for such a fact to matter; any for those not named.
_MECHANISMS: Final = {
    "grows": ("memory",),
    "release_removed": ("memory", "saturation", "latency", "queue"),
    "call_in_loop": ("latency", "traffic"),
    "check_removed": ("errors", "log_errors", "log_new"),
}


def weigh_change(view: ChangeView, case: Case, rarity: Rarity) -> Cause:
    """Collect what speaks for and against one change."""
    for_it: list[Claim] = []
    against: list[Claim] = []
    for claims in (_time, _reach, _behaviour):
        for claim in claims(view, case):
            (for_it if claim.weight >= 0 else against).append(Claim(claim.says, abs(claim.weight)))
    for claim in _fit(view, case, rarity):
        (for_it if claim.weight >= 0 else against).append(Claim(claim.says, abs(claim.weight)))
    elsewhere = case.chain_end if case.chain_end and case.chain_end not in view.services else ""
    if elsewhere:
        against.append(Claim(f"{elsewhere} itself changed at the onset", 0.5))
    return Cause(
        "change", view.label, f"The {view.label}", tuple(for_it), tuple(against),
        f"the same failure on the version before, with {elsewhere} as slow" if elsewhere
        else "the same failure on the version before",
        remediation=_remediation(view), change_id=view.change_id, commit_id=view.commit_id,
    )  # fmt: skip


def _time(view: ChangeView, case: Case) -> Iterable[Claim]:
    age_s = (case.onset_us - view.time_us) / US_PER_S
    if age_s > 0:
        yield Claim(f"{format_duration(age_s)} before the onset", 1.5 * 0.5 ** (age_s / CHANGE_HALF_LIFE_S))
    else:
        yield Claim("at the onset, as exactly as that is known", 0.5)
    begun = [
        row
        for row in case.onsets.filter(pl.col("is_worse").fill_null(value=False)).iter_rows(named=True)
        if row["onset_us"] < view.time_us - case.slack_us
        and row["last_us"] >= case.onset_us - case.slack_us
        and row["service_name"] in {case.first_failing, *view.services} - {""}
    ]
    if begun:
        first = min(begun, key=lambda row: int(row["onset_us"]))
        lead_s = (view.time_us - first["onset_us"]) / US_PER_S
        yield Claim(f"{first['signal']} of {first['service_name']} had begun {format_duration(lead_s)} before it", -3.0)
    else:
        yield from _soon_after(view, case)
    if view.carried is False:
        yield Claim("no deployment carries it", -1.5)
    quiet = case.quiet_requests(view.time_us)
    if quiet is not None and quiet[1] >= MIN_QUIET_REQUESTS:
        yield Claim(
            f"{quiet[0]:,} of {quiet[1]:,} requests between it and the onset were bad: alone it does no harm "
            "under usual conditions",
            -0.5,
        )


def _soon_after(view: ChangeView, case: Case) -> Iterable[Claim]:
    own = case.onsets.filter(
        pl.col("is_worse").fill_null(value=False)
        & pl.col("service_name").is_in(list(view.services))
        & pl.col("onset_us").is_between(view.time_us - case.slack_us, view.time_us + SOON_S * US_PER_S)
        # What changed after the incident had begun may be its effect.
        & (pl.col("onset_us") <= case.onset_us + case.slack_us)
    )
    if own.height:
        row = own.row(0, named=True)
        lag_s = abs(row["onset_us"] - view.time_us) / US_PER_S
        yield Claim(
            f"{row['signal']} of {row['service_name']} changed within {format_duration(lag_s)} of it",
            1.5 * 0.5 ** (lag_s / SOON_HALF_LIFE_S),
        )


def _reach(view: ChangeView, case: Case) -> Iterable[Claim]:
    near = next((claim for service in view.services if (claim := _nearness(service, case))), None)
    if near is not None:
        yield near
    elif any(service in case.on_path for service in view.services):
        yield Claim(f"{view.services[0]} is on the failing path", 0.5)
    elif any(case.is_concerned(service) for service in view.services):
        yield Claim(f"{view.services[0]} is among the services that failed", 0.5)
    elif view.services:
        yield Claim(f"{view.services[0]} is not on the failing path", -2.0)
    elif view.reading.files and len(case.concerned) > 2:
        yield Claim("it belongs to no one service, and several failed together", 0.5)


def _nearness(service: str, case: Case) -> Claim | None:
    """Say how near a service is to where the incident began; None where it is not."""
    first, end = case.first_failing, case.chain_end
    if service and service == end:
        return Claim(f"{service} is where the failing chain ends", 2.0)
    if service in case.chain_callers:
        return Claim(f"{service} is the caller of {end}, where the chain ends", 1.5)
    if service and service == first:
        return Claim(f"{service} is where it failed first", 2.0)
    if not first or not case.is_concerned(service):
        return None
    if case.calls(first, service):
        return Claim(f"{first} calls {service}, which got worse too", 1.0)
    return Claim(f"{service} calls {first}, and got worse too", 0.8) if case.calls(service, first) else None


def _behaviour(view: ChangeView, case: Case) -> Iterable[Claim]:
    reading = view.reading
    if reading.effect in _EFFECTS:
        says, weight = _EFFECTS[reading.effect]
        yield Claim(says, -weight)
    elif reading.effect == "unknown" and view.kind == "commit":
        quiet = view.description.lower().lstrip("#[(").startswith(_QUIET_PREFIXES)
        yield Claim("its diff is not known" + (", and its message promises no effect" if quiet else ""),
                    -2.5 if quiet else -1.0)  # fmt: skip
    strongest = max(reading.facts, key=lambda fact: (_relevance(fact, case), fact.strength), default=None)
    if strongest is None:
        if reading.effect == "changes":
            yield Claim("nothing in its diff is of a kind known to do harm", -1.0)
        return
    yield Claim(strongest.says, 2.5 * strongest.strength * _named(strongest, view, case))
    if not case.kinds:
        return
    if _relevance(strongest, case) < 0:
        yield Claim(f"nothing such a change would move ({', '.join(_MECHANISMS[strongest.kind])}) has moved", -2.5)
    for fact in reading.facts:
        row = _shows_values(fact, case)
        if row is not None:
            moved = f"{row['before']:.3g} to {row['during']:.3g}"
            yield Claim(f"{row['signal']} of {row['service_name']} went from {moved} as it says", 2.0)
            return


def _named(fact: Fact, view: ChangeView, case: Case) -> float:
    """Return 1 where a symptom names what a constant is about (its line or its file), less where none does."""
    if fact.kind not in {"constant", "constant_removed", "value"} or not case.symptoms:
        return 1.0
    return 1.0 if (fact.words | words_of(" ".join(view.reading.files))) & case.symptoms else UNNAMED


def _relevance(fact: Fact, case: Case) -> int:
    wanted = _MECHANISMS.get(fact.kind)
    if wanted is None:
        return 0
    return 1 if case.kinds & set(wanted) else -1


def _shows_values(fact: Fact, case: Case) -> dict[str, float] | None:
    """Find a signal that went from the constant's old value to its new one."""
    if fact.was is None or fact.now is None or not fact.was:
        return None
    for row in case.onsets.iter_rows(named=True):
        if (
            abs(row["before"] - fact.was) <= VALUE_TOLERANCE * abs(fact.was)
            and abs(row["during"] - fact.now) <= VALUE_TOLERANCE * max(abs(fact.now), 1e-9)
        ):  # fmt: skip
            return row
    return None


class Rarity:
    """How much a word tells: little where many changes hold it.

    Notes
    -----
    The inverse document frequency of Sparck Jones (1972), doi:10.1108/eb026526, over the changes of the time.
    """

    def __init__(self, documents: Sequence[frozenset[str]]) -> None:
        self._n = len(documents)
        self._counts = Counter(word for document in documents for word in document)

    def of(self, word: str) -> float:
        """Return its weight in nats."""
        return math.log((self._n + 1) / (self._counts[word] + 0.5))


def _fit(view: ChangeView, case: Case, rarity: Rarity) -> Iterable[Claim]:
    shared_files = [name for name in view.reading.files if any(is_same_file(name, frame) for frame in case.stack_files)]
    if shared_files:
        yield Claim(f"{shared_files[0]} is in the stack of the errors", 3.0)
    symptom = case.symptoms
    about = view.reading.words | words_of(f"{view.version} {view.description}")
    common = sorted(about & symptom, key=lambda word: (-rarity.of(word), word))
    if common:
        # Many words in common say little more than a few do; three rare ones make most of it.
        total = sum(rarity.of(word) for word in common)
        yield Claim(f"it and the symptoms share the words {', '.join(common[:4])}", 2.0 * (1 - math.exp(-total / 5)))
    elif symptom and (view.reading.effect != "unknown" or view.kind in {"flag", "config"}):
        yield Claim("it shares no word with the symptoms", -0.5)


def _remediation(view: ChangeView) -> str:
    of = f" of {', '.join(view.services)}" if view.services else ""
    if view.kind == "flag":
        return f"switch the flag{of} back"
    if view.kind == "config":
        return f"restore the configuration{of} from before"
    back = f"revert {view.commit_id[:10]} and deploy again" if view.commit_id else f"roll {of[4:] or 'it'} back"
    facts = [fact for fact in view.reading.facts if fact.kind in {"constant", "value", "constant_removed"}]
    return f"{back}; or restore the value it {facts[0].says.split(' ')[0]}" if facts else back
