"""Certifying, from end to end, on two builds of a tiny system."""

import socket

import pytest

from prodintel_lib.certify.alterations import KINDS
from prodintel_lib.certify.certification import Effort, certify, certify_against, require_answer
from prodintel_lib.certify.outcomes import SystemUnderTest
from prodintel_lib.errors import ParameterError, RenderError
from tests.certify.builds import BLIND, FLAKY, LOOKS, OTHERWISE, SUITE, Build, write_suite

NOW_US = 1_700_000_000_000_000
EFFORT = Effort(runs=3)


@pytest.fixture(scope="module")
def builds():
    with Build(faulty=True) as faulty, Build(faulty=False) as fixed:
        yield faulty, fixed


@pytest.fixture(scope="module")
def found(builds, tmp_path_factory):
    tests = write_suite(tmp_path_factory.mktemp("run"))
    shown = []
    certificate = certify(
        tests,
        SUITE,
        faulty=builds[0].system,
        fixed=builds[1].system,
        now_us=NOW_US,
        effort=EFFORT,
        progress=lambda *step: shown.append(step),
    )
    return certificate, shown


def by_name(certificate):
    return {test.test.rpartition("::")[2]: test for test in certificate.tests}


def test_certify_tells_what_reproduces_from_what_is_flaky_blind_or_fails_otherwise(found):
    tests = by_name(found[0])
    assert {name: test.verdict for name, test in tests.items()} == {
        LOOKS: "reproduces",
        BLIND: "reproduces",
        FLAKY: "flaky",
        OTHERWISE: "does_not_reproduce",
    }, "what somebody else has put beside the suite is no test of it"
    assert found[0].certified == (f"test_inc_2024_1234.py::{LOOKS}",)
    assert tests[FLAKY].why == "faulty, with conditions: 2 red: server error, 1 green"
    assert tests[OTHERWISE].why == "faulty, with conditions: 3 red: wrong state"
    assert tests[BLIND].why == "it notices no altered answer"


def test_certify_says_which_alterations_a_test_noticed(found):
    tests = by_name(found[0])
    assert {kind: tests[LOOKS].alterations[kind].came for kind in KINDS} == {
        "server_error": "noticed",
        "other_success": "noticed",
        "other_id": "unnoticed",
        "other_values": "noticed",
        # The test stumbles over the missing value instead of judging it.
        "no_body": "could_not_tell",
    }
    assert {alteration.altered for alteration in tests[LOOKS].alterations.values()} == {1}
    assert {alteration.came for alteration in tests[BLIND].alterations.values()} == {"unnoticed"}


def test_certify_says_what_was_run(found):
    certificate, shown = found
    assert (certificate.mode, certificate.runs, certificate.certified_at_us) == ("two_systems", 3, NOW_US)
    assert certificate.systems == {"faulty": "the faulty build", "fixed": "the fixed build"}
    total = 3 * 3 + 1 + len(KINDS)
    assert {step[1] for step in shown} == {total}
    assert max(step[0] for step in shown) == total
    assert (total, total) in {step[:2] for step in shown}


def test_certify_one_at_a_time_finds_the_same(builds, found, tmp_path):
    builds[0].flaky_asked = 0
    effort = Effort(runs=3, at_once=False)
    certificate = certify(
        write_suite(tmp_path), SUITE, faulty=builds[0].system, fixed=builds[1].system, now_us=NOW_US, effort=effort
    )
    assert certificate.tests == found[0].tests


@pytest.mark.parametrize(
    ("faulty", "verdicts"),
    [
        (True, {LOOKS: "fails_now", BLIND: "fails_now", FLAKY: "flaky", OTHERWISE: "fails_otherwise"}),
        (False, dict.fromkeys((LOOKS, BLIND, FLAKY, OTHERWISE), "passes_now")),
    ],
)
def test_certify_against_one_system_says_how_it_fares_now(builds, tmp_path, faulty, verdicts):
    build = builds[0 if faulty else 1]
    certificate = certify_against(write_suite(tmp_path), SUITE, system=build.system, now_us=NOW_US, effort=EFFORT)
    assert {name: test.verdict for name, test in by_name(certificate).items()} == verdicts
    assert certificate.certified == ()
    noticed = {kind for test in certificate.tests for kind in test.noticed}
    assert noticed == (set() if faulty else {"server_error", "other_success", "other_values"})


def test_certify_of_a_system_that_does_not_answer_is_refused(builds, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = SystemUnderTest(f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(ParameterError, match="Could not be run: the fixed system does not answer") as refused:
            certify(tmp_path, SUITE, faulty=builds[0].system, fixed=nobody, now_us=NOW_US)
    assert refused.value.exit_code == 2
    assert "start it" in refused.value.hint


@pytest.mark.parametrize("url", ["127.0.0.1", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:x"])
def test_require_answer_refuses_what_is_no_address(url):
    with pytest.raises(ParameterError, match="does not answer at"):
        require_answer(SystemUnderTest(url), "system")


def test_certify_ends_everything_when_one_system_cannot_be_tested(builds, tmp_path):
    tests = write_suite(tmp_path)
    (tests / "conftest.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(RenderError, match="pytest ended with 4"):
        certify(tests, SUITE, faulty=builds[0].system, fixed=builds[1].system, now_us=NOW_US)
