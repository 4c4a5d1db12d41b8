"""Planted causes: each is found by its shape, whatever the names in the data."""

import random
from dataclasses import replace

import pytest

from prodintel_lib.scenarios.contrast import Case, collect_cases, find_contrast
from prodintel_lib.scenarios.recorded import RecordedRequest


def request(session, time_us, label, *, body=None, bad=False, duration_ms=5.0):
    method, path = label.split(" ")
    return RecordedRequest(time_us, session, f"{session}{time_us}", method, path, path, (), 500 if bad else 200,
                           duration_ms, bad, body, None)  # fmt: skip


def sessions(make, n=60, seed=1):
    chance = random.Random(seed)
    return {f"s{number}": make(f"s{number}", chance) for number in range(n)}


def contrast_of(make, label="POST /x", **options):
    return find_contrast(collect_cases(sessions(make, **options), label))


def test_find_contrast_finds_an_input_beyond_ascii():
    def make(session, chance):
        word = chance.choice(["ÀB", "Çç", "plain", "words", "here"])
        return [request(session, 1, "POST /x", body={"q": word, "n": chance.randint(1, 9)}, bad=not word.isascii())]

    found = contrast_of(make)
    assert (found.feature.shape, found.differs) == ("input", "/q holds a character beyond ASCII")
    assert (found.holds_of_bad, found.holds_of_good) == (found.bad, 0)
    assert all(not case.request.body["q"].isascii() for case in found.failing)


def test_find_contrast_finds_one_value():
    def make(session, chance):
        kind = chance.choice(["a", "b", "c"])
        return [request(session, 1, "POST /x", body={"kind": kind}, bad=kind == "b")]

    assert contrast_of(make).differs == "/kind is 'b'"


def test_find_contrast_finds_a_size_and_its_threshold():
    def make(session, chance):
        n = chance.randint(1, 60)
        basket = request(session, 1, "PUT /basket", body={"items": list(range(n))})
        return [basket, request(session, 2, "POST /x", bad=n >= 40)]

    found = contrast_of(make, n=200)
    assert found.feature.shape == "size"
    assert found.differs == "the number of values of PUT /basket at least 40"


def test_find_contrast_finds_a_missing_history():
    def make(session, chance):
        chose = chance.random() < 0.5
        before = [request(session, 1, "PUT /choice", body={"c": chance.choice("xyz")})] if chose else []
        return [*before, request(session, 2, "POST /x", bad=not chose)]

    found = contrast_of(make)
    assert (found.feature.shape, found.differs) == ("history", "the session never sent PUT /choice before")


def test_find_contrast_finds_two_at_once():
    def make(session, chance):
        double = chance.random() < 0.5
        second_us = 2_000 if double else 9_000_000
        pair = [request(session, time_us, "POST /add", body={"p": 1}) for time_us in (1_000, second_us)]
        return [*pair, request(session, 10_000_000, "POST /x", bad=double and chance.random() < 0.9)]

    found = contrast_of(make)
    assert found.feature.shape == "at_once"
    assert found.differs == "two POST /add of one session at the same moment"


def test_find_contrast_finds_a_header():
    def make(session, chance):
        region = chance.choice(["north", "south", "east"])
        sent = request(session, 1, "POST /x", body={"n": 1}, bad=region == "east")
        return [replace(sent, headers=(("x-region", region),))]

    found = contrast_of(make)
    assert (found.feature.shape, found.differs) == ("input", "header x-region is 'east'")


def test_find_contrast_finds_a_number_and_its_threshold():
    def make(session, chance):
        page = chance.randint(1, 90)
        return [replace(request(session, 1, "GET /x", bad=page >= 64), query=(("page", str(page)),))]

    found = contrast_of(make, "GET /x", n=300)
    assert (found.feature.shape, found.differs) == ("size", "query page at least 64")


def test_find_contrast_takes_the_greatest_of_a_list_of_numbers():
    def make(session, chance):
        counts = [chance.randint(1, 40) for _ in range(3)]
        lines = [{"count": count} for count in counts]
        return [request(session, 1, "POST /x", body={"lines": lines}, bad=max(counts) >= 32)]

    assert contrast_of(make, n=300).differs == "/lines/*/count at least 32"


def test_find_contrast_finds_how_long_ago_something_was_done():
    def make(session, chance):
        waited_s = chance.randint(1, 60)
        first = request(session, 0, "POST /in", body={"k": chance.choice("ab")})
        return [first, request(session, waited_s * 1_000_000, "POST /x", bad=waited_s >= 20)]

    found = contrast_of(make, n=300)
    assert (found.feature.shape, found.differs) == ("wait", "the seconds since POST /in at least 20")


def test_find_contrast_takes_that_a_step_was_done_for_no_matter_of_time():
    def make(session, chance):
        asked = chance.random() < 0.5
        before = [request(session, 0, "POST /quote", body={"k": chance.choice("ab")})] if asked else []
        return [
            *before,
            request(session, chance.randint(2, 60) * 1_000_000, "POST /x", bad=asked and chance.random() < 0.8),
        ]

    assert contrast_of(make, n=300).differs == "the session sent POST /quote before"


@pytest.mark.parametrize("seed", range(10))
def test_find_contrast_finds_nothing_in_noise(seed):
    def make(session, chance):
        body = {"a": chance.choice("xyz"), "b": chance.randint(0, 5)}
        return [request(session, 1, "POST /x", body=body, bad=chance.random() < 0.4)]

    assert contrast_of(make, n=200, seed=seed) is None


def test_find_contrast_needs_five_of_each():
    cases = [Case(request("s", n, "POST /x", body={"k": n < 4}, bad=n < 4), ()) for n in range(40)]
    assert find_contrast(cases) is None


@pytest.mark.parametrize("seed", range(5))
def test_find_contrast_takes_no_feature_that_only_many_to_choose_from_make_likely(seed):
    chance = random.Random(seed)
    cases = [
        Case(request("s", n, "POST /x", body={f"f{k}": chance.choice("ab") for k in range(60)}, bad=n < 6), ())
        for n in range(12)
    ]
    assert find_contrast(cases) is None
