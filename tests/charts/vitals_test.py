import narwhals as nw
import polars as pl

from prodintel_lib.analyses.vitals import rate_vitals, tally_vitals
from prodintel_lib.charts.vitals import plot_vitals
from prodintel_lib.markup import Note
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.rollups.rum_sessions import build_session_events
from prodintel_lib.tables import RUM_EVENTS, conform


def vitals_of(*rows):
    whole = [
        {"time_us": place, "event_kind": "view", "visitor_id": "v", "user_bucket": 0, "view_id": f"{place}", **row}
        for place, row in enumerate(rows)
    ]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), RUM_EVENTS)
    tally = tally_vitals(build_session_events(nw.from_native(frame.lazy()), gap_min=30))
    return rate_vitals(tally, private=Pseudonymiser(bytes(32)))


def test_plot_vitals_divides_the_bars_at_the_bounds_and_says_n():
    values = [1000.0] * 70 + [2500.0, 2500.1] + [3000.0] * 20 + [4001.0] * 8
    chart = plot_vitals(vitals_of(*({"lcp_ms": value} for value in values))).to_dict()
    bars = max(chart["datasets"].values(), key=len)
    counts = {}
    for bar in bars:
        counts[bar["rating"]] = counts.get(bar["rating"], 0) + bar["views"]
        assert bar["top"] - bar["foot"] == bar["views"]
        assert bar["of"] == 100
    assert counts == {"good": 71, "needs improvement": 21, "poor": 8}
    assert chart["concat"][0]["title"] == "LCP: p75 3,012 ms, needs improvement (n 100)"


def test_plot_vitals_has_a_panel_for_each_vital_that_was_reported():
    rows = [{"cls_score": 0.0, "ttfb_ms": 100.0}] * 40
    chart = plot_vitals(vitals_of(*rows)).to_dict()
    assert [panel["title"].partition(":")[0] for panel in chart["concat"]] == ["CLS", "TTFB"]


def test_plot_vitals_of_nothing_is_a_sentence():
    note = plot_vitals(vitals_of({"url_path": "/"}))
    assert isinstance(note, Note)
    assert note.says == "No page view reported a web vital, so there is no distribution to show."
