"""Markdown cells and code cells as markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import mistune

from prodintel_lib.markup import Markup

if TYPE_CHECKING:
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped, unused-ignore]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped, unused-ignore]

_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: where it is and what it is called (as markup, for the contents list)."""

    anchor: str
    title: Markup


class ProseRenderer(mistune.HTMLRenderer):  # type: ignore[misc, unused-ignore]
    """Renders Markdown with raw HTML escaped, and collects the sections.

    A first-level heading is the notebook's question, not the page's title: the title is the answer.
    """

    def __init__(self) -> None:
        super().__init__(escape=True)
        self.sections: list[Section] = []
        self._markdown = mistune.Markdown(self, plugins=[mistune.plugins.import_plugin("table")])

    def render(self, source: str) -> Markup:
        """Render one Markdown cell."""
        # mistune escapes raw HTML and disarms links: see `escape` above.
        return Markup(self._markdown(source))

    def heading(self, text: str, level: int, **_: Any) -> str:  # noqa: ANN401 (mistune's signature)
        """Render a heading; the second level begins a section."""
        if level == 1:
            return f'<p class="question">{text}</p>\n'
        if level > 2:
            return f"<h{level}>{text}</h{level}>\n"
        bare = _TAG.sub("", text)
        anchor = f"s{len(self.sections) + 1}-{_NOT_WORD.sub('-', bare.lower()).strip('-')[:40]}".rstrip("-")
        self.sections.append(Section(anchor, Markup(bare)))
        return f'<h2 id="{anchor}">{text}</h2>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002 (mistune's signature)
        """Show an image's words only: the page asks for nothing outside."""
        return text


def render_code(source: str) -> Markup:
    """Render Python with its words in colour."""
    lexer, formatter = _python()
    import pygments  # type: ignore[import-untyped, unused-ignore] # noqa: PLC0415

    return Markup(pygments.highlight(source, lexer, formatter))


@cache
def _python() -> tuple[PythonLexer, HtmlFormatter[str]]:
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415

    return PythonLexer(), HtmlFormatter(nowrap=True)
