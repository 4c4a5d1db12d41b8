"""Rows of small tables (incidents, alerts, changes), one at a time, with the account of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson
import polars as pl

from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.otlp_records import MALFORMED
from prodintel_lib.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable


class RowLog:
    """Collects rows by table, and says of what it could not collect why."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Json]]] = {}
        self._rejected: list[Rejected] = []
        self._dropped: Counter[str] = Counter()

    def read(
        self, table: str, line: int, content: Json, make: Callable[[Json], dict[str, Json]], *, reason: str
    ) -> None:
        """Make a row of what a source says, or reject it for a reason where it has another shape than expected."""
        try:
            row = make(content)
        except MALFORMED:
            self.reject(line, content, reason=reason)
        else:
            self._rows.setdefault(table, []).append(row)

    def reject(self, line: int, content: object, *, reason: str) -> None:
        """Account for something that could not be read."""
        self._rejected.append(content if isinstance(content, Rejected) else Rejected.of(reason, line, content))

    def drop(self, reason: str) -> None:
        """Account for something left out on purpose."""
        self._dropped[reason] += 1

    def result(self) -> ReadResult:
        """Return the frames and the account."""
        frames = {
            name: pl.DataFrame(rows, schema=TABLES[name].schema, orient="row") for name, rows in self._rows.items()
        }
        return ReadResult(
            frames=frames,
            rows_read=sum(map(len, self._rows.values())) + len(self._rejected) + sum(self._dropped.values()),
            dropped=dict(self._dropped),
            quarantined=tuple(sorted(self._rejected, key=lambda item: item.line)),
        )


def text_of(value: object) -> str | None:
    """Return a value for a column of text: JSON for what is neither text nor number, None for nothing."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def json_of(value: object) -> str:
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


def later_or_none(time_us: int | None, start_us: int) -> int | None:
    """Return the end of something unless it lies before its start: such an end is worth no more than none."""
    return time_us if time_us is not None and time_us >= start_us else None
