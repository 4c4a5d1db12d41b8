import pytest

from prodintel_lib.certify import (
    Outcome,
    Proof,
    ProofLine,
    SystemUnderTest,
    Verification,
    digest_suite,
    read_proof,
    run_tests,
)
from prodintel_lib.errors import RenderError, SourceFormatError
from tests.renderers.suites import make_suite

NOWHERE = SystemUnderTest("http://127.0.0.1:9", "http://127.0.0.1:9")
CONFTEST = """
def pytest_addoption(parser):
    for name in ("--base-url", "--time-scale"):
        parser.addoption(name)
    parser.addoption("--without-conditions", action="store_true")
"""


def suite_folder(tmp_path, body):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text("import pytest\n" + body)
    return tmp_path


def test_run_tests_tells_red_with_a_symptom_from_everything_else(tmp_path):
    body = """
def test_good(): pass
def test_slow(record_property): record_property("symptom", "no_answer_in_time"); assert 0, "too late"
def test_lost(record_property): record_property("symptom", "unreachable"); assert 0
def test_bare(): assert 0
def test_away(): pytest.skip("no proxy")
"""
    runs = run_tests(suite_folder(tmp_path, body), NOWHERE)
    assert {name.partition("::")[2]: run.colour for name, run in runs.items()} == {
        "test_good": "green", "test_slow": "red", "test_lost": "error", "test_bare": "error", "test_away": "skipped",
    }  # fmt: skip
    assert runs["test_it.py::test_slow"].symptom == "no_answer_in_time"
    assert "no proxy" in runs["test_it.py::test_away"].message


def test_run_tests_that_cannot_be_collected_is_an_error(tmp_path):
    with pytest.raises(RenderError, match="pytest ended with 2"):
        run_tests(suite_folder(tmp_path, "import nothing_of_that_name"), NOWHERE)


def proof(with_=("red", "no_answer_in_time"), fixed="green", without="green"):
    runs = {"faulty_with": Outcome(*with_), "fixed_with": Outcome(fixed), "faulty_without": Outcome(without)}
    return ProofLine("test_a.py::test_a", ("no_answer_in_time",), runs)


@pytest.mark.parametrize(
    ("part", "holds"),
    [
        (proof(), True),
        (proof(with_=("red", "server_error")), False),
        (proof(with_=("green", "")), False),
        (proof(with_=("error", "no_answer_in_time")), False),
        (proof(fixed="red"), False),
        (proof(fixed="skipped"), False),
        (proof(without="red"), False),
    ],
)
def test_proof_holds_only_red_green_green_with_the_incidents_symptom(part, holds):
    assert part.holds is holds


def test_proof_round_trips(tmp_path):
    whole = Proof("INC-1", "0" * 16, 0.2, (proof(), proof(fixed="red")))
    (tmp_path / "p.json").write_bytes(whole.as_json())
    assert read_proof(tmp_path / "p.json") == whole


def test_read_proof_of_something_else_is_an_error(tmp_path):
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(SourceFormatError, match="is not a proof"):
        read_proof(tmp_path / "p.json")


def test_verification_takes_no_proof_of_other_scenarios(tmp_path):
    suite = make_suite()
    (tmp_path / "proofs").mkdir()
    path = tmp_path / "proofs" / f"{suite.incident_id}.json"
    path.write_bytes(Proof(suite.incident_id, "f" * 16, 0.2, (proof(),)).as_json())
    assert Verification.of(suite, tmp_path).sentence().startswith("unverified")
    path.write_bytes(Proof(suite.incident_id, digest_suite(suite), 0.2, (proof(), proof(fixed="red"))).as_json())
    found = Verification.of(suite, tmp_path)
    assert found.sentence() == "1 of 2 tests red / green / green"
    assert "does not hold" in found._repr_html_()
