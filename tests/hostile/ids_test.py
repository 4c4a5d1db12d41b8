"""Ids that are programs, options or paths: refused with a clear message, by the command and by make."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main
from prodintel_lib.terminal import CONTROL

ROOT = Path(__file__).parents[2]
IDS = [
    "$(shell touch x)", "a; rm -rf x", "../../x", "--help", "-rf", "x\ny", "x\n", "\nINC-1", "`id`", "a|b", "a&b", "~", "..",
    "a..b", "a/b", "a\\b", "INC-1\x1b[31m", "INC\u202e1", "INC\u00a01", "\u0399NC-1", "x" * 65, "${IFS}", "%0a", "*", "?",
]  # fmt: skip


@pytest.mark.parametrize("incident_id", IDS)
def test_replay_refuses_an_id_that_is_none(incident_id, tmp_path):
    reports = tmp_path / "reports"
    done = CliRunner().invoke(main, ["replay", "--reports", str(reports), "--", incident_id])
    assert done.exit_code == 2
    assert "is not an incident id" in done.output
    assert "use the id as your incident tool shows it" in done.output
    assert not {chr(code) for code in CONTROL if code != 10} & set(done.output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "incident_id", ["x\ntouch touched", "'; touch touched #", "../../x", '"$(touch touched)"', "-rf"]
)
def test_make_hands_an_id_that_is_none_over_as_data(incident_id):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-C", str(ROOT), "replay", f"INC={incident_id}", f"VENV={sys.prefix}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "is not an incident id" in done.stderr, done.stdout + done.stderr
    assert not (ROOT / "touched").exists()


def test_an_error_that_lists_hostile_ids_does_not_steer_the_terminal(tmp_path):
    incident = {"id": "Q1", "incident_number": 0, "created_at": "2026-01-01T00:00:00Z", "title": "x"}
    ids = ["\x1b[31mred", "a\nb", "\u202egnp"]
    (tmp_path / "incidents.json").write_text(json.dumps({"incidents": [incident | {"id": told} for told in ids]}))
    (tmp_path / "prodintel.yaml").write_text('name: "\\e[2Jx"\nsources: [{path: incidents.json}]\n')
    done = CliRunner().invoke(main, ["replay", "INC-1", "--workspace", str(tmp_path), "--reports", str(tmp_path / "r")])
    assert done.exit_code == 2
    assert "No incident `INC-1` in the workspace" in done.output
    assert "red" in done.output
    assert not {chr(code) for code in CONTROL if code != 10} & set(done.output)
