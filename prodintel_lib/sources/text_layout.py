"""How the lines of one text log are laid out: learnt from its first lines, since nothing in the file says it.

A layout is where the time stands and how it is written, which word is the level, and whether a logger's name comes
before the message. Nothing is known of any one program: a place is taken where most lines have a time, a level or a
name there. A file may mix a few layouts, as the output of a container with several programs does.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.log_levels import LEVEL_NUMBERS
from prodintel_lib.sources.log_times import FOUND_SHAPES, TimeShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

SAMPLE_LINES: Final = 500
MAX_LAYOUTS: Final = 4
_SEARCHED_CHARS: Final = 200
_MAX_TOKENS: Final = 8
_LEVEL_TOKENS: Final = 8
_MIN_SHARE: Final = 0.5
_LEVEL_SHARE: Final = 0.6
_LETTER_SHARE: Final = 0.95
_LOGGER_SHARE: Final = 0.8
_NEXT_SHARE: Final = 0.2
_EARLIEST_EPOCH_S: Final = 631_152_000
_LATEST_EPOCH_S: Final = 2**31
# Ids that happen to have ten digits do not all lie within a few years.
_EPOCH_SPAN_S: Final = 5 * 366 * 86_400
_WORD_BEFORE: Final = re.compile(r"\S+\s+")
_WORDS: Final = re.compile(r"[A-Za-z]{2,}")
# A name before a colon, or one with dots in it before anything.
_LOGGER: Final = (
    r"^(?:\[[^\]]*\]\s+)?(?:([A-Za-z_][\w.$@/-]*(?:\[[0-9]+\])?)(?::| -)\s+"
    r"|([A-Za-z_][\w$-]*(?:\.[A-Za-z_][\w$-]*)+)\s+)"
)
_ONE_NAME: Final = r"^\W*([A-Za-z_][\w.$/-]*)\W*$"
# What may stand right before a time: logfmt's name of it, and signs.
_OPEN: Final = r"(?:[A-Za-z@_.]{1,20}=)?[\[(<\"'|]*"
# What is between a time or a level and what comes next.
_CLOSE: Final = r"[\])>\"'|,;:]*(?:\s+-+\s+|\s+\|\s*|\s+|$)?"
# Names between separators: the first line of a table.
_HEADER: Final = re.compile(r"^[\"']?[\w.@-][\w .@-]*[\"']?(?:[,;\t][\"']?[\w .@-]+[\"']?)+$")
_STACK_LINE: Final = re.compile(
    r"^(?:\s|$|Caused by: |Traceback \(|Stack trace:|\[stacktrace\]|#[0-9]+ |goroutine [0-9]|[})\]])"
)


@dataclass(frozen=True, slots=True)
class TimePlace:
    """Where lines have their time, and what follows it.

    Attributes
    ----------
    shape : TimeShape
    token : int
        How many words come before it.
    level_token : int or None
        Which of the words after the time is the level; None where there is no such column.
    level_before : int or None
        Which of the words before the time is the level.
    has_logger : bool
        Whether a logger's name and a colon begin what comes after the level, or after the time where there is none.
    names_before_level : bool
        Whether what stands between time and level is the logger's name.
    """

    shape: TimeShape
    token: int
    level_token: int | None = None
    level_before: int | None = None
    has_logger: bool = False
    names_before_level: bool = False

    @property
    def pattern(self) -> str:
        """The line as a pattern with three groups: what comes before the time, the time, what comes after it."""
        return rf"(?s)^((?:\S+\s+){{{self.token}}}{_OPEN})({self.shape.pattern}){_CLOSE}(.*)$"

    @property
    def time(self) -> str:
        """The beginning of a line with one group, the time: many times faster than to have the rest as groups too."""
        return rf"^(?:\S+\s+){{{self.token}}}{_OPEN}({self.shape.pattern})"

    @property
    def lead(self) -> str:
        """The beginning of a line up to what comes after the time."""
        return rf"^(?:\S+\s+){{{self.token}}}{_OPEN}{self.shape.pattern}{_CLOSE}"

    @property
    def start(self) -> str:
        """The beginning of a line that has its time here."""
        return rf"^(?:\S+\s+){{{self.token}}}{_OPEN}{self.shape.pattern}(?:[\s\])>\"'|,;:-]|$)"


def learn_layout(lines: Sequence[str]) -> tuple[TimePlace, ...]:
    """Return where lines have their times, the most common place first; none where most have no time.

    Parameters
    ----------
    lines : sequence of str
        The first lines of a file; lines of stack traces and blank ones do not count.
    """
    heads = [line[:_SEARCHED_CHARS] for line in lines if not _STACK_LINE.match(line)][:SAMPLE_LINES]
    places: list[TimePlace] = []
    left = heads
    while left and len(places) < MAX_LAYOUTS:
        best = _best_place(left, least=_NEXT_SHARE)
        if best is None:
            break
        pattern = re.compile(best.pattern)
        matches = [found for line in left if (found := pattern.match(line))]
        left = [line for line in left if not pattern.match(line)]
        if not matches or (places and len(matches) < 2):
            break
        places.append(_with_columns(best, [found[1] for found in matches], [found[3] for found in matches]))
    return tuple(places) if len(heads) - len(left) >= _MIN_SHARE * len(heads) else ()


def is_text_log(head: bytes) -> bool:
    r"""Say whether a file is a text log: most of its first lines have a time at one place, and words after it.

    Examples
    --------
    >>> is_text_log(b"2025-09-29 14:20:00,123 ERROR pay: no answer\n2025-09-29 14:20:01,007 INFO pay: trying again\n")
    True
    >>> is_text_log(b"time,value\n2025-09-29 14:20:00,1.5\n2025-09-29 14:21:00,1.7\n")
    False
    """
    if b"\0" in head or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"", b"{"}:
        return False
    lines = first_lines(head)
    if _is_document(lines):
        return False
    places = learn_layout(lines)
    return bool(places) and not _is_table(lines, places[0])


def first_lines(head: bytes) -> list[str]:
    """Return the first lines of a text, without one that was cut."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    lines = text.split("\n")
    if len(lines) > SAMPLE_LINES:
        lines = lines[: SAMPLE_LINES + 1]
    return [line.rstrip("\r") for line in (lines[:-1] if len(lines) > 1 else lines)]


def _is_document(lines: Sequence[str]) -> bool:
    """Say whether a text is JSON, XML or a licence rather than lines."""
    first = next((line.strip() for line in lines if line.strip()), "")
    is_xml = first[:1] == "<" and first[-1:] == ">"
    return is_xml or first in {"[", "[{", "---"} or first.startswith(("[{", "<?", "<!", '["', "- id", "#", "%"))


def _is_table(lines: Sequence[str], place: TimePlace) -> bool:
    """Say whether lines are a table's rows: as many separators in each as in a header or right beside the time."""
    filled = [line for line in lines if line.strip()]
    time = re.compile(place.shape.pattern)
    has_header = time.search(filled[0]) is None
    bare = [(line, found) for line in filled if (found := time.search(line))]
    if has_header and _HEADER.match(filled[0]):
        sign = max(",;\t", key=filled[0].count)
        full = sum(line.count(sign) >= filled[0].count(sign) for line, _ in bare)
        if full >= 0.9 * len(bare):
            return True
    if place.level_token is not None or place.level_before is not None:
        return False
    for sign in ",;\t":
        counts = Counter(line.count(sign) - found[0].count(sign) for line, found in bare)
        (count, times), *_ = counts.most_common(1)
        beside = sum(
            line[found.end() : found.end() + 2].strip("\"' ")[:1] == sign
            or line[: found.start()].rstrip("\"' ")[-1:] == sign
            for line, found in bare
        )
        is_even = count >= 1 and times >= 0.9 * len(bare)
        if is_even and (beside >= 0.9 * len(bare) or (has_header and filled[0].count(sign) == count)):
            return True
    after = [line[found.end() :] for line, found in bare]
    return sum(len(_WORDS.findall(rest)) >= 1 for rest in after) < _MIN_SHARE * len(bare)


def _best_place(lines: Sequence[str], *, least: float) -> TimePlace | None:
    """Return the place at which most lines have a time; of equals the shape that leaves least to be assumed."""
    counts: Counter[tuple[int, int]] = Counter()
    texts: dict[tuple[int, int], list[str]] = {}
    for line in lines:
        for rank, (_, pattern) in enumerate(FOUND_SHAPES):
            found = pattern.search(line)
            if found and (token := len(_WORD_BEFORE.findall(line[: found.start()]))) <= _MAX_TOKENS:
                key = (rank, token)
                counts[key] += 1
                texts.setdefault(key, []).append(found[0])
    sound = {
        key: count
        for key, count in counts.items()
        if count >= least * len(lines) and (FOUND_SHAPES[key[0]][0].name != "epoch" or _is_epoch(texts[key]))
    }
    if not sound:
        return None
    most = max(sound.values())
    near = [key for key, count in sound.items() if count >= 0.9 * most]
    rank, token = min(near, key=lambda key: (_doubt(FOUND_SHAPES[key[0]][0], texts[key]), key))
    return TimePlace(FOUND_SHAPES[rank][0], token)


def _doubt(shape: TimeShape, texts: Sequence[str]) -> int:
    """Return how much of a time has to be assumed: nothing, the zone, or the year too."""
    if shape.name == "epoch" or re.search(r"(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})$", texts[0]):
        return 0
    return 2 if "year" in shape.assumed else 1


def _is_epoch(texts: Sequence[str]) -> bool:
    seconds = [int(text[:10]) for text in texts]
    return (
        min(seconds) > _EARLIEST_EPOCH_S
        and max(seconds) < _LATEST_EPOCH_S
        and max(seconds) - min(seconds) < _EPOCH_SPAN_S
    )


def _with_columns(place: TimePlace, befores: Sequence[str], rests: Sequence[str]) -> TimePlace:
    """Find the level's column and the logger's."""
    level = _level_token([rest.split(None, _LEVEL_TOKENS)[:_LEVEL_TOKENS] for rest in rests])
    level_before = None if level is not None else _level_token([before.split() for before in befores])
    if level is None:
        messages, between = rests, []
    else:
        parts = [rest.split(None, level + 1) for rest in rests]
        messages = [part[level + 1] if len(part) > level + 1 else "" for part in parts]
        between = [" ".join(part[:level]) for part in parts]
    return TimePlace(
        place.shape,
        place.token,
        level_token=level,
        level_before=level_before,
        has_logger=_logger_share([message.lstrip(":-|> ") for message in messages]) >= _LOGGER_SHARE,
        names_before_level=bool(level) and _share(_ONE_NAME, between) >= _LOGGER_SHARE,
    )


def _level_token(rows: Sequence[Sequence[str]]) -> int | None:
    best: tuple[float, int] | None = None
    for token in range(_LEVEL_TOKENS):
        words = [bare_level(row[token]) for row in rows if len(row) > token]
        known = [word for word in words if word in LEVEL_NUMBERS]
        letters = sum(len(word) == 1 for word in known)
        needed = _LETTER_SHARE if letters > len(known) / 2 else _LEVEL_SHARE
        share = len(known) / len(rows)
        if share >= needed and (best is None or share > best[0]):
            best = (share, token)
    return best[1] if best else None


def bare_level(word: str) -> str:
    """Return a word without the signs around it, in capitals: of ``[core:error]`` the last part.

    Examples
    --------
    >>> bare_level("[core:error]"), bare_level("Info:"), bare_level("<W>")
    ('ERROR', 'INFO', 'W')
    """
    return word.strip("[](){}<>|,;:-*\"'").rsplit(":", 1)[-1].upper()


def bare_levels(word: pl.Expr) -> pl.Expr:
    """Do what `bare_level` does, for a column."""
    return word.str.strip_chars("[](){}<>|,;:-*\"'").str.extract("([^:]*)$", 1).str.to_uppercase()


def logger_of(message: pl.Expr) -> pl.Expr:
    """Return the logger's name that begins a message; null where none does."""
    lead = message.str.strip_suffix(after_logger(message)).str.strip_chars_end(" :-\t")
    return lead.str.extract(r"(\S+)$", 1)


def one_name(text: pl.Expr) -> pl.Expr:
    """Return the only word of a text; null where there are several."""
    return text.str.extract(_ONE_NAME, 1)


def after_logger(message: pl.Expr) -> pl.Expr:
    """Return a message without the logger's name that begins it."""
    return message.str.replace(_LOGGER, "")


def _logger_share(messages: Sequence[str]) -> float:
    """Return the share of messages that begin with a name; a level that not all lines have is none."""
    pattern = re.compile(_LOGGER)
    found = [match for message in messages if (match := pattern.match(message))]
    named = sum(bare_level(match[1] or match[2]) not in LEVEL_NUMBERS for match in found)
    return named / len(messages) if messages else 0.0


def _share(pattern: str, texts: Sequence[str]) -> float:
    compiled = re.compile(pattern)
    return sum(compiled.match(text) is not None for text in texts) / len(texts) if texts else 0.0
