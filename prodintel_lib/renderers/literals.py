"""Values from production as Python literals: never code, whatever they hold.

`literal` writes them the way the formatter would, so that generated files need no second pass; `literal_node` builds
the same value as a syntax tree, for the check that the text means it.
"""

from __future__ import annotations

import ast
import math
import unicodedata
from typing import Final, TypeAlias

from prodintel_lib.errors import UnsafeValueError

LINE_LENGTH: Final = 120
INDENT: Final = 4
_MAX_DEPTH: Final = 40
_MAX_DIGITS: Final = 4000
_SHORT_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}

Literal: TypeAlias = "str | int | float | bool | list[Literal] | tuple[Literal, ...] | dict[str, Literal] | None"


def literal(value: object, *, indent: int = 0, used: int = 0) -> str:
    r"""Write a value as a Python literal.

    Parameters
    ----------
    value : str, int, float, bool, None, list, tuple or dict with such values
        The value; dictionaries have string keys.
    indent : int, optional
        Columns by which the lines after the first are indented.
    used : int, optional
        Columns of the first line that other text takes, before and after the literal.

    Returns
    -------
    str
        The literal, on one line where it fits into 120 columns. It is plain ASCII but for Latin letters: control,
        bidirectional, line-separating and unpaired characters are escaped.

    Raises
    ------
    UnsafeValueError
        If the value is of another type, not finite, or nested too deeply.

    Examples
    --------
    >>> literal({"path": "/a", "n": [1, -2.5]})
    '{"path": "/a", "n": [1, -2.5]}'
    >>> literal("line\u2028break")
    '"line\\u2028break"'
    """
    _check(value, depth=0)
    return _write(value, indent, used)


def literal_node(value: object) -> ast.expr:
    """Build the syntax tree that a literal of this value has to parse to."""
    _check(value, depth=0)
    return _node(value)


def docstring(text: str, *, indent: int = INDENT) -> str:
    """Write a docstring: triple-quoted where its text is plain, otherwise an escaped literal on one line."""
    if is_plain(text):
        return f'"""{text}"""'
    return literal(text, indent=indent)


def is_plain(text: str) -> bool:
    """Say whether a text can stand in triple quotes as it is: printable ASCII and newlines, no quote, no backslash."""
    return all(char == "\n" or (" " <= char <= "~" and char not in "\"'\\") for char in text)


def quoted(text: str) -> str:
    """Write one string in the quotes that need fewer escapes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    return mark + "".join("\\" + char if char == mark else _escaped(char) for char in text) + mark


def _escaped(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if " " <= char <= "~" or ("\u00c0" <= char <= "\u017f" and unicodedata.category(char) in {"Ll", "Lu"}):
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _check(value: object, *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise UnsafeValueError(
            f"A literal may be nested {_MAX_DEPTH} levels deep; this one goes deeper.",
            hint="leave the request out of the scenario, or send a smaller body.",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UnsafeValueError(f"A literal needs a finite number; got {value}.", hint="check where the figure is made.")
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        raise UnsafeValueError(
            f"A literal number may have {_MAX_DIGITS} digits.", hint="check where the figure is made."
        )
    # Exact types: a subclass could write anything in its own `repr`.
    if type(value) in {list, tuple}:
        for item in value:  # type: ignore[attr-defined]
            _check(item, depth=depth + 1)
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise UnsafeValueError(
                    f"A literal dictionary has string keys; got a {type(key).__name__}.", hint="write keys as strings."
                )
            _check(item, depth=depth + 1)
    elif value is not None and type(value) not in {str, int, float, bool}:
        raise UnsafeValueError(
            f"Only str, int, float, bool, None, list, tuple and dict become literals; got {type(value).__name__}.",
            hint="turn the value into one of them first, for instance with `model_dump(mode='json')`.",
        )


def _write(value: object, indent: int, used: int) -> str:
    flat = _flat(value)
    if indent + used + len(flat) <= LINE_LENGTH or not value:
        return flat
    if isinstance(value, str):
        return _split(value, indent) if used else flat
    if not isinstance(value, (dict, list, tuple)):
        return flat
    inner = indent + INDENT
    if isinstance(value, dict):
        keys = [quoted(key) + ": " for key in value]
        parts = [key + _write(item, inner, len(key) + 1) for key, item in zip(keys, value.values(), strict=True)]
        return _lines("{", parts, "}", indent)
    opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
    return _lines(opening, [_write(item, inner, 1) for item in value], closing, indent)


def _lines(opening: str, parts: list[str], closing: str, indent: int, *, comma: str = ",") -> str:
    inner = " " * (indent + INDENT)
    return "\n".join([opening, *(inner + part + comma for part in parts), " " * indent + closing])


def _split(text: str, indent: int) -> str:
    """Break a long string between its words into adjacent literals."""
    room = LINE_LENGTH - indent - INDENT
    lines: list[str] = []
    for word in text.replace(" ", " \0").split("\0") if "\0" not in text else [text]:
        if lines and len(quoted(lines[-1] + word)) <= room:
            lines[-1] += word
        else:
            lines.append(word)
    if len(lines) == 1:
        return quoted(text)
    return _lines("(", [quoted(line) for line in lines], ")", indent, comma="")


def _flat(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_flat, value)) + (",)" if len(value) == 1 else ")")
    # Python writes 1e+16, the formatter 1e16.
    return repr(value).replace("e+", "e")


def _node(value: object) -> ast.expr:
    if isinstance(value, dict):
        return ast.Dict([ast.Constant(key) for key in value], [_node(item) for item in value.values()])
    if isinstance(value, list):
        return ast.List([_node(item) for item in value], ast.Load())
    if isinstance(value, tuple):
        return ast.Tuple([_node(item) for item in value], ast.Load())
    if isinstance(value, (int, float)) and repr(value).startswith("-"):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    if value is None or isinstance(value, (str, int, float)):
        return ast.Constant(value)
    raise TypeError(type(value).__name__)
