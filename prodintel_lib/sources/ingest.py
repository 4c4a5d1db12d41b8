"""Ingest: read what is new among a workspace's sources, and make it live in one step.

The lake holds what the sources hold. An unchanged file is not read again; the rows of a file that changed, or that is
no longer among the sources, are retired. A row that another source already gave is dropped and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import SourceFormatError
from prodintel_lib.lake import Manifest, SourceEntry
from prodintel_lib.sources.access_json import read_access_json_parts
from prodintel_lib.sources.access_logs import read_access_log_parts
from prodintel_lib.sources.cloudwatch_logs import read_cloudwatch_parts
from prodintel_lib.sources.container_logs import read_container_log_parts
from prodintel_lib.sources.datadog import read_datadog
from prodintel_lib.sources.datadog_rum import read_datadog_rum_parts
from prodintel_lib.sources.decompress import ByteStream, read_head
from prodintel_lib.sources.detect import HEAD_BYTES, require_known
from prodintel_lib.sources.elastic_rum import read_elastic_rum_parts
from prodintel_lib.sources.elasticsearch import read_elasticsearch_parts
from prodintel_lib.sources.ga4 import read_ga4_parts
from prodintel_lib.sources.github import read_github
from prodintel_lib.sources.har import read_har_parts
from prodintel_lib.sources.jaeger import read_jaeger_parts
from prodintel_lib.sources.json_logs import read_json_log_parts
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.mapped import compile_mapping, read_mapped_parts
from prodintel_lib.sources.mixpanel import read_mixpanel_parts
from prodintel_lib.sources.model import ReadResult, Rejected
from prodintel_lib.sources.opsgenie import read_opsgenie
from prodintel_lib.sources.otlp import read_otlp_parts
from prodintel_lib.sources.pagerduty import read_pagerduty
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.plain import read_plain
from prodintel_lib.sources.posthog import read_posthog_parts
from prodintel_lib.sources.report import IngestReport, SourceReport
from prodintel_lib.sources.splunk import read_splunk_parts
from prodintel_lib.sources.store import SourceStore
from prodintel_lib.sources.syslog import read_syslog_parts
from prodintel_lib.sources.tabular import require_tabular, tabular_form
from prodintel_lib.sources.text_logs import read_text_log_parts
from prodintel_lib.sources.watchdog import read_watchdog_parts
from prodintel_lib.sources.zipkin import read_zipkin

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from prodintel_lib.lake import Lake
    from prodintel_lib.workspace import SourceFile, Workspace

# Raise it when a reader gives other rows than before: every lake is then read anew.
READERS_VERSION: Final = 5
COPY: Final = "copy of another source"


def _at_once(read: Callable[[ByteStream], ReadResult]) -> Callable[[ByteStream], Iterator[ReadResult]]:
    """Return a reader whose only part is the file: for lists of people's making, and where rows need one another."""
    return lambda stream: iter([read(stream)])


_READERS: Final[Mapping[str, Callable[[ByteStream], Iterator[ReadResult]]]] = {
    "otlp": read_otlp_parts,
    "jaeger": read_jaeger_parts,
    "pagerduty": _at_once(read_pagerduty),
    "github": _at_once(read_github),
    "zipkin": _at_once(read_zipkin),
    "opsgenie": _at_once(read_opsgenie),
    "datadog": _at_once(read_datadog),
    "datadog_rum": read_datadog_rum_parts,
    "elastic_rum": read_elastic_rum_parts,
    "ga4": read_ga4_parts,
    "posthog": read_posthog_parts,
    "mixpanel": read_mixpanel_parts,
    "har": read_har_parts,
    "access_log": read_access_log_parts,
    "access_json": read_access_json_parts,
    "elasticsearch": read_elasticsearch_parts,
    "splunk": read_splunk_parts,
    "cloudwatch": read_cloudwatch_parts,
    "watchdog": read_watchdog_parts,
    "container_log": read_container_log_parts,
    "json_log": read_json_log_parts,
    "syslog": read_syslog_parts,
    "text_log": read_text_log_parts,
    "plain": _at_once(read_plain),
}

Progress = Callable[[int, int, str], None]


def ingest(workspace: Workspace, *, progress: Progress | None = None) -> IngestReport:
    """Bring the lake up to date with the sources.

    Parameters
    ----------
    workspace : Workspace
    progress : callable, optional
        Called with how many files are done, how many there are to read, and the key of the next.

    Returns
    -------
    IngestReport
        The account of every source in the lake, also of those that had not changed.

    Raises
    ------
    ParameterError
        If a configured source or format does not exist.
    LakeBusyError
        If another process keeps ingesting into the same lake.
    """
    files = {file.key: file for file in workspace.source_files()}
    for file in files.values():
        _require_readable(file)
    manifest = workspace.lake.manifest()
    is_damaged = any(workspace.lake.is_damaged(entry) for entry in manifest.sources.values())
    if is_damaged or not _is_current(manifest, files):
        with workspace.lake.locked():
            return _Ingest(workspace.lake, files, progress).run()
    return _report(manifest, fresh=frozenset())


def account(workspace: Workspace) -> IngestReport:
    """Return the account of what the lake holds, without reading any source."""
    return _report(workspace.lake.manifest(), fresh=frozenset())


def _is_current(manifest: Manifest, files: Mapping[str, SourceFile]) -> bool:
    return (
        manifest.readers == READERS_VERSION
        and manifest.sources.keys() == files.keys()
        and all(_looks_unchanged(manifest.sources[key], file, _stat(file)) for key, file in files.items())
    )


def _looks_unchanged(entry: SourceEntry, file: SourceFile, stat: os.stat_result) -> bool:
    same_reading = file.format in {None, entry.format} and entry.mapping == _mapping_digest(file)
    return same_reading and (entry.size_bytes, entry.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


class _Ingest:
    """One run under the lock."""

    def __init__(self, lake: Lake, files: Mapping[str, SourceFile], progress: Progress | None) -> None:
        self._lake = lake
        self._files = files
        self._progress = progress or (lambda _done, _total, _what: None)
        self._live: dict[str, SourceEntry] = {}

    def run(self) -> IngestReport:
        old = self._lake.manifest()
        self._lake.sweep(old)
        self._live = self._unchanged(old)
        todo = [file for key, file in self._files.items() if key not in self._live]
        for done, file in enumerate(todo):
            self._progress(done, len(todo), file.key)
            self._live[file.key] = self._read(file)
        self._progress(len(todo), len(todo), "")
        manifest = Manifest(READERS_VERSION, {key: self._live[key] for key in self._files})
        self._lake.publish(manifest)
        return _report(manifest, fresh=frozenset(file.key for file in todo))

    def _unchanged(self, old: Manifest) -> dict[str, SourceEntry]:
        """Return the entries that still hold, with their files' present times."""
        if old.readers != READERS_VERSION:
            return {}
        kept: dict[str, SourceEntry] = {}
        for key, file in self._files.items():
            entry = old.sources.get(key)
            if entry is None or self._lake.is_damaged(entry):
                continue
            stat = _stat(file)
            if _looks_unchanged(entry, file, stat):
                kept[key] = entry
            elif (
                file.format in {None, entry.format}
                and entry.mapping == _mapping_digest(file)
                and entry.sha256 == _sha256(file.path)
            ):
                kept[key] = replace(entry, mtime_ns=stat.st_mtime_ns)
        if kept.keys() == old.sources.keys():
            return kept
        # Rows are going: what was dropped in their favour has to be read again.
        return {key: entry for key, entry in kept.items() if not entry.overlaps and entry.copy_of is None}

    def _read(self, file: SourceFile) -> SourceEntry:
        stat = _stat(file)
        with _readable(file):
            sha256 = _sha256(file.path)
        entry = SourceEntry(
            size_bytes=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            sha256=sha256,
            format=file.format or "",
            rows_read=0,
            kept={},
            dropped={},
            quarantined=0,
            mapping=_mapping_digest(file),
        )
        original = next(
            (
                key
                for key, live in self._live.items()
                if (live.sha256, live.mapping) == (sha256, entry.mapping) and not live.copy_of
            ),
            None,
        )
        if original is not None and file.format in {None, self._live[original].format}:
            twin = self._live[original]
            dropped = {COPY: twin.rows_read} if twin.rows_read else {}
            return replace(entry, format=twin.format, rows_read=twin.rows_read, dropped=dropped, copy_of=original)
        known = [stored for live in self._live.values() for stored in live.files]
        store = SourceStore(self._lake, file.key, known)
        with _readable(file):
            name, parts = open_source(file)
        for part in _readable_parts(file, parts):
            store.add(part)
        store.finish(entry.digest)
        return replace(
            entry,
            format=name,
            rows_read=store.rows_read,
            kept=dict(store.kept),
            dropped=dict(store.dropped),
            quarantined=store.quarantined,
            files=tuple(store.files),
            overlaps=store.overlaps,
        )


def read_source(file: SourceFile) -> tuple[str, ReadResult]:
    """Read one file at once; see open_source."""
    name, parts = open_source(file)
    return name, joined_parts(parts)


def open_source(file: SourceFile) -> tuple[str, Iterator[ReadResult]]:
    """Open one file; return the format it has and what it gives, in parts.

    A file whose format is not recognised is one rejected row, an empty one is no row: a folder of exports may hold a
    note beside them.
    """
    if file.mapping is not None:
        form = file.format or tabular_form(read_head(file.path, size_bytes=HEAD_BYTES))
        return form, read_mapped_parts(ByteStream(file.path), compile_mapping(file.mapping), form=form)
    name = file.format
    if name is None:
        head = read_head(file.path, size_bytes=HEAD_BYTES)
        name = recognise_file(head)
        if name is None and not head.strip():
            return "", iter(())
        if name is None:
            rejected = Rejected.of("format not recognised", 1, head)
            return "", iter([ReadResult(frames={}, rows_read=1, quarantined=(rejected,))])
    return name, _READERS[name](ByteStream(file.path))


def _require_readable(file: SourceFile) -> None:
    """Check what the configuration says of a file before any is read."""
    if file.mapping is not None:
        compile_mapping(file.mapping)
        if file.format is not None:
            require_tabular(file.format)
    elif file.format is not None:
        require_known(file.format)


@contextmanager
def _readable(file: SourceFile) -> Iterator[None]:
    """Turn what the system says of a file that cannot be read into an error with a way out."""
    try:
        yield
    except OSError as error:
        raise SourceFormatError(
            f"The source {file.path} cannot be read: {error.strerror or error}.",
            hint="make it readable for the account that runs prodintel, or take it out of `sources`.",
        ) from error


def _readable_parts(file: SourceFile, parts: Iterator[ReadResult]) -> Iterator[ReadResult]:
    """Yield the parts of a file: what the system says of reading is about the file, of storing it is not."""
    while True:
        with _readable(file):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _stat(file: SourceFile) -> os.stat_result:
    with _readable(file):
        return file.path.stat()


def _mapping_digest(file: SourceFile) -> str:
    return file.mapping.digest if file.mapping else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _report(manifest: Manifest, *, fresh: frozenset[str]) -> IngestReport:
    return IngestReport(
        tuple(
            SourceReport(
                source=key,
                format=entry.format,
                is_fresh=key in fresh,
                rows_read=entry.rows_read,
                kept=entry.kept,
                dropped=entry.dropped,
                quarantined=entry.quarantined,
            )
            for key, entry in manifest.sources.items()
        )
    )
