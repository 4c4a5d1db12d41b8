import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns.distinct import KEPT, RELATIVE_ERROR, Sketch


def values(numbers, pattern_no=0):
    return pl.DataFrame({"pattern_no": pattern_no, "value": [f"user {number}" for number in numbers]})


def test_sketch_counts_exactly_while_values_are_few_and_leaves_out_the_empty_one():
    empty = pl.DataFrame({"pattern_no": [1], "value": [""]})
    part = pl.concat([values(range(KEPT - 1)), values([1, 1, 2], pattern_no=1), empty], how="vertical_relaxed")
    assert Sketch.of(part).counts().rows() == [(0, KEPT - 1, True), (1, 2, True)]


@pytest.mark.parametrize("n", [5_000, 50_000])
def test_sketch_estimates_many_values_within_its_stated_error(n):
    count, is_exact = Sketch.of(values(range(n))).counts().select("n", "is_exact").row(0)
    assert not is_exact
    assert abs(count - n) < 3 * RELATIVE_ERROR * n


def test_sketches_of_parts_add_up_to_that_of_the_whole():
    parts = [Sketch.of(values(range(start, start + 3000))) for start in (0, 2000, 4000)]
    whole = Sketch.of(values(range(7000)))
    assert (parts[0] + parts[1] + parts[2]).smallest.equals(whole.smallest)
    assert (parts[2] + parts[0] + parts[1]).counts().equals(whole.counts())
