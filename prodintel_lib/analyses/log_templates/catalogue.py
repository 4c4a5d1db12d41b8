"""The patterns known so far, and what became of them: the memory that keeps ids from one week to the next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodintel_lib.analyses.log_templates.columns import Tokens

FORMAT_VERSION: Final = 1
RULES_VERSION: Final = 1
"""Raised when masking or joining changes, so that what was known is compared with what is found, and not applied."""


@dataclass(frozen=True, slots=True)
class KnownPattern:
    """One pattern of the catalogue.

    Attributes
    ----------
    pattern_id : str
    tokens : tuple of str
        The template: words, punctuation and slots, each with the blank before it.
    word_places : tuple of int
        The tokens that are slots because words were found to vary there.
    rows : int
        Lines when it was last seen.
    first_us, last_us : int
        The first and the last time it was seen, in all that was ever mined.
    split_from : str
        The pattern that it was part of; empty where there is none.
    merged_into : str
        The pattern that it became part of; empty while it lives.
    """

    pattern_id: str
    tokens: Tokens
    word_places: tuple[int, ...]
    rows: int
    first_us: int
    last_us: int
    split_from: str = ""
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The patterns known so far, by id. It is plain data: somebody else reads and writes it.

    Attributes
    ----------
    patterns : mapping of id to KnownPattern
        Those that were merged into others included.
    rules_version : int
        The rules by which they were found.
    """

    patterns: Mapping[str, KnownPattern] = field(default_factory=dict)
    rules_version: int = RULES_VERSION

    @property
    def living(self) -> tuple[KnownPattern, ...]:
        """The patterns that are not part of others, by id."""
        return tuple(self.patterns[name] for name in sorted(self.patterns) if not self.patterns[name].merged_into)

    def resolve(self, pattern_id: str) -> str:
        """Return the id that a pattern goes by today: its own, or of the pattern that it became part of."""
        seen = set()
        while pattern_id in self.patterns and self.patterns[pattern_id].merged_into and pattern_id not in seen:
            seen.add(pattern_id)
            pattern_id = self.patterns[pattern_id].merged_into
        return pattern_id

    def updated(self, patterns: Iterable[KnownPattern]) -> Catalogue:
        """Return the catalogue with some patterns put in the place of those of the same id, or added."""
        return replace(
            self,
            patterns={**self.patterns, **{pattern.pattern_id: pattern for pattern in patterns}},
            rules_version=RULES_VERSION,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, texts and numbers, the same for the same patterns."""
        return {
            "version": FORMAT_VERSION,
            "rules_version": self.rules_version,
            "patterns": [
                {
                    "pattern_id": known.pattern_id,
                    "tokens": list(known.tokens),
                    "word_places": list(known.word_places),
                    "rows": known.rows,
                    "first_us": known.first_us,
                    "last_us": known.last_us,
                    "split_from": known.split_from,
                    "merged_into": known.merged_into,
                }
                for _, known in sorted(self.patterns.items())
            ],
        }

    @classmethod
    def from_json(cls, data: Any, *, where: str = "the catalogue of log patterns") -> Catalogue:  # noqa: ANN401 - JSON
        """Read what :meth:`to_json` made.

        Raises
        ------
        SourceFormatError
            If the data is of another form or version.
        """
        try:
            if data["version"] != FORMAT_VERSION:
                raise SourceFormatError(
                    f"{where} is of version {data['version']!r}; version {FORMAT_VERSION} was expected.",
                    hint="delete the file: patterns are found anew, and known ids come again where templates do.",
                )
            known = [_read(entry) for entry in data["patterns"]]
            rules_version = int(data["rules_version"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceFormatError(
                f"{where} cannot be read: {type(error).__name__}: {error}; expected what Catalogue.to_json makes.",
                hint="delete the file: patterns are found anew, and known ids come again where templates do.",
            ) from error
        return cls({pattern.pattern_id: pattern for pattern in known}, rules_version)


def _read(entry: Mapping[str, Any]) -> KnownPattern:
    return KnownPattern(
        str(entry["pattern_id"]),
        tuple(str(token) for token in entry["tokens"]),
        tuple(int(place) for place in entry["word_places"]),
        int(entry["rows"]),
        int(entry["first_us"]),
        int(entry["last_us"]),
        str(entry["split_from"]),
        str(entry["merged_into"]),
    )


def make_pattern_id(key: str, *, taken: Iterable[str] = ()) -> str:
    """Return ``LP-`` and ten hexadecimal digits of the template's text.

    Parameters
    ----------
    key : str
        The template with every slot as SLOT: what kind of value stands in it, one week's lines may not show.
    taken : iterable of str
        Ids that belong to other templates.

    Examples
    --------
    >>> make_pattern_id("order <*> not paid")
    'LP-a592d8db1f'
    """
    known = set(taken)
    attempt, name = 0, _digest(key)
    while name in known:
        attempt += 1
        name = _digest(f"{key}\0{attempt}")
    return name


def _digest(text: str) -> str:
    return "LP-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()


OTHER_ID: Final = make_pattern_id("\0other")
"""The id of the lines that have no template."""
