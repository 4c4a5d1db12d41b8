"""From a text to a Trace: which language printed it, its chain of exceptions, the whole stack at the root cause."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.block_readers import read_at, read_go, read_plain, read_ruby
from prodintel_lib.analyses.stack_traces.frames import MAX_LINE_LENGTH, SUFFIXES, read_document, split_lines
from prodintel_lib.analyses.stack_traces.model import Link, StackFrame, Trace
from prodintel_lib.analyses.stack_traces.ownership import is_in_app
from prodintel_lib.analyses.stack_traces.php import read_php
from prodintel_lib.analyses.stack_traces.python import read_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.stack_traces.model import Cut

MAX_TRACE_LINES: Final = 1000
"""So many lines are read from the beginning of a trace, and as many from its end."""
MAX_TRACE_CHARS: Final = 200_000
# What log shippers write for line breaks and tabs, and what is left of JSON that was cut off; only where the text has
# no real line break.
_ESCAPED_BREAK: Final = re.compile(r"\\r\\n|\\n|#012")
_ESCAPED: Final = tuple((re.compile(sign), meant) for sign, meant in ((r"\\t|#011", "\t"), (r'\\(["\\])', r"\1")))
# Lines that were joined by blanks.
_JOINED: Final = re.compile(r"\s+(?=at [\w.$/<>]+ ?\(|Caused by: |\.\.\. [0-9]+ more)")
_MIN_JOINED: Final = 2
_READERS: Final = tuple(
    (form, re.compile(sign, re.MULTILINE))
    for form, sign in (
        ("python", r"Traceback \(most recent call last\)|^\s*(?:\| )?File \"[^\"]+\", line [0-9]+"),
        ("go", r"^goroutine [0-9]+ \[|^\s+\S+\.go:[0-9]+(?: \+0x|$)"),
        ("php", r"^\s*#[0-9]+ (?:\S+\.php|\[internal function\]|\{main\})|^\s+thrown in \S+ on line"),
        ("ruby", r"\.rb:[0-9]+:in [`']"),
        ("plain", r"^\s+at \S+\.(?:rs|swift|exs?|c|cc|cpp|h|hpp):[0-9]+"),
        ("at", r"^\s*at \S|^\S*@\S+:[0-9]+$"),
    )
)
# Without one of these no frame can be in a text: for engines that search many texts at once. No lookaround.
FRAME_SIGNS: Final = (
    r"(?:\b|\\t|#011)at [^\s()][^\n]*(?:\(|:[0-9])|@\S*:[0-9]|#[0-9]+ (?:\[|\{|[^\s]*\()|File \\?\"|"
    r"\.(?:" + SUFFIXES + r")(?::[0-9]|\([0-9])"
)
_V8_LIMIT: Final = 10


def read_trace(text: str, *, own: Sequence[str] = ()) -> Trace:
    r"""Read a stack trace as it stands in an exception's field or within a log's body.

    Parameters
    ----------
    text : str
        Lines beyond the first and last MAX_TRACE_LINES, and what goes beyond MAX_LINE_LENGTH in a line, are not read.
    own : sequence of str
        See `ownership.is_in_app`.

    Returns
    -------
    Trace
        Without links and frames where the text holds no trace.

    Notes
    -----
    A root cause is printed without the callers it shares with the exception around it: the JVM says how many it leaves
    out; a traceback of Python and .NET ends at the function that caught it, which the outer one holds too. The whole
    stack is the root's own frames and the rest of the outer one's: it does not depend on who wrapped the exception.

    Examples
    --------
    >>> trace = read_trace("a.B: x\n\tat s.A.f(A.java:3)\nCaused by: c.D: null\n\tat s.C.g(C.java:9)\n\t... 1 more")
    >>> trace.root.error_type, [frame.function for frame in trace.frames]
    ('c.D', ['s.C.g', 's.A.f'])
    """
    text, is_long = _bounded(text)
    lines = list(split_lines(text, max_lines=2 * MAX_TRACE_LINES))
    lines = [line[:MAX_LINE_LENGTH] for line in lines]
    joined = "\n".join(lines)
    form = next((name for name, sign in _READERS if sign.search(joined)), "plain")
    language, links, cut = _read_form(form, lines)
    if not any(link.frames for link in links):
        return Trace()
    owned = tuple(replace(link, frames=_owned(link.frames, own, language)) for link in links)
    frames = whole_stack(owned)
    if not cut and (is_long or (language == "javascript" and len(frames) == _V8_LIMIT)):
        cut = "outer"
    return Trace(language, owned, frames, cut)


def _bounded(text: str) -> tuple[str, bool]:
    """Return the beginning and the end of a text with its line breaks as such, and whether something is left out."""
    start = text[:MAX_TRACE_CHARS]
    if "\n" not in start and _ESCAPED_BREAK.search(start) and read_document(text) is None:
        text = _ESCAPED_BREAK.sub("\n", start)
        for sign, meant in _ESCAPED:
            text = sign.sub(meant, text)
    elif "\n" not in start and len(_JOINED.findall(start)) >= _MIN_JOINED and read_document(text) is None:
        text = _JOINED.sub("\n", start)
    is_long = len(text) > 2 * MAX_TRACE_CHARS
    if is_long:
        text = f"{start}\n{text[-MAX_TRACE_CHARS:].partition(chr(10))[2]}"
    if text.count("\n") <= 2 * MAX_TRACE_LINES:
        return text, is_long
    lines = text.split("\n")
    return "\n".join([*lines[:MAX_TRACE_LINES], *lines[-MAX_TRACE_LINES:]]), True


def _read_form(form: str, lines: list[str]) -> tuple[str, tuple[Link, ...], Cut]:
    if form == "python":
        links, cut = read_python(lines)
        return form, links, cut
    if form == "at":
        return read_at(lines)
    reader = {"go": read_go, "php": read_php, "ruby": read_ruby, "plain": read_plain}[form]
    return form if form != "plain" else "other", reader(lines), ""


def _owned(frames: Sequence[StackFrame], own: Sequence[str], language: str) -> tuple[StackFrame, ...]:
    # A build has symbols of its own code, and .NET prints no file for the rest.
    has_files = language == "dotnet" and any(frame.path for frame in frames)
    return tuple(
        replace(frame, in_app=is_in_app(frame.path, frame.function, own=own) and (bool(frame.path) or not has_files))
        for frame in frames
    )


def whole_stack(links: Sequence[Link]) -> tuple[StackFrame, ...]:
    """Return the frames of the root cause and the callers it shares with the exceptions around it."""
    stack: tuple[StackFrame, ...] = ()
    for link in links:
        stack = link.frames + _callers_of(link, stack)
    return stack


def _callers_of(link: Link, around: tuple[StackFrame, ...]) -> tuple[StackFrame, ...]:
    if link.more:
        return around[-link.more :]
    if not link.frames:
        return around
    last = (link.frames[-1].function, link.frames[-1].path)
    at = next((at for at, frame in enumerate(around) if (frame.function, frame.path) == last), None)
    return () if at is None else around[at + 1 :]
