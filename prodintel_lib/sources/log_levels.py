"""Severities as loggers write them, brought to OpenTelemetry's names and numbers.

Words are those of the common loggers; numbers are either syslog's (0 emergency to 7 debug, RFC 5424 section 6.2.1), or
those of Bunyan and pino (10 trace to 60 fatal), or Python's (10 debug to 50 critical). Bunyan's and Python's scales
differ by one step and share their values: which of the two a file has is told by what stands beside the level, see
log_fields. The mapping is that of https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVEL_NUMBERS: Final[Mapping[str, int]] = {
    "TRACE": 1, "FINEST": 1, "FINER": 1, "SILLY": 1, "VERBOSE": 1, "T": 1, "V": 1,
    "DEBUG": 5, "DBG": 5, "FINE": 5, "CONFIG": 5, "DEBUG1": 5, "DEBUG2": 5, "DEBUG3": 5, "D": 5,
    "INFO": 9, "INF": 9, "INFORMATION": 9, "INFORMATIONAL": 9, "LOG": 9, "DEFAULT": 9, "I": 9,
    "NOTICE": 10, "NOTE": 10,
    "WARN": 13, "WARNING": 13, "WRN": 13, "W": 13, "DEPRECATED": 13,
    "ERROR": 17, "ERR": 17, "EROR": 17, "SEVERE": 17, "FAILURE": 17, "E": 17,
    "CRITICAL": 18, "CRIT": 18, "DPANIC": 18, "C": 18,
    "ALERT": 19, "A": 19,
    "FATAL": 21, "FTL": 21, "EMERGENCY": 21, "EMERG": 21, "PANIC": 21, "F": 21,
}  # fmt: skip
"""What loggers call their levels, in upper case, and OpenTelemetry's number."""
SYSLOG_NUMBERS: Final = (21, 19, 18, 17, 13, 10, 9, 5)
"""OpenTelemetry's number of each of syslog's severities 0..7, which are also those of PHP's and Drupal's logs."""
_BUNYAN: Final[Mapping[int, int]] = {10: 1, 20: 5, 30: 9, 40: 13, 50: 17, 60: 21}
_PYTHON: Final[Mapping[int, int]] = {10: 5, 20: 9, 30: 13, 40: 17, 50: 21}
_SYSLOG: Final[Mapping[int, int]] = dict(enumerate(SYSLOG_NUMBERS))
_SCALES: Final[Mapping[str, Mapping[int, int]]] = {"bunyan": _BUNYAN, "python": _PYTHON, "syslog": _SYSLOG}
_NAMES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# Single letters are levels only where a column of them was found: in prose they are words.
_WORDS: Final = "|".join(sorted((word for word in LEVEL_NUMBERS if len(word) > 2 and word != "DEFAULT"), key=len)[::-1])
_SEARCHED_CHARS: Final = 160
_LABELLED: Final = (
    rf"(?i)(?:^|[\s,;{{(\[])[\"']?(?:level|lvl|severity|loglevel|levelname)[\"']?\s*[=:]\s*[\"']?({_WORDS})\b"
)
_BRACKETED: Final = rf"(?i)[\[<(](?:[A-Za-z0-9_.-]+[.:])?({_WORDS})[\])>]"
# In capitals and between separators: `Error: ` and `no error` are prose.
_CAPITALS: Final = rf"(?:^|[\s|,:;-])({_WORDS})(?:[\s|,:;]|$)"
_PHP: Final = (
    r"^(?:PHP )?(Fatal|Parse|Recoverable fatal|Core|Compile|Warning|Notice|Deprecated|Strict)(?: error| warning)?"
    r"(?: Standards)?: "
)
_PHP_NUMBERS: Final[Mapping[str, str]] = {
    "Fatal": "FATAL", "Parse": "FATAL", "Recoverable fatal": "ERROR", "Core": "FATAL", "Compile": "FATAL",
    "Warning": "WARN", "Notice": "NOTICE", "Deprecated": "DEPRECATED", "Strict": "NOTICE",
}  # fmt: skip


def level_of(value: object, *, scale: str = "bunyan") -> int | None:
    """Return OpenTelemetry's number of a level; None where it is none that is known.

    Parameters
    ----------
    value : object
        A word, or a number of one of the scales.
    scale : {"bunyan", "python", "syslog", "otel"}
        What numbers mean.

    Examples
    --------
    >>> level_of("Warning"), level_of(30), level_of("30", scale="python"), level_of(3, scale="syslog"), level_of("?")
    (13, 9, 13, 17, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip().upper()
    if text in LEVEL_NUMBERS:
        return LEVEL_NUMBERS[text]
    if not text.isascii() or not text.isdigit():
        return None
    number = int(text[:4])
    if scale == "otel":
        return number if 1 <= number <= 24 else None
    return _SCALES[scale].get(number)


def level_name(number: int) -> str:
    """Return the name of OpenTelemetry's number.

    Examples
    --------
    >>> level_name(10), level_name(18)
    ('INFO', 'ERROR')
    """
    return _NAMES[(number - 1) // 4]


def level_names(number: pl.Expr) -> pl.Expr:
    """Return the names of OpenTelemetry's numbers; null of null."""
    return number.replace_strict(
        {value: level_name(value) for value in range(1, 25)}, default=None, return_dtype=pl.String
    )


def level_numbers(word: pl.Expr) -> pl.Expr:
    """Return OpenTelemetry's numbers of levels in words; null of what is none."""
    return word.str.to_uppercase().replace_strict(LEVEL_NUMBERS, default=None, return_dtype=pl.Int64)


def found_level(text: pl.Expr) -> pl.Expr:
    """Find the level that a line says without a field for it, as OpenTelemetry's number.

    Taken are, in this order and near the beginning of the line: ``level=error``, ``[error]`` or ``<Error>``, a level in
    capitals between separators, and the kinds of PHP's errors. A word in a sentence is none.
    """
    beginning = text.str.slice(0, _SEARCHED_CHARS)
    php = beginning.str.extract(_PHP, 1).replace_strict(_PHP_NUMBERS, default=None, return_dtype=pl.String)
    return pl.coalesce(
        level_numbers(beginning.str.extract(pattern, 1)) for pattern in (_LABELLED, _BRACKETED, _CAPITALS)
    ).fill_null(level_numbers(php))
