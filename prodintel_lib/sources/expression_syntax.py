"""The expressions of a mapped table: their grammar, and the tree a text becomes.

An expression says how a canonical column is made from the columns of a file: ``us_to_ms(Duration)``,
``when(ParentID == 'root', null, ParentID)``, ``epoch_ns(End) - epoch_ns(Start)``. It is read by this parser into the
five kinds of node below and nothing else: no text of a configuration is ever evaluated as a program. ::

    expression  = and ("or" and)*
    and         = not ("and" not)*
    not         = "not" not | sum [("==" | "!=" | "<" | "<=" | ">" | ">=") sum]
    sum         = product (("+" | "-") product)*
    product     = unary (("*" | "/") unary)*
    unary       = "-" unary | primary
    primary     = number | 'text' | "text" | true | false | null | column | `odd column` | name(...) | (expression)

A quote inside a text is doubled; a backslash has no meaning, so that patterns can be written as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DEPTH: Final = 50
COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")
_TOKEN: Final = re.compile(
    r"""\s*+(?:
        (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_])
      | (?P<text>'(?:[^']|'')*+'|"(?:[^"]|"")*+")
      | (?P<odd>`[^`]++`)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*+)
      | (?P<sign>==|!=|<=|>=|[-+*/()<>,])
    )""",
    re.VERBOSE,
)
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false or null; `place` is the character it begins at, from 1."""

    value: str | float | bool | None
    place: int


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column of the file."""

    name: str
    place: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and the operator between them."""

    operator: str
    left: Node
    right: Node
    place: int


@dataclass(frozen=True, slots=True)
class Prefix:
    """``-`` or ``not`` before its operand."""

    operator: str
    operand: Node
    place: int


Node: TypeAlias = Literal | ColumnName | Call | Operation | Prefix


@dataclass(frozen=True, slots=True)
class Site:
    """Where an expression stands, for errors.

    Attributes
    ----------
    where : str
        File and key, such as ``prodintel.yaml: sources[0].columns.time_us``.
    text : str
        The expression.
    """

    where: str
    text: str

    def wrong(self, place: int, complaint: str, *, hint: str) -> ParameterError:
        """Make the error for a character of the expression."""
        return ParameterError(f"{self.at(place)}: {complaint}.", hint=hint)

    def at(self, place: int) -> str:
        """Name a character of the expression."""
        shown = self.text if len(self.text) <= 80 else f"{self.text[:77]}..."
        return f"{self.where}, character {place} of `{shown}`"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def parse_expression(site: Site) -> Node:
    """Read an expression into its tree.

    Parameters
    ----------
    site : Site
        The text, and where it stands.

    Raises
    ------
    ParameterError
        If it is not an expression; the key, the character and what was expected are named.

    Examples
    --------
    >>> parse_expression(Site("columns.duration_ms", "end - start"))
    Operation(operator='-', left=ColumnName(name='end', place=1), right=ColumnName(name='start', place=7), place=5)
    """
    return _Parser(site, _tokens(site)).whole()


def _tokens(site: Site) -> list[_Token]:
    tokens, position, end = [], 0, len(site.text.rstrip())
    while position < end:
        found = _TOKEN.match(site.text, position)
        if found is None or found.lastgroup is None:
            rest = site.text[position:]
            place = position + len(rest) - len(rest.lstrip()) + 1
            unclosed = site.text[place - 1] in "'\"`"
            raise site.wrong(
                place,
                f"`{site.text[place - 1]}` {'is never closed' if unclosed else 'has no meaning here'}",
                hint="write a column's odd name in backticks and a text in quotes: concat(`first name`, ' ', last).",
            )
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup) + 1))
        position = found.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens, as deep as MAX_DEPTH."""

    def __init__(self, site: Site, tokens: Sequence[_Token]) -> None:
        self._site = site
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._next < len(self._tokens):
            raise self._unexpected("an operator or the end")
        return node

    def _peek(self) -> _Token:
        if self._next < len(self._tokens):
            return self._tokens[self._next]
        return _Token("end", "", len(self._site.text) + 1)

    def _take(self, *texts: str) -> _Token | None:
        token = self._peek()
        if token.kind in {"sign", "name"} and token.text in texts:
            self._next += 1
            return token
        return None

    def _unexpected(self, expected: str) -> ParameterError:
        token = self._peek()
        came = f"`{token.text}`" if token.text else "the end"
        return self._site.wrong(
            token.place, f"expected {expected}, found {came}", hint="see docs/sources.md for the language."
        )

    def _expression(self) -> Node:
        self._deeper()
        node = self._conjunction()
        while token := self._take("or"):
            node = Operation("or", node, self._conjunction(), token.place)
        self._depth -= 1
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._site.wrong(
                self._peek().place, f"nested deeper than {MAX_DEPTH}", hint="write a simpler expression."
            )

    def _conjunction(self) -> Node:
        node = self._negation()
        while token := self._take("and"):
            node = Operation("and", node, self._negation(), token.place)
        return node

    def _negation(self) -> Node:
        if token := self._take("not"):
            self._deeper()
            node = Prefix("not", self._negation(), token.place)
            self._depth -= 1
            return node
        left = self._sum()
        if token := self._take(*COMPARISONS):
            return Operation(token.text, left, self._sum(), token.place)
        return left

    def _sum(self) -> Node:
        node = self._product()
        while token := self._take("+", "-"):
            node = Operation(token.text, node, self._product(), token.place)
        return node

    def _product(self) -> Node:
        node = self._unary()
        while token := self._take("*", "/"):
            node = Operation(token.text, node, self._unary(), token.place)
        return node

    def _unary(self) -> Node:
        if token := self._take("-"):
            self._deeper()
            node = Prefix("-", self._unary(), token.place)
            self._depth -= 1
            return node
        return self._primary()

    def _primary(self) -> Node:
        token = self._peek()
        if self._take("("):
            node = self._expression()
            if not self._take(")"):
                raise self._unexpected("`)`")
            return node
        if token.kind in {"end", "sign"}:
            raise self._unexpected("a column, a value or a function")
        self._next += 1
        if token.kind == "number":
            return Literal(float(token.text), token.place)
        if token.kind == "text":
            quote = token.text[0]
            return Literal(token.text[1:-1].replace(quote * 2, quote), token.place)
        if token.kind == "odd":
            return ColumnName(token.text[1:-1], token.place)
        return self._named(token)

    def _named(self, token: _Token) -> Node:
        if self._take("("):
            return Call(token.text, self._arguments(), token.place)
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text], token.place)
        return ColumnName(token.text, token.place)

    def _arguments(self) -> tuple[Node, ...]:
        if self._take(")"):
            return ()
        arguments = [self._expression()]
        while self._take(","):
            arguments.append(self._expression())
        if not self._take(")"):
            raise self._unexpected("`,` or `)`")
        return tuple(arguments)
