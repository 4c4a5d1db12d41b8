import polars as pl
import pytest

from prodintel_lib.analyses.localisation import fold_history, localise
from prodintel_lib.errors import MissingColumnsError, NoDataError


def make_rows(rates, *, total=1000, other=0.02):
    """One browser whose rate goes through `rates`, and one that stays."""
    rows = []
    for bucket, rate in enumerate(rates):
        rows += [(bucket, "Safari", round(total * rate), total), (bucket, "Chrome", round(total * other), total)]
    return pl.DataFrame(rows, schema=["minute", "browser", "bad", "total"], orient="row")


def fold(rows, at, **options):
    return fold_history(rows, dimensions=["browser"], time="minute", at=at, **options)


def test_fold_history_sets_a_bucket_against_those_before():
    history = fold(make_rows([0.02, 0.02, 0.02, 0.2, 0.9]), at=3)
    assert history.cells.sort("browser").rows() == [("Chrome", 20, 1000, 60, 3000), ("Safari", 200, 1000, 60, 3000)]
    assert (history.worse, history.quiet, history.left_out) == ("higher", (0, 1, 2), ())


def test_fold_history_leaves_out_buckets_that_had_moved_already():
    history = fold(make_rows([0.02, 0.02, 0.3, 0.02, 0.25, 0.4]), at=5)
    assert (history.quiet, history.left_out) == ((0, 1, 3), (2, 4))


def test_fold_history_keeps_a_bucket_that_moved_the_other_way():
    assert fold(make_rows([0.1, 0.1, 0.001, 0.1, 0.4]), at=4).left_out == ()


def test_fold_history_leaves_out_a_bucket_cut_short():
    rows = pl.concat(
        [make_rows([0.02] * 4 + [0.3]), make_rows([0.0], total=20).with_columns(minute=pl.lit(-1, pl.Int64))]
    )
    history = fold(rows, at=4)
    assert (history.quiet, history.left_out) == ((0, 1, 2, 3), (-1,))


def test_fold_history_sees_that_lower_is_worse():
    history = fold(make_rows([0.2, 0.2, 0.2, 0.02], other=0.2), at=3)
    assert history.worse == "lower"
    result = localise(
        history.cells, dimensions=["browser"], worse=history.worse,
        baseline_bad="baseline_bad", baseline_total="baseline_total",
    )  # fmt: skip
    assert [cause.attributes for cause in result.causes] == [{"browser": "Safari"}]


def test_fold_history_sees_the_direction_of_a_part_that_the_whole_hides():
    rows = pl.concat([make_rows([0.02] * 4 + [0.1], total=200), make_rows([0.05] * 4 + [0.048], total=9000, other=0.0)
                      .filter(pl.col("browser") == "Safari").with_columns(browser=pl.lit("Edge"))])  # fmt: skip
    assert rows.filter(pl.col("minute") == 4)["bad"].sum() < rows.filter(pl.col("minute") == 3)["bad"].sum()
    assert fold(rows, at=4).worse == "higher"


def test_fold_history_measures_how_far_counts_vary_beyond_chance():
    steady = fold(make_rows([0.1, 0.1, 0.1, 0.1, 0.1, 0.3], other=0.1), at=5)
    assert steady.dispersion == 1.0
    # Squared residuals from the median rate of 0.1 over a variance of 90: 38², 19², 0, 19², 38²; the middle is 19² / 90.
    one = make_rows([0.062, 0.1, 0.081, 0.119, 0.138, 0.5]).filter(pl.col("browser") == "Safari")
    wild = fold(one, at=5)
    assert wild.quiet == (0, 1, 2, 3, 4)
    assert wild.dispersion == pytest.approx(19**2 / 90 / 0.4549364)


def test_fold_history_says_what_is_missing():
    with pytest.raises(MissingColumnsError, match="needs column `hour`"):
        fold_history(make_rows([0.1]), dimensions=["browser"], time="hour", at=0)
    with pytest.raises(NoDataError, match="No event was counted in bucket 9"):
        fold(make_rows([0.1, 0.1]), at=9)
    with pytest.raises(NoDataError, match="No event was counted before bucket 0"):
        fold(make_rows([0.1, 0.1]), at=0)
