"""One frame of a trace that is being read: a line stripped of what stands before it, also where it names no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.frames import FORMS, clean_path, frame_of
from prodintel_lib.analyses.stack_traces.model import StackFrame

if TYPE_CHECKING:
    from collections.abc import Callable

# Frames without a file that FORMS would know: of generated and native code, of builds without symbols, of pages.
_JVM: Final = re.compile(
    r"at (?:[\w.@-]*/)*(?P<type>[\w.$+/-]+)\.(?P<function>[\w$<>+-]+)"
    r"\((?:(?P<path>[\w$-]+\.[a-z]+)|Native Method|Unknown Source|SourceFile|<generated>|r8-map-id-[\w-]+)"
    r"(?::(?P<line>[0-9]+))?\)"
)
_DOTNET: Final = re.compile(
    r"at (?P<function>[^\s()][^()]{0,400})\([^()]*\)"
    r"(?: in (?P<path>(?:[A-Za-z]:)?[^:]+):line (?P<line>[0-9]+))?\s*$"
)
_V8_CALL: Final = re.compile(r"at (?:async |new )*(?P<function>\S.*?) \((?P<place>.+)\)$")
_V8_PLACE: Final = re.compile(r"at (?:async |new )*(?P<place>\S+)$")
_POSITION: Final = re.compile(r"(?::(?P<line>[0-9]+)){1,2}$")
_AT_SIGN: Final = re.compile(r"(?P<function>[^@\s]*)@(?P<path>[^\s@]+?):(?P<line>[0-9]+)(?::[0-9]+)?$")
_LEAD: Final = re.compile(r"^(?:at |from |in |\([\w .-]+\) |[0-9]+: )+")
_AFTER: Final = re.compile(r"^(?::[0-9]+)?:? +(?:in )?(?P<function>[\w.$:*<>#/-]+)(?:\(\))?\s*$")
_RUBY: Final = re.compile(r"^(?:from )?(?:\[[0-9]+\] )?")


def jvm_frame(line: str) -> StackFrame | None:
    """Read ``at com.shop.Tax.price(Tax.java:42)``."""
    match = _JVM.match(line)
    if match is None:
        return None
    type_name = match["type"]
    package = type_name.partition("$")[0].rpartition(".")[0].replace(".", "/")
    file = match["path"] or ""
    path = f"{package}/{file}" if package and file else file
    return StackFrame(f"{type_name}.{match['function']}", path, _number(match["line"]))


def dotnet_frame(line: str) -> StackFrame | None:
    r"""Read ``at Shop.Tax.Price(Order order) in C:\src\Tax.cs:line 42``."""
    match = _DOTNET.match(line)
    if match is None or match["function"][-1].isspace() or " (" in match["function"]:
        return None
    return StackFrame(match["function"], clean_path(match["path"] or ""), _number(match["line"]))


def v8_frame(line: str) -> StackFrame | None:
    """Read ``at async Cart.total (file:///srv/cart.js:42:17)``; also frames of pages and of eval."""
    # Tried only on a line with the right end, the pattern of a call does not begin again at each of its brackets.
    match = (_V8_CALL.match(line) if line.endswith(")") else None) or _V8_PLACE.match(line)
    if match is None:
        return None
    place = match["place"]
    if place.count("(") != place.count(")"):
        # The end of the line was cut off.
        return None
    position = _POSITION.search(place)
    if position is None and place not in {"native", "<anonymous>"}:
        return None
    raw = "<anonymous>" if place.startswith("eval at ") else place[: position.start()] if position else place
    line_number = _number(place[position.start() + 1 : position.end()].partition(":")[0]) if position else None
    return StackFrame(match.groupdict().get("function", "").strip(), _script_path(raw), line_number)


def at_sign_frame(line: str) -> StackFrame | None:
    """Read ``total@https://shop.example/cart.js:12:34``, as JavaScriptCore and SpiderMonkey print it."""
    match = _AT_SIGN.match(line)
    if match is None:
        return None
    place = _POSITION.sub("", match["path"])
    return StackFrame(match["function"], _script_path(place), _number(match["line"]))


def python_frame(line: str) -> StackFrame | None:
    """Read ``File "/srv/tax.py", line 42, in price``."""
    match = FORMS["python"].match(line)
    return _of_form(match) if match else None


def ruby_frame(line: str) -> StackFrame | None:
    """Read ``from /srv/app/tax.rb:42:in 'price'``."""
    match = FORMS["ruby"].match(_RUBY.sub("", line))
    return _of_form(match) if match else None


def plain_frame(line: str, above: str = "") -> StackFrame | None:
    """Read a line that begins with a file and a line number, in any language; the function may stand after it."""
    bare = _LEAD.sub("", line)
    match = FORMS["plain"].match(bare)
    if match is None:
        return None
    frame = frame_of(match, above=above)
    after = _AFTER.match(bare[match.end() :])
    return StackFrame(after["function"] if after else frame.function, frame.path, frame.line)


AT_FORMS: Final[dict[str, Callable[[str], StackFrame | None]]] = {
    "jvm": jvm_frame,
    "javascript": v8_frame,
    "dotnet": dotnet_frame,
}
"""Forms that begin with ``at``, in the order in which a line is tried."""


def _of_form(match: re.Match[str]) -> StackFrame:
    frame = frame_of(match)
    return StackFrame(frame.function, frame.path, frame.line)


def _script_path(place: str) -> str:
    """Keep what tells foreign scripts (``node:``, extensions) and drop scheme, host and query of one's own."""
    if re.match(r"node:|native|<|\[|[a-z-]*extension:|webkit-masked-url:|internal/", place):
        return place
    return clean_path(place).partition("#")[0]


def _number(text: str | None) -> int | None:
    return int(text) if text else None
