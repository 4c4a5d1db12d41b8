"""What a run of a monitor says: healthy, red, or that nobody can tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodintel_lib.renderers.templates.monitor_rules import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Breaks = Callable[[int, Any], str | None]

Data = dict[str, Any]
Found = tuple[str, str]


@dataclass
class Attempt:
    """One request with what came of it.

    `symptom` says what was in the place of an answer; `lost` why the customer did not get to the request.
    """

    status: int = 0
    elapsed_ms: float = 0.0
    symptom: str = ""
    lost: str = ""
    facts: Data = field(default_factory=dict)


@dataclass
class Verdict:
    """``healthy``, ``red`` or ``unjudged``; what was wrong most often; and what came."""

    colour: str
    symptom: str
    told: str


def judge(monitor: Data, check: Data, customers: Sequence[Sequence[Attempt]], factor: float, breaks: Breaks) -> Verdict:
    """Judge a check by the answers of a run.

    Parameters
    ----------
    monitor, check : dict
    customers : sequence of sequence of Attempt
        What each customer tried, in order.
    factor : float
        Times the limit of latency.
    breaks : callable
        Says of a status and a document how it breaks its schema, "" where it does not, None where there is no schema.
    """
    wrong: Counter[str] = Counter()
    first: dict[str, str] = {}
    unknown = lost = 0
    for attempts in customers:
        found = outcome(monitor, check, attempts, factor, breaks)
        if found is None:
            unknown += 1
            lost += any(attempt.lost for attempt in attempts)
        elif found[0]:
            wrong[found[0]] += 1
            first.setdefault(*found)
    bad = sum(wrong.values())
    came = "; ".join(f"{n} {name}{first[name] and ': ' + first[name]}" for name, n in wrong.most_common())
    told = f"{bad} of {len(customers)} customers were answered badly each time" + (f" ({came})" if came else "")
    if bad:
        return Verdict("red", wrong.most_common(1)[0][0], told)
    # A rule may not be about every customer; one that did not get there says nothing of any.
    if unknown < len(customers) and 2 * lost < len(customers):
        return Verdict("healthy", "", told)
    reason = next((attempt.lost for attempts in customers for attempt in attempts if attempt.lost), "")
    why = f": {reason}" if reason else ""
    return Verdict("unjudged", "unjudged", f"{unknown} of {len(customers)} customers say nothing of it{why}")


def outcome(monitor: Data, check: Data, attempts: Sequence[Attempt], factor: float, breaks: Breaks) -> Found | None:
    """Return what was wrong each time that a customer asked, two empty texts where something was right, else None."""
    found = [what_is_wrong(monitor, check, attempt, factor, breaks) for attempt in attempts]
    if ("", "") in found:
        return "", ""
    bad = [each for each in found if each is not None]
    return bad[0] if len(bad) >= check["tries"] else None


def is_settled(monitor: Data, attempts: Sequence[Attempt], factor: float, breaks: Breaks) -> bool:
    """Say whether asking once more would tell nothing new."""
    checks = monitor["checks"]
    if len(attempts) > max(check["tries"] for check in checks):
        return True
    found = {check["id"]: outcome(monitor, check, attempts, factor, breaks) for check in checks}
    # What is not there says nothing of how fast or how right it is.
    is_gone = bool((found.get("availability") or ("", ""))[0])
    return is_gone or None not in found.values()


def what_is_wrong(monitor: Data, check: Data, attempt: Attempt, factor: float, breaks: Breaks) -> Found | None:
    """Name what is wrong with an answer, with a detail; two empty texts where nothing is; None where it cannot tell."""
    if attempt.lost:
        return None
    kind, gone = check["kind"], what_is_gone(monitor, attempt)
    if kind == "availability":
        return gone, f"status {attempt.status}" if gone and attempt.status else ""
    if gone and (kind, gone) != ("latency", "no_answer_in_time"):
        return None
    if kind == "latency":
        slow = gone or attempt.elapsed_ms > monitor["limit_ms"] * factor
        return ("too_slow", f"{attempt.elapsed_ms:.0f} ms") if slow else ("", "")
    if kind == "schema":
        how = breaks(attempt.status, attempt.facts["answer"])
        return None if how is None else ("schema" if how else "", how)
    held = holds(check["rule"], attempt.facts) if 200 <= attempt.status < 300 else None
    return None if held is None else ("" if held else "business_rule", "")


def what_is_gone(monitor: Data, attempt: Attempt) -> str:
    """Name why an answer does not count as available, or nothing."""
    if attempt.symptom:
        return attempt.symptom
    if attempt.status >= 500:
        return "server_error"
    # Another success is a success: what is accepted now may be finished later.
    if attempt.status not in monitor["statuses"] and not 200 <= attempt.status < 300:
        return "unexpected_status"
    return ""
