import narwhals as nw
import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.vitals import add_tallies, rate_vitals, tally_vitals
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.tables import RUM_EVENTS, conform

PRIVATE = Pseudonymiser(bytes(32))


def tally(rows):
    whole = [
        {
            "time_us": place,
            "event_kind": "view",
            "visitor_id": f"v{place}",
            "user_bucket": 0,
            "view_id": f"{place}",
            "url_path": "/",
            **row,
        }
        for place, row in enumerate(rows)
    ]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    return tally_vitals(build_session_events(nw.from_native(frame.lazy()), gap_min=30))


def rated(rows, **options):
    return rate_vitals(tally(rows), private=PRIVATE, **options)


def lcp(values, **also):
    return [{"lcp_ms": float(value), **also} for value in values]


def test_rate_vitals_gives_quantiles_within_a_hundredth():
    values = np.random.default_rng(3).lognormal(7, 0.6, 2000)
    row = rated(lcp(values)).of("all").row(0, named=True)
    for name, q in (("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)):
        assert row[name] == pytest.approx(np.quantile(values, q, method="inverted_cdf"), rel=0.0101)
    assert row["views"] == 2000


@pytest.mark.parametrize(
    ("good", "middle", "poor", "rating"),
    [
        (75, 25, 0, "good"),
        (74, 26, 0, "needs improvement"),
        (0, 75, 25, "needs improvement"),
        (0, 74, 26, "poor"),
        (74, 0, 26, "poor"),
    ],
)
def test_rate_vitals_rates_the_75th_percentile_by_exact_counts(good, middle, poor, rating):
    row = rated(lcp([2500.0] * good + [2500.1] * middle + [4000.1] * poor)).of("all").row(0, named=True)
    assert (row["good"], row["needs_improvement"], row["poor"]) == (good, middle, poor)
    assert row["rating"] == rating
    assert not row["is_sure"]


def test_rate_vitals_is_sure_where_the_whole_interval_is_in_one_band():
    row = rated(lcp([1000.0] * 95 + [9000.0] * 5)).of("all").row(0, named=True)
    assert (row["rating"], row["is_sure"]) == ("good", True)


def test_rate_vitals_takes_the_interval_from_order_statistics():
    # Ranks 66 and 84 of 100: the 2.5 and 97.5 % quantiles of Binomial(100, 0.75), the upper one plus 1.
    row = rated(lcp(range(1001, 1101))).of("all").row(0, named=True)
    assert (row["p75_low"], row["p75_high"]) == pytest.approx((1066, 1084), rel=0.0101)


def test_rate_vitals_interval_covers_the_true_quantile():
    chance, covered = np.random.default_rng(8), 0
    for _ in range(60):
        row = rated(lcp(chance.exponential(1000, 80))).of("all").row(0, named=True)
        covered += row["p75_low"] * 0.99 <= 1000 * np.log(4) <= row["p75_high"] * 1.01
    assert covered >= 54


def test_rate_vitals_does_not_rate_rare_cells_and_leaves_unknown_what_few_views_cannot_say():
    cells = rated([*lcp([100.0] * 29, device_type="tablet"), *lcp([100.0] * 31, device_type="mobile")]).of("device")
    assert cells.select("part", "views", "rating", "is_rare").rows() == [
        ("mobile", 31, "good", False),
        ("tablet", 29, "too few", True),
    ]
    assert cells["p99"].to_list() == [None, None]
    assert cells["p95"].is_null().to_list() == [False, False]
    few = rated(lcp([100.0, 200.0])).of("all").row(0, named=True)
    assert (few["p75_low"], few["p75_high"], few["p95"]) == (None, None, None)


def test_rate_vitals_leaves_out_what_no_view_says():
    found = rated(lcp([100.0], browser_name="Safari"))
    assert found.cells["dimension"].to_list() == ["all", "browser", "page"]


def test_rate_vitals_keeps_zero_and_units():
    row = rated([{"cls_score": 0.0}] * 40).of("all").row(0, named=True)
    assert (row["vital"], row["unit"], row["p75"], row["rating"]) == ("CLS", "", 0.0, "good")


def test_tally_vitals_adds_up_and_names_parts():
    first = lcp([100.0] * 3, device_type="mobile", geo_country_iso_code="DE", geo_region_iso_code="DE-BY")
    second = lcp([5000.0] * 2, browser_name="Safari")
    whole = add_tallies([tally(first), tally(second)])
    parts = whole.group_by("dimension", "part").agg(pl.col("views", "poor").sum()).sort("dimension", "part").rows()
    assert parts == [
        ("all", "all", 5, 2),
        ("browser", "Safari", 2, 2),
        ("browser", "unknown", 3, 0),
        ("country", "DE", 3, 0),
        ("country", "unknown", 2, 2),
        ("device", "mobile", 3, 0),
        ("device", "unknown", 2, 2),
        ("page", "/", 5, 2),
        ("page and device", "/, mobile", 3, 0),
        ("page and device", "/, unknown", 2, 2),
        ("region", "DE-BY", 3, 0),
        ("region", "unknown", 2, 2),
    ]


def test_vitals_distribution_counts_every_view_once_and_is_open_at_the_end():
    found = rated(lcp([100.0, 2600.0, 9e9])).distribution
    assert found.select("vital", "low", "high", "views", "good", "poor").rows() == [
        ("LCP", 0.0, 250.0, 1, 1, 0),
        ("LCP", 2500.0, 2750.0, 1, 0, 0),
        ("LCP", 7500.0, None, 1, 0, 1),
    ]


def test_vitals_html_lists_what_is_surely_worse_and_escapes_pages():
    page = rated(lcp([9000.0] * 40, url_path="/<b>"))._repr_html_()
    assert "/&lt;b&gt;" in page
    assert "/<b>" not in page
    assert "poor" in page
    assert "None of" in rated(lcp([100.0] * 40))._repr_html_()


def test_rate_vitals_of_nothing_says_so():
    found = rated([{"url_path": "/"}])
    assert found.cells.is_empty()
    assert found._repr_html_() == '<p class="say">No page view reported a web vital.</p>'
