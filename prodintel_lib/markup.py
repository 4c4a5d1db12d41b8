"""HTML for results, escaped by construction: the only way a library value becomes markup.

Everything that is not already :class:`Markup` is escaped. The classes belong to the report's style sheet; in JupyterLab
the same markup falls back on Lab's own look for tables.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Markup", "facts", "number", "paragraph", "percent", "table", "tag", "text", "tone"]

Tone = Literal["", "bad", "warn", "good", "soft"]
DASH: Final = Markup("&ndash;")
_ALIGN: Final = {"l": Markup(""), "r": Markup(" class=r")}


def text(value: object) -> Markup:
    """Escape a value; None becomes a dash."""
    return DASH if value is None else escape(str(value))


def tone(value: object, kind: Tone) -> Markup:
    """Wrap a value in a tone's colour; the words must carry the meaning without it."""
    return (
        Markup('<span class="{}">{}</span>').format(kind, value if value is not None else DASH) if kind else text(value)
    )


def tag(value: object) -> Markup:
    """Wrap a short word in a quiet outline."""
    return Markup('<span class="tag">{}</span>').format(str(value))


def number(value: float | None, *, digits: int | None = None, unit: str = "") -> Markup:
    """Write a figure with thousands separators; without `digits`, three significant figures for fractions."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if digits is None:
        whole = float(value).is_integer() or abs(value) >= 1000
        digits = 0 if whole else max(0, 2 - math.floor(math.log10(abs(value))))
    return escape(f"{value:,.{digits}f}" + (f" {unit}" if unit else ""))


def percent(share: float | None, *, digits: int = 1) -> Markup:
    """Write a share as a percentage."""
    return DASH if share is None or math.isnan(share) else escape(f"{100 * share:.{digits}f} %")


def paragraph(value: object, *, kind: Literal["lead", "say"] = "say") -> Markup:
    """Wrap a sentence in a paragraph of the report: ``lead`` for the answer, ``say`` for a remark."""
    return Markup('<p class="{}">{}</p>').format(kind, value)


def facts(tiles: Iterable[tuple[str, object, str, Tone]]) -> Markup:
    """Lay out key figures as tiles.

    Parameters
    ----------
    tiles : iterable of (label, figure, remark, tone)
    """
    cells = Markup("").join(
        Markup('<div><div class="k">{}</div><div class="v {}">{}</div><div class="n">{}</div></div>').format(
            label, kind, figure, remark
        )
        for label, figure, remark, kind in tiles
    )
    return Markup('<div class="facts">{}</div>').format(cells)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, align: str = "", caption: str = "") -> Markup:
    """Lay out rows as a table.

    Parameters
    ----------
    headers : sequence of str
    rows : iterable of sequences
        A cell that is not Markup is escaped.
    align : str
        A letter a column: ``l`` or ``r``.
    caption : str
        One sentence under the table.
    """
    classes = [_ALIGN[letter] for letter in (align or "l" * len(headers))]
    head = Markup("").join(
        Markup("<th scope=col{}>{}</th>").format(style, name) for style, name in zip(classes, headers, strict=True)
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td{}>{}</td>").format(style, cell if isinstance(cell, Markup) else text(cell))
                for style, cell in zip(classes, row, strict=True)
            )
        )
        for row in rows
    )
    note = Markup("<figcaption>{}</figcaption>").format(caption) if caption else Markup("")
    return Markup(
        '<figure class="table"><div class="scroll"><table class="data"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>{}</figure>"
    ).format(head, body, note)
