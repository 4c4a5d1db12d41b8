"""Templates learned from distinct lines, in rounds of bounded size."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.log_templates.columns import join_lines
from prodintel_lib.analyses.log_templates.matching import TemplateIndex
from prodintel_lib.analyses.log_templates.settling import split_tokens
from prodintel_lib.rollups.log_masks import SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.log_templates.columns import Tokens

FIRST_LINES: Final = 2_000
MAX_ROUNDS: Final = 5
"""Each round takes twice as many lines as the one before: 62,000 in all."""


class Learner:
    """Learns templates from the lines that come most often, and looks the others up.

    Lines are joined in rounds, so that memory stays bounded however many there are. The first takes FIRST_LINES; those
    of the others that none of its templates has go on to the second, which takes twice as many, and so on for
    MAX_ROUNDS. What is left then has no template.

    Parameters
    ----------
    known : mapping of template to (rows, places)
        Templates of an earlier time: a line that has one of them keeps it, and new lines may widen it.
    values : frozenset of str
        Words that are known to be values.

    Attributes
    ----------
    templates : dict of tokens to (rows, places)
        What was learned, the known ones included, as they are after the last round.
    became : dict of tokens to tokens
        For every template there ever was, what it is part of now.
    """

    def __init__(self, known: Mapping[Tokens, tuple[int, frozenset[int]]], *, values: frozenset[str]) -> None:
        self._values = values
        self.templates = dict(known)
        self.became: dict[Tokens, Tokens] = {template: template for template in known}

    def learn(self, settled: Sequence[str], rows: Sequence[int]) -> list[Tokens | None]:
        """Return the template of every line, None for those beyond the last round.

        Parameters
        ----------
        settled : sequence of str
            Distinct settled shapes: those that count most first.
        rows : sequence of int
            How often each was logged.
        """
        found: list[Tokens | None] = [None] * len(settled)
        left = self._look_up(range(len(settled)), settled, rows, found)
        for number in range(MAX_ROUNDS):
            if not left:
                break
            size = FIRST_LINES << number
            chosen, rest = left[:size], left[size:]
            self._join({at: split_tokens(settled[at]) for at in chosen}, rows, found)
            left = self._look_up(rest, settled, rows, found)
        return [None if template is None else self._now(template) for template in found]

    def _look_up(
        self, places: Sequence[int], settled: Sequence[str], rows: Sequence[int], found: list[Tokens | None]
    ) -> list[int]:
        """Set the templates of the lines at some places, and return the places of those that have none."""
        if not self.templates or not places:
            return list(places)
        index = TemplateIndex((template, words) for template, (_, words) in self.templates.items())
        left = []
        for at in places:
            template = index.find(split_tokens(settled[at]))
            if template is None:
                left.append(at)
            else:
                found[at] = template
                count, words = self.templates[template]
                self.templates[template] = (count + rows[at], words)
        return left

    def _join(self, lines: Mapping[int, Tokens], rows: Sequence[int], found: list[Tokens | None]) -> None:
        """Join new lines with each other and with the templates there are."""
        counts: dict[Tokens, int] = defaultdict(int)
        for template, (count, _) in self.templates.items():
            counts[template] += count
        for at, line in lines.items():
            counts[line] += rows[at]
        joined = self._absorbed(join_lines(counts, values=self._values))
        sums: dict[Tokens, int] = defaultdict(int)
        words: dict[Tokens, set[int]] = defaultdict(set)
        for line, template in joined.items():
            sums[template] += counts[line]
            words[template] |= _word_places(line, template)
        for old, (_, places) in self.templates.items():
            if len(old) == len(joined[old]):
                words[joined[old]] |= places
            self.became[old] = joined[old]
        for at, line in lines.items():
            found[at] = joined[line]
        self.templates = {template: (sums[template], frozenset(words[template])) for template in sorted(sums)}
        for template in self.templates:
            self.became[template] = template

    def _absorbed(self, joined: Mapping[Tokens, Tokens]) -> dict[Tokens, Tokens]:
        """Let a template that fits a wider one be part of it, as a line that came later would be."""
        words: dict[Tokens, set[int]] = defaultdict(set)
        for line, template in joined.items():
            words[template] |= _word_places(line, template)
        for template, (_, places) in self.templates.items():
            if joined[template] == template:
                words[template] |= places
        index = TemplateIndex((template, frozenset(places)) for template, places in words.items())
        wider = {template: index.find_wider(template) or template for template in words}

        def widest(template: Tokens) -> Tokens:
            # A wider one has more slots, so that this ends.
            while wider[template] != template:
                template = wider[template]
            return template

        return {line: widest(template) for line, template in joined.items()}

    def _now(self, template: Tokens) -> Tokens:
        while self.became[template] != template:
            template = self.became[template]
        return template


def _word_places(line: Tokens, template: Tokens) -> set[int]:
    if len(line) != len(template):
        return set()
    return {at for at, token in enumerate(template) if token.endswith(SLOT) and not line[at].endswith(SLOT)}
