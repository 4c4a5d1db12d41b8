"""The alert that calls somebody: a rule on the gateway's answers, evaluated while the incident happens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from demo.incidents.model import AlertRule

if TYPE_CHECKING:
    from demo.traffic.driver import Answer

WINDOW_S: Final = 30.0
BAD_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something that happened to the alert, seconds since the epoch; the figures are those the rule saw."""

    kind: Literal["triggered", "acknowledged", "resolved"]
    time_s: float
    bad: int
    answers: int


class AlertWatch:
    """Watches answers: triggers when too many are bad, resolves when it has been good for a while.

    Parameters
    ----------
    acknowledge_after_s : float
        How long the person on call takes to answer.
    rule : AlertRule, optional
        Which answers are looked at.
    """

    def __init__(self, *, acknowledge_after_s: float, rule: AlertRule | None = None) -> None:
        self._rule = rule or AlertRule()
        self._acknowledge_after_s = acknowledge_after_s
        self._recent: deque[tuple[float, bool]] = deque()
        self._good_since_s: float | None = None
        self.events: list[AlertEvent] = []

    @property
    def is_resolved(self) -> bool:
        """Whether the alert came and went."""
        return bool(self.events) and self.events[-1].kind == "resolved"

    def add(self, answer: Answer) -> bool:
        """Take note of an answer; return whether it is one that the alert is about."""
        if self._rule.route not in {"", answer.route}:
            return False
        is_bad = answer.is_failure or answer.elapsed_s > self._rule.slow_s
        self._recent.append((answer.time_s, is_bad))
        return is_bad

    def evaluate(self, now_s: float) -> None:
        """Apply the rule to the last thirty seconds."""
        while self._recent and self._recent[0][0] < now_s - WINDOW_S:
            self._recent.popleft()
        bad = sum(is_bad for _time_s, is_bad in self._recent)
        answers = len(self._recent)
        is_failing = answers >= self._rule.min_answers and bad > BAD_SHARE * answers
        if not self.events:
            if is_failing:
                self.events.append(AlertEvent("triggered", now_s, bad, answers))
            return
        if self.is_resolved:
            return
        if len(self.events) == 1 and now_s - self.events[0].time_s >= self._acknowledge_after_s:
            self.events.append(AlertEvent("acknowledged", now_s, bad, answers))
        self._good_since_s = None if is_failing else self._good_since_s or now_s
        if self._good_since_s is not None and now_s - self._good_since_s >= self._rule.good_for_s:
            self.events.append(AlertEvent("resolved", now_s, bad, answers))
