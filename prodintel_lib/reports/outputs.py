"""What a cell has put out, as markup that can do nothing but be read."""

from __future__ import annotations

import base64
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.markup import Markup
from prodintel_lib.reports.figures import render_chart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped, unused-ignore]

VEGALITE: Final = ("application/vnd.vegalite.v6+json", "application/vnd.vegalite.v5+json")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The sanitiser keeps the text of elements it takes away; the text of these is not for readers. It runs after this, so
# nothing depends on this pattern being right.
_UNSEEN: Final = re.compile(r"<(script|style|template)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_INLINE: Final = {
    "a",
    "abbr",
    "b",
    "code",
    "del",
    "em",
    "i",
    "kbd",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "time",
    "u",
}
_BLOCKS: Final = {
    "blockquote",
    "br",
    "details",
    "div",
    "figcaption",
    "figure",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "p",
    "pre",
}
_LISTS: Final = {"dd", "dl", "dt", "li", "ol", "summary", "ul", "var"}
_TABLES: Final = {"caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_TAGS: Final = frozenset(_INLINE | _BLOCKS | _LISTS | _TABLES)
_ATTRIBUTES: Final[dict[str, list[str]]] = {
    "*": ["class", "title", "lang", "dir"],
    "a": ["href"],
    "col": ["span"],
    "details": ["open"],
    "ol": ["start"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "time": ["datetime"],
}


class OutputRenderer:
    """Renders outputs in the page's order and counts its charts.

    Parameters
    ----------
    colours : mapping
        Chart colour to the page's variable for it.
    """

    def __init__(self, colours: Mapping[str, str]) -> None:
        self.colours = colours
        self.charts = 0

    def render(self, output: Mapping[str, Any]) -> Markup:
        """Render one output of notebook format 4."""
        kind = output["output_type"]
        if kind == "stream":
            return _plain(_joined(output["text"]), "stream" if output.get("name") == "stdout" else "stream stderr")
        if kind == "error":
            return _plain(_joined(output["traceback"], "\n") or f"{output['ename']}: {output['evalue']}", "error")
        return self._render_data(output.get("data", {}))

    def _render_data(self, data: Mapping[str, Any]) -> Markup:
        for kind in VEGALITE:
            if isinstance(data.get(kind), dict):
                self.charts += 1
                return render_chart(data[kind], number=self.charts, colours=self.colours)
        if "text/html" in data:
            return Markup('<div class="out">{}</div>').format(sanitise(_joined(data["text/html"])))
        if "image/svg+xml" in data:
            # As an image, an SVG runs no script and asks for nothing.
            return _image("image/svg+xml", base64.b64encode(_joined(data["image/svg+xml"]).encode()).decode())
        for kind in ("image/png", "image/jpeg"):
            if kind in data:
                return _image(kind, _joined(data[kind]))
        return _plain(_joined(data.get("text/plain", "")), "text") if data.get("text/plain") else Markup("")


def sanitise(html: str) -> Markup:
    """Take everything from HTML that could act: scripts, styles, handlers, frames, images, and links but to ``https``.

    Results are escaped where they are made; this is the second wall, and the page's security policy is the third.
    """
    return Markup(_cleaner().clean(_UNSEEN.sub("", html)))


@cache
def _cleaner() -> Cleaner:
    from bleach.sanitizer import Cleaner  # noqa: PLC0415 (html5lib is slow to import)

    return Cleaner(tags=_TAGS, attributes=_ATTRIBUTES, protocols={"https"}, strip=True, strip_comments=True)


def _image(kind: str, encoded: str) -> Markup:
    source = f"data:{kind};base64,{''.join(encoded.split())}"
    return Markup('<figure><img alt="" src="{}"></figure>').format(source)


def _plain(text: str, kind: str) -> Markup:
    return Markup('<pre class="{}">{}</pre>').format(kind, _ANSI.sub("", text))


def _joined(text: str | list[str], between: str = "") -> str:
    return text if isinstance(text, str) else between.join(text)
