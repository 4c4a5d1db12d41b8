"""The example workspaces of docs/examples, replayed end to end: what each report rests on, and what it says."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main
from prodintel_lib.incident_replay import replay_incident, write_outputs, write_summary

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
ROOT_CAUSE = {
    "checkout-latency-n-plus-one": ("checkout-p99-latency", "checkoutservice: http_server_duration_p99_ms rose", ""),
    "cache-ttl-stampede": ("productdb-cpu-saturation", "productdb: db_query_duration_p99_ms rose", "cache_hit_ratio"),
    "upstream-payment-provider-outage": ("payment-charge-error-rate", "paymentservice: ", "charge_error_rate_pct"),
}
TRAIN_TICKET = {
    "basic-exception": ("TT-2023-01-29-0925", "[queryForTravel][catch price exception]", "ts-basic-service"),
    "contacts-return": ("TT-2023-01-29-0843", "No contacts according to contactsId", "ts-contacts-service"),
}


def root_cause_bench(shared_data, folder, name):
    shutil.copytree(shared_data / "rootcausebench" / name, folder)
    shutil.copy(EXAMPLES / "rootcausebench" / name / "prodintel.yaml", folder)
    return folder


def train_ticket(shared_data, folder, name):
    data = shared_data / "trainticket"
    for file in (EXAMPLES / "trainticket" / name).glob("*.yaml"):
        config = file.read_text(encoding="utf-8").replace("path: rca", f"path: {data}/rca")
        (folder / file.name).write_text(config.replace("path: cons", f"path: {data}/cons"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ROOT_CAUSE)
def test_replay_of_root_cause_bench_rests_on_signals(shared_data, tmp_path, name):
    incident, title, signal = ROOT_CAUSE[name]
    replay = replay_incident(root_cause_bench(shared_data, tmp_path / name, name), incident)
    findings = replay.findings
    assert findings.onset.basis == "signals"
    assert findings.headline.title.startswith(title)
    assert signal in " ".join(findings.signals.worse["signal"])
    assert findings.evidence.requests < 30
    assert replay.scenarios.suite is None
    assert {"commit", "deployment"} <= set(findings.changes["change_kind"])
    assert set(write_outputs(replay, tmp_path / "out").files) == {
        "capsule.json", "issue.json", "issue.md", "result.json", "summary.md",
    }  # fmt: skip


def test_replay_of_two_traces_lays_them_side_by_side(shared_data, tmp_path):
    name = "checkout-latency-n-plus-one"
    path = replay_incident(root_cause_bench(shared_data, tmp_path / name, name), ROOT_CAUSE[name][0]).findings.path
    assert (path.failing["duration_ms"].to_list(), path.healthy["duration_ms"].to_list()) == ([4180.0], [230.0])


def test_replay_of_root_cause_bench_shows_the_provider_outside_as_the_bottleneck(shared_data, tmp_path):
    name = "upstream-payment-provider-outage"
    replay = replay_incident(root_cause_bench(shared_data, tmp_path / name, name), ROOT_CAUSE[name][0])
    assert replay.findings.path.bottleneck == "paymentservice → stripe"
    assert "2 entry requests were recorded" in write_summary(replay)


@pytest.mark.parametrize("name", TRAIN_TICKET)
def test_replay_of_train_ticket_counts_requests_that_failed_by_their_logs(shared_data, tmp_path, name):
    incident, message, service = TRAIN_TICKET[name]
    replay = replay_incident(train_ticket(shared_data, tmp_path, name), incident)
    findings = replay.findings
    assert findings.evidence.sessions_are_traces
    assert findings.evidence.failed_by_logs > 0
    assert findings.blast.users.n == 0
    logged = findings.signatures.logged.filter(service_name=service)
    assert logged["baseline_rows"].sum() == 0
    assert message in " ".join(logged["message"])
    assert "Its spans hold no `http.request.method` and no `url.path`" in replay.scenarios.reason


def test_replay_of_an_example_on_the_command_line_leaves_a_report(shared_data, tmp_path):
    name = "checkout-latency-n-plus-one"
    folder = root_cause_bench(shared_data, tmp_path / name, name)
    arguments = ["replay", ROOT_CAUSE[name][0], "--workspace", str(folder), "--reports", str(tmp_path / "reports")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    run = tmp_path / "reports" / "incident_replay" / ROOT_CAUSE[name][0]
    assert json.loads((run / "result.json").read_bytes())["window"]["basis"] == "signals"
    assert "checkoutservice: http_server_duration_p99_ms rose" in (run / "report.html").read_text()
