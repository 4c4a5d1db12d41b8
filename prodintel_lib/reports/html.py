"""Render an executed notebook as one HTML file that asks for nothing outside."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import prodintel_lib
from prodintel_lib.lean_imports import skip_slow_imports
from prodintel_lib.markup import Markup
from prodintel_lib.palette import CATEGORIES, DARK, GRID, INK, PALETTE
from prodintel_lib.reports.outputs import OutputRenderer
from prodintel_lib.reports.prose import ProseRenderer, Section, render_code
from prodintel_lib.reports.vega import vega_bundle

skip_slow_imports()

from nbconvert.exporters.templateexporter import TemplateExporter  # noqa: E402 (it loads jsonschema; see lean_imports)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from jinja2 import Environment
    from nbformat import NotebookNode

_TEMPLATE: Final = Path(__file__).parents[1] / "report_template"


@dataclass(frozen=True, slots=True)
class Block:
    """A cell on the page: prose, or folded code with its outputs."""

    kind: str
    body: Markup
    outputs: tuple[Markup, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What the template fills in."""

    title: str
    kicker: str
    first_section: str
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    charts: int
    footer: str
    notice: str
    version: str
    policy: str
    style: Markup
    script: Markup
    vega: Markup


class ReportExporter(TemplateExporter):
    """nbconvert's exporter for the report's own template; values are escaped unless they are markup."""

    output_mimetype = "text/html"

    def __init__(self) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            template_name=_TEMPLATE.name,
            template_file="index.html.j2",
            extra_template_basedirs=[str(_TEMPLATE.parent)],
            default_preprocessors=[],
        )

    def _file_extension_default(self) -> str:
        return ".html"

    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.autoescape = True
        return environment


def prepare_renderer() -> None:
    """Load and compile what `render_html` needs; for the time in which a run waits for its kernel."""
    _exporter().template  # noqa: B018 (a property that compiles)
    _colours()
    vega_bundle()
    OutputRenderer({}).render({"output_type": "display_data", "data": {"text/html": "<p>warm</p>"}})


def render_html(
    notebook: NotebookNode,
    *,
    title: str,
    kicker: str,
    workspace_label: str,
    generated_at: datetime,
    first_section: str = "What happened",
    notice: str = "",
) -> str:
    """Render an executed notebook as the text of ``report.html``.

    Parameters
    ----------
    notebook : NotebookNode
        Executed. Second-level headings become the contents list; the first-level one is the question under the title.
    title : str
        The answer in one sentence.
    kicker : str
        One line over the title: what, where, when.
    workspace_label : str
        Where the data came from.
    generated_at : datetime
        Time-zone aware.
    first_section : str
        What the contents list calls the part before the first heading.
    notice : str
        What a reader has to know before believing any figure: that the data were made up.

    Returns
    -------
    str
        A whole page: style, script, and charts with their data inside. All text is escaped; its security policy runs
        the page's own two scripts, known by their digests, and lets no request out.
    """
    prose, outputs = ProseRenderer(), OutputRenderer(_colours())
    blocks = tuple(block for cell in notebook.cells if (block := _block(cell, prose, outputs)))
    script = (_TEMPLATE / "report.js").read_text(encoding="utf-8")
    vega = vega_bundle() if outputs.charts else ""
    page = Page(
        title=title,
        kicker=" · ".join(part for part in (kicker, workspace_label) if part),
        first_section=first_section,
        sections=tuple(prose.sections),
        blocks=blocks,
        charts=outputs.charts,
        footer=f"{workspace_label} · made {generated_at:%Y-%m-%d %H:%M %Z} by prodintel {prodintel_lib.__version__}",
        notice=notice,
        version=prodintel_lib.__version__,
        policy=_policy([script, vega] if vega else [script]),
        style=Markup(_palette_css()) + Markup((_TEMPLATE / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        vega=Markup(vega),
    )
    html, _ = _exporter().from_notebook_node(notebook, resources={"page": page})
    return str(html)


def _block(cell: Mapping[str, Any], prose: ProseRenderer, outputs: OutputRenderer) -> Block | None:
    source = cell["source"]
    if cell["cell_type"] == "markdown":
        return Block("prose", prose.render(source))
    if cell["cell_type"] == "code" and source.strip():
        shown = tuple(part for output in cell["outputs"] if (part := outputs.render(output)))
        return Block("code", render_code(source), shown)
    return None


def _policy(scripts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _exporter() -> ReportExporter:
    return ReportExporter()


@cache
def _colours() -> dict[str, str]:
    """Map each colour of the palette to the page's variable for it."""
    named = {colour: f"var(--c-{name})" for name, colour in PALETTE.items()}
    series = {colour: f"var(--c-{place})" for place, colour in enumerate(CATEGORIES)}
    return {**series, **named, INK: "var(--soft)", GRID: "var(--line)"}


@cache
def _palette_css() -> str:
    names = {colour: name[4:-1] for colour, name in _colours().items() if name.startswith("var(--c-")}
    light = ";".join(f"{name}:{colour}" for colour, name in names.items())
    dark = ";".join(f"{name}:{DARK[colour]}" for colour, name in names.items())
    return (
        f":root{{{light}}}\n@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
    )
