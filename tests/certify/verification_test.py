import json

from prodintel_lib.certify.outcomes import Outcome
from prodintel_lib.certify.proof import Proof, ProofLine, digest_suite
from prodintel_lib.certify.verification import Verification
from prodintel_lib.renderers import render_suite, write_files
from tests.certify.certificates import GREEN, HOLDS, SLOW, certificate, one_test
from tests.renderers.suites import make_suite

SUITE = make_suite()
FLAKY = ([SLOW, GREEN, SLOW], [GREEN] * 3, [GREEN] * 3)


def proof_line(*, fixed="green"):
    runs = {"faulty_with": SLOW, "fixed_with": Outcome(fixed), "faulty_without": GREEN}
    return ProofLine("test_a.py::test_a", ("no_answer_in_time",), runs)


def keep(folder, kind, content):
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / f"{SUITE.incident_id}.json").write_bytes(content.as_json())


def test_verification_takes_no_proof_of_other_scenarios(tmp_path):
    keep(tmp_path, "proofs", Proof(SUITE.incident_id, "f" * 16, 0.2, (proof_line(),)))
    assert Verification.of(SUITE, tmp_path).sentence().startswith("unverified")
    keep(
        tmp_path, "proofs", Proof(SUITE.incident_id, digest_suite(SUITE), 0.2, (proof_line(), proof_line(fixed="red")))
    )
    found = Verification.of(SUITE, tmp_path)
    assert found.sentence() == "1 of 2 tests red / green / green"
    assert "does not hold" in found._repr_html_()


def test_verification_prefers_a_certificate_of_these_scenarios(tmp_path):
    keep(tmp_path, "proofs", Proof(SUITE.incident_id, digest_suite(SUITE), 0.2, (proof_line(),)))
    keep(tmp_path, "certificates", certificate(one_test("a", HOLDS), digest="f" * 16))
    assert Verification.of(SUITE, tmp_path).sentence() == "1 of 1 tests red / green / green"
    keep(tmp_path, "certificates", certificate(one_test("a", HOLDS), one_test("b", FLAKY), digest=digest_suite(SUITE)))
    assert Verification.of(SUITE, tmp_path).sentence().startswith("1 of 2 tests certified")


def test_verification_shows_counts_intervals_and_reasons():
    blind = one_test("c", HOLDS, noticed=())
    unsure = one_test("d", ([GREEN] * 3, [SLOW] * 3, [GREEN] * 3), noticed=(), unsure=True)
    shown = Verification(
        SUITE, None, certificate(one_test("a", HOLDS), one_test("b", FLAKY), blind, unsure)
    )._repr_html_()
    assert "3 of 3, 44-100 %" in shown
    assert "2 red: no answer in time, 1 green" in shown
    assert "unverified: flaky" in shown
    assert "it notices no altered answer" in shown
    assert "status 500" in shown
    assert "not: another 2xx, ids, values, empty body" in shown
    assert ">not known</span>" in shown
    assert ">nothing</span>" in shown


def test_verification_of_one_system_says_what_is_unknown():
    shown = Verification(SUITE, None, certificate(one_test("a", ([SLOW] * 3, [GREEN] * 3))))._repr_html_()
    assert "unverified: fails now" in shown
    assert "unknown: whether a fixed system passes it" in shown
    assert "Fixed" not in shown


def test_write_into_lists_what_certifies_and_of_which_bytes(tmp_path):
    write_files(render_suite(SUITE), tmp_path / "tests")
    before = {path.name: path.read_bytes() for path in (tmp_path / "tests").iterdir()}
    verification = Verification(SUITE, None, certificate(one_test("a", HOLDS), one_test("b", FLAKY)))
    assert verification.write_into(tmp_path) == ("certificate.json", "tests/verified.json")
    content = json.loads((tmp_path / "tests" / "verified.json").read_text())
    assert content["certified"] == ["test_a.py::test_a"]
    assert content["unverified"] == {
        "test_a.py::test_b": "flaky: faulty, with conditions: 2 red: no answer in time, 1 green"
    }
    assert set(content["files"]) == {name for name in before if name.endswith((".py", ".feature"))}
    assert {path.name: path.read_bytes() for path in (tmp_path / "tests").iterdir() if path.name in before} == before


def test_write_into_removes_what_another_certificate_left(tmp_path):
    write_files(render_suite(SUITE), tmp_path / "tests")
    Verification(SUITE, None, certificate(one_test("a", HOLDS))).write_into(tmp_path)
    assert Verification(SUITE, None).write_into(tmp_path) == ()
    assert not (tmp_path / "certificate.json").exists()
    assert not (tmp_path / "tests" / "verified.json").exists()
