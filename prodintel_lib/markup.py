"""HTML for results, escaped by construction: the only way a library value becomes markup.

Everything that is not already :class:`Markup` is escaped. Classes belong to the report's style sheet. JupyterLab has no
such sheet: for it the few elements that need a layout or a colour carry a ``style``, which the report's sanitiser takes
away.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from markupsafe import Markup, escape

from prodintel_lib.palette import TONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "DASH",
    "Markup",
    "Note",
    "Tone",
    "facts",
    "figure_text",
    "four_digits",
    "number",
    "paragraph",
    "percent",
    "table",
    "tag",
    "text",
    "tone",
]

Tone = Literal["", "bad", "warn", "good", "soft"]
DASH: Final = Markup("&ndash;")
"""What stands where there is no value."""

_ALIGN: Final = {"l": Markup(' style="text-align:left"'), "r": Markup(' class="r" style="text-align:right"')}
_TILES: Final = Markup("display:flex;flex-wrap:wrap;gap:8px 28px;margin:8px 0")
_LABEL: Final = Markup("font-size:12px;color:#75808c")
_FIGURE: Final = Markup("font-size:20px;font-weight:600")
_TAG: Final = Markup("border:1px solid #75808c80;border-radius:9px;padding:0 7px;font-size:11px")
_TILE: Final = Markup(
    '<div><div class="k" style="{}">{}</div><div class="v {}" style="{}">{}</div>'
    '<div class="n" style="{}">{}</div></div>'
)


def text(value: object) -> Markup:
    """Escape a value unless it is markup already; None becomes a dash."""
    if isinstance(value, Markup):
        return value
    return DASH if value is None else escape(str(value))


def tone(value: object, kind: Tone) -> Markup:
    """Wrap a value in a tone's colour; the words must carry the meaning without it."""
    if not kind:
        return text(value)
    return Markup('<span class="{}" style="color:{}">{}</span>').format(kind, TONES[kind], text(value))


def tag(value: object) -> Markup:
    """Wrap a short word in a quiet outline."""
    return Markup('<span class="tag" style="{}">{}</span>').format(_TAG, text(value))


def figure_text(figure: object, *, n: int | None = None, note: object = "") -> Markup:
    """Write a figure with its denominator, and a remark, in quiet letters.

    Examples
    --------
    >>> str(figure_text(percent(0.377), n=3310))
    '37.7 % <small class="n">n 3,310</small>'
    """
    said = ([escape(f"n {n:,}")] if n is not None else []) + ([text(note)] if note else [])
    if not said:
        return text(figure)
    return Markup('{} <small class="n">{}</small>').format(text(figure), Markup(" &middot; ").join(said))


def with_note(subject: object, note: object = "") -> Markup:
    """Write what a row is about, and under it in quiet letters what is to be said of it.

    Examples
    --------
    >>> str(with_note("GET /a", "p95 is 3 times what it was"))
    'GET /a<br><small class="n">p95 is 3 times what it was</small>'
    """
    if not note:
        return text(subject)
    return Markup('{}<br><small class="n">{}</small>').format(text(subject), text(note))


def folded(summary: str, content: Markup) -> Markup:
    """Fold content away under a line that says what it is; nothing where there is no content."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, content) if content else content


def four_digits(value: float) -> str:
    """Return a number with four significant digits and thousands separated, never with an exponent.

    Examples
    --------
    >>> four_digits(25031.4), four_digits(249.31), four_digits(0.43416), four_digits(0.0)
    ('25,030', '249.3', '0.4342', '0')
    """
    rounded = float(f"{value:.4g}")
    decimals = max(0, 3 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text_of = f"{rounded:,.{decimals}f}"
    return text_of.rstrip("0").rstrip(".") if decimals else text_of


def number(value: float | None, *, digits: int | None = None, unit: str = "") -> Markup:
    """Write a figure with thousands separators; without `digits`, three significant figures for fractions.

    Examples
    --------
    >>> str(number(30012, unit="ms")), str(number(0.04567)), str(number(None))
    ('30,012 ms', '0.0457', '&ndash;')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if digits is None:
        if 0 < abs(value) < 1e-6:
            return escape(f"{value:.2e}" + (f" {unit}" if unit else ""))
        whole = not math.isfinite(value) or float(value).is_integer() or abs(value) >= 1000
        digits = 0 if whole else max(0, 2 - math.floor(math.log10(abs(value))))
    return escape(f"{value:,.{digits}f}" + (f" {unit}" if unit else ""))


def percent(share: float | None, *, digits: int = 1) -> Markup:
    """Write a share as a percentage."""
    return DASH if share is None or math.isnan(share) else escape(f"{100 * share:.{digits}f} %")


class Note:
    """A sentence in the place of a chart or a table that would be empty."""

    def __init__(self, says: str) -> None:
        self.says = says

    def __repr__(self) -> str:
        return self.says

    def _repr_html_(self) -> str:
        return str(paragraph(self.says))


def paragraph(value: object, *, kind: Literal["lead", "say"] = "say") -> Markup:
    """Wrap a sentence in a paragraph of the report: ``lead`` for the answer, ``say`` for a remark."""
    return Markup('<p class="{}">{}</p>').format(kind, text(value))


def facts(tiles: Iterable[tuple[str, object, object, Tone]]) -> Markup:
    """Lay out key figures as tiles.

    Parameters
    ----------
    tiles : iterable of (label, figure, remark, tone)
    """
    cells = Markup("").join(
        _TILE.format(_LABEL, label, kind, _figure_style(kind), text(figure), _LABEL, text(remark))
        for label, figure, remark, kind in tiles
    )
    return Markup('<div class="facts" style="{}">{}</div>').format(_TILES, cells)


def table(
    headers: Sequence[object], rows: Iterable[Sequence[object]], *, align: str = "", caption: object = ""
) -> Markup:
    """Lay out rows as a table.

    Parameters
    ----------
    headers : sequence of str
    rows : iterable of sequences
        A cell that is not Markup is escaped; None is a dash.
    align : str
        A letter a column: ``l`` or ``r``.
    caption : str
        One sentence under the table.

    Examples
    --------
    >>> "&lt;b&gt;" in table(["Route", "n"], [["<b>", 3]], align="lr")
    True
    """
    styles = [_ALIGN[letter] for letter in (align or "l" * len(headers))]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(style, name) for style, name in zip(styles, headers, strict=True)
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td{}>{}</td>").format(style, text(cell)) for style, cell in zip(styles, row, strict=True)
            )
        )
        for row in rows
    )
    note = Markup("<figcaption>{}</figcaption>").format(caption) if caption else Markup("")
    return Markup(
        '<figure class="table"><div class="scroll"><table class="data"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>{}</figure>"
    ).format(head, body, note)


def _figure_style(kind: Tone) -> Markup:
    return _FIGURE + Markup(";color:{}").format(TONES[kind]) if kind else _FIGURE
