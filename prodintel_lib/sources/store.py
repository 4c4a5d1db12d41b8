"""One source on its way into the lake: a part at a time, each row once, with the account of all.

A row that the source has told before, or that another source has given, is dropped and counted, whichever part it
comes in. What is remembered of the parts before is in their files, not in memory.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.lake import WITHOUT_EXCERPT
from prodintel_lib.tables import INCIDENTS, TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.lake import Lake, StoredFile
    from prodintel_lib.sources.model import ReadResult, Rejected

DUPLICATE: Final = "duplicate"
# Enough to see what is wrong with a file; a file of nothing else would fill the memory and the lake.
MAX_EXCERPTS: Final = 10_000
# An incident is told again as it goes on: only the same state of it twice is a duplicate. Lake.scan gives the last one.
_ROW_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    INCIDENTS.name: (*INCIDENTS.identity, "status", "acknowledged_time_us", "end_time_us"),
}


class SourceStore:
    """Writes the parts of one source to the lake; nothing is live until the manifest names it.

    Parameters
    ----------
    lake : Lake
    source : str
        Its key, for the quarantine.
    known : sequence of StoredFile
        The files of the other live sources.

    Attributes
    ----------
    rows_read, quarantined : int
    kept : Counter of table
    dropped : Counter of reason
    files : list of StoredFile
    overlaps : bool
        Whether another source had a row of this one.
    """

    def __init__(self, lake: Lake, source: str, known: Sequence[StoredFile]) -> None:
        self._lake = lake
        self._source = source
        self._known = known
        self._excerpts: list[Rejected] = []
        self._without_excerpt: Counter[str] = Counter()
        self.rows_read = 0
        self.quarantined = 0
        self.kept: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.files: list[StoredFile] = []
        self.overlaps = False

    def add(self, part: ReadResult) -> None:
        """Store a part."""
        self.rows_read += part.rows_read
        self.dropped.update(part.dropped)
        self.quarantined += len(part.quarantined)
        room = MAX_EXCERPTS - len(self._excerpts)
        self._excerpts.extend(part.quarantined[:room])
        self._without_excerpt.update(item.reason for item in part.quarantined[room:])
        for name, frame in part.frames.items():
            new = self._new_rows(frame, TABLES[name])
            if new.height < frame.height:
                self.dropped[DUPLICATE] += frame.height - new.height
            if new.height:
                self.kept[name] += new.height
                self.files.extend(self._lake.write(TABLES[name], new))

    def finish(self, digest: str) -> None:
        """Write what could not be read to the quarantine: excerpts of the first, the number of all others."""
        if not self.quarantined:
            return
        lines: list[dict[str, object]] = [
            {"reason": item.reason, "file": self._source, "line": item.line, "excerpt": item.excerpt}
            for item in sorted(self._excerpts, key=lambda item: item.line)
        ]
        lines += [
            {"reason": reason, "file": self._source, WITHOUT_EXCERPT: rows}
            for reason, rows in self._without_excerpt.most_common()
        ]
        self._lake.write_quarantine(digest, lines)

    def _new_rows(self, frame: pl.DataFrame, table: Table) -> pl.DataFrame:
        identity = _ROW_IDENTITY.get(table.name, table.identity)
        if not identity:
            return frame
        own = frame.unique(subset=identity, keep="first", maintain_order=True)
        own = self._without(own, [file for file in self.files if file.table == table.name], identity)
        days = self._lake.days_of(own)
        others = [file for file in self._known if file.table == table.name and file.day in days]
        new = self._without(own, others, identity)
        self.overlaps = self.overlaps or new.height < own.height
        return new

    def _without(self, frame: pl.DataFrame, files: Sequence[StoredFile], identity: tuple[str, ...]) -> pl.DataFrame:
        """Leave out the rows that are in some files; these are read one at a time, so that memory stays bounded."""
        wanted = frame.lazy().select(identity)
        for file in files:
            stored = pl.scan_parquet(self._lake.folder / file.relative_path, glob=False, hive_partitioning=False)
            again = stored.select(identity).join(wanted, on=identity, how="semi", nulls_equal=True).collect()
            if again.height:
                frame = frame.join(again, on=identity, how="anti", nulls_equal=True, maintain_order="left")
        return frame
