"""Traces of PHP, which prints each call with the place it was made from, and what came first above what followed."""

from __future__ import annotations

import re
from typing import Final

from prodintel_lib.analyses.stack_traces.frames import clean_path
from prodintel_lib.analyses.stack_traces.headers import MAX_MESSAGE_CHARS, split_header
from prodintel_lib.analyses.stack_traces.model import Link, StackFrame

_CALL: Final = re.compile(
    r"^#(?P<number>[0-9]+) (?:(?P<path>[^():]+\.\w+|[A-Za-z]:[^():]+\.\w+)\((?P<line>[0-9]+)\)|\[internal function\]): "
    r"(?P<function>.+\))$"
)
MAX_HEADER_LINES: Final = 20
MAX_HEADER_CHARS: Final = 4000
_MAIN: Final = re.compile(r"^#[0-9]+ \{main\}")
# At the end of the message: in /var/www/src/Tax.php:42, and as Drupal logs it: in price() (line 42 of /src/Tax.php).
_PLACE: Final = re.compile(
    r" in (?:(?P<path>\S+\.\w+)(?::| on line )(?P<line>[0-9]+)"
    r"|\S+ \(line (?P<line_>[0-9]+) of (?P<path_>[^()]+)\)\.?)$"
)
_PLACE_CHARS: Final = 400
_LARAVEL: Final = re.compile(
    r"\[object\] \((?P<type>[\w\\]+)\(code: \S+\): (?P<message>.*) at (?P<path>[^:]+):(?P<line>[0-9]+)\)"
)
_PREFIX: Final = re.compile(r"^(?:PHP )?(?:Fatal error: +)?(?:Uncaught (?:PHP Exception )?)?(?:Next )?")
_ARGUMENTS: Final = re.compile(r"^[^({]*(?:\{closure[^}]*\})?[^(]*")


def read_php(lines: list[str]) -> tuple[Link, ...]:
    """Read a trace of PHP: each frame is the function that ran, with the place in it that threw or called on.

    PHP writes a call beside the place it was made from; here it stands beside the place within it.
    """
    links: list[Link] = []
    header: list[str] = []
    calls: list[tuple[str, str, int | None]] = []
    for line in lines:
        bare = line.strip()
        call = _CALL.match(bare)
        if call and call["number"] == "0" and calls:
            links.append(_link(header, calls))
            header, calls = [], []
        if call:
            number = int(call["line"]) if call["line"] else None
            calls.append((_ARGUMENTS.match(call["function"])[0].strip(), clean_path(call["path"] or ""), number))  # type: ignore[index]
        elif calls and bare.startswith("Next "):
            links.append(_link(header, calls))
            header, calls = [bare], []
        elif bare and not calls and bare.rstrip(":").lower() not in {"stack trace", "[stacktrace]", "backtrace"}:
            header.append(bare)
        elif _MAIN.match(bare):
            calls.append(("{main}", "", None))
    if calls:
        links.append(_link(header, calls))
    return tuple(reversed(links))


def _link(header: list[str], calls: list[tuple[str, str, int | None]]) -> Link:
    error_type, message, path, line = _header(header)
    frames = []
    for function, called_from, called_line in calls:
        frames.append(StackFrame(function, path, line))
        path, line = called_from, called_line
    if not frames[0].path and frames[0].function == "{main}":
        frames = frames[1:]
    return Link(error_type, message, tuple(frames))


def _header(lines: list[str]) -> tuple[str, str, str, int | None]:
    text = " ".join(lines[-MAX_HEADER_LINES:])[-MAX_HEADER_CHARS:]
    laravel = _LARAVEL.search(text)
    if laravel:
        return laravel["type"], laravel["message"], clean_path(laravel["path"]), int(laravel["line"])
    thrown = _PLACE.search(text, max(0, len(text) - _PLACE_CHARS))
    said = _PREFIX.sub("", text[: thrown.start()] if thrown else text)
    error_type, message = split_header(said)
    if not error_type:
        found = re.search(r"(?:^|\s)(?P<type>(?:\w+\\)*[A-Z]\w*(?:Error|Exception)): (?P<message>.*)$", said)
        error_type, message = (found["type"], found["message"]) if found else ("", said)
    path = clean_path((thrown["path"] or thrown["path_"]) if thrown else "")
    number = (thrown["line"] or thrown["line_"]) if thrown else None
    return error_type, message[:MAX_MESSAGE_CHARS], path, int(number) if number else None
