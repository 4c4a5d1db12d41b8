import os
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.journeys import running
from prodintel_lib.analyses.journeys.running import RunningSum, detached


def tally(*rows):
    return pl.DataFrame(rows, schema={"page": pl.String, "seen": pl.Int64, "name": pl.String}, orient="row")


@pytest.mark.parametrize("least", [0, 1, 100])
def test_running_sum_adds_up_whenever_it_does(least, monkeypatch):
    monkeypatch.setattr(running, "LEAST_ROWS", least)
    total = RunningSum(["page"], same=["name"])
    for part in (tally(("/b", 1, "B"), (None, 5, "-")), tally(("/a", 2, "A")), tally(("/b", 10, "B"), ("/c", 3, "C"))):
        total.add(part)
    assert total.total().rows() == [(None, 5, "-"), ("/a", 2, "A"), ("/b", 11, "B"), ("/c", 3, "C")]
    total.add(tally(("/a", 40, "A")))
    assert total.total().rows()[1] == ("/a", 42, "A")


def test_running_sum_of_one_cell():
    total = RunningSum(())
    for n in (1, 2, 4):
        total.add(pl.DataFrame({"sessions": [n], "seconds": [n / 2]}))
    assert total.total().rows() == [(7, 3.5)]


def test_running_sum_of_empty_tallies_keeps_the_columns():
    total = RunningSum(["page"], same=["name"])
    total.add(tally())
    assert (total.total().height, total.total().columns) == (0, ["page", "seen", "name"])


def test_running_sum_holds_no_more_than_twice_what_differs(monkeypatch):
    monkeypatch.setattr(running, "LEAST_ROWS", 4)
    total = RunningSum(["page"], same=["name"])
    for _ in range(50):
        total.add(tally(("/a", 1, "A"), ("/b", 1, "B")))
        assert sum(frame.height for frame in total._waiting) <= 4
    assert total.total()["seen"].to_list() == [50, 50]


def held_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which is not here")
def test_running_sum_lets_go_of_the_texts_of_the_parts():
    total = RunningSum(["text"])
    before_mb = held_mb()
    for part in range(40):
        many = pl.DataFrame({"n": range(100_000)}).select(
            pl.format("a text that is too long to be held in place: {} of part {}", "n", pl.lit(part)).alias("text"),
            "n",
        )
        total.add(many.filter(pl.col("n") % 1000 == 0))
        del many
    assert total.total().height == 4000
    assert held_mb() - before_mb < 140, "the texts of all parts are 240 MB"


def test_detached_changes_no_value():
    frame = pl.DataFrame({"text": ["a text that is too long to be held in place", None, ""], "n": [1, 2, None]})
    assert detached(frame).equals(frame, null_equal=True)
