"""What others sent shortly before: counted, found as what sets failing requests apart, and not found in noise."""

import random

import pytest

from prodintel_lib.scenarios.contrast import Case, Contrast, Feature, Name, collect_cases, find_wake_contrast
from prodintel_lib.scenarios.exemplars import bystanders
from prodintel_lib.scenarios.recorded import RecordedRequest
from prodintel_lib.scenarios.wakes import find_wake, kinds_of, requests_of_kind

SECOND = 1_000_000


def request(session, time_us, label, *, status=200, body=None):
    method, path = label.split(" ")
    return RecordedRequest(
        time_us, session, f"{session}-{time_us}", method, path, path, (), status, 5.0, status >= 500, body, None
    )


def test_kinds_of_names_refusals_and_inputs_of_writes():
    refused = request("s", 1, "POST /c", status=404, body={"code": "Ä", "n": 3})
    assert list(kinds_of(refused)) == [
        "POST /c answered 404",
        "POST /c whose /code holds a character beyond ASCII",
        "POST /c whose /code is 'Ä'",
    ]
    assert list(kinds_of(request("s", 1, "GET /c", status=500))) == []


def test_find_wake_needs_good_and_bad_and_a_stretch():
    around = [request("o", n * SECOND, "POST /c", status=404) for n in (1, 2, 3)]
    assert find_wake([3 * SECOND, 5 * SECOND], [True, True], around) is None
    assert find_wake([3 * SECOND, 5 * SECOND], [True, False], around) is None


def test_find_wake_passes_over_what_happened_hardly_ever():
    around = [request("o", n * SECOND, "POST /c", status=404) for n in (10, 40)]
    times_us = [n * SECOND + 1 for n in range(60)]
    bad = [n in {10, 11, 40, 41} for n in range(60)]
    assert find_wake(times_us, bad, around) is None


def traffic(seed, poisoned):
    """A minute with a request a tenth of a second; those within three seconds of a poisoned one may fail."""
    chance = random.Random(seed)
    poison_us = [n * 12 * SECOND for n in range(1, 6)]
    sessions = {
        f"p{n}": (request(f"p{n}", time_us, "POST /o", body={"note": "ü", "n": chance.randint(1, 9)}),)
        for n, time_us in enumerate(poison_us)
    }
    for n in range(600):
        time_us = n * SECOND // 10 + 7
        near = poisoned and any(0 < time_us - at < 3 * SECOND for at in poison_us)
        session = f"s{n}"
        write = request(session, time_us - 5, "POST /o", body={"note": chance.choice("abc"), "n": 1})
        status = 504 if near and chance.random() < 0.95 else 200
        sessions[session] = (write, request(session, time_us, "GET /o", status=status))
    return sessions


def contrast_of(sessions):
    return find_wake_contrast(collect_cases(sessions, "GET /o"), [part for each in sessions.values() for part in each])


def test_find_wake_contrast_finds_what_somebody_else_sent_before():
    found = contrast_of(traffic(1, poisoned=True))
    assert found.feature.shape == "wake"
    assert found.feature.name.label in {
        "POST /o whose /note holds a character beyond ASCII", "POST /o whose /note is 'ü'",
    }  # fmt: skip
    assert found.feature.name.within_s == 3
    assert found.differs.startswith("at least 1 POST /o whose /note ")
    assert found.holds_of_bad == found.bad


@pytest.mark.parametrize("seed", range(8))
def test_find_wake_contrast_finds_no_wake_in_noise(seed):
    chance = random.Random(seed)
    sessions = {
        key: tuple(
            request(key, part.time_us, part.label, body=part.body, status=503 if chance.random() < 0.3 else 200)
            if part.label == "GET /o"
            else part
            for part in parts
        )
        for key, parts in traffic(seed, poisoned=False).items()
    }
    assert contrast_of(sessions) is None


def test_find_wake_takes_no_burst_that_happens_to_fall_together_with_another():
    """Forty kinds of requests come in bursts of their own: some burst covers the failures, whatever they come from."""
    chance = random.Random(5)
    around = []
    for kind in range(40):
        start_us = chance.randrange(0, 40) * SECOND
        body = {"kind": f"k{kind}"}
        around += [request("o", start_us + n * SECOND, "POST /c", body=body) for n in range(20)]
    times_us = [n * SECOND // 2 for n in range(120)]
    bad = [20 * SECOND <= time_us < 40 * SECOND for time_us in times_us]
    assert find_wake(times_us, bad, around) is None


def test_bystanders_did_not_send_themselves_what_others_failed_after():
    poison = request("p", 1, "POST /o", body={"note": "ü"})
    plain = request("s", 1, "POST /o", body={"note": "a"})
    own, other = (Case(request("x", 9, "GET /o", status=504), (before,)) for before in (poison, plain))
    feature = Feature(Name("wake", "", "POST /o whose /note is 'ü'", 3), 1.0)
    assert bystanders(Contrast(feature, 2, 2, 0, 5, (own, other), ())) == [other]
    assert bystanders(Contrast(feature, 1, 1, 0, 5, (own,), ())) == (own,), "where each did, they have to do"


def test_requests_of_kind_come_with_what_their_session_did_before():
    sessions = traffic(1, poisoned=True)
    found = list(requests_of_kind("POST /o whose /note is 'ü'", sessions))
    assert [(event.session_id, before) for event, before in found] == [(f"p{n}", ()) for n in range(5)]
