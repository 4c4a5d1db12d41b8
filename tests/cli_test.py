"""The command line and make, as a person types them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main

ROOT = Path(__file__).parents[1]
PRODINTEL = str(Path(sys.executable).with_name("prodintel"))
HOSTILE_IDS = [
    "$(shell touch pwned)",
    "a; touch pwned",
    "../../x",
    "--help",
    "`touch pwned`",
    "$$(touch pwned)",
    "a b",
    "x'y",
]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


def test_replay_leaves_a_whole_run(demo_workspace, tmp_path):
    done = run(PRODINTEL, "replay", "INC-2024-1234", "--workspace", str(demo_workspace), "--reports", str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "incident_replay" / "INC-2024-1234"
    # A certificate and a minimal scenario of these scenarios in the workspace come along.
    assert {path.name for path in folder.iterdir()} - {"certificate.json", "minimal.json", "minimal"} == {
        "capsule.json", "issue.json", "issue.md", "notebook.ipynb", "report.html", "result.json", "run.json",
        "summary.md", "tests",
    }  # fmt: skip
    assert (folder / "report.html").stat().st_size < 5_000_000
    assert "185 of 216 active users" in done.stdout
    assert "deployment of payment 2.4.2" in done.stdout
    assert str(folder / "report.html") in done.stdout
    assert re.search(r"\[ ?3/\d+\] Timeline", done.stderr), "progress goes to stderr"


def test_replay_takes_the_notebooks_other_parameters_from_a_file(demo_workspace, tmp_path):
    (tmp_path / "p.yaml").write_text("engin: duckdb\n")
    common = ("replay", "INC-2024-1234", "--workspace", str(demo_workspace), "--reports", str(tmp_path / "r"))
    wrong = run(PRODINTEL, *common, "--params", str(tmp_path / "p.yaml"))
    assert wrong.returncode == 2
    assert "did you mean `engine`?" in wrong.stderr
    (tmp_path / "p.yaml").write_text("engine: duckdb\n")
    assert run(PRODINTEL, *common, "--params", str(tmp_path / "p.yaml")).returncode == 0
    record = (tmp_path / "r" / "incident_replay" / "INC-2024-1234" / "run.json").read_text()
    assert '"engine": "duckdb"' in record


def test_replay_of_an_unknown_incident_says_so_and_keeps_the_last_run(demo_workspace, tmp_path):
    done = run(PRODINTEL, "replay", "INC-9", "--workspace", str(demo_workspace), "--reports", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "No incident `INC-9` in the workspace `demo`; known: INC-2024-1234" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("incident_id", HOSTILE_IDS)
def test_replay_refuses_what_is_no_id(incident_id, tmp_path):
    done = run(PRODINTEL, "replay", "--", incident_id, cwd=tmp_path)
    assert done.returncode == 2
    assert "is not an incident id" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("incident_id", HOSTILE_IDS)
def test_make_replay_hands_ids_over_as_data(incident_id, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = run("make", "-C", str(ROOT), "replay", f"INC={incident_id}", f"VENV={Path(sys.prefix)}", env=environment)
    assert done.returncode == 2
    assert "is not an incident id" in done.stderr, done.stdout + done.stderr
    assert not (ROOT / "pwned").exists()


def test_make_alone_lists_the_targets():
    done = run("make", "-C", str(ROOT))
    listed = set(re.findall(r"make ([a-z-]+) ", done.stdout))
    assert listed >= {"replay", "test", "lab", "setup", "bench", "prove", "demo"}


def test_every_command_has_help_and_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for name, command in main.commands.items():
        assert command.help, name
        assert f"prodintel {name}" in readme, f"the README does not show `prodintel {name}`"
        for option in (part for part in command.params if isinstance(part, click.Option)):
            assert option.help, f"{name} {option.name} has no help"


def test_a_mistyped_command_names_the_nearest():
    done = CliRunner().invoke(main, ["repaly", "INC-1"])
    assert done.exit_code == 2
    assert "did you mean `replay`?" in done.output


def test_ingest_shows_the_row_accounting(demo_workspace):
    done = CliRunner().invoke(main, ["ingest", "--workspace", str(demo_workspace)])
    assert done.exit_code == 0
    figures = re.search(r"Rows read ([0-9,]+) = kept ([0-9,]+)(?: \+ [a-z ]+ [0-9,]+)* \+ quarantined 0\.", done.output)
    assert figures, done.output
    assert int(figures[1].replace(",", "")) >= int(figures[2].replace(",", "")) >= 48_842


def test_a_folder_without_a_workspace_is_an_error_with_a_hint(tmp_path):
    done = CliRunner().invoke(main, ["ingest", "--workspace", str(tmp_path)])
    assert done.exit_code == 2
    assert "is no workspace: it has no prodintel.yaml" in done.output
