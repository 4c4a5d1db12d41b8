"""The account of an ingest: rows read = rows kept + rows dropped by reason + rows quarantined, for every source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodintel_lib.markup import number, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodintel_lib.markup import Markup


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The account of one source file.

    Attributes
    ----------
    source : str
        Its path, relative to the workspace where it lies inside.
    format : str
        Empty where it was not recognised.
    is_fresh : bool
        Whether this ingest read it; False where it had not changed.
    rows_read, quarantined : int
    kept : mapping of table to rows
    dropped : mapping of reason to rows
    """

    source: str
    format: str
    is_fresh: bool
    rows_read: int
    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    quarantined: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The account of all sources of a workspace.

    Attributes
    ----------
    sources : tuple of SourceReport
    """

    sources: tuple[SourceReport, ...]

    @property
    def rows_read(self) -> int:
        """Rows met in all sources."""
        return sum(source.rows_read for source in self.sources)

    @property
    def kept(self) -> dict[str, int]:
        """Rows in the lake, by table."""
        return _added(source.kept for source in self.sources)

    @property
    def dropped(self) -> dict[str, int]:
        """Rows left out on purpose, by reason."""
        return _added(source.dropped for source in self.sources)

    @property
    def quarantined(self) -> int:
        """Rows that could not be read; see lake/quarantine."""
        return sum(source.quarantined for source in self.sources)

    @property
    def fresh(self) -> int:
        """How many files this ingest read."""
        return sum(source.is_fresh for source in self.sources)

    def sentence(self) -> str:
        """Return the whole account in one line.

        Examples
        --------
        >>> IngestReport((SourceReport("a", "otlp", True, 5, {"spans": 3}, {"duplicate": 1}, 1),)).sentence()
        'Rows read 5 = kept 3 + duplicate 1 + quarantined 1.'
        """
        dropped = "".join(f" + {reason} {count:,}" for reason, count in self.dropped.items())
        kept = sum(self.kept.values())
        return f"Rows read {self.rows_read:,} = kept {kept:,}{dropped} + quarantined {self.quarantined:,}."

    def _repr_html_(self) -> str:
        """Show the rows by format; of single files only those that lost something on the way."""
        formats = sorted({source.format for source in self.sources})
        groups = [tuple(source for source in self.sources if source.format == name) for name in formats]
        rows = [_row(f"{len(group):,} {'file' if len(group) == 1 else 'files'}", group) for group in groups] + [
            _row(source.source, (source,)) for source in self.sources if source.dropped or source.quarantined
        ]
        headers = ["Source", "Format", "Rows read", "Kept", "Dropped", "Quarantined"]
        return str(table(headers, rows, align="llrllr", caption=self.sentence()))


def _row(name: str, sources: tuple[SourceReport, ...]) -> list[Markup]:
    return [
        text(name),
        text(sources[0].format or "not recognised"),
        number(sum(source.rows_read for source in sources)),
        text(_counts(_added(source.kept for source in sources))),
        text(_counts(_added(source.dropped for source in sources))),
        number(sum(source.quarantined for source in sources)),
    ]


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
