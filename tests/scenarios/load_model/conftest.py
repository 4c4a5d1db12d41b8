"""A lake of a few rows, for the tests of load models."""

from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import TABLES, conform
from prodintel_lib.workspace import open_workspace


@pytest.fixture
def view_of(tmp_path):
    """Return a function that opens a lake view of short rows by table."""

    def make(config="", **tables):
        (tmp_path / "prodintel.yaml").write_text(
            f"name: made\nsources:\n  - path: seed.csv\n{config}", encoding="utf-8"
        )
        (tmp_path / "seed.csv").write_text(
            "id,title,started,resolved,service\nINC-1,made,2025-01-01T00:00:00Z,2025-01-01T00:10:00Z,shop\n",
            encoding="utf-8",
        )
        workspace = open_workspace(tmp_path)
        ingest(workspace)
        manifest = workspace.lake.manifest()
        files = [
            file
            for name, rows in tables.items()
            for file in workspace.lake.write(
                TABLES[name], conform(pl.DataFrame(rows, infer_schema_length=None), TABLES[name])
            )
        ]
        entry = replace(manifest.sources["seed.csv"], files=tuple(files))
        workspace.lake.publish(Manifest(manifest.readers, {"seed.csv": entry}))
        return open_view(workspace)

    return make
