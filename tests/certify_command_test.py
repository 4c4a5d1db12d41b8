"""`prodintel certify`, on runs and systems small enough to start in a test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from prodintel_lib import certify_command
from prodintel_lib.certify.certificate import read_certificate
from prodintel_lib.certify_command import BankLine, exit_code, read_suite, render_table
from prodintel_lib.cli import main
from prodintel_lib.errors import ParameterError
from prodintel_lib.renderers.templates.replay_verified import read_verified
from prodintel_lib.terminal import Terminal
from tests.certify.builds import BLIND, FLAKY, LOOKS, OTHERWISE, Build, write_suite
from tests.certify.certificates import AWAY, GREEN, HOLDS, SLOW, certificate, one_test

PRODINTEL = str(Path(sys.executable).with_name("prodintel"))
ROOT = Path(__file__).parents[1]


def make_run(folder, *, workspace=None):
    """Write a run as `prodintel replay` leaves it: tests, result, summary, notebook and report."""
    write_suite(folder)
    result = {
        "incident_id": "INC-2024-1234",
        "title": "t",
        "headline": {"title": "h", "kicker": "k"},
        "verification": "unverified",
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "summary.md").write_text("# s\n\nTests (unverified: not run):\n\n- a test\n")
    cells = [
        nbformat.v4.new_markdown_cell("# Question?"),
        nbformat.v4.new_code_cell(
            "replay.verification",
            outputs=[nbformat.v4.new_output("execute_result", {"text/html": "<p>old words</p>"}, execution_count=1)],
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebook.ipynb")
    run = {"schema": "prodintel/run/1", "parameters": {"workspace": str(workspace or folder / "gone")}, "files": []}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "prodintel.yaml").write_text("name: tiny\nsources: []\n")
    return folder


def certify(*arguments):
    return CliRunner().invoke(main, ["certify", *map(str, arguments)])


def test_certify_leaves_its_findings_wherever_somebody_looks(tmp_path, workspace):
    run = make_run(tmp_path / "run", workspace=workspace)
    with Build(faulty=True) as faulty, Build(faulty=False) as fixed:
        done = certify(run, "--faulty", faulty.system.base_url, "--fixed", fixed.system.base_url, "--runs", 2)
    assert done.exit_code == 0, done.output
    found = read_certificate(run / "certificate.json")
    # Two runs are too few to meet the third time, when the flaky one is fine; it asks for what its scenario does not.
    assert "none of its answers could be altered" in {test.why for test in found.tests}
    assert {test.test.rpartition("::")[2]: test.verdict for test in found.tests} == {
        LOOKS: "reproduces", BLIND: "reproduces", FLAKY: "reproduces", OTHERWISE: "does_not_reproduce",
    }  # fmt: skip
    assert found.certified == (f"test_inc_2024_1234.py::{LOOKS}",)
    sentence = found.sentence()
    assert sentence in done.output
    assert f"certified          test_inc_2024_1234.py::{LOOKS}: 2 of 2 / 2 of 2 / 2 of 2 as wanted" in done.output
    assert read_verified(run / "tests").certified == frozenset(found.certified)
    assert read_certificate(workspace / "certificates" / "INC-2024-1234.json") == found
    assert json.loads((run / "result.json").read_text())["verification"] == sentence
    assert f"Tests ({sentence}):" in (run / "summary.md").read_text()
    for name in ("report.html", "notebook.ipynb"):
        text = (run / name).read_text()
        assert "Notices altered" in text
        assert "old words" not in text
    listed = {file["path"] for file in json.loads((run / "run.json").read_text())["files"]}
    assert listed >= {"certificate.json", "tests/verified.json", "report.html"}


def test_certify_against_one_system_says_what_remains_unknown(tmp_path):
    run = make_run(tmp_path / "run")
    with Build(faulty=True) as faulty:
        done = certify(run, "--against", faulty.system.base_url, "--runs", 1)
    assert done.exit_code == 0, done.output
    assert "unknown: whether a fixed system passes it" in done.output
    assert read_certificate(run / "against.json").mode == "one_system"
    assert not (run / "certificate.json").exists()
    assert read_verified(run / "tests").doubt, "one system verifies nothing"
    assert "unverified: fails now" in (run / "report.html").read_text()


def test_certify_exits_with_1_where_no_test_certifies(tmp_path):
    run = make_run(tmp_path / "run")
    with Build(faulty=False) as one, Build(faulty=False) as other:
        done = certify(run, "--faulty", one.system.base_url, "--fixed", other.system.base_url, "--runs", 1)
    assert done.exit_code == 1, done.output
    assert "0 of 4 tests certified" in done.output
    assert read_verified(run / "tests").certified == frozenset()


def test_certify_exits_with_2_where_a_system_does_not_answer(tmp_path):
    run = make_run(tmp_path / "run")
    with socket.socket() as closed, Build(faulty=False) as fixed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = certify(run, "--faulty", nobody, "--fixed", fixed.system.base_url)
    assert done.exit_code == 2
    assert f"Could not be run: the faulty system does not answer at {nobody}" in done.output
    assert "Hint: start it" in done.output
    assert not (run / "certificate.json").exists()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--faulty", "http://127.0.0.1:1"),
        ("--faulty", "http://127.0.0.1:1", "--fixed", "http://127.0.0.1:2", "--demo"),
        ("--against", "http://127.0.0.1:1", "--fixed", "http://127.0.0.1:2"),
        ("--against", "http://127.0.0.1:1", "--demo"),
    ],
)
def test_certify_refuses_what_names_no_systems_or_too_many(tmp_path, options):
    done = certify(tmp_path, *options)
    assert done.exit_code == 2
    assert "needs --faulty and --fixed, or --against, or --demo" in done.output


def test_certify_refuses_several_runs_of_ones_own(tmp_path):
    done = certify(tmp_path, tmp_path, "--against", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "Several runs need --demo" in done.output


@pytest.mark.parametrize(("content", "reason"), [(None, "has no such file"), ("{}", "holds no scenarios")])
def test_read_suite_of_what_is_no_run_is_an_error(tmp_path, content, reason):
    (tmp_path / "tests").mkdir()
    if content:
        (tmp_path / "tests" / "scenarios.json").write_text(content)
    with pytest.raises(ParameterError, match=f"is no run with tests: tests/scenarios.json {reason}"):
        read_suite(tmp_path)


def test_exit_code_says_how_it_went():
    away = one_test("a", ([AWAY] * 3, [GREEN] * 3, [GREEN] * 3))
    flaky = one_test("a", ([SLOW, GREEN, SLOW], [GREEN] * 3))
    assert exit_code(certificate(one_test("a", HOLDS), away)) == 0
    assert exit_code(certificate(one_test("a", HOLDS, noticed=()))) == 1
    assert exit_code(certificate(away)) == 2
    assert exit_code(certificate(one_test("a", ([GREEN] * 3, [GREEN] * 3)))) == 0
    assert exit_code(certificate(flaky)) == 1
    assert exit_code(None) == 1


def test_render_table_has_a_line_for_each_run_also_where_it_failed():
    lines = [
        BankLine(
            "INC-1", certificate(one_test("a", HOLDS), one_test("b", ([SLOW, GREEN, SLOW], [GREEN] * 3, [GREEN] * 3)))
        ),
        BankLine("INC-2", None, "the build\nis not | ready"),
    ]
    assert render_table(lines).splitlines()[2:] == [
        (
            "| INC-1 | 1 of 2 | 5 of 6 | 6 of 6 | 6 of 6 "
            "| status 500 2, another 2xx 0, ids 0, values 0, empty body 0 | 12 s |"
        ),
        r"| INC-2 | could not be run: the build is not \| ready |  |  |  |  |  |",
    ]


def test_certify_bank_goes_on_after_a_run_that_cannot_be_certified(tmp_path, monkeypatch, capsys):
    whole = certificate(one_test("a", HOLDS))

    def stand_in(run_dir, **_):
        if run_dir.name == "b":
            raise ParameterError("no such build.", hint="name another.")
        return whole

    monkeypatch.setattr(certify_command, "certify_run_on_demo", stand_in)
    options = {"repository": ROOT, "effort": None, "terminal": Terminal(), "table_path": tmp_path / "t.md"}
    lines = certify_command.certify_bank([tmp_path / name for name in "abc"], **options)
    assert lines == [BankLine("a", whole), BankLine("b", None, "no such build."), BankLine("c", whole)]
    assert (tmp_path / "t.md").read_text() == render_table(lines)
    assert "b: could not be run: no such build." in capsys.readouterr().out
    with pytest.raises(ParameterError, match="no such build"):
        certify_command.certify_bank([tmp_path / "b"], **options)


def test_certify_ends_what_it_started_when_it_is_told_to_stop(tmp_path):
    run = make_run(tmp_path / "run")
    with Build(faulty=True) as faulty, Build(faulty=False) as fixed:
        process = subprocess.Popen(
            [
                PRODINTEL, "certify", str(run), "--runs", "1000",
                "--faulty", faulty.system.base_url, "--fixed", fixed.system.base_url,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        while faulty.requests + fixed.requests < 5 and process.poll() is None:
            time.sleep(0.02)
        children = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        assert b"prodintel: stopped." in process.stderr.read()
        process.stderr.close()
        assert children
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def children_of(pid):
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc to see the processes of another process")
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


def test_make_certify_hands_ids_over_as_data():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-C", str(ROOT), "certify", "INC=$(shell touch pwned)", f"VENV={Path(sys.prefix)}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 2
    assert "is not an incident id" in done.stderr
    assert not (ROOT / "pwned").exists()
