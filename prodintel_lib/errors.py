"""The exceptions of prodintel.

Every message says what was expected, what came and where; ``hint`` is one action that helps. The command line
prints both without a traceback and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class ProdintelError(Exception):
    """A failure with a sentence for the person who meets it.

    Parameters
    ----------
    message : str
        What was expected, what came, and where.
    hint : str, optional
        One action that helps. Never advice to loosen a threshold.

    Attributes
    ----------
    exit_code : int
        2 where the caller can mend the input, 1 where the work itself failed.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[ProdintelError], message: str, hint: str) -> ProdintelError:
    error = kind.__new__(kind)
    ProdintelError.__init__(error, message, hint=hint)
    return error


class SourceFormatError(ProdintelError):
    """A file or an answer does not hold what its format promises."""


class MissingColumnsError(ProdintelError):
    """A table lacks columns that the work needs."""

    @classmethod
    def in_table(
        cls, table: str, *, missing: Iterable[str], available: Iterable[str], hint: str = ""
    ) -> MissingColumnsError:
        """Name the columns that are missing, the ones there are, and the nearest name."""
        lacking, present = sorted(missing), sorted(available)
        near = [near_match(name, present) for name in lacking]
        guess = ", ".join(f"`{name}` may be `{like}`" for name, like in zip(lacking, near, strict=True) if like)
        return cls(
            f"Table `{table}` needs {_listed(lacking)}; it has {_listed(present)}.",
            hint=hint or (f"{guess}." if guess else "map the columns in prodintel.yaml (`columns:`)."),
        )


class ParameterError(ProdintelError):
    """A parameter, an option or a configuration key is unknown or has a value that cannot be used."""

    @classmethod
    def unknown(cls, kind: str, name: str, *, known: Iterable[str], where: str = "") -> ParameterError:
        """Name what is known and the nearest match."""
        names = sorted(known)
        like = near_match(name, names)
        place = f" in {where}" if where else ""
        return cls(
            f"Unknown {kind} `{name}`{place}; known: {', '.join(names) or 'none'}.",
            hint=f"did you mean `{like}`?" if like else f"use one of the known {kind} names.",
        )


class NoDataError(ProdintelError):
    """There is nothing to look at: the window or the table is empty."""


class UnsafeValueError(ProdintelError):
    """A value from production cannot be written where it was asked for without becoming code or a path."""


class RenderError(ProdintelError):
    """A scenario could not be turned into a file that holds."""

    exit_code = 1


class NotebookRunError(ProdintelError):
    """A notebook stopped at an error; its file holds the cells run so far."""

    exit_code = 1


class NotebookInputError(NotebookRunError):
    """A notebook stopped because what it was given cannot be used: the caller can mend that."""

    exit_code = 2


class ConditionError(ProdintelError):
    """A condition of a scenario (a fault, a load) could not be applied or removed."""

    exit_code = 1


def near_match(name: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `name`, or None when none is near."""
    found = difflib.get_close_matches(name, list(known), n=5, cutoff=0.6)
    # Swapped digits are the usual slip in an id, and a ratio of matching blocks does not see them.
    swapped = [other for other in found if sorted(other) == sorted(name)]
    return next(iter([*swapped, *found]), None)


def _listed(names: list[str]) -> str:
    if not names:
        return "no columns"
    head = ", ".join(f"`{name}`" for name in names[:12])
    rest = len(names) - 12
    noun = "column" if len(names) == 1 else "columns"
    return f"{noun} {head}" + (f" and {rest} more" if rest > 0 else "")
