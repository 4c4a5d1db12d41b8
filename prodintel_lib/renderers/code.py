"""The one safe way to write Python: syntax trees of fixed templates into which only literals and checked names go.

A template is a real Python file. It marks what is to be filled:

- ``SLOT("x")`` becomes a literal; as a statement, it becomes a docstring;
- ``NAMES("x")`` becomes a list of dotted names;
- ``BLOCK("x")``, a statement, becomes the statements of other pieces;
- an identifier that ends in ``NAME_x`` gets a checked name in that place.

The text is filled at the marks' positions. Independently, the template's syntax tree is filled with nodes. Then the
text is parsed again, and the two trees must be equal: a value that broke out of its literal cannot pass.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import textwrap
import tokenize
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar

from prodintel_lib.errors import RenderError, UnsafeValueError
from prodintel_lib.renderers.literals import INDENT, LINE_LENGTH, docstring, literal, literal_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,119}")
_NAME_MARK: Final = re.compile(r"NAME_([a-z]+(?:_[a-z]+)*)\Z")
_N = TypeVar("_N", bound=ast.AST)

PLAIN_NODES: Final = frozenset(
    {"Module", "FunctionDef", "arguments", "arg", "Import", "alias", "Assign", "Expr", "Call", "Attribute", "Name"}
    | {"Load", "Store", "Constant", "Dict", "List", "Tuple", "UnaryOp", "USub", "keyword"}
)
"""What a generated module of tests or data consists of: no branch, loop, operator, f-string or lambda."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Statements of generated code: their text, and the tree this text has to have."""

    text: str
    body: tuple[ast.stmt, ...]

    def module(self, *, allowed: frozenset[str] = PLAIN_NODES) -> str:
        """Return the text of a whole module after the last check.

        Raises
        ------
        RenderError
            If it holds a kind of syntax that is not in `allowed`.
        """
        _check_equal(self.text, self.body)
        strange = {type(node).__name__ for node in ast.walk(ast.parse(self.text))} - allowed
        if strange:
            raise RenderError(
                f"Generated code may hold {len(allowed)} kinds of syntax; it also holds {', '.join(sorted(strange))}.",
                hint="this is a defect of a template; please report it.",
            )
        return self.text


@dataclass(frozen=True, slots=True)
class Block:
    """The pieces that take the place of a ``BLOCK``, with so many blank lines before and between them."""

    pieces: tuple[Piece, ...]
    blank_lines: int = 0


@dataclass(frozen=True, slots=True)
class Filling:
    """What goes into the marks of a template, by their names; a header replaces a whole file's docstring."""

    values: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    header: str | None = None


@cache
def load(template: str) -> str:
    """Read a template file of this package; it imports its neighbours there, and the files beside it when rendered."""
    folder = f"{__package__}.templates"
    source = (resources.files(folder) / template).read_text(encoding="utf-8")
    return source.replace(f"from {folder}.marks import SLOT\n", "").replace(f"from {folder}.", "from ")


@cache
def body_of(source: str, function: str) -> str:
    """Cut the body of a function out of a template's source, dedented."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            first = node.body[0]
            decorators = getattr(first, "decorator_list", [])
            start = min([first.lineno, *(decorator.lineno for decorator in decorators)])
            return textwrap.dedent("\n".join(source.splitlines()[start - 1 : node.end_lineno])) + "\n"
    raise RenderError(f"The template has no function `{function}`.", hint="this is a defect; please report it.")


def fill(source: str, filling: Filling) -> Piece:
    """Fill a template's source.

    Parameters
    ----------
    source : str
        Statements with marks, plain ASCII, starting in the first column.
    filling : Filling
        One entry for every mark.

    Returns
    -------
    Piece
        The filled statements; their text was parsed and is known to mean the filled tree.

    Raises
    ------
    UnsafeValueError
        If a value cannot be a literal or a name is not an identifier.
    RenderError
        If a mark has no entry, or the text does not parse to the filled tree.
    """
    source_tree = ast.parse(source)
    if filling.header is not None:
        source_tree.body[0] = ast.Expr(literal_node(filling.header))
    body = tuple(_TreeFilling(filling).visit(source_tree).body)
    text = _with_blocks(_with_literals(_with_names(source, filling), filling), filling)
    _check_equal(text, body)
    return Piece(text, body)


def checked_name(name: str) -> str:
    """Return a name that is a plain identifier and no keyword."""
    if not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        raise UnsafeValueError(
            f"A name in generated code is a plain identifier; got {name[:60]!a}.",
            hint="names are made of slugs; production strings belong into literals.",
        )
    return name


def _with_names(source: str, filling: Filling) -> str:
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.NAME]
    return _replace(source, [(token.start, token.end, _renamed(token.string, filling)) for token in tokens])


def _with_literals(source: str, filling: Filling) -> str:
    tree = _parsed(source)
    lines = source.splitlines()
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    replaced = []
    if filling.header is not None:
        first = tree.body[0]
        replaced.append(((first.lineno, first.col_offset), _end(first), docstring(filling.header)))
    for node in ast.walk(tree):
        if _is_mark(node, "SLOT"):
            value = _entry(filling.values, node)
            line = lines[node.lineno - 1]
            indent = len(line) - len(line.lstrip())
            used = len(line) - indent - (_end(node)[1] - node.col_offset)
            new = literal(value, indent=indent, used=used)
            if id(node) in statements and isinstance(value, str):
                new = docstring(value, indent=indent)
        elif _is_mark(node, "NAMES"):
            new = "[" + ", ".join(_dotted(_entry(filling.lists, node))) + "]"
        else:
            continue
        replaced.append(((node.lineno, node.col_offset), _end(node), new))
    return _replace(source, replaced)


def _with_blocks(source: str, filling: Filling) -> str:
    lines = source.splitlines()
    marks = [node for node in ast.walk(_parsed(source)) if _is_mark(node, "BLOCK")]
    for node in sorted(marks, key=lambda mark: -mark.lineno):
        block = _entry(filling.blocks, node)
        gap = "\n" * block.blank_lines
        text = gap.join(textwrap.indent(piece.text, " " * node.col_offset) for piece in block.pieces)
        before = lines[: node.lineno - 1]
        while before and not before[-1].strip():
            before.pop()
        lines = [*before, *([""] * block.blank_lines if before else []), *text.splitlines(), *lines[node.lineno :]]
    return "\n".join(lines) + "\n"


def _replace(source: str, replaced: Sequence[tuple[tuple[int, int], tuple[int, int], str]]) -> str:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for (row, column), (end_row, end_column), new in sorted(replaced, reverse=True):
        source = source[: starts[row - 1] + column] + new + source[starts[end_row - 1] + end_column :]
    return source


class _TreeFilling(ast.NodeTransformer):
    """Fill a template's tree with nodes, without looking at any text."""

    def __init__(self, filling: Filling) -> None:
        self._filling = filling

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        if _is_mark(node.value, "BLOCK"):
            return [stmt for piece in _entry(self._filling.blocks, node.value).pieces for stmt in piece.body]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _is_mark(node, "SLOT"):
            return literal_node(_entry(self._filling.values, node))
        if _is_mark(node, "NAMES"):
            names = _dotted(_entry(self._filling.lists, node))
            return ast.List([_dotted_node(name) for name in names], ast.Load())
        return self.generic_visit(node)

    def generic_visit(self, node: _N) -> _N:
        for name in ("id", "attr", "name", "asname", "arg"):
            if isinstance(old := getattr(node, name, None), str):
                setattr(node, name, _renamed(old, self._filling))
        super().generic_visit(node)
        return node


def _renamed(identifier: str, filling: Filling) -> str:
    mark = _NAME_MARK.search(identifier)
    if mark is None:
        return identifier
    if mark[1] not in filling.names:
        raise _no_entry(mark[1])
    return checked_name(identifier[: mark.start()] + filling.names[mark[1]])


def _is_mark(node: ast.AST, kind: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == kind


_V = TypeVar("_V")


def _entry(entries: Mapping[str, _V], mark: ast.Call) -> _V:
    name = ast.literal_eval(mark.args[0])
    if name not in entries:
        raise _no_entry(name)
    return entries[name]


def _no_entry(name: str) -> RenderError:
    return RenderError(f"The template's mark `{name}` has no entry to fill it.", hint="this is a defect; report it.")


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _dotted(names: Sequence[str]) -> list[str]:
    return [".".join(checked_name(part) for part in name.split(".")) for name in names]


def _dotted_node(name: str) -> ast.expr:
    first, *rest = name.split(".")
    node: ast.expr = ast.Name(first, ast.Load())
    for part in rest:
        node = ast.Attribute(node, part, ast.Load())
    return node


def _check_equal(text: str, body: Sequence[ast.stmt]) -> None:
    if ast.dump(_parsed(text)) != ast.dump(ast.Module(list(body), [])):
        raise RenderError(
            "Generated code does not mean what its template and values say.", hint="this is a defect; please report it."
        )


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RenderError(
            f"Generated code does not parse: {error}.", hint="this is a defect; please report it."
        ) from error


def wrapped(piece: Piece) -> Piece:
    """Break the one call of a piece over several lines where it is wider than a line of a test's body."""
    (statement,) = piece.body
    if len(piece.text) - 1 + INDENT <= LINE_LENGTH:
        return piece
    call = ast.parse(piece.text).body[0]
    value = getattr(call, "value", None)
    if not isinstance(value, ast.Call):
        return piece
    line = piece.text.rstrip("\n")
    lines = [line[: _end_of(value.func) + 1]]
    named = [("", argument) for argument in value.args] + [(f"{word.arg}=", word.value) for word in value.keywords]
    for name, argument in named:
        segment = name + line[argument.col_offset : argument.end_col_offset]
        if isinstance(argument, ast.List) and len(segment) + 2 * INDENT + 1 > LINE_LENGTH:
            items = [line[item.col_offset : item.end_col_offset] for item in argument.elts]
            segment = "\n".join([f"{name}[", *(" " * 2 * INDENT + item + "," for item in items), " " * INDENT + "]"])
        lines.append(" " * INDENT + segment + ",")
    text = "\n".join([*lines, ")"]) + "\n"
    _check_equal(text, [statement])
    return Piece(text, piece.body)


def _end_of(node: ast.expr) -> int:
    return node.end_col_offset or 0
