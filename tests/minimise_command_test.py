"""`prodintel minimise` from end to end on a tiny shop: search, rendered test, files."""

import json

import pytest
from click.testing import CliRunner

from prodintel_lib.certify import digest_suite
from prodintel_lib.cli import main
from prodintel_lib.minimise import MinimalView, read_minimal
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.scenarios.model import Answered, Behaviour, Prepare, Send, Suite
from tests.renderers.shop import Shop
from tests.renderers.suites import FILL_CART, PLACE_ORDER, START_SESSION, SYMPTOM, scenario

EXPRESS = PLACE_ORDER.model_copy(update={"body": {**PLACE_ORDER.body, "shipping": "überexpress"}})
SUITE = Suite(
    incident_id="INC-7",
    title="Some orders fail",
    scenarios=(
        scenario(
            "orders_with_the_input_that_failed",
            title="Orders are answered",
            kind="graceful_handling",
            symptom=SYMPTOM.model_copy(update={"kinds": ("server_error",)}),
            conditions=(Behaviour(id="customers_input", differs="beyond ASCII", seen="5 of 5, 0 of 9"),),
            actions=(
                Prepare(customers=3, requests=(START_SESSION, FILL_CART), label="buyers"),
                Send(request=EXPRESS, otherwise=PLACE_ORDER, customers="buyers", label="orders"),
            ),
            expectations=(Answered(of="orders", deadline_ms=5000, statuses=(200, 201), oracle="baseline"),),
        ),
    ),
)


class AsciiShop(Shop):
    """A shop that answers 500 to an order with a letter beyond ASCII."""

    def _place(self, body):
        if self.way == "error" and not str(body.get("shipping", "")).isascii():
            return 500, {}, {}
        return super()._place({"idempotency_key": "", **body})


def run(*arguments):
    return CliRunner().invoke(main, ["minimise", *map(str, arguments)])


@pytest.fixture
def run_dir(tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "prodintel.yaml").write_text("name: shop\n")
    folder = tmp_path / "INC-7"
    write_files(render_suite(SUITE), folder / "tests")
    (folder / "run.json").write_text(json.dumps({"parameters": {"workspace": str(workspace)}}))
    return folder


def test_minimise_finds_the_letter_and_keeps_it_with_the_run_and_the_workspace(run_dir, tmp_path):
    before = {path: path.read_bytes() for path in (run_dir / "tests").iterdir()}
    with AsciiShop("error") as faulty, AsciiShop("fixed") as fixed:
        done = run(run_dir, "--faulty", faulty.url, "--fixed", fixed.url)
    assert done.exit_code == 0, done.output
    minimal = read_minimal(run_dir / "minimal.json")
    (prepare, send) = minimal.scenario.actions
    assert (prepare.customers, [request.id for request in prepare.requests]) == (1, ["start_session"])
    assert send.request.body == {"shipping": "überexpress"}
    assert [part.at for part in send.request.replacements] == ["authorization"]
    assert minimal.is_minimal
    assert {(part.setting, part.as_wanted, part.runs) for part in minimal.confirmations} == {
        ("faulty_with", 3, 3), ("faulty_without", 3, 3), ("fixed_with", 3, 3),
    }  # fmt: skip
    assert {path: path.read_bytes() for path in (run_dir / "tests").iterdir()} == before, "it replaces nothing"
    listed = {file["path"] for file in json.loads((run_dir / "run.json").read_text())["files"]}
    assert {"minimal.json", "minimal/test_inc_7.py", "tests/test_inc_7.py"} <= listed
    kept = MinimalView.of(SUITE, tmp_path / "workspace")
    assert kept.minimal == minimal
    assert minimal.suite_digest == digest_suite(SUITE)
    assert "candidate 1: " in done.stderr


def test_minimise_of_what_does_not_fail_writes_nothing(run_dir, tmp_path):
    with AsciiShop("fixed") as fixed:
        done = run(run_dir, "--faulty", fixed.url)
    assert done.exit_code == 1
    assert "does not show the symptom (server_error) in any of 5 runs" in done.output
    assert sorted(path.name for path in run_dir.iterdir()) == ["run.json", "tests"]
    assert [path.name for path in (tmp_path / "workspace").iterdir()] == ["prodintel.yaml"]


@pytest.mark.parametrize("options", [(), ("--demo", "--faulty", "http://127.0.0.1:9")])
def test_minimise_wants_one_system(run_dir, options):
    done = run(run_dir, *options)
    assert done.exit_code == 2
    assert "needs --faulty or --demo, and only one" in done.output


def test_minimise_of_an_unknown_scenario_names_those_there_are(run_dir):
    done = run(run_dir, "--faulty", "http://127.0.0.1:9", "--scenario", "orders_with_the_input")
    assert done.exit_code == 2
    assert "did you mean `orders_with_the_input_that_failed`" in done.output


def test_minimise_of_no_run_says_so(tmp_path):
    done = run(tmp_path / "INC-9", "--faulty", "http://127.0.0.1:9")
    assert done.exit_code == 2
    assert "is no run with tests" in done.output
