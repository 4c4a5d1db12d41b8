"""The shape of a message: what stays the same from one request to the next."""

from __future__ import annotations

from typing import Final

import polars as pl

MESSAGE_LENGTH: Final = 160
# Masks in the order they apply: what varies from request to request without changing what is said.
_MASKS: Final = (
    (r"0x[0-9a-fA-F]+", "<hex>"),
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}", "<id>"),
    (r"\b[0-9a-fA-F]{12,}\b", "<id>"),
    (r"[0-9]+(\.[0-9]+)?", "<n>"),
)
# A class as it stands in a message: `java.lang.IllegalStateException`, `ValueError`, `sqlite3.OperationalError`.
_CLASS: Final = r"\b((?:[A-Za-z_][A-Za-z0-9_$]*\.)*[A-Z][A-Za-z0-9_$]*(?:Exception|Error))\b"
# What a logger puts before its message: the time of day and the level, once numbers are masked.
_PREFIX: Final = r"^(?:<n>[TZ]?|[\[\]:.,/ +-])*(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b[\]: ]*"

# What a logger adds to find the trace again says nothing of the error.
_CONTEXT: Final = r"(?i)\b(?:trace|span)[_ ]?id[:=] *<id>[,;]? *"


def mask_message(message: pl.Expr) -> pl.Expr:
    """Return the first line of a message with what varies masked, at most 160 characters.

    Examples
    --------
    >>> pl.select(mask_message(pl.lit("17:26:07.440 ERROR order 4711 is gone"))).item()
    'order <n> is gone'
    """
    masked = message.str.split("\n").list.first()
    for pattern, mask in _MASKS:
        masked = masked.str.replace_all(pattern, mask)
    return masked.str.replace(_PREFIX, "").str.replace_all(_CONTEXT, "").str.slice(0, MESSAGE_LENGTH)


def find_error_class(message: pl.Expr) -> pl.Expr:
    """Return the first class of exception that a message names, null where it names none.

    Examples
    --------
    >>> pl.select(find_error_class(pl.lit("failed; nested is java.lang.IllegalStateException: no"))).item()
    'java.lang.IllegalStateException'
    """
    return message.str.extract(_CLASS, 1)


def find_error_text(message: pl.Expr) -> pl.Expr:
    """Return what a message says after the first class of exception it names; the whole where it names none.

    Examples
    --------
    >>> pl.select(find_error_text(pl.lit("failed; nested is java.lang.IllegalStateException: no seat"))).item()
    'no seat'
    """
    return pl.coalesce(message.str.extract(_CLASS + r":\s*(.+)", 2), message)
