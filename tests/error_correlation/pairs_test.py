"""Which test holds a correlated pair apart."""

import polars as pl

from prodintel_lib.error_correlation.pairs import cover_pairs
from prodintel_lib.error_correlation.suites import PatternSuite, PatternTests
from prodintel_lib.windows import Window


class Fault:
    kind = "dependency_fault"

    def __init__(self, dependency):
        self.dependency = dependency


class Scenario:
    def __init__(self, name, *faults):
        self.id = name
        self.conditions = [Fault(each) for each in faults]


class Suite:
    def __init__(self, *scenarios):
        self.scenarios = scenarios


def suites_of(*suites, left_out=()):
    return PatternTests(
        tuple(PatternSuite(ids, Window(0, 1), Suite(*scenarios), "the bank hangs") for ids, *scenarios in suites),
        left_out,
    )


def pairs_of(*pairs):
    columns = ["first", "first_kind", "second", "second_kind"]
    frame = pl.DataFrame(pairs, schema=columns, orient="row")
    return frame.with_columns(first_label=pl.col("first").str.to_uppercase(), second_label=pl.col("second"))


FAMILIES = {"slow calls of bank by pay": "bank by pay", "slow calls of post by pay": "post by pay", "cpu": ""}
SUITE = (("EP-1", "EP-2"), Scenario("while_the_bank_hangs", "bank"), Scenario("recovers"))


def covered(pairs, tests):
    (one,) = cover_pairs(pairs, tests, families=FAMILIES).found
    return one.suite, one.scenarios, one.how


def test_cover_pairs_takes_the_scenarios_with_a_fault_of_the_dependency():
    pairs = pairs_of(("slow calls of bank by pay", "slow calls", "EP-2", "pattern"))
    assert covered(pairs, suites_of(SUITE)) == ("EP-1", ("while_the_bank_hangs",), "the bank hangs")


def test_cover_pairs_says_where_nothing_brings_the_first_about():
    for signal in ("slow calls of post by pay", "cpu", "never seen"):
        pairs = pairs_of((signal, "saturation", "EP-2", "pattern"))
        assert covered(pairs, suites_of(SUITE)) == (
            "", (), "no fault of a dependency was recorded that would bring it about",
        )  # fmt: skip


def test_cover_pairs_of_two_errors_wants_requests_that_met_both():
    both = pairs_of(("EP-1", "pattern", "EP-2", "pattern"))
    assert covered(both, suites_of(SUITE))[:2] == ("EP-1", ("while_the_bank_hangs", "recovers"))
    apart = pairs_of(("EP-9", "pattern", "EP-2", "pattern"))
    assert covered(apart, suites_of(SUITE)) == ("", (), "no recorded request met both of them and can be sent again")


def test_cover_pairs_of_an_error_and_what_follows_takes_the_errors_suite():
    pairs = pairs_of(("EP-1", "pattern", "latency of shop", "latency"))
    assert covered(pairs, suites_of(SUITE))[:2] == ("EP-1", ("while_the_bank_hangs", "recovers"))


def test_cover_pairs_gives_the_reason_of_an_error_without_a_test():
    pairs = pairs_of(("cpu", "saturation", "EP-7", "pattern"), ("cpu", "saturation", "EP-8", "pattern"))
    found = cover_pairs(pairs, suites_of(left_out=(("EP-7", "it names no trace"),)), families=FAMILIES).found
    assert [one.how for one in found] == ["it names no trace", "the error was not chosen for a test"]


def test_cover_pairs_passes_over_pairs_without_an_error_and_says_when_none_is_left():
    none = cover_pairs(pairs_of(("cpu", "saturation", "mem", "saturation")), suites_of(), families=FAMILIES)
    assert none.found == ()
    assert "no pair to hold apart" in none._repr_html_()
    page = cover_pairs(pairs_of(("<b>", "pattern", "EP-1", "pattern")), suites_of(SUITE), families=FAMILIES)
    assert "&lt;B&gt;" in page._repr_html_()
