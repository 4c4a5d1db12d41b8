"""The parameters of a notebook: what it has, and whether what is given fits."""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | list[str] | list[int] | list[float]

PARAMETERS_TAG: Final = "parameters"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a notebook.

    Attributes
    ----------
    name : str
    default : str, int, float, bool or a list of one of them
        What the notebook holds; ``""`` stands for unset.
    annotation : str
        ``str``, ``int``, ``float``, ``bool``, ``list[str]``, ``list[int]`` or ``list[float]``.
    comment : str
        What it means, from the comment on its line.
    """

    name: str
    default: Value
    annotation: str
    comment: str


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook's JSON.

    Raises
    ------
    ParameterError
        If there is no such file, or it is not a notebook of format 4.
    """
    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParameterError(f"There is no notebook {path}.", hint="give the path of a file in notebooks/.") from error
    except ValueError as error:
        raise ParameterError(
            f"{path} should be a notebook, which is JSON; {error}.", hint="open and save it in JupyterLab."
        ) from error
    found = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if found != 4:
        raise ParameterError(
            f"{path} should be a notebook of format 4; it says {found}.",
            hint="open and save it in JupyterLab.",
        )
    return notebook


def inspect_parameters(path: Path) -> tuple[Parameter, ...]:
    """Read the parameters of a notebook from its cell tagged ``parameters``, in its order.

    Parameters
    ----------
    path : Path
        A notebook. The cell holds annotated assignments of literals only, each with a comment on its line.

    Raises
    ------
    ParameterError
        If there is no such cell or more than one, or a line is anything else.
    """
    cells = [
        (number, _source(cell))
        for number, cell in enumerate(read_notebook(path)["cells"], start=1)
        if cell["cell_type"] == "code" and PARAMETERS_TAG in cell.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        found = f"cells {', '.join(str(number) for number, _ in cells)} have it" if cells else "none has it"
        raise ParameterError(
            f"{path} should have one code cell tagged `{PARAMETERS_TAG}`; {found}.",
            hint="set the tag in JupyterLab's property inspector.",
        )
    number, source = cells[0]
    where = f"{path}, cell {number}"
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(
            f"{where}, line {error.lineno}: {error.msg}.", hint='write `name: str = ""  # what it means`.'
        ) from error
    comments = _comments(source)
    parameters = tuple(_parameter(line, comments, where) for line in lines)
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"{where}: `{name}` is set twice.", hint="keep one of the lines.")
    return parameters


def check_parameters(parameters: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """Check values against a notebook's parameters and bring them to the annotated types.

    Text is read as the annotation says and never by how it looks: an id stays text, ``60`` for an ``int`` becomes 60.

    Parameters
    ----------
    parameters : iterable of Parameter
        From `inspect_parameters`.
    given : mapping
        Values from a YAML file or, as text, from the command line. A list as text has its items between commas.

    Returns
    -------
    dict
        The given parameters only, in the notebook's order.

    Raises
    ------
    ParameterError
        If a name is unknown (with the near match) or a value does not fit its annotation.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise ParameterError.unknown("parameter", name, known=known)
    return {name: _coerced(known[name], given[name]) for name in known if name in given}


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").strip() for token in tokens if token.type == tokenize.COMMENT}


def _parameter(line: ast.stmt, comments: Mapping[int, str], where: str) -> Parameter:
    place = f"{where}, line {line.lineno}"
    if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None):
        raise ParameterError(
            f"{place} should be `name: type = literal  # comment`; it is `{ast.unparse(line)}`.",
            hint="move other code to a cell of its own.",
        )
    name, annotation = line.target.id, ast.unparse(line.annotation)
    if annotation not in _READERS:
        raise ParameterError(
            f"{place}: `{name}` is annotated `{annotation}`; known: {', '.join(_READERS)}.",
            hint="use a scalar or a list of scalars.",
        )
    try:
        default = ast.literal_eval(line.value)
    except ValueError as error:
        raise ParameterError(
            f"{place}: the default of `{name}` should be a literal; it is `{ast.unparse(line.value)}`.",
            hint="write the value itself, and compute from it in a later cell.",
        ) from error
    comment = comments.get(line.end_lineno or line.lineno, "")
    if not comment:
        raise ParameterError(f"{place}: `{name}` has no comment.", hint="say on its line what it means, after `#`.")
    parameter = Parameter(name, default, annotation, comment)
    _coerced(parameter, default, place=place)
    return parameter


def _coerced(parameter: Parameter, value: object, *, place: str = "") -> Value:
    try:
        return _READERS[parameter.annotation](value)
    except _UnfitError as error:
        before = f"{place}: the default of " if place else "Parameter "
        raise ParameterError(
            f"{before}`{parameter.name}` should be {error.wanted}; it is {_shown(value)}.", hint=error.hint
        ) from None


class _UnfitError(Exception):
    def __init__(self, wanted: str, hint: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.hint = hint


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def _read_str(value: object) -> str:
    if not isinstance(value, str):
        raise _UnfitError("text (`str`)", "put it in quotes, so that an id such as 0012 stays what it is.")
    return value


def _read_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise _UnfitError("a whole number (`int`)", "write it as 60.")


def _read_float(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _UnfitError("a finite number (`float`)", "write it as 0.95.")


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise _UnfitError("true or false (`bool`)", "write true or false.")


def _list_of(read: Callable[[object], Any]) -> Callable[[object], Any]:
    def read_list(value: object) -> list[Any]:
        if isinstance(value, str):
            return [read(item.strip()) for item in value.split(",")] if value.strip() else []
        if isinstance(value, list):
            return [read(item) for item in value]
        raise _UnfitError("a list", "write the items between commas.")

    return read_list


_READERS: Final[dict[str, Callable[[object], Value]]] = {
    "str": _read_str,
    "int": _read_int,
    "float": _read_float,
    "bool": _read_bool,
    "list[str]": _list_of(_read_str),
    "list[int]": _list_of(_read_int),
    "list[float]": _list_of(_read_float),
}
