"""Walks of a journey: made again where one went badly, so that an alarm is more than one bad moment."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from playwright.sync_api import Error

from prodintel_lib.renderers.templates.ui_visitor import Settings, Visitor, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from playwright.sync_api import Page

Walk: TypeAlias = "Callable[[Page, Visitor, Mapping[str, str]], None]"
NO_LIMIT = [math.inf, math.inf]


class BadMomentWarning(UserWarning):
    """Something went badly in one walk and well in the next."""


class Watcher(Visitor):
    """A visitor who goes on where a page is slow, and remembers it."""

    def __init__(self, page: Page, settings: Settings, client: Mapping[str, Any]) -> None:
        super().__init__(page, settings, client, self._note)
        self._measured: dict[str, Any] = {}
        self.slow: dict[str, str] = {}

    def expect_vitals(self, route: str, limits: Mapping[str, Sequence[float]]) -> None:
        """Measure a page's web vitals, and remember those over their limit."""
        super().expect_vitals(route, dict.fromkeys(limits, NO_LIMIT))
        for metric, (budget, limit) in limits.items():
            value = self._measured.get(metric)
            if isinstance(value, int | float) and value > limit:
                told = f"{metric} {value:g} is over {limit:g}, the upper end of production's p95 of {budget:g}"
                self.slow[f"{route} {metric}"] = f"{plain(route)}: {told}"

    def _note(self, _name: str, value: object) -> None:
        self._measured = json.loads(str(value))


class Walks:
    """The walks of one journey.

    `opened` opens a page of a fresh profile for each of them; `broken` and `slow` say in how many, one after another,
    something has to go badly to be an alarm.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[tuple[Page, Watcher]]],
        form_values: Mapping[str, str],
        *,
        broken: int,
        slow: int,
    ) -> None:
        self._opened = opened
        self._form_values = form_values
        self._broken = broken
        self._slow = slow

    def judge(self, walk: Walk) -> None:
        """Walk until the journey went well, or went badly often enough."""
        slow = self._walk(walk)
        for _ in range(self._slow - 1):
            if not slow:
                return
            again = self._walk(walk)
            passed = [told for what, told in slow.items() if what not in again]
            if passed:
                warnings.warn(f"slow once: {'; '.join(passed)}", BadMomentWarning, stacklevel=3)
            slow = {what: told for what, told in again.items() if what in slow}
        if slow:
            raise AssertionError(f"slow in each of {self._slow} walks: {'; '.join(slow.values())}")

    def _walk(self, walk: Walk) -> dict[str, str]:
        """Return what was slow in a walk that got to its end."""
        reasons: list[str] = []
        while True:
            with self._opened() as (page, watcher):
                try:
                    walk(page, watcher, self._form_values)
                except (AssertionError, Error) as error:
                    reasons.append(str(error))
                    if len(reasons) == self._broken:
                        told = "\n\n".join(f"walk {n}: {reason}" for n, reason in enumerate(reasons, 1))
                        raise AssertionError(f"the journey broke off {self._broken} times\n\n{told}") from error
                else:
                    if reasons:
                        warnings.warn(f"broke off once: {reasons[0]}", BadMomentWarning, stacklevel=4)
                    return watcher.slow
