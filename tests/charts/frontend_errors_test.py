import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors import assess_errors, tally_errors
from prodintel_lib.charts.frontend_errors import plot_error_hours, plot_error_impact
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Note
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

sys.path.insert(0, str(Path(__file__).parents[1] / "analyses" / "frontend_errors"))
from planted import CONVERSIONS, sessionise, site_events

PRIVATE = Pseudonymiser(bytes(32))


def errors_of(events, *, conversions=CONVERSIONS):
    lazy, sessions = sessionise(events, conversions=conversions)
    return assess_errors(tally_errors(lazy, sessions, conversions=conversions, private=PRIVATE), private=PRIVATE)


@pytest.fixture(scope="module")
def events():
    return site_events(2000, seed=4)


@pytest.fixture(scope="module")
def errors(events):
    return errors_of(events)


def rows_of(chart):
    """Return the data of a chart or of each of its layers that has some, largest first."""
    return sorted(chart.to_dict()["datasets"].values(), key=len, reverse=True)


def test_plot_error_hours_draws_each_hour_and_region_with_its_denominator(errors):
    cells = rows_of(plot_error_hours(errors))[0]
    assert {cell["region"] for cell in cells} == {"DE", "FR", "US"}
    assert sum(cell["sessions"] for cell in cells) == 2000
    assert all(cell["share"] == pytest.approx(cell["hits"] / cell["sessions"]) for cell in cells)
    assert {cell["cell"] for cell in cells if cell["sessions"] < 30} <= {"fewer than 30 sessions"}


def test_plot_error_hours_of_a_pattern_shows_where_and_when_it_is_met(errors):
    key = errors.patterns.filter(pl.col("error_type") == "timeout")["pattern_id"][0]
    cells = rows_of(plot_error_hours(errors, pattern_id=key))[0]
    assert {(cell["region"], cell["hour_local"]) for cell in cells if cell["hits"]} == {
        ("FR", hour) for hour in (19, 20, 21)
    }


def test_plot_error_hours_of_unknown_hours_is_a_sentence(events):
    nowhere = errors_of(events.with_columns(pl.lit(None, dtype=pl.Int64).alias("utc_offset_min")))
    note = plot_error_hours(nowhere)
    assert isinstance(note, Note)
    assert note.says.startswith("No session met any error but those of form validation at a known local hour (0 were")
    assert "is not known" in note.says


def test_plot_error_hours_refuses_an_unknown_pattern(errors):
    with pytest.raises(ParameterError, match="Unknown error pattern `FE-0`"):
        plot_error_hours(errors, pattern_id="FE-0")


def test_plot_error_impact_draws_differences_with_intervals_and_both_denominators(errors):
    rows = rows_of(plot_error_impact(errors))[0]
    shown = errors.patterns.filter(~pl.col("is_rare"))
    assert [row["difference"] for row in rows] == pytest.approx(shown["difference"].to_list())
    assert all(row["difference_low"] <= row["difference"] <= row["difference_high"] for row in rows)
    assert all(row["matched_with"] > 0 and row["matched_without"] > 0 for row in rows)


def test_plot_error_impact_without_conversions_is_a_sentence(events):
    note = plot_error_impact(errors_of(events, conversions=()))
    assert isinstance(note, Note)
    assert note.says == "The effect of 4 error patterns on conversion is not known: no conversion is named."
