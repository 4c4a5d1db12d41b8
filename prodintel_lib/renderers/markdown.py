"""Text from production in Markdown: read as it is written, and never as markup, mention, reference or command."""

from __future__ import annotations

import re
from typing import Final

JOINER: Final = "\N{WORD JOINER}"
"""Invisible and without width: what stands on its two sides is no longer one word to a tracker."""

_MARKUP: Final = frozenset(r"\`*_[]<>#|!&~$")
# Trackers look for these in the text that Markdown leaves, where a backslash is gone: mentions, references to issues,
# merge requests, labels, milestones and epics.
_TRIGGERS: Final = re.compile(r"[@#!~%&](?=[\w\"{])")
# What is linked or drawn by itself: addresses, GH-12, and :emoji:.
_LINKED: Final = re.compile(
    r"://|\bwww\.|\bGH-(?=[0-9])|:(?=[A-Za-z_+-][A-Za-z0-9_+-]*:)|\b(?:mailto|xmpp):", re.IGNORECASE
)


def one_line(text: str) -> str:
    r"""Return a text on one line, without characters that cannot be seen or turn others around.

    Examples
    --------
    >>> one_line("a\n b\u202e")
    'a b'
    """
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def inert(text: str) -> str:
    """Return a text on one line that no tracker acts upon, for where no markup is read: a title.

    Examples
    --------
    >>> inert("fixes #1 for @team").replace(JOINER, "|")
    'fixes #|1 for @|team'
    """
    joined = _TRIGGERS.sub(lambda found: found[0] + JOINER, one_line(text))
    return _LINKED.sub(lambda found: found[0][0] + JOINER + found[0][1:], joined)


def plain(text: str) -> str:
    r"""Return a text as Markdown that shows it as it is, on one line.

    Examples
    --------
    >>> plain("**a** #1").replace(JOINER, "|")
    '\\*\\*a\\*\\* \\#|1'
    """
    escaped = "".join(f"\\{letter}" if letter in _MARKUP else letter for letter in inert(text))
    # At the start of a line these would begin a list, or draw one.
    return re.sub(r"^([-+=]|[0-9]+(?:[.)](?=\s|$)|$))", JOINER + r"\1", escaped)


def code(text: str) -> str:
    """Return a text as inline code: nothing in it is read as markup, and it is fenced by more ticks than it holds.

    Examples
    --------
    >>> code("a`b")
    '`` a`b ``'
    """
    line = one_line(text)
    ticks = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    room = " " if line.startswith("`") or line.endswith("`") or len(ticks) > 1 else ""
    return f"{ticks}{room}{line or ' '}{room}{ticks}"
