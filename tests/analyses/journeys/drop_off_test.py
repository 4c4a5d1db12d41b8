import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.journeys.drop_off import explain_drop_offs
from prodintel_lib.analyses.journeys.exposures import REASONS

PLACE = {reason.name: place for place, reason in enumerate(REASONS)}
NO_WINDOWS = pl.DataFrame(schema={"route": pl.String, "window_s": pl.Float64})
CELL = {"route": "/pay", "position": 2, "entry_route": "/", "device_type": "mobile", "not_measured": 0}


def bits(*names):
    return sum(1 << PLACE[name] for name in names)


def explained(*cells):
    return explain_drop_offs(pl.DataFrame([CELL | cell for cell in cells]), NO_WINDOWS)


def row(found, reason, route="/pay"):
    return found.reasons.filter(pl.col("reason") == reason, pl.col("route") == route).row(0, named=True)


def test_explain_drop_offs_finds_a_reason_and_says_how_much_is_left():
    found = explained(
        {"happened": bits("error"), "steps": 200, "dropped": 120},
        {"happened": 0, "steps": 1000, "dropped": 200},
    )
    assert found.steps.select("route", "at_risk", "dropped", "window_s").rows() == [("/pay", 1200, 320, 60.0)]
    error = row(found, "error")
    counts = ("exposed", "dropped_exposed", "unexposed", "dropped_unexposed", "matched_exposed")
    assert [error[name] for name in counts] == [200, 120, 1000, 200, 200]
    assert error["risk_difference"] == pytest.approx(0.4)
    assert error["attributable_sessions"] == pytest.approx(80)
    assert error["verdict"] == "raises drop-off"
    assert row(found, "unexplained")["attributable_sessions"] == pytest.approx(240)
    assert found.causes["reason"].to_list() == ["error"]
    assert found.comparisons == 1


def test_explain_drop_offs_compares_only_matched_sessions():
    """People on phones meet more errors and drop off more often; the errors do nothing."""
    found = explained(
        {"happened": bits("error"), "steps": 500, "dropped": 250},
        {"happened": 0, "steps": 500, "dropped": 250},
        {"happened": bits("error"), "steps": 50, "dropped": 5, "device_type": "desktop"},
        {"happened": 0, "steps": 5000, "dropped": 500, "device_type": "desktop"},
    )
    assert row(found, "error")["risk_difference"] == pytest.approx(0.0)
    assert row(found, "error")["verdict"] == "no difference shown"
    assert row(found, "unexplained")["attributable_sessions"] == 1005


def test_explain_drop_offs_shows_rare_cells_unranked():
    found = explained(
        {"happened": bits("error"), "steps": 29, "dropped": 29},
        {"happened": 0, "steps": 1000, "dropped": 100},
    )
    error = row(found, "error")
    assert (error["is_rare"], error["verdict"], error["exposed"]) == (True, "rare", 29)
    assert (error["q_value"], error["attributable_sessions"]) == (None, None)
    assert found.comparisons == 0


def test_explain_drop_offs_what_was_not_measured_is_in_neither_group():
    found = explained(
        {"happened": bits("poor LCP"), "steps": 100, "dropped": 60},
        {"happened": 0, "steps": 100, "dropped": 20},
        {"happened": 0, "steps": 900, "dropped": 900, "not_measured": bits("poor LCP")},
    )
    lcp = row(found, "poor LCP")
    assert (lcp["unexposed"], lcp["dropped_unexposed"]) == (100, 20)
    assert lcp["verdict"] == "raises drop-off"


def test_explain_drop_offs_parts_a_cause_from_what_goes_with_it():
    found = explained(
        {"happened": bits("failed request", "error"), "steps": 300, "dropped": 240},
        {"happened": bits("failed request"), "steps": 200, "dropped": 160},
        {"happened": bits("error"), "steps": 100, "dropped": 10},
        {"happened": 0, "steps": 3000, "dropped": 300},
    )
    assert row(found, "failed request")["verdict"] == "raises drop-off"
    assert (row(found, "error")["verdict"], row(found, "error")["explained_by"]) == (
        "goes with another",
        "failed request",
    )
    assert row(found, "unexplained")["attributable_sessions"] == pytest.approx(710 - 500 * 0.7)


def test_explain_drop_offs_keeps_two_causes_that_each_stand_alone():
    found = explained(
        {"happened": bits("rage click"), "steps": 300, "dropped": 150},
        {"happened": bits("poor CLS"), "steps": 300, "dropped": 120},
        {"happened": 0, "steps": 3000, "dropped": 300},
    )
    assert found.causes["reason"].to_list() == ["rage click", "poor CLS"]


def test_explain_drop_offs_does_not_call_a_small_difference_a_cause():
    found = explained(
        {"happened": bits("poor TTFB"), "steps": 100_000, "dropped": 11_500},
        {"happened": 0, "steps": 100_000, "dropped": 10_000},
    )
    assert row(found, "poor TTFB")["verdict"] == "too small to matter"
    assert found.causes.is_empty()


def test_explain_drop_offs_corrects_for_many_comparisons():
    """Chance alone, at four hundred pages in each of five sites: without correction hundreds would be believed."""
    chance = np.random.default_rng(3)
    believed = doubted = 0
    for _ in range(5):
        cells = []
        for page in range(400):
            for happened, steps in ((bits("error"), 120), (0, 600)):
                dropped = int(chance.binomial(steps, 0.3))
                cells.append({"route": f"/{page}", "happened": happened, "steps": steps, "dropped": dropped})
        found = explained(*cells)
        assert found.comparisons == 400
        doubted += found.reasons.filter(pl.col("p_value") < 0.05, pl.col("risk_difference") > 0).height
        believed += found.causes.height
    assert doubted > 30
    assert believed <= 1


def test_drop_offs_says_so_where_nobody_was_at_risk():
    schema = {"route": pl.String, "position": pl.Int64, "entry_route": pl.String, "device_type": pl.String}
    counts = dict.fromkeys(("happened", "not_measured", "steps", "dropped"), pl.Int64)
    found = explain_drop_offs(pl.DataFrame(schema=schema | counts), NO_WINDOWS)
    assert "Nobody stood at a page" in found._repr_html_()
