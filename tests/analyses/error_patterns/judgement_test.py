from dataclasses import replace

import pytest

from prodintel_lib.analyses.error_patterns.judgement import Facts, categorise, classify, prioritise
from prodintel_lib.analyses.statistics import Proportion

NONE = Proportion.of(0, 0)
LOGGED = Facts(
    origin="log", level="error", error_type="", template="it failed", top_frame="", error_source="", http_status=0,
    occurrences=100, bot_rows=0, traced=100, first_in_trace=100, clients=80, people=80, routes=1, traffic=1000,
    reached=NONE, mended=NONE, place="", trend="too few to say",
)  # fmt: skip
REFUSED = replace(LOGGED, origin="span", level="warning", http_status=422, template="POST /a answered 422")
FORM = replace(LOGGED, origin="browser", error_source="validation", template="check the card number")


@pytest.mark.parametrize(
    ("facts", "kind", "says"),
    [
        (replace(LOGGED, bot_rows=100, people=0, clients=2), "expected", "0 clients and 2 bots: machines alone"),
        (replace(LOGGED, first_in_trace=49), "unclear", "follows another error in 51 of its 100"),
        (replace(LOGGED, traced=2, first_in_trace=1, error_type="E"), "bug", "an uncaught or logged E"),
        (replace(LOGGED, traced=2, first_in_trace=0, error_type="E"), "unclear", "a symptom"),
        (replace(LOGGED, people=1, clients=1), "unclear", "all 100 were met by one client"),
        (replace(LOGGED, error_type="E", top_frame="f a.py"), "bug", "E thrown in f a.py"),
        (replace(LOGGED, template="panic: no map"), "bug", "in words of code that failed"),
        (replace(LOGGED, reached=Proportion.of(9, 10)), "bug", "failed for whoever asked in 9 of 10"),
        (replace(LOGGED, trend="rising"), "bug", "logged as an error, and rising"),
        (replace(LOGGED, level="warning", trend="rising"), "unclear", "logged as a warning"),
        (replace(LOGGED, place="release 2"), "bug", "keeps to release 2"),
        (LOGGED, "unclear", "that a user met it is not shown"),
        (replace(REFUSED, http_status=500), "bug", "answered 500, met by 80 clients"),
        (REFUSED, "user mistake", "1.2 a client"),
        (replace(REFUSED, people=20), "expected", "the service refused what it was asked"),
        (replace(REFUSED, people=20, mended=Proportion.of(8, 10)), "user mistake", "the next try went well in 8 of 10"),
        (replace(REFUSED, people=20, trend="new"), "unclear", "its rate grew"),
        (replace(REFUSED, place="browser Safari"), "unclear", "keeps to browser Safari"),
        (replace(REFUSED, people=1, clients=1, routes=30), "expected", "on 30 routes: a scan"),
        (replace(REFUSED, http_status=429, level="warning"), "unclear", "logged as a warning"),
        (FORM, "user mistake", "1.2 errors a client, in proportion to traffic"),
        (replace(FORM, people=20), "unclear", "refused again and again"),
        (replace(FORM, people=2), "unclear", "too few to say"),
        (replace(FORM, place="browser Safari"), "bug", "keeps to browser Safari"),
    ],
)
def test_classify_says_what_an_error_is_by_its_evidence(facts, kind, says):
    found, reason = classify(facts)
    assert (found, says in reason) == (kind, True), reason


@pytest.mark.parametrize(
    ("facts", "category"),
    [
        (replace(REFUSED, http_status=403), "security"),
        (replace(REFUSED, http_status=404, people=1, routes=9), "security"),
        (replace(LOGGED, template="login of <id> failed"), "security"),
        (replace(LOGGED, template="invalid credentials"), "security"),
        (replace(REFUSED, http_status=504), "integration"),
        (replace(REFUSED, http_status=429), "performance"),
        (replace(LOGGED, template="QueuePool limit of size <*> reached, connection timed out"), "performance"),
        (replace(LOGGED, error_type="OutOfMemoryError", template="heap space"), "performance"),
        (replace(LOGGED, template="No module named 'x'"), "configuration"),
        (replace(LOGGED, template="missing environment variable <*>"), "configuration"),
        (replace(LOGGED, template="write failed: no space left on device"), "infrastructure"),
        (replace(LOGGED, template="connection refused"), "integration"),
        (replace(LOGGED, template="call of cards answered 503"), "integration"),
        (replace(LOGGED, error_type="CartIntegrityError"), "business logic"),
        (REFUSED, "business logic"),
        (FORM, "business logic"),
        (replace(LOGGED, error_type="KeyError", template="'GB'"), "code"),
    ],
)
def test_categorise_says_what_kind_of_work_it_is(facts, category):
    assert categorise(facts)[0] == category


@pytest.mark.parametrize(
    ("kind", "facts", "priority"),
    [
        ("bug", replace(LOGGED, reached=Proportion.of(9, 10)), "P1"),
        ("bug", replace(LOGGED, reached=Proportion.of(9, 10), traffic=100_000), "P2"),
        ("bug", replace(LOGGED, reached=Proportion.of(1, 10)), "P3"),
        ("bug", replace(LOGGED, trend="new"), "P2"),
        ("bug", replace(LOGGED, reached=Proportion.of(4, 4), occurrences=4), "P3"),
        ("bug", replace(LOGGED, reached=Proportion.of(9, 10), people=1, clients=1), "P3"),
        ("unclear", replace(LOGGED, trend="rising"), "P3"),
        ("unclear", LOGGED, "P4"),
        ("expected", replace(LOGGED, trend="rising"), "P4"),
        ("user mistake", FORM, "P4"),
        ("bug", replace(LOGGED, occurrences=0), "P4"),
    ],
)
def test_prioritise_asks_who_meets_it_and_how_often(kind, facts, priority):
    assert prioritise(kind, facts)[0] == priority


def test_prioritise_says_by_how_many_clients_it_is_seen_bots_apart():
    assert (
        "met by 80 clients and 3 bots, 10.0 % of its service's traffic"
        in prioritise("bug", replace(LOGGED, clients=83))[1]
    )
