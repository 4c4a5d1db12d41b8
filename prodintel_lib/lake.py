"""The lake: canonical tables as Parquet files by day, and the manifest that says which of them are live.

Files are named by their content and never changed. Readers open only what the manifest names, so replacing the manifest
is the one step that makes an ingest visible: a crash before it leaves the old state, and the files it had written are
swept by the next ingest that has work to do. ::

    lake/manifest.json
    lake/.lock
    lake/spans/day=2025-09-29/5c1e9a0d41f2.parquet
    lake/quarantine/9b2f6c1a77e0.jsonl
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import orjson
import polars as pl

from prodintel_lib.engines import scan_parquet
from prodintel_lib.errors import ProdintelError, SourceFormatError
from prodintel_lib.tables import INCIDENTS, TABLES, Table, table_named, validate
from prodintel_lib.windows import US_PER_S, to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from prodintel_lib.windows import Window

LAKE_FOLDER: Final = "lake"
MANIFEST_SCHEMA: Final = "prodintel/lake/1"
QUARANTINE_FOLDER: Final = "quarantine"
US_PER_DAY: Final = 86_400 * US_PER_S
# In order of time, so that a window opens only the groups that lie in it, by their statistics.
ROW_GROUP_ROWS: Final = 1 << 16
BUCKET: Final = "user_bucket"
# Fewer rows than this are one file: sixteen small ones a day would take longer to open than to filter.
MIN_BUCKETED_ROWS: Final = 1 << 15
# In the quarantine: how many more rows a line stands for, which are there without their text.
WITHOUT_EXCERPT: Final = "rows_without_excerpt"
LOCK_WAIT_S: Final = 120.0
_POLL_S: Final = 0.05
_DIGEST_CHARS: Final = 12
_PARQUET_MARK: Final = b"PAR1"


class LakeBusyError(ProdintelError):
    """Another process is ingesting into the same lake."""

    exit_code = 1


class LakeWriteError(ProdintelError):
    """The lake's folder cannot be written: no room, no permission, or it is no folder."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One live Parquet file: the rows of one source, one table and one UTC day; of one bucket, where it has one."""

    table: str
    day: str
    name: str
    rows: int
    bucket: int | None = None

    @property
    def relative_path(self) -> str:
        """Where it lies under the lake's folder."""
        bucket = "" if self.bucket is None else f"bucket={self.bucket:02}/"
        return f"{self.table}/day={self.day}/{bucket}{self.name}"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """What the lake knows of one source file.

    Attributes
    ----------
    size_bytes, mtime_ns, sha256
        Of the file as it was read.
    format : str
        As it was read; empty where it was not recognised.
    rows_read, kept, dropped, quarantined
        The accounting: ``rows_read == sum(kept) + sum(dropped) + quarantined``.
    files : tuple of StoredFile
    copy_of : str or None
        The source with the same content whose rows stand for this one's.
    mapping : str
        The digest of the mapping it was read through; empty where it was read without one.
    overlaps : bool
        Whether rows were dropped because another source had them: it is read again when any other source goes.
    """

    size_bytes: int
    mtime_ns: int
    sha256: str
    format: str
    rows_read: int
    kept: dict[str, int]
    dropped: dict[str, int]
    quarantined: int
    files: tuple[StoredFile, ...] = ()
    copy_of: str | None = None
    overlaps: bool = False
    mapping: str = ""

    @property
    def digest(self) -> str:
        """The short digest that names its quarantine."""
        if self.mapping:
            return hashlib.sha256(f"{self.sha256}{self.mapping}".encode()).hexdigest()[:_DIGEST_CHARS]
        return self.sha256[:_DIGEST_CHARS]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The live state of a lake.

    Attributes
    ----------
    readers : int
        The version of the readers that made it; other readers read everything again.
    sources : dict
        Source key to its entry.
    """

    readers: int = 0
    sources: dict[str, SourceEntry] = field(default_factory=dict)

    def files(self, table: str | None = None, *, window: Window | None = None) -> Iterator[StoredFile]:
        """Name the live files of a table, or of all; with a window only those of its days."""
        days = _days_of(window)
        for entry in self.sources.values():
            for file in entry.files:
                if (table is None or file.table == table) and (days is None or days[0] <= file.day <= days[1]):
                    yield file


class Lake:
    """The only reader and writer of a workspace's lake.

    Parameters
    ----------
    folder : Path
        It is made by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._manifest_path = folder / "manifest.json"

    def manifest(self) -> Manifest:
        """Read the live state; an empty one where nothing was ingested.

        Raises
        ------
        SourceFormatError
            If the manifest is of another version or damaged.
        """
        try:
            content = orjson.loads(self._manifest_path.read_bytes())
            if content["schema"] != MANIFEST_SCHEMA:
                raise self._unreadable(content["schema"])
            sources = {key: _entry_from(entry) for key, entry in content["sources"].items()}
            return Manifest(content["readers"], sources)
        except FileNotFoundError:
            return Manifest()
        except OSError as error:
            raise self._unreadable(error.strerror or error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(error) from error

    def is_damaged(self, entry: SourceEntry) -> bool:
        """Say whether a file of a source is gone or was cut short; a Parquet file ends with its mark."""
        return any(not _is_whole(self.folder / file.relative_path) for file in entry.files)

    def _unreadable(self, what: object) -> SourceFormatError:
        return SourceFormatError(
            f"{self._manifest_path} is not a manifest of {MANIFEST_SCHEMA}: {what}.",
            hint=f"delete the folder {self.folder} and run `prodintel ingest`: it is made from the sources.",
        )

    def scan(
        self, table: str, *, window: Window | None = None, engine: str = "polars", bucket: int | None = None
    ) -> nw.LazyFrame[Any]:
        """Read a table lazily; see Workspace.scan."""
        known = table_named(table)
        paths = sorted(
            self.folder / file.relative_path
            for file in self.manifest().files(table, window=window)
            if bucket is None or file.bucket in {None, bucket}
        )
        frame = scan_parquet(paths, schema=known.schema, engine=engine)
        if window is not None:
            frame = frame.filter(nw.col("time_us") >= window.start_us, nw.col("time_us") < window.end_us)
        if bucket is not None:
            frame = frame.filter(nw.col(BUCKET) == bucket)
        return _latest(frame) if table == INCIDENTS.name else frame

    @contextmanager
    def locked(self, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Hold the lake for writing.

        The lock is the kernel's (flock): it goes with the process that held it, however that ended, so there is no
        stale lock to judge and the file may stay.

        Raises
        ------
        LakeBusyError
            If another process holds it for longer than `wait_s`.
        """
        with _written(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            # Evidence as it came, and the key of the pseudonyms: neither belongs under version control.
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire(descriptor, time.monotonic() + wait_s)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int, deadline_s: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= deadline_s:
                    holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
                    raise LakeBusyError(
                        f"Another process (pid {holder}) is ingesting into {self.folder}.",
                        hint="wait until it has ended, then run the command again.",
                    ) from error
                time.sleep(_POLL_S)
            else:
                return

    def write(self, table: Table, frame: pl.DataFrame) -> tuple[StoredFile, ...]:
        """Write rows as files, one a UTC day, sorted by time; they are not live until the manifest names them.

        A day of many events of users is one file a bucket of visitors: whoever follows sessions then reads one bucket
        of all days at a time.

        Parameters
        ----------
        table : Table
        frame : polars.DataFrame
            Exactly the table's columns.
        """
        validate(frame, table)
        parts = frame.with_columns((pl.col("time_us") // US_PER_DAY).alias("day")).partition_by(
            "day", as_dict=True, include_key=False
        )
        stored: list[StoredFile] = []
        for (day,), rows in sorted(parts.items()):
            stored.extend(self._write_day(table, _day_label(int(str(day)) * US_PER_DAY), rows))
        return tuple(stored)

    def _write_day(self, table: Table, day: str, rows: pl.DataFrame) -> Iterator[StoredFile]:
        buckets: dict[int | None, pl.DataFrame] = {None: rows}
        if BUCKET in table.schema and rows.height >= MIN_BUCKETED_ROWS:
            divided = rows.partition_by(BUCKET, as_dict=True)
            buckets = {int(str(bucket)): part for (bucket,), part in sorted(divided.items())}
        for bucket, part in buckets.items():
            buffer = io.BytesIO()
            part.sort("time_us", maintain_order=True).write_parquet(
                buffer, compression="zstd", row_group_size=ROW_GROUP_ROWS
            )
            content = buffer.getvalue()
            name = f"{hashlib.sha256(content).hexdigest()[:_DIGEST_CHARS]}.parquet"
            file = StoredFile(table.name, day, name, part.height, bucket)
            write_durably(self.folder / file.relative_path, content)
            yield file

    @staticmethod
    def days_of(frame: pl.DataFrame) -> frozenset[str]:
        """Return the UTC days on which a frame has rows."""
        return frozenset(_day_label(day * US_PER_DAY) for day in (frame["time_us"] // US_PER_DAY).unique())

    def write_quarantine(self, digest: str, lines: Iterable[Mapping[str, object]]) -> None:
        """Write what could not be read of one source, one JSON object a line."""
        content = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        write_durably(self.folder / QUARANTINE_FOLDER / f"{digest}.jsonl", content)

    def quarantine_reasons(self) -> dict[str, int]:
        """Count the rows that could not be read, by reason, most first."""
        folder = self.folder / QUARANTINE_FOLDER
        entries = [entry for entry in self.manifest().sources.values() if entry.quarantined and not entry.copy_of]
        files = {folder / f"{entry.digest}.jsonl" for entry in entries}
        reasons: Counter[str] = Counter()
        for file in sorted(file for file in files if file.is_file()):
            for line in map(orjson.loads, file.read_bytes().splitlines()):
                reasons[str(line["reason"])] += line.get(WITHOUT_EXCERPT, 1)
        return dict(reasons.most_common())

    def publish(self, manifest: Manifest) -> None:
        """Make a state the live one: the one atomic step of an ingest."""
        content = orjson.dumps(
            {"schema": MANIFEST_SCHEMA, "readers": manifest.readers, "sources": manifest.sources},
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )
        write_durably(self._manifest_path, content)

    def sweep(self, manifest: Manifest) -> int:
        """Delete the files no manifest names: what a crash left, and what the ingest before this one retired.

        It is for the start of an ingest, under the lock: files retired now stay for readers that have just opened them.

        Returns
        -------
        int
            How many files were deleted.
        """
        live = {self.folder / file.relative_path for file in manifest.files()}
        live |= {self.folder / QUARANTINE_FOLDER / f"{entry.digest}.jsonl" for entry in manifest.sources.values()}
        swept = 0
        for folder in (*TABLES, QUARANTINE_FOLDER):
            for path in (self.folder / folder).rglob("*"):
                if path.is_file() and path not in live:
                    path.unlink()
                    swept += 1
        return swept


def write_durably(path: Path, content: bytes) -> None:
    """Write beside, sync, rename: the file is there whole or not at all, also after a power cut."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with _written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            beside.replace(path)
        except OSError:
            # Half a file on a full disk is in the way of making room.
            beside.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what the system says of a place that cannot be written into an error with a way out."""
    try:
        yield
    except OSError as error:
        raise LakeWriteError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="make room there, and let the account that runs prodintel write to the workspace's folder.",
        ) from error


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            handle.seek(-len(_PARQUET_MARK), os.SEEK_END)
            return handle.read() == _PARQUET_MARK
    except OSError:
        return False


def _entry_from(content: dict[str, Any]) -> SourceEntry:
    files = tuple(StoredFile(**file) for file in content.pop("files"))
    return SourceEntry(**content, files=files)


def _latest(incidents: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Keep what is known last of each incident: exports of different days tell different states of it."""
    known_until_us = nw.coalesce("end_time_us", "acknowledged_time_us", "time_us")
    return (
        incidents.with_columns((-known_until_us).alias("_age"))
        .unique(subset=list(INCIDENTS.identity), keep="first", order_by=["_age", "status"])
        .drop("_age")
    )


def _days_of(window: Window | None) -> tuple[str, str] | None:
    return (_day_label(window.start_us), _day_label(window.end_us - 1)) if window else None


def _day_label(time_us: int) -> str:
    return to_datetime(time_us).date().isoformat()
