"""Half-open windows of time in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from prodintel_lib.errors import ParameterError

US_PER_S: Final = 1_000_000
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]+)([smhdw])")
_CLOCK: Final = re.compile(r"[0-9]{2}:[0-9]{2}")
_ZONE: Final = re.compile(r"(Z|[+-][0-9]{2}:?[0-9]{2})$")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time ``[start_us, end_us)``, microseconds since the epoch, UTC.

    Examples
    --------
    >>> Window.parse("2025-09-29T14:20/14:50").duration_s
    1800.0
    >>> Window.parse("2025-09-29T14:20/14:50").label()
    '2025-09-29 14:20:00-14:50:00 UTC'
    """

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        if self.end_us <= self.start_us:
            raise ParameterError(
                f"A window ends after it starts; this one starts {format_time(self.start_us)} "
                f"and ends {format_time(self.end_us)}.",
                hint="write START/END with the earlier time first.",
            )

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return (self.end_us - self.start_us) / US_PER_S

    def contains(self, time_us: int) -> bool:
        """Say whether a time lies in the window; its end does not."""
        return self.start_us <= time_us < self.end_us

    def overlaps(self, other: Window) -> bool:
        """Say whether two windows have a time in common."""
        return self.start_us < other.end_us and other.start_us < self.end_us

    def widened(self, *, before_s: float = 0.0, after_s: float = 0.0) -> Window:
        """Return the window with its start earlier and its end later."""
        return Window(self.start_us - round(before_s * US_PER_S), self.end_us + round(after_s * US_PER_S))

    def label(self) -> str:
        """Write it for people: UTC, seconds, the date once where it is one day."""
        start, end = to_datetime(self.start_us), to_datetime(self.end_us)
        last = f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
        return f"{start:%Y-%m-%d %H:%M:%S}-{last} UTC"

    @classmethod
    def parse(cls, text: str, *, now: datetime | None = None) -> Window:
        """Read ``START/END``, or a length such as ``7d`` that ends at `now`.

        The end may leave out what it shares with the start: ``2025-09-29T14:20/14:50``.

        Parameters
        ----------
        text : str
        now : datetime, optional
            Time-zone aware; needed for a length alone, since there is no hidden clock.

        Raises
        ------
        ParameterError
            If the text is neither, or a length comes without `now`.
        """
        start_text, slash, end_text = text.partition("/")
        if slash:
            return cls(parse_time(start_text), parse_time(_completed(end_text.strip(), start_text.strip())))
        if now is None:
            raise ParameterError(
                f"The window `{text}` has no start and end.",
                hint="write START/END, such as 2025-09-29T14:20/14:50.",
            )
        end_us = to_us(now)
        return cls(end_us - parse_duration_s(text) * US_PER_S, end_us)


def _completed(end_text: str, start_text: str) -> str:
    """Give an end that is only a time of day the date of the start, and its zone where it has none of its own."""
    day, _, clock = start_text.partition("T")
    if not clock or not _CLOCK.match(end_text):
        return end_text
    zone = _ZONE.search(clock)
    return f"{day}T{end_text}" + (zone[0] if zone and not _ZONE.search(end_text) else "")


def parse_duration_s(text: str) -> int:
    """Read a length such as ``90s``, ``15m``, ``24h``, ``7d``, ``2w`` as seconds.

    Raises
    ------
    ParameterError
        If it is not one.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or int(found[1]) == 0:
        raise ParameterError(
            f"`{text}` is not a length of time.",
            hint="write a whole number and a unit: 90s, 15m, 24h, 7d, 2w.",
        )
    return int(found[1]) * _UNITS_S[found[2]]


def parse_time(text: str) -> int:
    """Read an ISO 8601 time as microseconds since the epoch; without a zone it is UTC.

    Raises
    ------
    ParameterError
        If it is not one.
    """
    try:
        return to_us(datetime.fromisoformat(text.strip()))
    except ValueError as error:
        raise ParameterError(
            f"`{text}` is not a time.", hint="write it as 2025-09-29T14:20:00Z (UTC where no zone is given)."
        ) from error


def to_us(moment: datetime) -> int:
    """Return microseconds since the epoch, exactly; a time without a zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def to_datetime(time_us: int) -> datetime:
    """Return the time as a UTC datetime."""
    return _EPOCH + timedelta(microseconds=time_us)


def format_time(time_us: int, *, precision: str = "s") -> str:
    """Write a time in UTC for people, to the second (``s``) or the millisecond (``ms``)."""
    moment = to_datetime(time_us)
    fraction = f".{moment.microsecond // 1000:03d}" if precision == "ms" else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} UTC"


def format_duration(seconds: float) -> str:
    """Write a length for people in at most two units: ``850 ms``, ``5 min 42 s``, ``2 h 04 min``, ``3 d 2 h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
