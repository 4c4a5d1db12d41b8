"""When it is said to have happened: whole sessions are moved, and pauses get back the length that was planned.

Nobody waits half a minute while somebody else reads. A pause is shortened while it is recorded and stretched
afterwards; between pauses every distance stays as it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause as it was, ns since the epoch, and how long it was planned to be."""

    start_ns: int
    end_ns: int
    planned_ns: int


@dataclass(slots=True)
class SessionClock:
    """A session's time.

    Attributes
    ----------
    started_ns : int
        When the session began while it was recorded.
    said_ns : int
        When it is said to have begun.
    pauses : list of Pause
        In order; they do not overlap.
    """

    started_ns: int
    said_ns: int
    pauses: list[Pause] = field(default_factory=list)

    def said(self, time_ns: int) -> int:
        """Return when something is said to have happened that happened at `time_ns`; the order is kept."""
        moved_ns = time_ns - self.started_ns + self.said_ns
        for pause in self.pauses:
            lasted_ns = max(pause.end_ns - pause.start_ns, 1)
            within_ns = min(max(time_ns - pause.start_ns, 0), lasted_ns)
            moved_ns += (pause.planned_ns - lasted_ns) * within_ns // lasted_ns
        return moved_ns
