import polars as pl
import pytest

from prodintel_lib.analyses.localisation.cells import UNNAMED, read_cells
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

CELLS = pl.DataFrame(
    {
        "browser": ["Safari", "Chrome", "Safari", None],
        "version": [17, 120, 17, 1],
        "bad": [1, 2, 3, 4],
        "total": [10, 20, 30, 40],
    }
)


def read(frame=CELLS, **options):
    asked = {
        "dimensions": ["browser", "version"],
        "bad": "bad",
        "total": "total",
        "baseline_bad": None,
        "baseline_total": None,
    }
    return read_cells(frame, **{**asked, "worse": "higher", **options})


def test_read_cells_adds_up_rows_of_one_combination():
    cells = read()
    assert cells.values == (["Chrome", "Safari"], ["1", "120", "17"])
    rows = sorted(zip(*cells.codes.tolist(), cells.bad.tolist(), cells.total.tolist(), strict=True))
    assert rows == [(UNNAMED, 0, 4.0, 40.0), (0, 1, 2.0, 20.0), (1, 2, 4.0, 40.0)]


def test_read_cells_without_baseline_expects_nothing():
    cells = read()
    assert (cells.expected, cells.reference, cells.sign) == (None, None, 1)
    assert [array.sum() for array in cells.counts] == [10.0, 100.0]


def test_read_cells_counts_a_missing_count_as_none():
    assert read(CELLS.with_columns(pl.Series("bad", [1, None, 3, 4]))).bad.sum() == 8.0


def test_covered_by_takes_what_is_said_alone():
    cells = read()
    mask = cells.covered_by(pl.Series([1, UNNAMED], dtype=pl.Int32).to_numpy())
    assert cells.total[mask].tolist() == [40.0]
    assert cells.only(mask).bad.tolist() == [4.0]


def test_read_cells_names_a_missing_column():
    with pytest.raises(
        MissingColumnsError, match=r"needs column `browsers`; it has .*\nHint: `browsers` may be `browser`"
    ):
        read(dimensions=["browsers"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"baseline_bad": "bad"}, "only one column is named"),
        ({"dimensions": []}, "Dimensions must be named"),
        ({"dimensions": ["browser", "browser"]}, "each once"),
        ({"dimensions": ["browser", "bad"]}, "`bad` is named as a dimension and as a count"),
    ],
)
def test_read_cells_refuses_what_cannot_be_meant(options, says):
    with pytest.raises(ParameterError, match=says):
        read(**options)


def test_read_cells_refuses_more_bad_than_all():
    frame = pl.DataFrame({"browser": ["a", "b"], "bad": [5, 1], "total": [4, 2]})
    with pytest.raises(ParameterError, match="1 of 2 do not, the first has 5 of 4"):
        read(frame, dimensions=["browser"])


def test_read_cells_refuses_time_without_traffic():
    frame = pl.DataFrame({"browser": ["a"], "bad": [0], "total": [0]})
    with pytest.raises(NoDataError, match="No event was counted in `total`"):
        read(frame, dimensions=["browser"])
    with pytest.raises(NoDataError, match="No event was counted in `before`"):
        read(
            pl.DataFrame({"browser": ["a"], "bad": [0], "total": [9], "before": [0]}),
            dimensions=["browser"], baseline_bad="before", baseline_total="before",
        )  # fmt: skip
