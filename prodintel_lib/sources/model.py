"""What a reader gives back: frames, and an account of every row it met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.tables import TABLES, validate
from prodintel_lib.windows import US_PER_S, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

# Parsed JSON of a vendor: nothing narrower is known before it has been looked at.
Json: TypeAlias = Any

EXCERPT_CHARS: Final = 200
INT64_LIMIT: Final = 2**63
# A time outside 1990..2999 is a unit mistaken for another or garbage, and would make partitions nobody looks for:
# microseconds read as nanoseconds lie in January 1970.
EARLIEST_TIME_US: Final = 631_152_000 * US_PER_S
LATEST_TIME_US: Final = 32_503_680_000 * US_PER_S


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a piece of a file, that could not be read.

    Attributes
    ----------
    reason : str
        Short and countable: no values in it.
    line : int
        Where it begins in the (decompressed) file, from 1.
    excerpt : str
        Its first 200 characters.
    """

    reason: str
    line: int
    excerpt: str

    @classmethod
    def of(cls, reason: str, line: int, content: object) -> Rejected:
        """Cut the excerpt from bytes, a text, or a JSON value."""
        return cls(reason, line, excerpt(content))


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Everything one file gave.

    Attributes
    ----------
    frames : mapping of table name to polars.DataFrame
        Exactly the canonical columns; tables without rows are left out.
    rows_read : int
        Spans, log records, data points, incidents, ... met; a piece that could not be read counts as one.
    dropped : mapping of reason to int
        Rows left out on purpose.
    quarantined : tuple of Rejected

    Raises
    ------
    SourceFormatError
        On construction, if the account does not add up or a frame is not its table: no row may vanish.
    """

    frames: Mapping[str, pl.DataFrame]
    rows_read: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: tuple[Rejected, ...] = ()

    def __post_init__(self) -> None:
        kept, dropped = sum(frame.height for frame in self.frames.values()), sum(self.dropped.values())
        if self.rows_read != kept + dropped + len(self.quarantined):
            raise SourceFormatError(
                f"The account of rows does not add up: read {self.rows_read}, kept {kept}, dropped {dropped}, "
                f"quarantined {len(self.quarantined)}.",
                hint="this is a fault of the reader, not of the file: please report it with the file.",
            )
        for name, frame in self.frames.items():
            validate(frame, TABLES[name])

    @property
    def kept(self) -> dict[str, int]:
        """Rows by table."""
        return {name: frame.height for name, frame in self.frames.items()}


def excerpt(content: object) -> str:
    """Return the first 200 characters of bytes, a text, or a JSON value."""
    if isinstance(content, str):
        text = content
    elif isinstance(content, bytes):
        text = content[: 4 * EXCERPT_CHARS].decode(errors="replace")
    else:
        try:
            text = orjson.dumps(content).decode()
        except TypeError:
            # Deeper than orjson writes, or an integer of more than 64 bits.
            text = f"a JSON {type(content).__name__}"
    return text[:EXCERPT_CHARS]


def read_time(text: Json) -> int:
    """Return an ISO 8601 time that can be kept, µs since the epoch.

    Raises
    ------
    ValueError
        If it is none, or lies before 1990 or after 2999.
    """
    if not isinstance(text, str):
        raise ValueError(text)  # noqa: TRY004 - the same mistake to whoever reads the file
    try:
        time_us = parse_time(text)
    except ParameterError as error:
        raise ValueError(text) from error
    if not is_storable_time(time_us):
        raise ValueError(text)
    return time_us


def is_storable_time(time_us: int) -> bool:
    """Say whether a time can be kept: after 1990-01-01 and before the year 3000."""
    return EARLIEST_TIME_US < time_us < LATEST_TIME_US
