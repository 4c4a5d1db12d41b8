"""A Vega-Lite specification becomes a figure: title, chart, and the rows it was drawn from."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.markup import DASH, Markup, number, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Spec = dict[str, Any]

MAX_ROWS: Final = 200
_VIEWS: Final = ("layer", "hconcat", "vconcat", "concat", "spec")
_FIGURE: Final = Markup(
    '<figure class="chart"{identity}><figcaption class="title"><b>{title}</b>{subtitle}</figcaption>'
    '<div class="plot" role="img" tabindex="0" aria-label="{label}"></div>'
    "<noscript><p>This chart needs JavaScript; the rows below do not.</p></noscript>"
    '<script type="application/json" class="spec">{spec}</script>{data}</figure>'
)


def render_chart(spec: Mapping[str, Any], *, number: int, colours: Mapping[str, str]) -> Markup:
    """Render a chart's specification as a figure that the page's script draws.

    Parameters
    ----------
    spec : mapping
        Vega-Lite, v5 or v6, with its data inside.
    number : int
        Its place among the page's charts.
    colours : mapping
        Colour to the page's variable for it; see `prodintel_lib.palette`.

    Notes
    -----
    The title leaves the drawing for the caption, where it wraps on a phone. Links to data outside are dropped, and so
    is what could change the options of the drawing.
    """
    own = copy.deepcopy(dict(spec))
    own.pop("$schema", None)
    title, subtitle = _take_title(own)
    label = ". ".join(part for part in (title or f"Chart {number}", subtitle, _words(own.get("description"))) if part)
    # Vega sets the label of the element it draws into from here.
    own["description"] = label
    for view in _views(own):
        view.pop("usermeta", None)
        _drop_outside_data(view)
    return _FIGURE.format(
        identity=Markup(' id="chart-{}"').format(number),
        title=title or f"Chart {number}",
        subtitle=Markup(" <span>{}</span>").format(subtitle) if subtitle else "",
        label=label,
        spec=script_json(_recoloured(own, colours)),
        data=_data(_tables(own)),
    )


def script_json(value: object) -> Markup:
    """Write JSON that can stand inside a ``<script>`` element: no ``<`` of the data is left to end it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _views(spec: Spec) -> Iterator[Spec]:
    yield spec
    for name in _VIEWS:
        inner = spec.get(name)
        for view in inner if isinstance(inner, list) else [inner]:
            if isinstance(view, dict):
                yield from _views(view)


def _take_title(spec: Spec) -> tuple[str, str]:
    found = spec.pop("title", None)
    parts = found if isinstance(found, dict) else {"text": found}
    return _words(parts.get("text")), _words(parts.get("subtitle"))


def _words(text: object) -> str:
    if isinstance(text, list):
        return " ".join(str(line) for line in text)
    return text if isinstance(text, str) else ""


def _drop_outside_data(view: Spec) -> None:
    data = view.get("data")
    if isinstance(data, dict) and "url" in data:
        view["data"] = {"values": []}
    for transform in view.get("transform", []):
        source = transform.get("from", {}).get("data") if isinstance(transform, dict) else None
        if isinstance(source, dict) and "url" in source:
            transform["from"]["data"] = {"values": []}


def _tables(spec: Spec) -> list[list[Spec]]:
    """Return the rows of each data set once, the largest first."""
    named = [spec["datasets"][name] for name in spec.get("datasets", {})]
    inline = [
        view["data"]["values"]
        for view in _views(spec)
        if isinstance(view.get("data"), dict) and "values" in view["data"]
    ]
    found: list[list[Spec]] = []
    for rows in [*named, *inline]:
        kept = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if kept and kept not in found:
            found.append(kept)
    return sorted(found, key=len, reverse=True)


def _data(tables: list[list[Spec]]) -> Markup:
    if not tables:
        return Markup("")
    total = sum(len(rows) for rows in tables)
    return Markup('<details class="rows"><summary>Data <span>{} {}</span></summary>{}</details>').format(
        f"{total:,}", "row" if total == 1 else "rows", Markup("").join(_data_table(rows) for rows in tables)
    )


def _data_table(rows: list[Spec]) -> Markup:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    numeric = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in columns]
    shown = [[_cell(row.get(name)) for name in columns] for row in rows[:MAX_ROWS]]
    align = "".join("r" if is_number else "l" for is_number in numeric)
    more = f"The first {MAX_ROWS} of {len(rows):,} rows." if len(rows) > MAX_ROWS else ""
    return table(columns, shown, align=align, caption=more)


def _cell(value: object) -> object:
    if value is None:
        return DASH
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value)


def _recoloured(spec: Spec, colours: Mapping[str, str]) -> Spec:
    """Replace the theme's colours by the page's variables, which follow light, dark and print."""

    def walk(value: object, key: str = "") -> object:
        if key in {"data", "datasets"}:
            return value
        if isinstance(value, dict):
            # A continuous scale computes between its colours, so it needs colours and not variables.
            fixed = {"scale"} if value.get("type") in {"quantitative", "temporal"} else set()
            return {name: part if name in fixed else walk(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [walk(part) for part in value]
        return colours.get(value.lower(), value) if isinstance(value, str) else value

    return _as_spec(walk, spec)


def _as_spec(walk: Callable[[object], object], spec: Spec) -> Spec:
    walked = walk(spec)
    return walked if isinstance(walked, dict) else spec
