"""Suites run in rounds by a pytest process of their own."""

import json
import subprocess
import sys
import threading
import time

import pytest

from prodintel_lib.certify.outcomes import Outcome, SystemUnderTest
from prodintel_lib.certify.runs import Order, run_rounds, run_tests
from prodintel_lib.errors import RenderError

NOWHERE = SystemUnderTest("http://127.0.0.1:9", "http://127.0.0.1:9")
CONFTEST = """
def pytest_addoption(parser):
    for name in ("--base-url", "--time-scale"):
        parser.addoption(name)
    parser.addoption("--without-conditions", action="store_true")
    parser.addoption("--allow-writes", action="store_true")
"""


def suite_folder(tmp_path, body):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text("import pytest\nfrom pathlib import Path\n" + body)
    return tmp_path


def test_run_tests_tells_red_with_a_symptom_from_everything_else(tmp_path):
    body = """
def test_good(): pass
def test_slow(record_property): record_property("symptom", "no_answer_in_time"); assert 0, "too late"
def test_lost(record_property): record_property("symptom", "unreachable"); assert 0
def test_bare(): assert 0
def test_away(): pytest.skip("no proxy")
@pytest.fixture
def leaves_a_condition(): yield; pytest.fail("could not be removed")
def test_untidy(leaves_a_condition, record_property): record_property("symptom", "server_error"); assert 0
"""
    runs = run_tests(suite_folder(tmp_path, body), NOWHERE)
    assert {name.partition("::")[2]: run.colour for name, run in runs.items()} == {
        "test_good": "green", "test_slow": "red", "test_lost": "error", "test_bare": "error", "test_away": "skipped",
        "test_untidy": "error",
    }  # fmt: skip
    assert runs["test_it.py::test_slow"] == Outcome("red", "no_answer_in_time", "AssertionError: too late")
    assert "no proxy" in runs["test_it.py::test_away"].message
    assert "could not be removed" in runs["test_it.py::test_untidy"].message


def test_run_tests_that_cannot_be_collected_is_an_error(tmp_path):
    with pytest.raises(RenderError, match="pytest ended with 2"):
        run_tests(suite_folder(tmp_path, "import nothing_of_that_name"), NOWHERE)


def test_run_tests_without_a_test_is_an_error(tmp_path):
    with pytest.raises(RenderError, match="pytest ended with 5"):
        run_tests(suite_folder(tmp_path, ""), NOWHERE)


COUNTING = """
def note(word):
    with Path(__file__).with_name("visits.txt").open("a") as file:
        file.write(word + " ")
@pytest.fixture(scope="module")
def whole_round():
    note("open")
    yield
    note("close")
@pytest.fixture
def visit(whole_round):
    note("in")
    yield Path(__file__).with_name("visits.txt").read_text().count("in")
    note("out")
def test_first(visit, record_property):
    if visit == 1:
        record_property("symptom", "wrong_state")
    assert visit > 2
def test_second(whole_round): pass
"""


def test_run_rounds_runs_every_test_once_a_round_and_tears_down_between(tmp_path):
    shown = []
    order = Order(suite_folder(tmp_path, COUNTING), NOWHERE, rounds=("1", "2", "3"))
    came = run_rounds(order, on_run=lambda done, total: shown.append((done, total)))
    first, second = "test_it.py::test_first", "test_it.py::test_second"
    assert came.tests == (first, second)
    assert [(run.round, run.test) for run in came.runs] == [(r, t) for r in "123" for t in (first, second)]
    # The second failure says nothing of the system: it has no symptom of its own, and none of the first one's.
    assert [outcome.colour for outcome in came.outcomes_of(first, order.rounds)] == ["red", "error", "green"]
    assert came.outcomes_of(second, order.rounds) == (Outcome("green"),) * 3
    assert (tmp_path / "visits.txt").read_text().split() == ["open", "in", "out", "close"] * 3
    assert shown[-1] == (6, 6)
    assert came.cut_off == ""


HANGING = """
import time
@pytest.fixture
def condition():
    Path(__file__).with_name("applied").touch()
    yield
    Path(__file__).with_name("applied").unlink()
def test_a(): pass
def test_b(condition): time.sleep(60)
"""


def test_run_rounds_cuts_off_what_takes_too_long_and_lets_it_clean_up(tmp_path):
    order = Order(suite_folder(tmp_path, HANGING), NOWHERE, rounds=("1", "2"))
    came = run_rounds(order, timeout_s=5)
    assert came.cut_off == "a round of the suite took longer than 5 s"
    assert came.outcomes_of("test_it.py::test_a", order.rounds) == (
        Outcome("green"),
        Outcome("error", "", "a round of the suite took longer than 5 s"),
    )
    assert {outcome.message for outcome in came.outcomes_of("test_it.py::test_b", order.rounds)} == {came.cut_off}
    assert not (tmp_path / "applied").exists()


def test_run_rounds_stops_when_it_is_told_to(tmp_path):
    stop = threading.Event()
    order = Order(suite_folder(tmp_path, HANGING), NOWHERE, rounds=("1",))
    came = run_rounds(order, on_run=lambda *_: stop.set(), stop=stop)
    assert came.cut_off == "stopped before its end"
    assert not (tmp_path / "applied").exists()


def test_session_stops_and_cleans_up_when_whoever_ordered_it_is_gone(tmp_path):
    order = {
        "arguments": [str(suite_folder(tmp_path, HANGING)), "-p", "no:cacheprovider"],
        "base_url": NOWHERE.base_url,
        "toxiproxy_url": "",
        "rounds": ["1"],
        "results": str(tmp_path / "results.jsonl"),
        "alterations": {},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "prodintel_lib.certify.session"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    while not (tmp_path / "applied").exists() and process.poll() is None:
        time.sleep(0.01)
    process.stdin.close()
    assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    assert not (tmp_path / "applied").exists()


def test_run_rounds_takes_no_options_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert run_tests(suite_folder(tmp_path, "def test_it(): pass"), NOWHERE) == {
        "test_it.py::test_it": Outcome("green")
    }
