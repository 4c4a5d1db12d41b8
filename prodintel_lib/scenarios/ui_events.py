"""The recorded events of one session as moments: what a person did, which pages came, what went wrong.

A browser tells one deed several times: a click on a field before its change, a form's submission after the click that
sent it, each key of an entry. Told again, each deed has to happen once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ValidationError

from prodintel_lib.errors import MissingColumnsError
from prodintel_lib.scenarios.ui_model import ROLES, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

ECHO_US: Final = 1_000_000
_TYPING: Final = frozenset({"change", "input", "fill", "type", "select"})
_TOGGLES: Final = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio", "option", "tab"})
_LISTS: Final = frozenset({"combobox", "listbox"})
_NEEDED: Final = ("time_us", "event_kind", "url_path", "action_type", "target_role", "target_name")

Deed = Literal["click", "toggle", "enter", "choose", "submit", "go_back"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing of a session that a scenario may tell again.

    Attributes
    ----------
    time_us : int
    kind : str
        view, action, error, request or custom.
    route, path, query : str
        The page it happened on; for a view, the page that came.
    loaded_us : int
        For a view: when it had loaded.
    deed : str or None
        For an action: what was done.
    target : Target or None
        On what.
    value : str or None
        What was typed or chosen, where that is known.
    input_type : str
        HTML's type of the field, where that is known.
    event : str
        The source's own name of the event.
    error_source, error_type, message : str
        For an error.
    country : str
        The visitor's, by the network: two letters, empty where it is not known.
    failed : bool
        For a request: whether it got no answer or a server's error.
    """

    time_us: int
    kind: str
    route: str
    path: str
    query: str = ""
    loaded_us: int = 0
    deed: Deed | None = None
    target: Target | None = None
    value: str | None = None
    input_type: str = ""
    event: str = ""
    error_source: str = ""
    error_type: str = ""
    message: str = ""
    failed: bool = False
    country: str = ""


def read_moments(events: pl.DataFrame, *, mended: bool = True) -> list[Moment]:
    """Read the moments of a session, each deed once.

    Parameters
    ----------
    events : polars.DataFrame
        RUM_EVENTS rows of one session, pseudonymised; a column `route` with the page's route is used where there is
        one, else `http_route`, else the path.
    mended : bool, optional
        Whether to leave out what a person sent in vain, then mended and sent again; valid form values make it once.

    Returns
    -------
    list of Moment
        In order.

    Raises
    ------
    MissingColumnsError
        If a column is missing without which nothing can be told.
    """
    missing = [name for name in _NEEDED if name not in events.columns]
    if missing:
        raise MissingColumnsError.in_table("rum_events", missing=missing, available=events.columns)
    ordered = events.sort("time_us", maintain_order=True)
    moments = [moment for row in ordered.iter_rows(named=True) if (moment := _moment(row)) is not None]
    once = _without_idle_clicks(_without_echoes(_with_causes_first(moments)))
    return _without_failed_attempts(once) if mended else once


def _moment(row: dict[str, Any]) -> Moment | None:
    kind, path = row["event_kind"], row["url_path"] or "/"
    path = path if path.startswith("/") else f"/{path}"
    route = row.get("route") or row.get("http_route") or path
    common: dict[str, Any] = {
        "time_us": row["time_us"],
        "kind": kind,
        "route": route if route.startswith("/") else f"/{route}",
        "path": path,
        "event": row.get("event_name") or "",
        "country": (row.get("geo_country_iso_code") or "").upper(),
    }
    if kind == "view":
        loaded_us = row["time_us"] + round((row.get("duration_ms") or 0) * 1000)
        return Moment(**common, query=(row.get("url_query") or "").lstrip("?"), loaded_us=loaded_us)
    if kind == "action":
        return _action(row, common)
    if kind == "error":
        return Moment(
            **common,
            error_source=row.get("error_source") or "exception",
            error_type=row.get("error_type") or "",
            message=row.get("exception_message") or "",
        )
    if kind == "request":
        return Moment(**common, failed=(row.get("http_response_status_code") or 0) in {0, *range(500, 600)})
    return Moment(**common) if kind == "custom" else None


def _action(row: dict[str, Any], common: dict[str, Any]) -> Moment | None:
    said, role = (row["action_type"] or "").lower(), (row["target_role"] or "").lower()
    target = _target(row, role)
    deed: Deed
    if said == "back":
        return Moment(**common, deed="go_back")
    if target is None:
        return None
    if said in _TYPING:
        deed = "toggle" if role in _TOGGLES else "choose" if role in _LISTS or said == "select" else "enter"
    elif said == "submit":
        deed = "submit"
    elif said in {"click", "tap", "press"}:
        deed = "click"
    else:
        return None
    typed = row.get("target_value") if deed in {"enter", "choose"} else None
    return Moment(**common, deed=deed, target=target, value=typed, input_type=_input_type(row.get("attributes")))


def _target(row: dict[str, Any], role: str) -> Target | None:
    try:
        return Target(
            role=role if role in ROLES else None,
            name=row["target_name"] or "",
            test_id=row.get("target_test_id") or "",
            selector=row.get("target_selector") or "",
        )
    except ValidationError:
        return None


def _input_type(attributes: str | None) -> str:
    try:
        said = json.loads(attributes or "{}")
    except ValueError:
        return ""
    found = said.get("element.input_type") if isinstance(said, dict) else None
    return found if isinstance(found, str) else ""


def _without_echoes(moments: Sequence[Moment]) -> list[Moment]:
    kept: list[Moment] = []
    for moment in moments:
        before = next((other for other in reversed(kept) if other.kind in {"action", "view"}), None)
        if before is None or before.kind != "action" or moment.kind != "action":
            kept.append(moment)
            continue
        same, soon = before.target == moment.target, moment.time_us - before.time_us <= ECHO_US
        typed = moment.deed in {"enter", "choose"}
        if typed and same and before.deed in {"click", moment.deed}:
            kept.remove(before)
            kept.append(moment)
        elif not (soon and before.deed == "click" and moment.deed in {"submit", "toggle"}):
            kept.append(moment)
    return kept


def _with_causes_first(moments: Sequence[Moment]) -> list[Moment]:
    """Put the way back before the page it led to: a browser tells of it when the page is there."""
    ordered: list[Moment] = []
    for moment in moments:
        before = ordered[-1] if ordered else None
        told_late = before is not None and before.kind == "view" and moment.time_us - before.time_us <= ECHO_US
        if moment.deed == "go_back" and told_late and len(ordered) > 1:
            ordered.insert(-1, moment)
        else:
            ordered.append(moment)
    return ordered


def _without_idle_clicks(moments: Sequence[Moment]) -> list[Moment]:
    """Leave out clicks on what is nothing in particular and led nowhere: text, margins, pictures."""
    kept = []
    for n, moment in enumerate(moments):
        told = moment.target is None or moment.target.role or moment.target.test_id or moment.deed != "click"
        following = next((other for other in moments[n + 1 :] if other.kind in {"view", "action"}), None)
        if told or (following is not None and following.kind == "view"):
            kept.append(moment)
    return kept


def _without_failed_attempts(moments: Sequence[Moment]) -> list[Moment]:
    """Leave out the sending of a form that was refused, where the person mended it on the same page and sent it again.

    A server refuses by showing the page again: that goes as well.
    """
    dropped: set[int] = set()
    for start, end in _stays(moments):
        for n in range(start, end):
            refused = moments[n].kind == "error" and moments[n].error_source == "validation"
            sent = next((k for k in range(n - 1, start, -1) if moments[k].kind == "action"), None) if refused else None
            if sent is None or moments[sent].deed not in {"click", "submit"}:
                continue
            again = range(n + 1, end)
            mended = [k for k in again if moments[k].deed in {"enter", "choose"}]
            if mended and any(k > mended[0] and _does_the_same(moments[k], moments[sent]) for k in again):
                dropped |= {k for k in range(sent, n + 1) if moments[k].kind != "request"}
                entered = [moments[k] for k in mended]
                dropped |= {k for k in range(start, sent) if any(_does_the_same(moments[k], e) for e in entered)}
    return [moment for n, moment in enumerate(moments) if n not in dropped]


def _does_the_same(one: Moment, other: Moment) -> bool:
    return (one.kind, one.deed, one.target) == (other.kind, other.deed, other.target)


def _stays(moments: Sequence[Moment]) -> Iterator[tuple[int, int]]:
    """Yield where each stay on one route starts and ends."""
    starts = [n for n, moment in enumerate(moments) if n == 0 or moment.route != moments[n - 1].route]
    yield from zip(starts, [*starts[1:], len(moments)], strict=True)
