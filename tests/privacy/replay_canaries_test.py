"""Canaries planted in every kind of field of every source are in no file outside the lake.

The lake is the line: it keeps the evidence as it came, its quarantine and the key included, and is guarded as the exports
themselves are. Everything else that is written is searched.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
import zstandard

from prodintel_lib.analyses.incident import find_incident
from prodintel_lib.privacy.pseudonymiser import open_pseudonymiser
from prodintel_lib.tables import TABLES
from prodintel_lib.windows import US_PER_S, to_datetime
from prodintel_lib.workspace import open_workspace
from tests.privacy.canaries import CANARIES, find_canaries
from tests.privacy.planted import ANYWHERE, BADGE, MAPPED, PEOPLE, PROSE, START_US, TEXT, write_every_source

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
INCIDENT = "INC-2024-1301"
KEPT = "kept-Token-4711-public"
CONFIG = {
    "rules": [{"name": "badge", "pattern": "badge ([A-Z]{2}[0-9]{4})"}],
    "keep": ["x_public_token"],
}


def plant_in_attributes(attributes):
    for attribute in attributes:
        value = attribute["value"]
        if attribute["key"].endswith("body.content") and value.get("stringValue", "").startswith("{"):
            value["stringValue"] = json.dumps({**json.loads(value["stringValue"]), "people": PEOPLE})
        if attribute["key"] in {"exception.message", "exception.stacktrace"}:
            value["stringValue"] += f"\n{PROSE}"
    attributes += [{"key": canary.field, "value": {"stringValue": canary.value}} for canary in CANARIES]
    attributes += [
        {"key": "x_public_token", "value": {"stringValue": KEPT}},
        {"key": "note", "value": {"stringValue": BADGE}},
    ]
    attributes.append({"key": f"seen.{ANYWHERE[0].value}", "value": {"boolValue": True}})


def planted(document):
    """Plant canaries in every span, log record and event of an OTLP line."""
    for resource in document.get("resourceSpans", []):
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                plant_in_attributes(span.setdefault("attributes", []))
                for event in span.get("events", []):
                    plant_in_attributes(event.get("attributes", []))
                if span.get("status", {}).get("message"):
                    span["status"]["message"] += PROSE
    for resource in document.get("resourceLogs", []):
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                record["body"] = {"stringValue": f"{record['body'].get('stringValue', '')} {PROSE}"}
                plant_in_attributes(record.setdefault("attributes", []))
    return document


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canaries") / "workspace"
    shutil.copytree(ROOT / "demo" / "workspace" / INCIDENT, folder / INCIDENT)
    for path in (folder / INCIDENT).glob("*.jsonl.zst"):
        lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
        text = "\n".join(json.dumps(planted(json.loads(line))) for line in lines)
        path.write_bytes(zstandard.ZstdCompressor().compress(text.encode()))
    alert = folder / INCIDENT / "pagerduty.json"
    document = json.loads(alert.read_text())
    document["incident"]["title"] += f" {TEXT}"
    document["incident"]["description"] = TEXT
    alert.write_text(json.dumps(document))
    changes = folder / INCIDENT / "deployments.json"
    events = json.loads(changes.read_text())
    for event in events:
        event["deployment"]["description"] = TEXT
    changes.write_text(json.dumps(events))
    config = yaml.safe_load((ROOT / "demo" / "workspace" / "prodintel.yaml").read_text())
    config["privacy"] = CONFIG
    config["sources"] = [{"path": "INC-*/*"}, *MAPPED, *({"path": name} for name in write_every_source(folder))]
    (folder / "prodintel.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(ROOT / "demo" / "workspace" / "openapi.json", folder)
    return folder


def prodintel(*arguments):
    return subprocess.run(
        [Path(sys.executable).with_name("prodintel"), *arguments], capture_output=True, check=False, timeout=240
    )


@pytest.fixture(scope="module")
def ingested(workspace):
    """Return what `prodintel ingest` said."""
    done = prodintel("ingest", "--workspace", workspace)
    assert done.returncode == 0, done.stderr.decode()
    return done


def test_every_source_is_read_with_its_canaries(workspace, ingested):
    """The canaries really were in the lake: in the rows of each source, by its own file."""
    opened = open_workspace(workspace)
    entries = opened.lake.manifest().sources
    formats = {name: entries[name].format for name in entries if not name.startswith("INC-")}
    assert formats == write_every_source(workspace.parent)
    for name in formats:
        if name == "broken.json":
            assert entries[name].quarantined == 1
            continue
        assert (sum(entries[name].kept.values()) > 0, entries[name].quarantined) == (True, 0), name
        files = [opened.lake.folder / file.relative_path for file in entries[name].files]
        text = "".join(str(pl.read_parquet(file).select(pl.col(pl.String)).rows()) for file in files)
        # What a source cannot hold is little: a number that it keeps as one, a key of its own.
        assert len(set(find_canaries(text.encode()))) >= 40, name
    assert find_canaries(b"".join(path.read_bytes() for path in (workspace / "lake" / "quarantine").iterdir()))


def test_no_file_outside_the_lake_holds_a_canary(workspace, ingested, tmp_path):
    before = {path for path in workspace.rglob("*") if path.is_file()}
    done = prodintel("replay", INCIDENT, "--workspace", workspace, "--reports", tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    after = {path for path in workspace.rglob("*") if path.is_file() and "lake" not in path.parts}
    assert after <= before, "nothing is written beside the sources"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "notebook.ipynb", "capsule.json", "result.json", "summary.md"} <= {p.name for p in written}
    found = {path.name: kinds for path in written if (kinds := find_canaries(path.read_bytes()))}
    assert found == {}
    assert find_canaries(done.stdout + done.stderr + ingested.stdout + ingested.stderr) == []
    assert not [path.name for path in written if b"QX4711" in path.read_bytes()], "the rule of prodintel.yaml holds"


@pytest.mark.parametrize("verb", ["errors", "anomalies", "health", "load"])
def test_no_report_of_a_window_holds_a_canary(workspace, ingested, tmp_path, verb):
    """Everything that was planted lies in the window: all of it is looked at."""
    times = [
        time_us
        for name in ("logs", "spans", "rum_events", "metrics")
        for file in (workspace / "lake" / name).rglob("*.parquet")
        for time_us in pl.read_parquet(file, columns=["time_us"])["time_us"]
    ]
    window = f"{to_datetime(min(times)):%Y-%m-%dT%H:%M}/{to_datetime(max(times) + 60 * US_PER_S):%Y-%m-%dT%H:%M}"
    done = prodintel(verb, "--window", window, "--workspace", workspace, "--reports", tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "notebook.ipynb", "result.json", "summary.md"} <= {path.name for path in written}
    found = {path.name: kinds for path in written if (kinds := find_canaries(path.read_bytes()))}
    assert found == {}
    assert find_canaries(done.stdout + done.stderr) == []
    assert not [path.name for path in written if b"QX4711" in path.read_bytes()], "the rule of prodintel.yaml holds"


def test_no_monitor_holds_a_canary(workspace, ingested, tmp_path):
    """What is asked and what is expected of answers comes from requests and answers that were full of canaries."""
    done = prodintel("monitors", "--workspace", workspace, "--reports", tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"README.md", "monitors.json", "result.json", "test_monitors.py"} <= {path.name for path in written}
    assert {path.name: kinds for path in written if (kinds := find_canaries(path.read_bytes()))} == {}
    assert find_canaries(done.stdout + done.stderr) == []
    assert not [path.name for path in written if b"QX4711" in path.read_bytes()], "the rule of prodintel.yaml holds"


@pytest.mark.parametrize("incident_id", [INCIDENT, "77", "78", "7", "IR-9", "PLAIN-1", "PLAIN-2", "MAP-1"])
def test_the_incident_of_each_tool_holds_no_canary(workspace, ingested, incident_id):
    record = find_incident(open_workspace(workspace), incident_id)
    shown = f"{record!r} {record._repr_html_()}"
    assert find_canaries(shown.encode()) == []
    assert "QX4711" not in shown
    assert "badge " in shown, "the title was really there"


@pytest.mark.parametrize("table", TABLES)
def test_no_column_of_a_table_holds_a_canary_after_pseudonyms(workspace, ingested, table):
    opened = open_workspace(workspace)
    rows = opened.scan(table).collect("polars").to_native().sort("time_us")
    # The demo's rows are many and alike.
    rows = pl.concat([rows.filter(pl.col("time_us") == START_US), rows.gather_every(max(1, rows.height // 40))])
    texts = open_pseudonymiser(opened.root, opened.config.privacy).frame(rows).select(pl.col(pl.String))
    left = {
        name: kinds for name in texts.columns if (kinds := find_canaries("\n".join(texts[name].drop_nulls()).encode()))
    }
    assert left == {}
    values = "\n".join("\n".join(texts[name].drop_nulls()) for name in texts.columns)
    assert (KEPT in values) == (table in {"spans", "logs"}), "what the workspace keeps is kept"
