"""Traces that print where it was thrown first: the JVM, .NET, JavaScript, Go, Ruby, and languages without a reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.calls import AT_FORMS, at_sign_frame, plain_frame, ruby_frame
from prodintel_lib.analyses.stack_traces.headers import MAX_MESSAGE_CHARS, read_headers, split_header
from prodintel_lib.analyses.stack_traces.model import Link, StackFrame

if TYPE_CHECKING:
    from prodintel_lib.analyses.stack_traces.model import Cut

_MORE: Final = re.compile(r"^(?:\.\.\. )?(?P<count>[0-9]+) (?:more|common frames omitted)")
_INNER_END: Final = "--- End of inner exception stack trace ---"
_SKIPPED: Final = ("--- End of stack trace from previous", "[CIRCULAR REFERENCE")
_OTHER_INNER: Final = "---> (Inner Exception #"
# V8 lists the errors of an AggregateError, which has no stack of its own: the first is read.
_ERRORS: Final = "[errors]: ["
_RUBY_RAISED: Final = re.compile(r":in [`'][^']*': (?P<message>.*?)(?: \((?P<type>[A-Z][\w:]*)\))?$")
_RUBY_CLASS: Final = re.compile(r"^(?P<type>(?:[A-Z]\w*::)*[A-Z]\w*)(?: \((?P<message>.*?)\)?:?|: (?P<said>.*))$")
_GOROUTINE: Final = re.compile(r"^goroutine [0-9]+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[")
_PANIC: Final = re.compile(
    r"(?:^|\s)(?P<kind>panic|fatal error|panic serving [^:\s]+:[0-9]+): (?P<message>.*?)(?: \[recovered.*\])?$"
)
_RUNTIME_ERROR: Final = re.compile(r"^runtime error: [a-z ]+[a-z]")
# The start of a trace whose last line or frame was cut off.
_BROKEN: Final = re.compile(r"^(?:a|at|\.{1,3}|at [^()]*(?:\([^)]*)?|C(?:a(?:u(?:s(?:e(?:d(?: (?:by?)?)?)?)?)?)?)?)$")


def read_at(lines: list[str]) -> tuple[str, tuple[Link, ...], Cut]:
    """Read a trace whose frames begin with ``at``, or name function and place around an ``@``."""
    reader = _AtReader()
    is_listed = False
    for line in lines:
        bare = line.strip()
        if bare.startswith(_OTHER_INNER):
            break
        if bare == _ERRORS:
            is_listed = True
            continue
        reader.take(line.rstrip().removesuffix(","))
        if is_listed and bare.startswith("at ") and bare.endswith(","):
            break
    return reader.language or "other", reader.finish(), reader.cut(lines)


class _AtReader:
    """Reads line after line: a header, its frames, the next header."""

    def __init__(self) -> None:
        self.language = ""
        self.links: list[Link] = []
        self.header: list[str] = []
        self.frames: dict[int, list[StackFrame]] = {}
        self.open: list[int] = []
        self.is_root_first = False
        self.suppressed_indent: int | None = None

    def take(self, line: str) -> None:
        bare, indent = line.strip(), len(line) - len(line.lstrip())
        if self._is_suppressed(bare, indent):
            return
        frame = self._frame(bare)
        more = _MORE.match(bare)
        if frame:
            self._open_links()
            self.frames.setdefault(self.open[-1], []).append(frame)
        elif more and self.open and not self.header:
            link = self.links[self.open[-1]]
            self.links[self.open[-1]] = Link(link.error_type, link.message, (), int(more["count"]))
        elif bare.startswith(_INNER_END):
            if len(self.open) > 1:
                self.open.pop()
        elif bare and not bare.startswith(_SKIPPED) and bare not in {"}", "]"}:
            self.header.append(bare)

    def _is_suppressed(self, bare: str, indent: int) -> bool:
        if bare.startswith("Suppressed: "):
            self.suppressed_indent = indent if self.suppressed_indent is None else min(self.suppressed_indent, indent)
            return True
        if self.suppressed_indent is None:
            return False
        if bare.startswith("Caused by: ") and indent < self.suppressed_indent:
            self.suppressed_indent = None
        return self.suppressed_indent is not None

    def _frame(self, bare: str) -> StackFrame | None:
        if not bare.startswith("at "):
            return at_sign_frame(bare) if "@" in bare and self.language in {"", "javascript"} else None
        # What one language prints can look like another's once a line is cut off.
        forms = {self.language: AT_FORMS[self.language]} if self.language in AT_FORMS else AT_FORMS
        for language, read in forms.items():
            frame = read(bare)
            if frame:
                self.language = self.language or language
                return frame
        return plain_frame(bare)

    def _open_links(self) -> None:
        """Begin the exceptions that the header names, when their first frame comes."""
        if self.links and not self.header:
            return
        found = read_headers(self.header)
        if self.links and not found:
            # Between frames, a line that names no exception is some remark.
            self.header = []
            return
        if self.header and self.header[0].startswith("Wrapped by: "):
            self.is_root_first = True
        first = len(self.links)
        self.links += found or [Link("", " ".join(self.header[-1:])[:MAX_MESSAGE_CHARS])]
        self.open = list(range(first, len(self.links)))
        self.header = []

    def finish(self) -> tuple[Link, ...]:
        links = [
            Link(link.error_type, link.message, tuple(self.frames.get(at, ())), link.more)
            for at, link in enumerate(self.links)
        ]
        if self.is_root_first:
            links.reverse()
        if self.header and self.header[0].startswith("Caused by: "):
            # The end of the trace is missing: the cause is known by name.
            links += read_headers(self.header[:1])
        return tuple(links)

    def cut(self, lines: list[str]) -> Cut:
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return "outer" if self._frame(last) is None and _BROKEN.match(last) else ""


def read_go(lines: list[str]) -> tuple[Link, ...]:
    """Read a panic with the stack of the goroutine that met it, or the stack of an error that carries one.

    The first panic is the cause of those that came while it was handled.
    """
    panics: list[tuple[str, str]] = []
    frames: list[StackFrame] = []
    goroutines = 0
    above = ""
    for line in lines:
        bare = line.strip()
        goroutines += _GOROUTINE.match(bare) is not None
        panic = _PANIC.search(bare) if not frames else None
        frame = plain_frame(bare, above) if goroutines < 2 and bare and not panic else None
        if panic and not bare.startswith("panic("):
            panics.append((panic["kind"], panic["message"]))
        elif frame and frame.path.endswith((".go", ".s")):
            frames.append(frame)
        above = bare
    thrown = max((at + 1 for at, frame in enumerate(frames) if frame.function == "panic"), default=0)
    stack = tuple(frames[thrown:])
    if not panics:
        first = next((line.strip() for line in lines if line.strip() and not _GOROUTINE.match(line.strip())), "")
        return (Link("", first[:MAX_MESSAGE_CHARS], stack),)
    links = [Link(_go_class(kind, message), message[:MAX_MESSAGE_CHARS]) for kind, message in reversed(panics)]
    links[-1] = Link(links[-1].error_type, links[-1].message, stack)
    return tuple(links)


def _go_class(kind: str, message: str) -> str:
    """Return what stands for the class: Go prints none, but the words of its runtime errors are fixed."""
    runtime = _RUNTIME_ERROR.match(message)
    return runtime[0] if runtime else kind.partition(" serving")[0]


def read_ruby(lines: list[str]) -> tuple[Link, ...]:
    """Read a backtrace of Ruby, also below a header of its own as loggers write it; a cause stands below."""
    links: list[tuple[str, str, list[StackFrame]]] = []
    header = ""
    for line in lines:
        bare = line.strip()
        frame = ruby_frame(bare)
        if frame is None:
            header = bare or header
            continue
        raised = _RUBY_RAISED.search(bare)
        if raised or not links:
            error_type, message = (raised["type"] or "", raised["message"]) if raised else _ruby_header(header)
            links.append((error_type, message[:MAX_MESSAGE_CHARS], []))
        links[-1][2].append(frame)
    return tuple(Link(error_type, message, tuple(frames)) for error_type, message, frames in links)


def _ruby_header(header: str) -> tuple[str, str]:
    match = _RUBY_CLASS.match(header)
    return (match["type"], match["message"] or match["said"] or "") if match else ("", header)


def read_plain(lines: list[str]) -> tuple[Link, ...]:
    """Read lines that begin with a file and a line number; what stands above them is the message."""
    frames: list[StackFrame] = []
    header: list[str] = []
    above = ""
    for line in lines:
        bare = line.strip()
        frame = plain_frame(bare, _rust_function(above))
        if frame:
            frames.append(StackFrame(frame.function or _rust_function(above), frame.path, frame.line))
        elif not frames and bare and not _rust_function(bare):
            header.append(bare)
        above = bare
    named = read_headers(header)
    error_type, message = (named[0].error_type, named[0].message) if named else split_header(" ".join(header[-1:]))
    panic = _PANIC.search(header[-1]) if header else None
    if panic:
        error_type, message = _go_class(panic["kind"], panic["message"]), panic["message"]
    return (Link(error_type, message, tuple(frames)),) if frames else ()


def _rust_function(line: str) -> str:
    """Return the function of a line of Rust's backtrace, which prints the file below: ``3: shop::tax::price``."""
    match = re.match(r"^[0-9]+:\s+(?:0x[0-9a-f]+ - )?(?P<function>[\w:<>{}$ #]+)$", line)
    return match["function"].strip() if match else ""
