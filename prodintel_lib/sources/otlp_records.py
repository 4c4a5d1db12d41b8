"""What the readers of OTLP's three signals have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from prodintel_lib.sources.columns import ColumnChunks
from prodintel_lib.sources.model import Json, ReadResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from prodintel_lib.sources.otlp_values import Origin
    from prodintel_lib.tables import Table

# What a record of another shape than the format's makes the readers stumble over.
MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError)


class RecordReader(ABC):
    """Turns the records of one signal into rows of its table, one at a time.

    Attributes
    ----------
    rows_read : int
        Records met since the last part, also those that were rejected.
    """

    table: ClassVar[Table]
    record_name: ClassVar[str]
    checks: ClassVar[Mapping[str, pl.Expr]] = {}
    repairs: ClassVar[tuple[pl.Expr, ...]] = ()

    def __init__(self) -> None:
        self._rows = ColumnChunks(self.table, checks=self.checks, repairs=self.repairs)
        self._rejected: list[Rejected] = []
        self.rows_read = 0

    @property
    def rejected(self) -> list[Rejected]:
        """The records that could not be read; complete after `frame`."""
        return self._rejected + self._rows.rejected

    def frame(self) -> pl.DataFrame:
        """Return the rows that were read since the last part, in the order they came."""
        return self._rows.frame()

    def part(self) -> ReadResult:
        """Return what was read since the last part, and forget it."""
        frame = self.frame()
        part = ReadResult(
            frames={self.table.name: frame} if frame.height else {},
            rows_read=self.rows_read,
            quarantined=tuple(self.rejected),
        )
        self.rows_read = 0
        self._rejected.clear()
        self._rows.rejected.clear()
        return part

    def add(self, origin: Origin, records: list[Json], line: int) -> None:
        """Read the records of one resource and scope, which begin on a line."""
        self.rows_read += len(records)
        shared = [(self._rows.columns[name], value) for name, value in origin.columns.items()]
        for record in records:
            try:
                reason = self._write(record, origin)
            except MALFORMED:
                reason = f"malformed {self.record_name}"
            if reason:
                self._reject(reason, line, record)
                continue
            row = self._rows.height
            for values, value in shared:
                values[row] = value
            self._rows.commit(line)

    def _reject(self, reason: str, line: int, record: Json) -> None:
        self._rows.revoke()
        self._rejected.append(Rejected.of(reason, line, record))

    @abstractmethod
    def _write(self, record: Json, origin: Origin) -> str:
        """Set the columns of one row; return why it cannot be kept, or an empty text."""
