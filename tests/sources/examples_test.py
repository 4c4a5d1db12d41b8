"""The example workspaces of docs/examples read the data they are for, every row accounted for."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ROOT_CAUSE = {
    "checkout-latency-n-plus-one": {"incidents": 1, "spans": 50, "logs": 124, "metrics": 438, "changes": 47},
    "cache-ttl-stampede": {"incidents": 1, "spans": 8, "logs": 215, "metrics": 756, "changes": 35},
    "upstream-payment-provider-outage": {"incidents": 1, "spans": 10, "logs": 162, "metrics": 728, "changes": 30},
}
TRAIN_TICKET = {
    "contacts-return": ({"incidents": 1, "spans": 19150, "logs": 10341, "metrics": 4508}, {"duplicate": 200}, 0),
    "basic-exception": ({"incidents": 1, "spans": 16140, "logs": 8305, "metrics": 4508}, {}, 0),
}


@pytest.mark.parametrize("name", ROOT_CAUSE)
def test_examples_read_root_cause_bench(shared_data, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(shared_data / "rootcausebench" / name, folder)
    shutil.copy(EXAMPLES / "rootcausebench" / name / "prodintel.yaml", folder)
    workspace = open_workspace(folder)
    report = ingest(workspace)
    assert report.kept == ROOT_CAUSE[name]
    assert (report.rows_read, report.dropped, report.quarantined) == (sum(ROOT_CAUSE[name].values()), {}, 0)
    incident = workspace.scan("incidents").collect("polars").to_native().row(0, named=True)
    commits = workspace.scan("changes").to_native().filter(pl.col("change_kind") == "commit").collect()
    assert incident["severity"] == "critical"
    assert "files_changed" in commits["attributes"][0]


@pytest.mark.parametrize("name", TRAIN_TICKET)
def test_examples_read_train_ticket(shared_data, tmp_path, name):
    data = shared_data / "trainticket"
    for file in (EXAMPLES / "trainticket" / name).iterdir():
        config = file.read_text(encoding="utf-8").replace("path: rca", f"path: {data}/rca")
        (tmp_path / file.name).write_text(config.replace("path: cons", f"path: {data}/cons"), encoding="utf-8")
    workspace = open_workspace(tmp_path)
    report = ingest(workspace)
    assert (report.kept, report.dropped, report.quarantined) == TRAIN_TICKET[name]
    spans = workspace.scan("spans").collect("polars").to_native()
    assert spans["service_name"].null_count() == 0
    assert spans["parent_span_id"].null_count() > 0
