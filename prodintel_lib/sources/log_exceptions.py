"""The exception in the text of a log record: what is the message, and what the stack trace of which exception.

Known are the ways of Python, Java, JavaScript, .NET, PHP, Go and Ruby. Of chained exceptions the type is that of the
one that was thrown last: what was caught and wrapped stays in the stack trace. A text without a trace is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Beyond this a trace is a recursion or a dump: its end is kept, but not looked through.
_SEARCHED_LINES: Final = 2_000
_SEARCHED_CHARS: Final = 4_096
_NAME: Final = r"[A-Za-z_$][\w$]*"
_ENDING: Final = (
    r"(?:Error|Exception|Exit|Interrupt|Warning|Failure|Fault|Throwable|Timeout|Panic|Unavailable|NotFound)"
)
# `java.lang.IllegalStateException`, `TypeError`, `App\Exceptions\Bad`, `requests.exceptions.Timeout`, `Foo::Bar`.
_TYPE: Final = rf"(?:{_NAME}(?:[.\\]|::))*{_NAME}"
_LEAD: Final = (
    r"(?:Exception in thread \"[^\"]*\" |Unhandled exception[.:]\s+|Uncaught (?:exception )?|Caused by: |PHP )*"
)
_HEADER: Final = re.compile(rf"^\s*{_LEAD}(?P<type>{_TYPE})(?:: (?P<message>.*))?$")
_IN_PROSE: Final = re.compile(
    rf"(?:^|[\s:;,(\[])(?P<type>(?:{_NAME}(?:[.\\]|::))*{_NAME}{_ENDING})(?:: (?P<message>.*))?$"
)
_PYTHON: Final = "Traceback (most recent call last):"
_PYTHON_END: Final = re.compile(rf"^(?P<type>(?:{_NAME}\.)*{_NAME})(?:: (?P<message>.*))?$")
# `  at com.shop.Pay.charge(Pay.java:12)`, `    at pay (/app/shop.js:4:2)`, `   at Shop.Pay.Charge() in /Pay.cs:line 3`
_AT: Final = re.compile(r"^\s+at \S|^\s*\.\.\. [0-9]+ (?:more|common frames)|^\s+--- End of ")
_PHP_TRACE: Final = re.compile(r"^(?:PHP )?(?:Stack trace:|\[stacktrace\])|^#0 ")
_PHP_FATAL: Final = re.compile(
    rf"(?:PHP )?(?:Fatal error|Warning|Notice)?:?\s*(?:Uncaught )?(?:exception ')?(?P<type>{_TYPE})'?"
    r"(?: with message|:) '?(?P<message>.*?)'?(?: in (?:/|[A-Za-z]:)\S+(?::| on line )[0-9]+)?$"
)
_PHP_OBJECT: Final = re.compile(rf"\((?P<type>{_TYPE})\(code: -?[0-9]+\): (?P<message>.*?)(?: at /\S+:[0-9]+\))?$")
_PHP_UNCAUGHT: Final = re.compile(
    rf"Uncaught (?P<type>{_TYPE}): (?P<message>.*?) in (?:/|[A-Za-z]:)\S+(?::| on line )[0-9]+"
)
_GO: Final = re.compile(r"^(?P<type>panic|fatal error): (?P<message>.*)$")
_GOROUTINE: Final = re.compile(r"^goroutine [0-9]+ ")
_RUBY: Final = re.compile(rf"^\S+:[0-9]+:in [`'][^']*': (?P<message>.*) \((?P<type>{_TYPE})\)$")
_RUBY_FROM: Final = re.compile(r"^\s+from \S+:[0-9]+")


@dataclass(frozen=True, slots=True)
class FoundException:
    """An exception in a text.

    Attributes
    ----------
    body : str
        What was logged before the trace; the exception's own first line where nothing was.
    error_type : str
    message : str or None
    stacktrace : str
    """

    body: str
    error_type: str
    message: str | None
    stacktrace: str


def find_exception(text: str) -> FoundException | None:
    r"""Find the exception of which a text has a stack trace; None where it has none.

    Examples
    --------
    >>> found = find_exception("pay failed\nTraceback (most recent call last):\n  File \"a.py\", line 1\nError: no")
    >>> found.body, found.error_type, found.message
    ('pay failed', 'Error', 'no')
    """
    if "\n" not in text:
        return _single_line(text)
    lines = text.split("\n")[:_SEARCHED_LINES]
    for find in (_python, _php, _go, _ruby, _frames_at):
        found = find(lines)
        if found is not None:
            start, match = found
            body = "\n".join(lines[:start]).strip() or lines[start].strip()
            return FoundException(body, match["type"], match["message"], "\n".join(text.split("\n")[start:]))
    return None


def _single_line(text: str) -> FoundException | None:
    """Read an error of PHP that nobody caught: of a trace on one line there is nothing to keep but the place."""
    match = _PHP_UNCAUGHT.search(text[:_SEARCHED_CHARS]) if "Uncaught " in text else None
    return match and FoundException(text, match["type"], match["message"], text[match.start() :])


_Found = tuple[int, re.Match[str]] | None


def _python(lines: Sequence[str]) -> _Found:
    starts = [place for place, line in enumerate(lines) if line.endswith(_PYTHON)]
    if not starts:
        return None
    ends = (line[:_SEARCHED_CHARS] for line in lines[starts[-1] + 1 :] if line and not line[0].isspace())
    match = _PYTHON_END.match(next(ends, ""))
    return (_first_line_of(lines, starts[0]), match) if match else None


def _first_line_of(lines: Sequence[str], place: int) -> int:
    """Return where a trace begins: what is written before its sign on the same line is the message's."""
    return place if lines[place].strip() == _PYTHON or place + 1 >= len(lines) else place + 1


def _php(lines: Sequence[str]) -> _Found:
    for place, line in enumerate(lines[1:], start=1):
        if _PHP_TRACE.match(line):
            head = lines[place - 1][:_SEARCHED_CHARS]
            match = _PHP_UNCAUGHT.search(head) or _PHP_OBJECT.search(head) or _PHP_FATAL.match(head)
            return (place - 1, match) if match else None
    return None


def _go(lines: Sequence[str]) -> _Found:
    if not any(_GOROUTINE.match(line) for line in lines):
        return None
    for place, line in enumerate(lines):
        match = _GO.match(line[:_SEARCHED_CHARS])
        if match:
            return place, match
    return None


def _ruby(lines: Sequence[str]) -> _Found:
    for place, line in enumerate(lines[1:], start=1):
        if _RUBY_FROM.match(line):
            match = _RUBY.match(lines[place - 1][:_SEARCHED_CHARS])
            return (place - 1, match) if match else None
    return None


def _frames_at(lines: Sequence[str]) -> _Found:
    """Find the first frame that begins with ``at``, and above it the line that names the exception."""
    first = next((place for place, line in enumerate(lines) if _AT.match(line)), None)
    if not first:
        return None
    for place in range(first - 1, -1, -1):
        match = _HEADER.match(lines[place][:_SEARCHED_CHARS])
        if match and (match["message"] is not None or place == first - 1) and _is_type(match["type"]):
            return place, match
    match = _IN_PROSE.search(lines[first - 1][:_SEARCHED_CHARS])
    return (first - 1, match) if match else None


def _is_type(name: str) -> bool:
    """Say whether a name is likely a class of exceptions: any word followed by a colon would do otherwise."""
    return "." in name or "\\" in name or "::" in name or re.search(rf"{_ENDING}$", name) is not None
