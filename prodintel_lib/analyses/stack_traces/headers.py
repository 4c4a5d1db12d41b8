"""The line above a stack trace: class and message of an exception, and of those it wraps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.model import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_MESSAGE_CHARS: Final = 500
MAX_HEADER_LINES: Final = 20
_PREFIX: Final = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" |Caused by: |Wrapped by: |\[cause\]: |\[?[Uu]nhandled [Ee]xception[.:]? |"
    r"Uncaught (?:\(in promise\) )?|---> |Error: (?=[A-Za-z_$.]+\.[A-Z]\w*(?:Exception|Error):))+"
)
_CLASS: Final = re.compile(
    r"^(?P<type>(?:[\w$]+[.\\])*[\w$]+)(?:`[0-9]+)?(?: \[[A-Z][A-Z0-9_]*\])?(?::(?:\s|$)|\s*\{?$)"
)
_KNOWN_CLASS: Final = re.compile(
    r"(?:^|[.\\])[A-Z]\w*(?:Error|Exception|Throwable|Failure|Fault|Interrupt|Warning|Panic|Timeout|Abort|Exit|Group)$|"
    r"^(?:[\w$]+[.\\])+[A-Z][\w$]*$|^Error$|^Exception$|^DOMException$"
)
# Within a line that says something first. Each name begins at a boundary, so that no text is read twice.
_WITHIN: Final = re.compile(r"(?<![\w$.\\])(?P<type>(?:[\w$]+[.\\])*[A-Z][\w$]*(?:Error|Exception|Throwable))(?::\s|$)")
_NESTED: Final = re.compile(r"(?:;\s*)?nested exception is (?=[\w$.]+(?::|\s|$))")
_INNER: Final = " ---> "


def read_headers(lines: Sequence[str]) -> tuple[Link, ...]:
    """Read the exceptions that the lines above frames name, the outermost first; empty if they name none.

    A class that a line begins with counts more than one within it, and the last such line counts: what stands before it
    is the log's own message.

    Examples
    --------
    >>> [(link.error_type, link.message) for link in read_headers(["a.B: no rate", "  for DE ---> c.D: null"])]
    [('a.B', 'no rate for DE'), ('c.D', 'null')]
    """
    kept = [line[: MAX_MESSAGE_CHARS * 2].strip() for line in lines if line.strip()][-MAX_HEADER_LINES:]
    for at in range(len(kept) - 1, -1, -1):
        bare = _PREFIX.sub("", kept[at])
        found = _CLASS.match(bare)
        # .NET writes each inner exception on a line of its own: the chain begins above them.
        is_inner = kept[at].startswith(_INNER.lstrip()) and at > 0
        if found and not is_inner and _KNOWN_CLASS.search(found["type"]):
            return _split_chain(" ".join([bare, *kept[at + 1 :]]))
    for at in range(len(kept) - 1, -1, -1):
        within = _WITHIN.search(kept[at])
        if within:
            return _split_chain(" ".join([kept[at][within.start() :], *kept[at + 1 :]]))
    return ()


def split_header(header: str) -> tuple[str, str]:
    """Return class and message of a line that is known to be a header, as ``Class: message``.

    Examples
    --------
    >>> split_header("shop.errors.Declined: card 4711"), split_header("KeyboardInterrupt")
    (('shop.errors.Declined', 'card 4711'), ('KeyboardInterrupt', ''))
    """
    name, _, message = header.partition(":")
    if re.fullmatch(r"[\w$.\\<>]+(?: \[[A-Z0-9_]+\])?", name.strip()):
        return name.strip().partition(" [")[0], message.strip().removesuffix(" {")[:MAX_MESSAGE_CHARS]
    return "", header.strip()[:MAX_MESSAGE_CHARS]


def _split_chain(header: str) -> tuple[Link, ...]:
    links: list[Link] = []
    for part in _NESTED.sub(_INNER, header).split(_INNER):
        if part.startswith("(Inner Exception #") and links:
            break
        error_type, message = split_header(part.removesuffix(" {"))
        links.append(Link(error_type, message))
    return tuple(links)
