"""Canaries planted in every kind of field of the sources are in no file that a replay writes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import zstandard

from prodintel_lib.workspace import open_workspace
from tests.privacy.canaries import CANARIES, find_canaries

ROOT = Path(__file__).parents[2]
INCIDENT = "INC-2024-1301"
ANYWHERE = [canary for canary in CANARIES if not canary.needs_field]
PROSE = " | ".join(canary.value for canary in ANYWHERE)
PEOPLE = [{canary.field: canary.value} for canary in CANARIES]


def plant_in_attributes(attributes):
    for attribute in attributes:
        value = attribute["value"]
        if attribute["key"].endswith("body.content") and value.get("stringValue", "").startswith("{"):
            value["stringValue"] = json.dumps({**json.loads(value["stringValue"]), "people": PEOPLE})
        if attribute["key"] in {"exception.message", "exception.stacktrace"}:
            value["stringValue"] += f"\n{PROSE}"
    attributes += [{"key": canary.field, "value": {"stringValue": canary.value}} for canary in CANARIES]
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
    shutil.copy(ROOT / "demo" / "workspace" / "prodintel.yaml", folder)
    for path in (folder / INCIDENT).glob("*.jsonl.zst"):
        lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
        text = "\n".join(json.dumps(planted(json.loads(line))) for line in lines)
        path.write_bytes(zstandard.ZstdCompressor().compress(text.encode()))
    alert = folder / INCIDENT / "pagerduty.json"
    document = json.loads(alert.read_text())
    document["incident"]["title"] += f" {PROSE}"
    document["incident"]["description"] = PROSE
    alert.write_text(json.dumps(document))
    changes = folder / INCIDENT / "deployments.json"
    events = json.loads(changes.read_text())
    for event in events:
        event["deployment"]["description"] = PROSE
    changes.write_text(json.dumps(events))
    return folder


def test_no_file_of_a_replay_holds_a_canary(workspace, tmp_path):
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("prodintel")),
            *("replay", INCIDENT, "--workspace", str(workspace), "--reports", str(tmp_path)),
        ],
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr.decode()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "notebook.ipynb", "capsule.json", "result.json", "summary.md"} <= {p.name for p in written}
    found = {path.name: kinds for path in written if (kinds := find_canaries(path.read_bytes()))}
    assert found == {}
    assert find_canaries(done.stdout + done.stderr) == []

    spans = open_workspace(workspace).scan("spans").collect("polars").to_native()
    evidence = "\n".join(spans.select(pl.concat_str(pl.col(pl.String).fill_null(""))).to_series())
    assert len(set(find_canaries(evidence.encode()))) >= 50, "the canaries were really there"
