"""Which words of otherwise equal lines are values: the place they stand at decides, and how many there are.

Two lines that differ in a word say two things (``Link ok``, ``Link error``) or one thing of two (``domain usr is
full``, ``domain home is full``). What tells them apart in logs of any system:

- a place that holds a masked value in one line holds values in the others
- a word after a preposition and a noun for things that have names (``for user root``, ``on host web``) is a name
- a word in brackets after a value names it once more (``process 17 (nginx)``)
- a place where only words stand that are values elsewhere (``user=root``) holds values
- words for what happened are few and come again; an open set, where there are many or where many come once, is of names
- a line must keep words of its own, or nothing says that it is the same line
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from prodintel_lib.rollups.log_masks import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Tokens: TypeAlias = tuple[str, ...]

MIN_WORDS: Final = 2
"""Words that must stay for lines to be joined."""
OPEN_VALUES: Final = 20
"""As many different words at one place are an open set, however often each comes."""
FEW_VALUES: Final = 5
"""Fewer are not judged by how often they come."""
MANY_VALUES: Final = 10
"""The same at the place a line begins with, which mostly says what happened, and where only one word would be left."""
ONCE_SHARE: Final = 0.3
"""Of an open set, at least this share of the words comes once in a sample (Good and Turing: where words still come for
the first time, more will)."""
MIN_KNOWN: Final = 3
"""Words that are values elsewhere, for a place in a line that would keep one word only."""
MAX_PASSES: Final = 8
_BLANK_SLOT: Final = " " + SLOT
_RARE_LINES: Final = 2
_FRAME_LINES: Final = 8
_DISTINCT_SHARE: Final = 0.6
_MAX_COLUMNS: Final = 120
ANSWERS: Final = frozenset(
    {
        *("true", "false", "yes", "no", "on", "off", "null", "none", "nil", "ok", "failed", "success", "error"),
        *("up", "down", "enabled", "disabled", "empty", "unknown"),
    }
)
"""Truth values and their like: they say what happened, wherever they stand."""
_PREPOSITIONS: Final = frozenset({"for", "of", "by", "from", "to", "on", "in", "at", "with", "as", "via", "using"})
_ARTICLES: Final = frozenset({"the", "a", "an"})
_NAMED: Final = frozenset(
    {
        *("user", "host", "node", "server", "client", "file", "directory", "folder", "path", "domain", "interface"),
        *("device", "driver", "service", "process", "module", "package", "database", "table", "queue", "topic"),
        *("bucket", "container", "pod", "image", "volume", "role", "group", "account", "tenant", "key", "class"),
    }
)


def join_lines(lines: Mapping[Tokens, int], *, values: frozenset[str] = frozenset()) -> dict[Tokens, Tokens]:
    """Join lines that differ only in values.

    Parameters
    ----------
    lines : mapping of tokens to rows
        As settling.split_tokens makes them, and how often each was logged.
    values : frozenset of str
        Words, in small letters, that are known to be values elsewhere.

    Returns
    -------
    dict of tokens to tokens
        The template of every line: its tokens with SLOT at the places of values. The order of the lines does not count.
    """
    templates = {line: line for line in sorted(lines)}
    rows = {line: lines[line] for line in templates}
    for _ in range(MAX_PASSES):
        joined = _join_columns(rows, values) or _join_words(rows) or _join_frames(rows)
        if not joined:
            break
        values |= _replaced(joined)
        templates = {line: joined.get(template, template) for line, template in templates.items()}
        rows = _summed(rows, joined)
    return templates


@lru_cache(maxsize=65_536)
def is_word(token: str) -> bool:
    """Whether a token is a word, and neither a slot nor punctuation."""
    return not token.endswith(SLOT) and any(sign.isalnum() for sign in token)


def count_words(tokens: Iterable[str]) -> int:
    """Count the words of two letters or more."""
    return sum(1 for token in tokens if is_word(token) and sum(sign.isalpha() for sign in token) > 1)


def with_slots(line: Tokens, places: Iterable[int]) -> Tokens:
    """Return the line with SLOT at some places, each with the blank it had before it."""
    tokens = list(line)
    for at in places:
        tokens[at] = _BLANK_SLOT if tokens[at].startswith(" ") else SLOT
    return tuple(tokens)


def mixed_words(line: Tokens) -> Iterable[tuple[int, int]]:
    """Yield start and end of each word between blanks that holds a slot and something else."""
    starts = [at for at, token in enumerate(line) if at == 0 or token.startswith(" ")]
    for start, end in pairwise([*starts, len(line)]):
        if end - start > 1 and any(token.endswith(SLOT) for token in line[start:end]):
            yield start, end


def with_word_as_slot(line: Tokens, start: int, end: int) -> Tokens:
    """Return the line with one slot for a word that mixed_words found."""
    return (*line[:start], _BLANK_SLOT if line[start].startswith(" ") else SLOT, *line[end:])


def _summed(rows: Mapping[Tokens, int], joined: Mapping[Tokens, Tokens]) -> dict[Tokens, int]:
    sums: dict[Tokens, int] = defaultdict(int)
    for line, count in rows.items():
        sums[joined.get(line, line)] += count
    return {line: sums[line] for line in sorted(sums)}


def _replaced(joined: Mapping[Tokens, Tokens]) -> frozenset[str]:
    """Return the words in whose place a slot was put."""
    return frozenset(
        token.strip().lower()
        for line, template in joined.items()
        if len(line) == len(template)
        for token, now in zip(line, template, strict=True)
        if now.endswith(SLOT) and is_word(token)
    )


def _join_columns(rows: Mapping[Tokens, int], known: frozenset[str]) -> dict[Tokens, Tokens]:
    """Join lines that differ in one word only, the largest groups first."""
    groups: dict[tuple[int, int, int], list[Tokens]] = defaultdict(list)
    for line in rows:
        if len(line) <= _MAX_COLUMNS:
            for place, before, after in _surroundings(line):
                groups[place, before, after].append(line)
    joined: dict[Tokens, Tokens] = {}
    candidates = ((place, members) for (place, _, _), members in groups.items() if len(members) > 1)
    for place, members in sorted(candidates, key=lambda group: (-len(group[1]), group[0], group[1][0])):
        left = [line for line in members if line not in joined]
        values = _values_at(place, left, rows, known)
        joined |= {line: with_slots(line, [place]) for line in left if line[place] in values}
    return joined


def _surroundings(line: Tokens) -> Iterable[tuple[int, int, int]]:
    """Yield each place of a word or a slot with what stands before and after it, as numbers quick to compare."""
    before, after = [0], [0]
    for token in line:
        before.append(hash((before[-1], token)))
    for token in reversed(line):
        after.append(hash((after[-1], token)))
    for place, token in enumerate(line):
        if is_word(token) or token.endswith(SLOT):
            yield place, before[place], after[len(line) - place - 1]


def _values_at(
    place: int, members: Sequence[Tokens], rows: Mapping[Tokens, int], known: frozenset[str]
) -> frozenset[str]:
    """Return the words at a place of otherwise equal lines that are values, the slot among them; empty if none is."""
    if len(members) < 2:
        return frozenset()
    line = members[0]
    rest = line[:place] + line[place + 1 :]
    words = count_words(rest)
    counts = {member[place]: rows[member] for member in members}
    values = frozenset(token for token in counts if token.strip().lower() not in ANSWERS)
    if len(values) < 2 or not words:
        return frozenset()
    few = FEW_VALUES if words >= MIN_WORDS and place else MANY_VALUES
    is_value = (
        (words >= MIN_WORDS and (any(token.endswith(SLOT) for token in values) or _is_name_place(line, place)))
        or (
            (words >= MIN_WORDS or len(values) >= MIN_KNOWN)
            and all(token.strip().lower() in known or token.endswith(SLOT) for token in values)
        )
        or _is_open([counts[token] for token in values], few=few)
    )
    return values if is_value else frozenset()


def _is_name_place(line: Tokens, place: int) -> bool:
    """Whether a word stands where names do: after a preposition and what bears names, or in brackets after a value."""
    if line[place - 1 : place] == (" (",) and line[place + 1 : place + 2] == (")",):
        return place > 1 and line[place - 2].endswith(SLOT)
    before = [token.strip().lower() for token in line[max(0, place - 3) : place]]
    if len(before) < 2 or before[-1] not in _NAMED or not line[place].startswith(" "):
        return False
    governed = before[:-1] if before[-2] not in _ARTICLES else before[:-2]
    return bool(governed) and governed[-1] in _PREPOSITIONS


def _is_open(counts: Sequence[int], *, few: int) -> bool:
    once = sum(count == 1 for count in counts)
    return len(counts) >= OPEN_VALUES or (len(counts) >= few and once >= ONCE_SHARE * len(counts))


def _join_words(rows: Mapping[Tokens, int]) -> dict[Tokens, Tokens]:
    """Join a line that has a word with a slot in it to the line that has a slot alone in its place.

    ``web:<*> is down`` and ``<*> is down`` differ in how much of one value was masked.
    """
    joined: dict[Tokens, Tokens] = {}
    for line in rows:
        for start, end in mixed_words(line):
            whole = with_word_as_slot(line, start, end)
            if whole in rows and count_words(whole) >= MIN_WORDS:
                joined[line] = whole
                break
    return {line: joined.get(whole, whole) for line, whole in joined.items()}


def _join_frames(rows: Mapping[Tokens, int]) -> dict[Tokens, Tokens]:
    """Join lines that share most of their words and differ in several places, at each of which nearly all differ."""
    frames: dict[Tokens, list[Tokens]] = defaultdict(list)
    for members in _of_one_form(rows):
        lines_with: dict[tuple[int, str], int] = defaultdict(int)
        for line in members:
            for column in enumerate(line):
                lines_with[column] += 1
        for line in members:
            rare = [at for at, token in enumerate(line) if is_word(token) and lines_with[at, token] <= _RARE_LINES]
            frame = with_slots(line, rare)
            # Where one word differs, the columns have been asked.
            if len(rare) > 1 and count_words(frame) >= max(MIN_WORDS, len(rare)):
                frames[frame].append(line)
    joined: dict[Tokens, Tokens] = {}
    for frame, members in frames.items():
        if len(members) >= _FRAME_LINES and _all_differ(frame, members):
            joined |= dict.fromkeys(members, frame)
    return joined


def _of_one_form(rows: Mapping[Tokens, int]) -> Iterable[list[Tokens]]:
    forms: dict[Tokens, list[Tokens]] = defaultdict(list)
    for line in rows:
        forms[tuple("w" if is_word(token) or token.endswith(SLOT) else token for token in line)].append(line)
    return (members for members in forms.values() if len(members) >= _FRAME_LINES)


def _all_differ(frame: Tokens, members: Sequence[Tokens]) -> bool:
    places = [at for at, token in enumerate(frame) if token.endswith(SLOT) and token != members[0][at]]
    return all(len({line[at] for line in members}) >= _DISTINCT_SHARE * len(members) for at in places)
