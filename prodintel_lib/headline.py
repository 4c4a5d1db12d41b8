"""The answer that stands first in a report: a title, a sentence and a few figures."""

from __future__ import annotations

from dataclasses import dataclass

from prodintel_lib.markup import Tone, facts, paragraph, text

Tile = tuple[str, object, object, Tone]


@dataclass(frozen=True, slots=True)
class Headline:
    """What a report comes to.

    Attributes
    ----------
    title : str
        One line: the page's title.
    sentence : str
        The answer, with its denominators.
    tiles : tuple of (label, figure, remark, tone)
        Key figures, as markup.facts takes them.
    """

    title: str
    sentence: str
    tiles: tuple[Tile, ...]

    def _repr_html_(self) -> str:
        return str(paragraph(text(self.sentence), kind="lead") + facts(self.tiles))
