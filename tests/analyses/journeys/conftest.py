"""A workspace whose lake holds exactly the events a test says."""

from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import RUM_EVENTS, conform
from prodintel_lib.workspace import open_workspace

CONFIG = "name: made\nsources:\n  - path: seed.csv\n"
SEED = "id,title,started,resolved,service\nINC-1,made,2025-01-01T00:00:00Z,2025-01-01T00:10:00Z,shop\n"


@pytest.fixture
def view_of(tmp_path):
    """Return a function that opens a lake view of short rows of rum_events."""

    def make(rows, *, engine="polars"):
        (tmp_path / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
        (tmp_path / "seed.csv").write_text(SEED, encoding="utf-8")
        workspace = open_workspace(tmp_path)
        ingest(workspace)
        whole = [{"event_kind": "view", **row} for row in rows]
        frame = pl.DataFrame(whole, infer_schema_length=None)
        blank = ("visitor_id", "session_id", "user_id", "client_address", "user_agent_original")
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in blank if name not in frame)
        files = workspace.lake.write(RUM_EVENTS, conform(with_visitors(frame), RUM_EVENTS))
        manifest = workspace.lake.manifest()
        entry = replace(manifest.sources["seed.csv"], files=tuple(files))
        workspace.lake.publish(Manifest(manifest.readers, {"seed.csv": entry}))
        return open_view(workspace, engine=engine)

    return make
