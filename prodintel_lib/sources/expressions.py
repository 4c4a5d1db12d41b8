"""Expressions of a mapped table, from their tree to Polars: an allow-list of operators and functions, checked first.

Every column of a file is text here, since that is what CSV has and what no type of JSON or Parquet is lost in; the
functions read numbers and times from it. What cannot be read becomes null, never an error: the mapped reader says for
each row what that means.
"""

from __future__ import annotations

import operator
import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import polars as pl

from prodintel_lib.errors import near_match
from prodintel_lib.sources.expression_syntax import Call, ColumnName, Node, Operation, Prefix, Site, parse_expression
from prodintel_lib.sources.expression_syntax import Literal as Constant
from prodintel_lib.sources.expression_times import any_time_us, epoch_us, iso_us, number_of, strptime_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# `raw` is text of a file, which may be a number; `text` was made as text; a `null` fits everywhere.
Kind: TypeAlias = Literal["raw", "text", "number", "flag", "null"]

_DIRECTIVES: Final = re.compile(r"%(?:%|[-_0]?[YCyqmbBhdeaAwuUWGgVjDxFvHkIlPpMSfRTXrZzsctn]|\.?[369]?f|:{1,2}z|#z)")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
_TRUE: Final = ("true", "1", "yes", "t")
_FALSE: Final = ("false", "0", "no", "f")


@dataclass(frozen=True, slots=True)
class Value:
    """A part of an expression, compiled.

    Attributes
    ----------
    kind : Kind
    expr : polars.Expr
    """

    kind: Kind
    expr: pl.Expr

    def text(self) -> pl.Expr:
        """As text; whole numbers without a fraction."""
        if self.kind == "number":
            whole = self.expr.cast(pl.Int64, strict=False)
            is_whole = whole.cast(pl.Float64) == self.expr.cast(pl.Float64)
            return pl.when(is_whole).then(whole.cast(pl.String)).otherwise(self.expr.cast(pl.String))
        return self.expr.cast(pl.String)

    def number(self) -> pl.Expr:
        """As a number; null where it is none."""
        return self.expr if self.kind == "number" else number_of(self.text())

    def flag(self) -> pl.Expr:
        """As true or false; null where it is neither."""
        if self.kind == "flag":
            return self.expr
        told = self.text().str.strip_chars().str.to_lowercase()
        return pl.when(told.is_in(_TRUE)).then(pl.lit(value=True)).when(told.is_in(_FALSE)).then(pl.lit(value=False))


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that has been checked.

    Attributes
    ----------
    site : Site
        Where it stands.
    value : Value
    columns : mapping of str to int
        The columns it needs, with the character at which each is named first.
    optional : frozenset of str
        Those that a file may lack.
    """

    site: Site
    value: Value
    columns: Mapping[str, int]
    optional: frozenset[str]


def column_alias(name: str) -> str:
    """Return the name a file's column has in a frame; a bare `*` or `^a$` would mean something to Polars."""
    return f"column:{name}"


def compile_expression(site: Site) -> Expression:
    """Check an expression and turn it into Polars.

    Raises
    ------
    ParameterError
        If it is no expression, names a function that does not exist, or gives one what it does not take.

    Examples
    --------
    >>> made = compile_expression(Site("columns.duration_ms", "us_to_ms(Duration)"))
    >>> pl.DataFrame({"column:Duration": ["2500"]}).select(made.value.number()).item()
    2.5
    """
    compiler = _Compiler(site)
    value = compiler.value(parse_expression(site))
    return Expression(site, value, compiler.columns, frozenset(compiler.optional))


class _Compiler:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.columns: dict[str, int] = {}
        self.optional: set[str] = set()

    def value(self, node: Node) -> Value:
        if isinstance(node, Constant):
            return _constant(node)
        if isinstance(node, ColumnName):
            self.columns.setdefault(node.name, node.place)
            return Value("raw", pl.col(column_alias(node.name)))
        if isinstance(node, Prefix):
            inner = self.value(node.operand)
            return Value("flag", ~inner.flag()) if node.operator == "not" else Value("number", -inner.number())
        if isinstance(node, Operation):
            return _operation(node.operator, self.value(node.left), self.value(node.right))
        return self._call(node)

    def _call(self, node: Call) -> Value:
        signature = FUNCTIONS.get(node.name)
        if signature is None:
            like = near_match(node.name, FUNCTIONS)
            raise self.site.wrong(
                node.place,
                f"no function `{node.name}`; known: {', '.join(sorted(FUNCTIONS))}",
                hint=f"did you mean `{like}`?" if like else "use one of the known functions.",
            )
        least, most = signature.least, signature.most
        if not least <= len(node.arguments) <= most:
            raise self.site.wrong(
                node.place,
                f"`{node.name}` takes {signature.usage}, not {len(node.arguments)} arguments",
                hint=f"write {node.name}{signature.usage}.",
            )
        given = [
            self._setting(argument, signature.settings[place]) if place in signature.settings else self.value(argument)
            for place, argument in enumerate(node.arguments)
        ]
        if node.name == "optional":
            if not isinstance(node.arguments[0], ColumnName):
                raise self.site.wrong(node.place, "`optional` takes a column", hint="write optional(column).")
            self.optional.add(node.arguments[0].name)
        return signature.make(*given)

    def _setting(self, node: Node, check: Callable[[Any], str]) -> str | float | bool | None:
        """Return an argument that must stand in the text, such as a zone or a pattern."""
        sign, inner = (-1, node.operand) if isinstance(node, Prefix) and node.operator == "-" else (1, node)
        if not isinstance(inner, Constant):
            raise self.site.wrong(node.place, "expected a value written out", hint="write a quoted text or a number.")
        value = sign * inner.value if sign < 0 and type(inner.value) is float else inner.value
        if complaint := check(value):
            raise self.site.wrong(node.place, complaint, hint="see docs/sources.md for what the function takes.")
        return value


def _constant(node: Constant) -> Value:
    value = node.value
    if value is None:
        return Value("null", pl.lit(None, dtype=pl.String))
    if isinstance(value, bool):
        return Value("flag", pl.lit(value))
    return Value("text", pl.lit(value)) if isinstance(value, str) else Value("number", pl.lit(float(value)))


def _operation(sign: str, left: Value, right: Value) -> Value:
    if sign in {"and", "or"}:
        both = left.flag() & right.flag() if sign == "and" else left.flag() | right.flag()
        return Value("flag", both)
    if sign in _COMPARE:
        return Value("flag", _comparison(sign, left, right))
    if sign == "+" and "text" in {left.kind, right.kind}:
        return Value("text", pl.concat_str(left.text(), right.text()))
    return Value("number", _ARITHMETIC[sign](left.number().cast(pl.Float64), right.number().cast(pl.Float64)))


def _comparison(sign: str, left: Value, right: Value) -> pl.Expr:
    """Compare as what one side is for sure; with null, ask whether there is a value at all."""
    kinds = {left.kind, right.kind}
    compare = _COMPARE[sign]
    if "null" in kinds:
        other = left if right.kind == "null" else right
        made = other.expr.is_not_null() if sign == "!=" else other.expr.is_null()
    elif "flag" in kinds:
        made = compare(left.flag(), right.flag())
    elif "number" in kinds:
        made = compare(left.number(), right.number())
    else:
        made = compare(left.text(), right.text())
    return made


def _united(values: Sequence[Value]) -> tuple[Kind, list[pl.Expr]]:
    """Bring values to one kind: their own where they agree, numbers where one is, else text."""
    kinds = {value.kind for value in values} - {"null"}
    if kinds == {"flag"}:
        return "flag", [value.flag() for value in values]
    if "number" in kinds and kinds <= {"number", "raw"}:
        return "number", [value.number() for value in values]
    return "text" if "text" in kinds else "raw", [value.text() for value in values]


def _when(condition: Value, then: Value, otherwise: Value) -> Value:
    kind, (first, second) = _united((then, otherwise))
    return Value(kind, pl.when(condition.flag()).then(first).otherwise(second))


def _coalesce(*values: Value) -> Value:
    kind, exprs = _united(values)
    return Value(kind, pl.coalesce(*exprs))


def _scaled(factor: float) -> Callable[[Value], Value]:
    return lambda value: Value("number", value.number() * factor)


def _epoch(unit: str) -> Callable[[Value], Value]:
    return lambda value: Value("number", epoch_us(value.text(), unit))


def _split_part(value: Value, separator: str, number: float) -> Value:
    place = int(number) - 1 if number > 0 else int(number)
    return Value("raw", value.text().str.split(separator).list.get(place, null_on_oob=True))


def _json(value: Value, pointer: str) -> Value:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    steps = (f"[{part}]" if part.isdecimal() else "['" + part + "']" for part in parts)
    return Value("raw", value.text().str.json_path_match("$" + "".join(steps)))


def _no_check(_: object) -> str:
    return ""


def _is_text(value: object) -> str:
    return "" if isinstance(value, str) else "expected a quoted text"


def _is_place(value: object) -> str:
    return "" if isinstance(value, float) and value.is_integer() and value else "expected a number such as 1, or -1"


def _is_group(value: object) -> str:
    return "" if isinstance(value, float) and value.is_integer() and 0 <= value < 100 else "expected a group's number"


def _is_separator(value: object) -> str:
    return "" if isinstance(value, str) and value else "expected a quoted text of at least one character"


def _is_pointer(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        return "expected a JSON pointer such as '/error/message'"
    return "a quote or a backslash cannot be part of a pointer" if "'" in value or "\\" in value else ""


def _is_zone(value: object) -> str:
    known = zoneinfo.available_timezones()
    if isinstance(value, str) and value in known:
        return ""
    like = near_match(str(value), known)
    return f"no time zone `{value}`" + (f"; did you mean `{like}`?" if like else ", such as 'Europe/Berlin'")


def _is_format(value: object) -> str:
    if not isinstance(value, str) or "%" not in value:
        return "expected a pattern such as '%d.%m.%Y %H:%M:%S'"
    wrong = _DIRECTIVES.sub("", value).partition("%")
    return f"`%{wrong[2][:1]}` is no part of a time" if wrong[1] else ""


def _is_pattern(value: object) -> str:
    if not isinstance(value, str):
        return "expected a quoted pattern"
    try:
        pl.Series([""]).str.extract(value, 0)
    except pl.exceptions.PolarsError as error:
        return f"no pattern: {str(error).splitlines()[0]}"
    return ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    Attributes
    ----------
    usage : str
        Its arguments, as documentation and errors show them.
    least, most : int
        How many it takes.
    make : callable
    settings : mapping of int to callable
        Arguments that must be written out, with what checks them.
    """

    usage: str
    least: int
    most: int
    make: Callable[..., Value]
    settings: Mapping[int, Callable[[Any], str]]


def _function(
    usage: str, least: int, most: int, make: Callable[..., Value], *settings: Callable[[Any], str]
) -> Function:
    """Describe a function whose last arguments are settings."""
    return Function(usage, least, most, make, {most - len(settings) + n: check for n, check in enumerate(settings)})


_MANY: Final = 64
FUNCTIONS: Final[Mapping[str, Function]] = {
    **{f"epoch_{unit}": _function("(column)", 1, 1, _epoch(unit)) for unit in ("s", "ms", "us", "ns")},
    "any_time": _function("(column)", 1, 1, lambda v: Value("number", any_time_us(v.text()))),
    "iso": _function("(column)", 1, 1, lambda v: Value("number", iso_us(v.text()))),
    "local": _function("(column, 'Zone')", 2, 2, lambda v, zone: Value("number", iso_us(v.text(), zone)), _is_zone),
    "strptime": _function(
        "(column, 'format'[, 'Zone'])",
        2,
        3,
        lambda v, form, zone="UTC": Value("number", strptime_us(v.text(), form, zone)),
        _is_format,
        _is_zone,
    ),
    "ms": _function("(column)", 1, 1, _scaled(1)),
    "s_to_ms": _function("(column)", 1, 1, _scaled(1e3)),
    "us_to_ms": _function("(column)", 1, 1, _scaled(1e-3)),
    "ns_to_ms": _function("(column)", 1, 1, _scaled(1e-6)),
    "number": _function("(value)", 1, 1, lambda v: Value("number", v.number())),
    "text": _function("(value)", 1, 1, lambda v: Value("text", v.text())),
    "lower": _function("(text)", 1, 1, lambda v: Value("text", v.text().str.to_lowercase())),
    "upper": _function("(text)", 1, 1, lambda v: Value("text", v.text().str.to_uppercase())),
    "replace": _function(
        "(text, 'old', 'new')",
        3,
        3,
        lambda v, old, new: Value("text", v.text().str.replace_all(old, new, literal=True)),
        _is_separator,
        _is_text,
    ),
    "split_part": _function("(text, 'separator', number)", 3, 3, _split_part, _is_separator, _is_place),
    "regex_extract": _function(
        "(text, 'pattern', group)",
        3,
        3,
        lambda v, pattern, group: Value("raw", v.text().str.extract(pattern, int(group))),
        _is_pattern,
        _is_group,
    ),
    "json": _function("(column, '/pointer')", 2, 2, _json, _is_pointer),
    "when": _function("(condition, then, otherwise)", 3, 3, _when),
    "coalesce": _function("(value, value, ...)", 1, _MANY, _coalesce),
    "concat": _function(
        "(value, value, ...)",
        1,
        _MANY,
        lambda *values: Value("text", pl.concat_str([v.text() for v in values], ignore_nulls=True)),
    ),
    "optional": _function("(column)", 1, 1, lambda v: v),
}
