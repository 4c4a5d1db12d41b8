import json

import pytest

from prodintel_lib.certify.certificate import Alteration, judge_two_systems, read_certificate
from prodintel_lib.errors import SourceFormatError
from tests.certify.certificates import AWAY, FAILED, GREEN, HOLDS, LOST, SLOW, certificate, one_test, tally


def test_tally_counts_what_is_wanted_with_wilsons_interval():
    mixed = tally("red", SLOW, FAILED, SLOW, GREEN, LOST)
    assert (mixed.n, mixed.as_wanted, mixed.judged) == (5, 2, 4)
    assert mixed.told() == "2 red: no answer in time, 1 error: unreachable, 1 green, 1 red: server error"
    assert mixed.excuse() == "nobody answers"
    # Wilson (1927) for 2 of 5 at 95 %.
    assert (round(mixed.share.low, 4), round(mixed.share.high, 4)) == (0.1176, 0.7693)


@pytest.mark.parametrize(
    ("came", "verdict", "why"),
    [
        (HOLDS, "reproduces", ""),
        (
            ([SLOW, GREEN, SLOW], [GREEN] * 3, [GREEN] * 3),
            "flaky",
            "faulty, with conditions: 2 red: no answer in time, 1 green",
        ),
        (
            ([SLOW] * 3, [GREEN, GREEN, LOST], [GREEN] * 3),
            "flaky",
            "fixed, with them: 2 green, 1 error: unreachable",
        ),
        (([GREEN] * 3, [GREEN] * 3, [GREEN] * 3), "does_not_reproduce", "faulty, with conditions: 3 green"),
        # Failing is not reproducing: the symptom is another one.
        (
            ([FAILED] * 3, [GREEN] * 3, [GREEN] * 3),
            "does_not_reproduce",
            "faulty, with conditions: 3 red: server error",
        ),
        (([SLOW] * 3, [SLOW] * 3, [GREEN] * 3), "does_not_reproduce", "fixed, with them: 3 red: no answer in time"),
        # What is off in some runs is left out where another setting never is as it should be.
        (
            ([SLOW, GREEN, SLOW], [GREEN] * 3, [SLOW] * 3),
            "does_not_reproduce",
            "faulty, without: 3 red: no answer in time",
        ),
        (([LOST] * 3, [GREEN] * 3, [GREEN] * 3), "could_not_be_run", "faulty, with conditions: nobody answers"),
        (([SLOW] * 3, [AWAY] * 3, [GREEN] * 3), "could_not_be_run", "fixed, with them: no Toxiproxy"),
    ],
)
def test_verdict_of_two_systems(came, verdict, why):
    found = one_test("it", came)
    assert (found.verdict, found.why) == (verdict, why)
    assert found.is_certified is (verdict == "reproduces")


def test_a_test_that_notices_no_alteration_is_not_certified():
    blind = one_test("it", HOLDS, noticed=())
    assert (blind.verdict, blind.why, blind.is_certified) == ("reproduces", "it notices no altered answer", False)
    unsure = one_test("it", HOLDS, noticed=(), unsure=True)
    assert unsure.why == "whether it notices altered answers could not be told: it could not judge"
    settings = {
        "faulty_with": tally("red", SLOW),
        "fixed_with": tally("green", GREEN),
        "faulty_without": tally("green", GREEN),
    }
    nothing = {"other_id": Alteration("nothing_altered", 0, GREEN)}
    assert judge_two_systems(settings, nothing) == ("reproduces", "none of its answers could be altered")


@pytest.mark.parametrize(
    ("came", "verdict", "why"),
    [
        (([SLOW] * 3, [GREEN] * 3), "fails_now", "unknown: whether a fixed system passes it"),
        (
            ([SLOW] * 3, [FAILED] * 3),
            "fails_now",
            (
                "it is not green without the conditions either (3 red: server error); "
                "unknown: whether a fixed system passes it"
            ),
        ),
        (([GREEN] * 3, [GREEN] * 3), "passes_now", "unknown: whether it fails where the fault is"),
        (
            ([GREEN, SLOW, GREEN], [GREEN] * 3),
            "flaky",
            "2 green, 1 red: no answer in time; unknown: why it varies, and whether a fixed system passes it",
        ),
        (
            ([FAILED] * 3, [GREEN] * 3),
            "fails_otherwise",
            "3 red: server error; unknown: whether it shows the incident, and whether a fixed system passes it",
        ),
        (([AWAY] * 3, [GREEN] * 3), "could_not_be_run", "no Toxiproxy"),
    ],
)
def test_verdict_of_one_system_says_what_remains_unknown(came, verdict, why):
    found = one_test("it", came)
    assert (found.verdict, found.why, found.is_certified) == (verdict, why, False)


def test_certificate_says_in_a_sentence_what_it_comes_to():
    flaky = ([SLOW, GREEN, SLOW], [GREEN] * 3, [GREEN] * 3)
    whole = certificate(one_test("a", HOLDS), one_test("b", flaky), one_test("c", HOLDS, noticed=()))
    assert whole.certified == ("test_a.py::test_a",)
    assert whole.sentence() == (
        "1 of 3 tests certified: red / green / green in 3 of 3 runs; unverified: 1 flaky, 1 notices nothing"
    )
    assert certificate(one_test("a", HOLDS)).sentence() == (
        "1 of 1 tests certified: red / green / green in 3 of 3 runs"
    )
    assert certificate(one_test("a", ([SLOW] * 3, [GREEN] * 3))).sentence() == (
        "unverified, and known from one system only (3 runs each): 1 fails now"
    )


def test_certificate_round_trips_and_is_deterministic(tmp_path):
    whole = certificate(one_test("a", HOLDS), one_test("b", ([SLOW, GREEN, SLOW], [GREEN] * 3, [LOST] * 3)))
    (tmp_path / "c.json").write_bytes(whole.as_json())
    assert read_certificate(tmp_path / "c.json") == whole
    assert read_certificate(tmp_path / "c.json").as_json() == whole.as_json()
    shown = json.loads(whole.as_json())
    assert shown["schema"] == "prodintel/certificate/1"
    assert shown["tests"][0]["settings"]["faulty_with"] == {
        "runs": 3, "as_wanted": 3, "low": 0.4385, "high": 1.0,
        "outcomes": [{"colour": "red", "symptom": "no_answer_in_time", "message": "too late", "runs": 3}],
    }  # fmt: skip


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"schema": "prodintel/certificate/9"}'])
def test_read_certificate_of_something_else_is_an_error(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(SourceFormatError, match="is not a certificate"):
        read_certificate(tmp_path / "c.json")
