"""Templates by what a line of them looks like: which template does this line have."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from prodintel_lib.analyses.log_templates.columns import ANSWERS, mixed_words, with_slots, with_word_as_slot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.log_templates.columns import Tokens


class TemplateIndex:
    """Finds the template of a line in a time that does not grow with the number of templates.

    Parameters
    ----------
    templates : iterable of (template, places)
        The places at which words, and not only masked values, are known to be values.
    """

    def __init__(self, templates: Iterable[tuple[Tokens, frozenset[int]]]) -> None:
        self._places: dict[int, set[tuple[int, ...]]] = defaultdict(set)
        self._templates: set[Tokens] = set()
        for template, places in templates:
            self._templates.add(template)
            if places:
                self._places[len(template)].add(tuple(sorted(places)))
        # Those that say the most of a line come first, and the order is always the same.
        self._in_turn = {length: sorted(places, key=lambda p: (len(p), p)) for length, places in self._places.items()}

    def find(self, line: Tokens) -> Tokens | None:
        """Return the template of a line, None where no template has it."""
        found = self._find_even(line)
        if found is not None:
            return found
        for start, end in mixed_words(line):
            found = self._find_even(with_word_as_slot(line, start, end))
            if found is not None:
                return found
        return None

    def _find_even(self, line: Tokens) -> Tokens | None:
        return line if line in self._templates else self.find_wider(line)

    def find_wider(self, line: Tokens) -> Tokens | None:
        """Return a template of a line, or of a template, that is not the line itself; None where there is none."""
        for places in self._in_turn.get(len(line), ()):
            template = with_slots(line, places)
            if (
                template in self._templates
                and template != line
                and not any(line[at].strip().lower() in ANSWERS for at in places)
            ):
                return template
        return None
