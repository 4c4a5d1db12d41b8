"""Tracebacks of Python: the callers first, the exception's line last, the cause above what it led to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.calls import python_frame
from prodintel_lib.analyses.stack_traces.headers import MAX_MESSAGE_CHARS, split_header
from prodintel_lib.analyses.stack_traces.model import Link

if TYPE_CHECKING:
    from prodintel_lib.analyses.stack_traces.model import Cut, StackFrame

_GROUP: Final = re.compile(r"^ *(?:\| |\+ (?=Exception Group))")
_SEPARATOR: Final = re.compile(r"^ *\+(?:-\+)?-+ (?P<number>[0-9]+|\.\.\.) -+")
_BEGIN: Final = "Traceback (most recent call last)"
_BETWEEN: Final = ("The above exception was the direct cause", "During handling of the above exception")


def read_python(lines: list[str]) -> tuple[tuple[Link, ...], Cut]:
    """Read a traceback with its chain; of a group of exceptions, the first.

    A traceback whose exception's line is missing lacks its inner end, one that does not begin with its first line its
    outer end.
    """
    reader = _Reader()
    for line in lines:
        separator = _SEPARATOR.match(line)
        if separator and separator["number"] != "1":
            break
        if separator:
            reader.enter_group()
        else:
            reader.take(_GROUP.sub("", line))
    return reader.finish()


class _Reader:
    """Reads line after line: frames, then the line of the exception, then what goes on with its message."""

    def __init__(self) -> None:
        self.printed: list[Link] = []
        self.groups: list[Link] = []
        self.frames: list[StackFrame] = []
        self.frame_indent = 0
        self.message: list[str] = []
        self.begun = False
        self.whole = False

    def enter_group(self) -> None:
        self._close_message()
        # The group is what was reported; the exceptions in it are what it was about.
        self.groups = [*self.groups, *reversed(self.printed)]
        self.printed = []

    def take(self, line: str) -> None:
        bare = line.strip()
        if _BEGIN in bare:
            self._close_message()
            self.frames, self.begun = [], True
            return
        frame = python_frame(bare)
        if frame:
            self._close_message()
            if not self.frames and not self.printed:
                self.whole = self.begun
            self.frames.append(frame)
            self.frame_indent = len(line) - len(line.lstrip())
        elif self.frames and bare and len(line) - len(line.lstrip()) < max(self.frame_indent, 1):
            self._close_link(bare)
        elif self.message and bare and not bare.startswith(_BETWEEN):
            self.message.append(bare)
        elif not bare or bare.startswith(_BETWEEN):
            self._close_message()

    def _close_link(self, header: str) -> None:
        if header.startswith(_BETWEEN):
            return
        error_type, message = split_header(header)
        self.printed.append(Link(error_type, message, tuple(reversed(self.frames))))
        self.frames, self.message = [], [message]

    def _close_message(self) -> None:
        if len(self.message) > 1:
            last = self.printed[-1]
            self.printed[-1] = Link(last.error_type, " ".join(self.message)[:MAX_MESSAGE_CHARS], last.frames)
        self.message = []

    def finish(self) -> tuple[tuple[Link, ...], Cut]:
        self._close_message()
        cut: Cut = "" if self.whole else "outer"
        if self.frames:
            self.printed.append(Link("", "", tuple(reversed(self.frames))))
            cut = "inner"
        return (*self.groups, *reversed(self.printed)), cut
