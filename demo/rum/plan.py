"""What to generate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from demo.rum.causes import CAUSES
from prodintel_lib.errors import ParameterError

MAX_SESSIONS: Final = 50_000_000
MAX_DAYS: Final = 366
DEFAULT_START: Final = "2025-11-03"
US_PER_S: Final = 1_000_000
US_PER_DAY: Final = 86_400 * US_PER_S
# Of a seeded choice: how likely each cause is among the planted ones.
CHOICE_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate.

    Attributes
    ----------
    sessions : int
        Of people; machines come on top.
    days : int
    seed : int
    start : str
        The first day, UTC.
    causes : tuple of str
        The ids of what is planted.

    Raises
    ------
    ParameterError
        If a figure is out of bounds, the day is none, or a cause is unknown.
    """

    sessions: int
    days: int
    seed: int = 1
    start: str = DEFAULT_START
    causes: tuple[str, ...] = tuple(CAUSES)

    def __post_init__(self) -> None:
        for name, value, most in (("sessions", self.sessions, MAX_SESSIONS), ("days", self.days, MAX_DAYS)):
            if not 1 <= value <= most:
                raise ParameterError(f"`{name}` is from 1 to {most:,}; it is {value:,}.", hint=f"name fewer {name}.")
        if self.seed < 0:
            raise ParameterError(f"`seed` is 0 or more; it is {self.seed}.", hint="name a whole number such as 1.")
        for name in self.causes:
            if name not in CAUSES:
                raise ParameterError.unknown("cause", name, known=CAUSES)
        try:
            datetime.fromisoformat(self.start)
        except ValueError as error:
            raise ParameterError(f"`start` is a day; it is `{self.start}`.", hint="write 2025-11-03.") from error

    @property
    def start_us(self) -> int:
        """Midnight UTC of the first day."""
        midnight = datetime.fromisoformat(self.start).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
        return round(midnight.timestamp()) * US_PER_S

    def has(self, cause_id: str) -> bool:
        """Say whether a cause is planted."""
        return cause_id in self.causes

    @property
    def command(self) -> str:
        """The command that makes the same again."""
        absent = "".join(f" --without {name}" for name in CAUSES if name not in self.causes)
        start = "" if self.start == DEFAULT_START else f" --start {self.start}"
        return f"prodintel demo rum --seed {self.seed} --sessions {self.sessions} --days {self.days}{start}{absent}"


def choose_causes(seed: int) -> tuple[str, ...]:
    """Choose which causes are planted, by a seed: none, some or all."""
    import numpy as np  # noqa: PLC0415 - whoever only asks for help need not wait for it

    drawn = np.random.default_rng([seed, 0xCA05E]).random(len(CAUSES))
    return tuple(name for name, chance in zip(CAUSES, drawn, strict=True) if chance < CHOICE_SHARE)
