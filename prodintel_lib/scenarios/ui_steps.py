"""From the moments of a session to the steps of a scenario: who caused which page, how long people took, what to see.

A page that comes within seconds of a click, an entry or a submission is taken for its effect, and one that comes within
seconds of another page for a redirect; any other was opened by its address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prodintel_lib.scenarios.ui_fields import COUNTRY, country_chosen, value_of_field
from prodintel_lib.scenarios.ui_model import (
    Budget,
    Choose,
    Click,
    ExpectConversion,
    ExpectRoute,
    ExpectVisible,
    ExpectVitals,
    Fill,
    FormValue,
    GoBack,
    Reside,
    Step,
    Submit,
    Think,
    Visit,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from prodintel_lib.scenarios.ui_events import Moment

CAUSED_WITHIN_US: Final = 15_000_000
REDIRECTED_WITHIN_US: Final = 3_000_000
MIN_THINK_S: Final = 0.2
MAX_THINK_S: Final = 300.0


@dataclass(slots=True)
class _Telling:
    """The steps so far, and what the next one depends on."""

    budgets: Mapping[str, tuple[Budget, ...]]
    country: str = ""
    by_network: bool = False
    resides: bool = False
    steps: list[Step] = field(default_factory=list)
    route: str = ""
    free_us: int = 0
    view_us: int = 0
    last: Moment | None = None
    before_last: int = 0
    measured: set[str] = field(default_factory=set)

    def come(self, view: Moment) -> None:
        """Tell how a page came, and expect to be there."""
        caused = self.last is not None and view.time_us - self.last.time_us <= CAUSED_WITHIN_US
        redirected = self.last is None and bool(self.steps) and view.time_us - self.view_us <= REDIRECTED_WITHIN_US
        if redirected and self.steps[-1] == ExpectRoute(route=self.route):
            self.steps.pop()
        elif not redirected:
            self.measure(before=self.before_last if caused else len(self.steps))
        if not (caused or redirected):
            self._think(view.time_us)
            self.steps.append(Visit(path=view.path, query=view.query))
        self.steps.append(ExpectRoute(route=view.route))
        self.route, self.view_us, self.last = view.route, view.time_us, None
        self.resides = self.by_network
        self.free_us = max(view.time_us, view.loaded_us)

    def act(self, action: Moment) -> None:
        """Tell what a person did, after the time it took."""
        if self.last is None and action.target is not None:
            self.steps.append(ExpectVisible(target=action.target))
        self._think(action.time_us)
        step = _step(action, self.country)
        if self.resides and isinstance(step, Fill) and isinstance(step.value, FormValue) and step.value.country:
            self.steps.append(Reside(country=step.value.country))
            self.resides = False
        self.before_last = len(self.steps)
        self.steps.append(step)
        self.free_us, self.last = max(self.free_us, action.time_us), action

    def measure(self, *, before: int) -> None:
        """Hold the page that is left to its vitals budget, once a route."""
        if (budgets := self.budgets.get(self.route)) and self.route not in self.measured:
            self.measured.add(self.route)
            self.steps.insert(before, ExpectVitals(route=self.route, budgets=budgets))

    def _think(self, until_us: int) -> None:
        seconds = round((until_us - self.free_us) / 1e6, 1)
        if self.steps and seconds >= MIN_THINK_S:
            self.steps.append(Think(seconds=min(seconds, MAX_THINK_S)))


def tell_steps(
    moments: Sequence[Moment],
    *,
    conversions: Collection[str] = (),
    budgets: Mapping[str, tuple[Budget, ...]] | None = None,
) -> list[Step]:
    """Tell a session as steps, with the routes it came to, what it used there, and the conversions it reached.

    Parameters
    ----------
    moments : sequence of Moment
        As `ui_events.read_moments` gives them.
    conversions : collection of str, optional
        Routes or names of events that mean the visitor did what the site is for.
    budgets : mapping of str to tuple of Budget, optional
        What the web vitals of a route may be.

    Returns
    -------
    list of Step
        From the first page on; empty where no page was recorded.
    """
    # A form may ask for the country after what depends on it.
    chosen = (country_chosen(moment.target, moment.value) for moment in moments if moment.target is not None)
    country = next(filter(None, chosen), "")
    known = next((moment.country for moment in moments if COUNTRY.fullmatch(moment.country)), "")
    telling = _Telling(budgets or {}, country or known, by_network=not country)
    converted = ""
    for n, moment in enumerate(moments):
        if moment.kind == "view" and not _is_again(moments, n):
            telling.come(moment)
        elif moment.kind == "action" and telling.steps:
            telling.act(moment)
        met = next((name for name in (moment.event, moment.route, moment.path) if name and name in conversions), "")
        converted = converted or (met if moment.kind in {"view", "custom", "action"} else "")
        if converted and telling.steps and not _is_leaving(moments, n):
            telling.steps.append(ExpectConversion(route=telling.route, event=converted))
            conversions, converted = (), ""
    telling.measure(before=len(telling.steps))
    return telling.steps


def _step(action: Moment, country: str) -> Step:
    if action.deed == "go_back" or action.target is None:
        return GoBack()
    if action.deed == "submit":
        return Submit(target=action.target)
    if action.deed in {"enter", "choose"}:
        value = value_of_field(action.target, action.value, input_type=action.input_type, country=country)
        kind = Choose if action.deed == "choose" else Fill
        return kind(target=action.target, value=value)
    return Click(target=action.target)


def _is_again(moments: Sequence[Moment], n: int) -> bool:
    """Say whether a view only tells the page before it again: nothing was done since, and it came at once."""
    for other in reversed(moments[:n]):
        if other.kind == "action":
            return False
        if other.kind == "view":
            same = (other.path, other.query) == (moments[n].path, moments[n].query)
            return same and moments[n].time_us - other.time_us <= REDIRECTED_WITHIN_US
    return False


def _is_leaving(moments: Sequence[Moment], n: int) -> bool:
    """Say whether the page is about to give way to the next one of its own."""
    following = next((other for other in moments[n + 1 :] if other.kind in {"view", "action"}), None)
    if following is None or following.kind != "view" or moments[n].kind == "view":
        return False
    return following.time_us - moments[n].time_us <= CAUSED_WITHIN_US
