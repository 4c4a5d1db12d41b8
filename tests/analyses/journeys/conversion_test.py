"""Conversion of a window's second half against its first, and for whom it fell."""

from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.analyses.journeys.conversion import DIMENSIONS, compare_conversion, middle_of, tally_conversions
from prodintel_lib.windows import Window

WINDOW = Window(0, 200)


def sessions(*groups):
    """Return sessions: (browser, start_us, how many, of them converted)."""
    rows = [
        {"browser_name": browser, "browser_version": "26.1.3", "start_us": start_us, "converted": place < converted}
        for browser, start_us, count, converted in groups
        for place in range(count)
    ]
    blank = {name: pl.String() for name in DIMENSIONS if not name.startswith("browser")} | {"user_is_new": pl.Boolean()}
    return pl.DataFrame(rows).with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in blank.items())


def compare(*groups):
    tally = tally_conversions(SimpleNamespace(sessions=sessions(*groups)), middle_us=middle_of(WINDOW))
    return compare_conversion([tally], window=WINDOW)


def test_compare_conversion_names_whom_it_fell_for():
    change = compare(
        ("Chrome", 10, 2000, 200), ("Safari", 10, 1000, 100), ("Chrome", 150, 2000, 200), ("Safari", 150, 1000, 20)
    )
    assert (change.before.hits, change.before.n, change.after.hits, change.after.n) == (300, 3000, 220, 3000)
    assert [cause.attributes for cause in change.localisation.causes] == [{"browser_name": "Safari"}]
    assert "Safari" in change.sentence()
    assert "Safari" in change._repr_html_()


def test_compare_conversion_is_silent_where_nothing_fell():
    change = compare(
        ("Chrome", 10, 2000, 200), ("Safari", 10, 1000, 50), ("Chrome", 150, 2000, 196), ("Safari", 150, 1000, 52)
    )
    assert (change.localisation.verdict, change.localisation.causes) == ("nothing", ())


@pytest.mark.parametrize("groups", [[("Chrome", 10, 100, 29), ("Chrome", 150, 100, 0)], [("Chrome", 10, 100, 50)]])
def test_compare_conversion_says_where_there_are_too_few_to_look(groups):
    change = compare(*groups)
    assert change.localisation is None
    assert change.sentence().endswith("That is too few to say for whom it fell.")


def test_tally_conversions_of_parts_add_up():
    groups = [("Chrome", 10, 60, 40), ("Safari", 10, 40, 20), ("Chrome", 150, 50, 30)]
    tallies = [tally_conversions(SimpleNamespace(sessions=sessions(group)), middle_us=100) for group in groups]
    assert compare_conversion(tallies, window=WINDOW) == compare(*groups)
