"""A file's rows in parts: what is in memory at a time is bounded by a part, not by the file.

Readers of telemetry give parts of about PART_ROWS rows, and whoever stores them forgets one before asking for the
next. The account of a file is the sum over its parts.
"""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.model import ReadResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART_ROWS: Final = 200_000


def joined_parts(parts: Iterable[ReadResult]) -> ReadResult:
    """Put the parts of one file, or the tables of one part, into one result.

    Parameters
    ----------
    parts : iterable of ReadResult
        In the order of the file.

    Returns
    -------
    ReadResult
        Rows in the order they came; what was quarantined by line.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    dropped: Counter[str] = Counter()
    rejected: list[Rejected] = []
    rows_read = 0
    for part in parts:
        for name, frame in part.frames.items():
            frames.setdefault(name, []).append(frame)
        dropped.update(part.dropped)
        rejected.extend(part.quarantined)
        rows_read += part.rows_read
    return ReadResult(
        frames={name: pl.concat(of_table) for name, of_table in frames.items()},
        rows_read=rows_read,
        dropped=dict(dropped),
        quarantined=tuple(sorted(rejected, key=lambda item: item.line)),
    )


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cycle collector: parsed JSON has no cycles, and looking for some takes a sixth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
