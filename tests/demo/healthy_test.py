from __future__ import annotations

import json
import threading
from pathlib import Path

import polars as pl
import pytest

from demo.errors import ShopError
from demo.recording import healthy
from demo.recording.healthy import HealthyRecording, describe, record_healthy
from demo.recording.recorder import Phase
from demo.traffic.driver import Answer
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

COMMITTED = Path(__file__).resolve().parents[2] / "demo" / "healthy"
NAMES = sorted(path.stem for path in (COMMITTED / "recordings").glob("*.json"))


def test_add_counts_answers_and_those_that_failed() -> None:
    recording = HealthyRecording("monday", seed=1, length_s=60.0, days_earlier=0)

    for status in (200, 404, 502, 0):
        recording.add(Answer(1.0, "GET /api/products", status, 0.1))

    assert (recording.answers, recording.bad_answers) == (4, 2)


def test_describe_tells_how_it_was_made_and_how_busy_the_machine_was(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl.zst").write_bytes(b"12345")
    recording = HealthyRecording("monday", seed=7, length_s=300.0, days_earlier=2)
    recording.phases.append(Phase("healthy", 1_700_000_000.0, 1_700_000_300.5))
    recording.load_averages.extend([0.5, 3.0, 1.25])

    about = describe(recording, tmp_path)

    assert about["command"] == "python -m demo record-healthy monday --seed 7 --length 300 --days-earlier 2"
    assert about["phases"] == [
        {"name": "healthy", "start": "2023-11-12T22:13:20.000Z", "end": "2023-11-12T22:18:20.500Z"}
    ]
    assert {name: about["load_average"][name] for name in ("least", "median", "most")} == {
        "least": 0.5,
        "median": 1.25,
        "most": 3.0,
    }
    assert about["bytes"] == {"traces.jsonl.zst": 5}
    assert about["staged"][-1] == "the date: every time was moved back by 2 days"


def test_record_healthy_writes_what_a_workspace_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthy, "WARM_UP_S", 0.2)
    recording = HealthyRecording("monday", seed=5, length_s=2.0, days_earlier=1)

    folder = record_healthy(recording, workspace=tmp_path, stop=threading.Event(), say=lambda _: None)

    assert sorted(path.name for path in folder.iterdir()) == ["logs.jsonl.zst", "metrics.jsonl.zst", "traces.jsonl.zst"]
    assert [phase.name for phase in recording.phases] == ["warm_up", "healthy"]
    assert recording.bad_answers == 0
    assert json.loads((tmp_path / "recordings" / "monday.json").read_text())["seed"] == 5


def test_record_healthy_writes_nothing_when_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    recording = HealthyRecording("monday", seed=5, length_s=2.0, days_earlier=1)

    with pytest.raises(ShopError, match=r"The recording was stopped; nothing was written\."):
        record_healthy(recording, workspace=tmp_path, stop=stop, say=lambda _: None)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_committed_recording_is_of_a_healthy_shop_and_small(name: str) -> None:
    about = json.loads((COMMITTED / "recordings" / f"{name}.json").read_text(encoding="utf-8"))
    files = {path.name: path.stat().st_size for path in (COMMITTED / name).iterdir()}

    assert about["bytes"] == files
    assert sum(files.values()) < 1_000_000
    assert [phase["name"] for phase in about["phases"]] == ["warm_up", "healthy"]
    assert about["bad_answers"] == 0
    assert about["answers"] > 1_000


def test_committed_recordings_have_days_and_seeds_of_their_own() -> None:
    about = [json.loads((COMMITTED / "recordings" / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES]

    assert len(NAMES) == 3
    assert len({one["seed"] for one in about}) == 3
    assert len({one["phases"][1]["start"][:10] for one in about}) == 3


def test_committed_recordings_hold_requests_of_all_services_and_no_server_error(tmp_path: Path) -> None:
    (tmp_path / "prodintel.yaml").write_text(
        (COMMITTED / "prodintel.yaml").read_text(encoding="utf-8").replace('"*day/*"', f'"{COMMITTED}/*day/*"')
    )
    workspace = open_workspace(tmp_path)
    ingest(workspace)

    spans = workspace.scan("spans").to_native().filter(pl.col("span_kind") == "server").collect()

    assert spans["service_name"].unique().sort().to_list() == ["auth", "catalogue", "gateway", "orders", "payment"]
    assert spans.filter(pl.col("http_response_status_code") >= 500).height == 0
    assert spans["time_us"].n_unique() > 3_000
