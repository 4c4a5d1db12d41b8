"""The slots of a template: what stood there in real lines, and what kind of value it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.rollups.log_masks import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_EXAMPLES: Final = 5
VALUE_CHARS: Final = 200
ANY: Final = "*"
TEXT: Final = "text"
_MAX_SEQUENCE: Final = 6
_HEX: Final = "[0-9a-fA-F]"
_IP: Final = r"/?[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_DAY: Final = "[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
_CLOCK: Final = "[0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2}(?:[.,][0-9]+)?)?"
_DAY_IN_WORDS: Final = r"(?:[A-Z][a-z]{2},? )?(?:[A-Z][a-z]{2} [0-9]{1,2}|[0-9]{1,2} [A-Z][a-z]{2})\b.*"
# In the order in which they are tried.
_KINDS: Final = (
    ("ip", rf"{_IP}(?::[0-9]+)?"),
    ("number", r"[-+]?[0-9]+(?:[.,][0-9]+)*"),
    ("percent", r"[-+]?[0-9]+(?:\.[0-9]+)? ?%"),
    ("size", r"[0-9]+(?:[.,][0-9]+)* ?(?:[KMGTP]i?[Bb]|[Bb]|bytes?)(?: ?\([^()]*\))?"),
    ("duration", r"<?[0-9]+(?:[.,][0-9]+)* ?(?:ns|us|µs|ms|secs?|s|mins?|hrs?|h)"),
    ("time", rf"{_DAY}(?:[ T_-]{_CLOCK})?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?|{_CLOCK}|{_DAY_IN_WORDS}"),
    ("mac", rf"{_HEX}{{2}}(?::{_HEX}{{2}}){{5,}}"),
    ("ip", rf"{_HEX}{{0,4}}(?:::?{_HEX}{{1,4}}){{3,}}"),
    ("uuid", rf"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"),
    ("hex", rf"0[xX]{_HEX}+|(?=.*[0-9]){_HEX}{{6,}}"),
    ("url", r"[A-Za-z][A-Za-z0-9+.-]*://\S+"),
    ("email", r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"),
    ("path", r"(?:[A-Za-z]:\\|\.{0,2}/|~/|\\)\S*|[^\s/]+(?:/[^\s/]+){2,}/?"),
    ("host", r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+:[0-9]+"),
    ("name", r"[A-Za-z_$][A-Za-z0-9_$-]*(?:\.[A-Za-z0-9_$-]+)+"),
    ("id", r"[^\s,;]*[0-9][^\s,;]*"),
    ("word", r"[^\s,;]+"),
    (TEXT, r"[^,;]+"),
    ("list", r"[^\s,;]+(?:[\s,;]+[^\s,;]+)*[\s,;]*"),
)
# Words of letters, up to a sign that parts them from what varies.
_PREFIX: Final = re.compile(r"[A-Za-z]+(?:[_.-][A-Za-z]+)*[_.:#-]")
_PATTERNS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a template.

    Attributes
    ----------
    position : int
        The number of the slot, from 0.
    kind : str
        ``number``, ``ip``, ``path`` ...: what all the values seen are; ``number path``, where all are a number and a
        path; ``*`` where they are of several kinds or none was seen.
    prefix : str
        What all the values begin with, if that is a word of its own (``blk_``, ``core.``); ``kind`` is what follows.
    examples : tuple of str
        Up to MAX_EXAMPLES different values, the smallest first, as they came.
    """

    position: int
    kind: str
    prefix: str
    examples: tuple[str, ...]


def find_slots(tokens: Sequence[str], lines: Iterable[str]) -> tuple[Slot, ...]:
    """Find what stood in the slots of a template.

    Parameters
    ----------
    tokens : sequence of str
        The template.
    lines : iterable of str
        Lines that have it, as rollups.log_masks.clean_line leaves them. One that cannot be laid over the template
        without doubt is left out.

    Examples
    --------
    >>> find_slots(("lost", " <*>"), ["lost blk_12", "lost blk_7"])
    (Slot(position=0, kind='number', prefix='blk_', examples=('blk_12', 'blk_7')),)
    """
    pieces = "".join(tokens).split(SLOT)
    found: list[set[str]] = [set() for _ in pieces[1:]]
    for line in lines:
        for values, value in zip(found, _laid_over(pieces, line), strict=False):
            if value:
                values.add(value[:VALUE_CHARS])
    return tuple(_slot(at, values) for at, values in enumerate(found))


def render_template(tokens: Sequence[str], slots: Sequence[Slot]) -> str:
    """Return the text of a template with the kind of each slot in its place.

    Examples
    --------
    >>> render_template(("paid", " <*>"), [Slot(0, "number", "", ("7",))])
    'paid <number>'
    """
    pieces = "".join(tokens).split(SLOT)
    kinds = [slot.prefix + " ".join(f"<{kind}>" for kind in slot.kind.split()) for slot in slots]
    return "".join(part for pair in zip(pieces, [*kinds, ""], strict=True) for part in pair).strip()


def find_kind(value: str) -> str:
    """Return what kind of value a text is.

    Examples
    --------
    >>> find_kind("10.0.0.7:443"), find_kind("12 ms"), find_kind("blk_-77")
    ('ip', 'duration', 'id')
    """
    text = value.strip().strip("\"'")
    return next((kind for kind, pattern in _PATTERNS if text and pattern.fullmatch(text)), ANY)


def _slot(position: int, values: set[str]) -> Slot:
    shared = _shared(min(values), max(values)) if len(values) > 1 else ""
    found = _PREFIX.match(shared)
    prefix = found[0] if found else ""
    kinds = {_kinds_in_turn(value[len(prefix) :]) for value in values}
    return Slot(position, kinds.pop() if len(kinds) == 1 else ANY, prefix, tuple(sorted(values)[:MAX_EXAMPLES]))


def _shared(one: str, other: str) -> str:
    """Return what two texts begin with; of the smallest and the largest of several, it is what all begin with."""
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def _kinds_in_turn(value: str) -> str:
    """Return the kind of a value, and of each where there are a few with blanks between them."""
    kind = find_kind(value)
    parts = [find_kind(part) for part in value.split()]
    is_sequence = kind == TEXT and len(parts) <= _MAX_SEQUENCE and not {"word", ANY} & set(parts)
    return " ".join(parts) if is_sequence else kind


def _laid_over(pieces: Sequence[str], line: str) -> list[str]:
    """Return what stands between the constant pieces of a template; nothing where they are not all there in turn."""
    if not line.startswith(pieces[0]) or not line.endswith(pieces[-1]):
        return []
    values: list[str] = []
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        # An empty piece, between two slots, cannot say where the first ends.
        end = line.find(piece, at) if piece else -1
        if end < 0:
            return []
        values.append(line[at:end].strip())
        at = end + len(piece)
    if len(pieces) > 1:
        end = len(line) - len(pieces[-1])
        if end < at:
            return []
        values.append(line[at:end].strip())
    return values
