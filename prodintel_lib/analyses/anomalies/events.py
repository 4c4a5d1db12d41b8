"""Named events and holidays: stretches in which the unusual was to be expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_US: Final = 86_400_000_000
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class NamedEvent(Window):
    """A window with a name: what happens in it is neither learned from nor scored."""

    name: str = ""


def parse_events(texts: Iterable[str]) -> tuple[NamedEvent, ...]:
    """Read named windows as people write them in parameters, and order them by start.

    Parameters
    ----------
    texts : iterable of str
        ``START/END name`` or ``DATE name``. A window is half-open, as everywhere: one that ends with a date ends where
        that day begins. A date alone is that whole day, UTC.

    Raises
    ------
    ParameterError
        Where one has no name, or its times cannot be read.

    Examples
    --------
    >>> [event.name for event in parse_events(["2026-12-24/2026-12-27 holidays", "2026-11-27 Black Friday"])]
    ['Black Friday', 'holidays']
    """
    events = [_parse_event(text) for text in texts]
    return tuple(sorted(events, key=lambda event: (event.start_us, event.end_us, event.name)))


def _parse_event(text: str) -> NamedEvent:
    when, _, name = text.strip().partition(" ")
    if not name.strip():
        raise ParameterError(
            f"An event needs a time and a name; `{text}` has no name.",
            hint="write it as `2026-12-24/2026-12-27 holidays` or `2026-11-27 Black Friday`.",
        )
    if _DATE.fullmatch(when):
        start_us = parse_time(when)
        return NamedEvent(start_us, start_us + DAY_US, name.strip())
    window = Window.parse(when)
    return NamedEvent(window.start_us, window.end_us, name.strip())
