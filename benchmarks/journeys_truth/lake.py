"""A generated workspace's lake, written at once: its columns are the canonical ones already, so nothing is parsed.

What comes of it is what `prodintel ingest` makes of the same files; a test holds the two together.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.lake import Manifest, SourceEntry
from prodintel_lib.sources.ingest import READERS_VERSION
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import RUM_EVENTS, conform, table_named
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.lake import Lake
    from prodintel_lib.workspace import SourceFile, Workspace


def write_lake(root: Path) -> Workspace:
    """Bring a generated workspace's files into its lake; return the open workspace."""
    workspace = open_workspace(root)
    with workspace.lake.locked():
        sources = {file.key: _entry(workspace.lake, file) for file in workspace.source_files()}
        workspace.lake.publish(Manifest(READERS_VERSION, sources))
    return workspace


def _entry(lake: Lake, file: SourceFile) -> SourceEntry:
    assert file.mapping is not None, f"{file.key} is not mapped: it was not generated"
    table = table_named(file.mapping.table)
    columns = [pl.col(theirs).alias(name) for name, theirs in file.mapping.columns.items()]
    rows = pl.read_parquet(file.path).select(columns)
    if table is RUM_EVENTS:
        missing = [pl.lit(None, dtype=pl.String).alias("client_address")]
        rows = with_visitors(rows.with_columns(missing))
    files = lake.write(table, conform(rows, table))
    stat, content = file.path.stat(), file.path.read_bytes()
    return SourceEntry(
        size_bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sha256=hashlib.sha256(content).hexdigest(),
        format="parquet",
        rows_read=rows.height,
        kept={table.name: rows.height},
        dropped={},
        quarantined=0,
        files=files,
        mapping=file.mapping.digest,
    )
