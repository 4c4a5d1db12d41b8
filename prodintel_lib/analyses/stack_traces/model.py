"""What is read from one stack trace: the chain of exceptions, and their frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cut = Literal["", "inner", "outer"]
"""Which end of a trace is missing: the frames nearest the error (inner) or those of the callers (outer)."""


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One call.

    Attributes
    ----------
    function : str
        As printed, with type or package; empty where the trace names none.
    path : str
        Of its source file, with ``/`` between folders; empty where the trace names none.
    line : int or None
    in_app : bool
        It is the service's own code.
    """

    function: str
    path: str
    line: int | None = None
    in_app: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain.

    Attributes
    ----------
    error_type : str
        The class as printed; empty where the trace does not say.
    message : str
    frames : tuple of StackFrame
        Where it was thrown first, its callers after.
    more : int
        So many further frames are those of the exception around it: the JVM's ``... 12 more``.
    """

    error_type: str
    message: str
    frames: tuple[StackFrame, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """A stack trace.

    Attributes
    ----------
    language : str
        Whose form it has: python, jvm, dotnet, javascript, go, php, ruby, other; empty where nothing was read.
    links : tuple of Link
        The exception that was reported first, the root cause last.
    frames : tuple of StackFrame
        The whole stack at the root cause, where it was thrown first: its own frames and, where those end at the
        exception around it, that one's callers.
    cut : str
        Which end is known to be missing; empty where none is.
    """

    language: str = ""
    links: tuple[Link, ...] = ()
    frames: tuple[StackFrame, ...] = ()
    cut: Cut = ""

    @property
    def root(self) -> Link:
        """The exception that began it."""
        return self.links[-1] if self.links else Link("", "")

    @property
    def top_frame(self) -> StackFrame | None:
        """The topmost frame of one's own, else the topmost there is."""
        return next((frame for frame in self.frames if frame.in_app), self.frames[0] if self.frames else None)
