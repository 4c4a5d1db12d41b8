"""A workspace whose lake holds exactly the rows a test says."""

from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import TABLES, conform
from prodintel_lib.workspace import open_workspace

CONFIG = """
name: made
sources:
  - path: seed.csv
slos:
  - route: GET /
    latency_ms: 20
  - route: GET /free
    availability: 0.99
journeys:
  conversions: [purchase]
"""
SEED = "id,title,started,resolved,service\nINC-1,made,2025-01-01T00:00:00Z,2025-01-01T00:10:00Z,shop\n"
_BLANK = ("visitor_id", "session_id", "user_id", "client_address", "user_agent_original")


@pytest.fixture
def view_of(tmp_path):
    """Return a function that opens a lake view of short rows by table."""

    def make(**tables):
        (tmp_path / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
        (tmp_path / "seed.csv").write_text(SEED, encoding="utf-8")
        workspace = open_workspace(tmp_path)
        ingest(workspace)
        manifest = workspace.lake.manifest()
        files = []
        for name, rows in tables.items():
            frame = pl.DataFrame(rows, infer_schema_length=None)
            if name == "rum_events":
                blank = (pl.lit(None, dtype=pl.String).alias(column) for column in _BLANK if column not in frame)
                frame = with_visitors(frame.with_columns(blank))
            files += workspace.lake.write(TABLES[name], conform(frame, TABLES[name]))
        entry = replace(manifest.sources["seed.csv"], files=tuple(files))
        workspace.lake.publish(Manifest(manifest.readers, {"seed.csv": entry}))
        return open_view(workspace)

    return make
