"""Ids for templates: the ones they had, where they were known, and what became of those that were split or merged."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.analyses.log_templates.catalogue import make_pattern_id
from prodintel_lib.analyses.log_templates.matching import TemplateIndex
from prodintel_lib.analyses.log_templates.settling import settle_shapes, split_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.log_templates.catalogue import Catalogue, KnownPattern
    from prodintel_lib.analyses.log_templates.columns import Tokens


@dataclass(frozen=True, slots=True)
class Naming:
    """The ids of templates.

    Attributes
    ----------
    ids : tuple of str
        One for each template, in their order.
    known : frozenset of str
        Those that were in the catalogue.
    split_from : mapping of id to id
        For a part of a known pattern, that pattern.
    merged : mapping of id to list of ids
        The patterns that became part of a pattern, now or before.
    merged_into : mapping of id to id
        For each pattern that became part of another this time, the other.
    """

    ids: tuple[str, ...]
    known: frozenset[str]
    split_from: Mapping[str, str]
    merged: Mapping[str, list[str]]
    merged_into: Mapping[str, str]

    def retired(self, catalogue: Catalogue) -> list[KnownPattern]:
        """Return the known patterns that became part of others, saying so."""
        return [replace(catalogue.patterns[old], merged_into=new) for old, new in sorted(self.merged_into.items())]


def name_templates(
    templates: Sequence[Tokens],
    *,
    catalogue: Catalogue,
    became: Mapping[Tokens, Tokens],
    lines: Sequence[tuple[str, int, int]],
) -> Naming:
    """Give every template its id.

    Parameters
    ----------
    templates : sequence of tokens
        What was found.
    catalogue : Catalogue
    became : mapping of tokens to tokens
        For every known template what it is part of now, where known templates took part in the search.
    lines : sequence of (settled shape, rows, number of its template)
        Where they did not: the lines say which known pattern a template has its lines from.
    """
    shares = _shares_by_lines(catalogue, lines) if lines else _shares_by_template(catalogue, templates, became)
    heirs, split_from = _heirs(catalogue, shares)
    claims: dict[int, list[str]] = defaultdict(list)
    for name in sorted(heirs):
        claims[heirs[name]].append(name)
    ids: dict[int, str] = {
        number: min(names, key=lambda name: (-catalogue.patterns[name].rows, name)) for number, names in claims.items()
    }
    taken = set(catalogue.patterns)
    for number, template in sorted(enumerate(templates), key=lambda entry: entry[1]):
        if number not in ids:
            ids[number] = make_pattern_id("".join(template).strip(), taken=taken)
            taken.add(ids[number])
    merged_into = {name: ids[number] for number, names in claims.items() for name in names if name != ids[number]}
    merged: dict[str, list[str]] = defaultdict(list)
    for name, known in catalogue.patterns.items():
        if into := merged_into.get(name) or known.merged_into:
            merged[into].append(name)
    earlier = {name: known.split_from for name, known in catalogue.patterns.items() if known.split_from}
    return Naming(
        tuple(ids[number] for number in range(len(templates))),
        frozenset(catalogue.patterns),
        earlier | {ids[number]: name for number, name in split_from.items() if number not in claims},
        {into: sorted(names) for into, names in merged.items()},
        merged_into,
    )


def _shares_by_template(
    catalogue: Catalogue, templates: Sequence[Tokens], became: Mapping[Tokens, Tokens]
) -> dict[str, Counter[int]]:
    numbers = {template: number for number, template in enumerate(templates)}
    shares: dict[str, Counter[int]] = {}
    for known in catalogue.living:
        template = known.tokens
        while became.get(template, template) != template:
            template = became[template]
        if template in numbers:
            shares[known.pattern_id] = Counter({numbers[template]: known.rows})
    return shares


def _shares_by_lines(catalogue: Catalogue, lines: Sequence[tuple[str, int, int]]) -> dict[str, Counter[int]]:
    living = catalogue.living
    # As today's rules read the old templates: a template is a line, too.
    texts = pl.DataFrame({"key": ["".join(known.tokens) for known in living]}, schema={"key": pl.String()})
    read = [split_tokens(text) for text in texts.select(settle_shapes(pl.col("key"))).to_series()]
    names: dict[Tokens, str] = {}
    for known, template_read in zip(living, read, strict=True):
        names.setdefault(template_read, known.pattern_id)
        names.setdefault(known.tokens, known.pattern_id)
    index = TemplateIndex([
        *((template, frozenset[int]()) for template in read),
        *((known.tokens, frozenset(known.word_places)) for known in living),
    ])  # fmt: skip
    shares: dict[str, Counter[int]] = defaultdict(Counter)
    for settled, rows, number in lines:
        template = index.find(split_tokens(settled))
        if template is not None and number >= 0:
            shares[names[template]][number] += rows
    return shares


def _heirs(catalogue: Catalogue, shares: Mapping[str, Counter[int]]) -> tuple[dict[str, int], dict[int, str]]:
    """Return the template that each known pattern goes on in, and the pattern that each other part came from."""
    heirs: dict[str, int] = {}
    parts: dict[int, Counter[str]] = defaultdict(Counter)
    for name, numbers in shares.items():
        heirs[name] = min(numbers, key=lambda number: (-numbers[number], number))
        for number, rows in numbers.items():
            parts[number][name] += rows
    kept = set(heirs.values())
    split_from = {
        number: min(names, key=lambda name: (-names[name], -catalogue.patterns[name].rows, name))
        for number, names in parts.items()
        if number not in kept
    }
    return heirs, split_from
