"""A scenario of the user interface as a Playwright test in Python.

Calls are written twice, as text and as a syntax tree; the text has to parse to the tree. Values can only be literals.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING, Final

from prodintel_lib.renderers.code import PLAIN_NODES, Block, Filling, Piece, body_of, checked_name, fill, load
from prodintel_lib.renderers.literals import INDENT, LINE_LENGTH, is_plain, literal, literal_node
from prodintel_lib.renderers.ui_calls import calls_of, client_data, origin, sentences
from prodintel_lib.scenarios.ui_model import FormValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.renderers.ui_calls import Argument, Call, Way
    from prodintel_lib.scenarios.ui_model import UiScenario

_ALLOWED: Final = PLAIN_NODES | {"Subscript"}
_TEXT_WIDTH: Final = 110
_LOCATORS: Final = {
    "role": "page.get_by_role",
    "test_id": "page.get_by_test_id",
    "selector": "page.locator",
    "label": "page.get_by_label",
}
_POSITIONAL: Final = frozenset({"path", "country", "seconds", "route", "limits"})


def render_python(scenario: UiScenario, *, pieces: str = "ui_pieces.py") -> str:
    """Render a scenario as a module with one test for pytest and Playwright.

    Parameters
    ----------
    scenario : UiScenario
    pieces : str
        The template with the pieces of the module: how the visit is made into a test.

    Returns
    -------
    str
        The module, formatted. It needs the `conftest.py` of its suite beside it.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written as a literal.
    """
    calls = calls_of(scenario.steps)
    body = _joined([_statement(call) for call in calls])
    test = _piece(
        pieces,
        _kind(scenario, calls),
        values={"seen": _told(scenario)},
        names={"test": scenario.id},
        blocks={"body": Block((body,))},
    )
    module = _piece(
        pieces,
        "test_module",
        values={"header": _header(scenario), "client": client_data(scenario.client)},
        blocks={"tests": Block((test,), blank_lines=2)},
    )
    return module.module(allowed=_ALLOWED)


def _kind(scenario: UiScenario, calls: Sequence[Call]) -> str:
    """Name the piece whose test takes the fixtures that its calls use."""
    located = any(call.ways for call in calls)
    if any(isinstance(value, FormValue) for call in calls for _, value in call.arguments):
        return "writing_values"
    if scenario.writes:
        return "writing" if located else "writing_blind"
    return "reading" if located else "looking"


def _piece(template: str, function: str, **filling: object) -> Piece:
    return fill(body_of(load(template), function), Filling(**filling))  # type: ignore[arg-type]


def _header(scenario: UiScenario) -> str:
    what = "A journey" if scenario.kind == "journey" else "A front-end error"
    return "\n".join([f"{what} of production, told again in a browser.", "", *origin([scenario]), ""])


def _told(scenario: UiScenario) -> str:
    title, seen = sentences(scenario)
    if not is_plain(title + seen):
        return f"{title}.\n\n{seen}"
    wrap = textwrap.TextWrapper(_TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = [*wrap.wrap(f"{title.rstrip('.')}."), "", *wrap.wrap(seen), ""]
    return ("\n" + " " * INDENT).join(lines).replace(f"\n{' ' * INDENT}\n", "\n\n")


def _joined(pieces: Sequence[Piece]) -> Piece:
    return Piece("".join(piece.text for piece in pieces), tuple(node for piece in pieces for node in piece.body))


def _statement(call: Call) -> Piece:
    arguments: list[tuple[str, str, ast.expr]] = [("", *_located(way)) for way in call.ways]
    for name, value in call.arguments:
        keyword = "" if name in _POSITIONAL else checked_name(name)
        arguments.append((keyword, *_value(value, used=2 * INDENT + len(f"{keyword}=,"))))
    head = f"visitor.{checked_name(call.method)}"
    text = _laid_out(head, [f"{name}={text}" if name else text for name, text, _ in arguments], used=INDENT)
    return Piece(text + "\n", (ast.Expr(_called(head, [(name, node) for name, _, node in arguments])),))


def _located(way: Way) -> tuple[str, ast.expr]:
    """Write the locator of an element, as text and as a tree."""
    head = _LOCATORS[way.by]
    values: list[tuple[str, object]] = [("", way.text)]
    if way.by == "role":
        values += [("name", way.name)]
    if way.by in {"role", "label"}:
        values += [("exact", True)]
    words = [f"{name}={literal(value)}" if name else literal(value) for name, value in values]
    return _laid_out(head, words, used=2 * INDENT + 1), _called(
        head, [(name, literal_node(value)) for name, value in values]
    )


def _value(value: Argument, *, used: int) -> tuple[str, ast.expr]:
    if isinstance(value, FormValue):
        node = ast.Subscript(ast.Name("form_values", ast.Load()), literal_node(value.key), ast.Load())
        return f"form_values[{literal(value.key)}]", node
    return literal(value, used=used), literal_node(value)


def _called(head: str, arguments: Sequence[tuple[str, ast.expr]]) -> ast.Call:
    owner, method = head.split(".")
    function = ast.Attribute(ast.Name(owner, ast.Load()), method, ast.Load())
    positional = [node for name, node in arguments if not name]
    return ast.Call(function, positional, [ast.keyword(name, node) for name, node in arguments if name])


def _laid_out(head: str, arguments: Sequence[str], *, used: int) -> str:
    """Put a call on one line where it fits beside what else takes columns, else one argument on a line."""
    line = f"{head}({', '.join(arguments)})"
    if used + len(line) <= LINE_LENGTH and "\n" not in line:
        return line
    # Literals hold no line breaks of their own, so that every line is one of code.
    return "\n".join([f"{head}(", *(textwrap.indent(argument, " " * INDENT) + "," for argument in arguments), ")"])
