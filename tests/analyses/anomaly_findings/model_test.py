"""Findings as text, HTML and JSON."""

import dataclasses
import math

import orjson
import polars as pl

from prodintel_lib.analyses.anomaly_findings import find_anomalies

from . import made

HOSTILE = "<script>alert(1)</script>"


def found_in(shop):
    return find_anomalies(shop.production(), shop.series(), detector=made.Known())


def hostile_finding():
    shop = made.Shop().fail("POST /pay", 30, 39).changed(f"gateway{HOSTILE}", 28)
    [one] = found_in(shop).findings
    series = one.series.with_columns(key=pl.lit(HOSTILE))
    return dataclasses.replace(
        one, title=HOSTILE, recommendation=HOSTILE, measure=HOSTILE, severity_reason=HOSTILE, confidence_reason=HOSTILE,
        series=series,
    )  # fmt: skip


def test_findings_escape_what_came_from_production():
    one = hostile_finding()
    found = dataclasses.replace(found_in(made.Shop()), findings=(one,))
    for shown in (one._repr_html_(), found._repr_html_(), found.details(1)._repr_html_()):
        assert HOSTILE not in shown
        assert "&lt;script&gt;" in shown


def test_findings_show_every_share_with_its_n():
    found = found_in(made.Shop().fail("POST /pay", 30, 39))
    shown = found._repr_html_()
    assert '30.0 % <small class="n">n 1,000</small>' in shown
    assert '1.0 % <small class="n">n 2,900</small>' in shown
    assert '310 requests <small class="n">n 2,000</small>' in shown
    assert "30.0 % of requests to POST /pay failed (1.0 % before, n 1,000)" in shown


def test_finding_shows_whom_when_and_why():
    [one] = found_in(made.Shop().fail("POST /pay", 30, 39)).findings
    shown = one._repr_html_()
    assert "lasted 1 min 40 s; known at 2023-11-14 22:18:30 UTC" in shown
    assert "requests from outside" in shown
    assert "No change is known of the day before it." in shown
    assert "95 % interval 27.2 % to 32.9 %" in shown


def test_findings_are_plain_json():
    found = found_in(made.Shop().fail("POST /pay", 30, 39, failed=100))
    endless = dataclasses.replace(found, chance_alarms=math.nan)
    told = orjson.loads(endless.to_json())
    assert told["chance_alarms"] is None
    [one] = told["findings"]
    assert one["id"] == found.findings[0].id
    assert (one["current"], one["n"], one["affected_users"]) == (1.0, 1000, None)
    assert one["affected_requests"]["hits"] == 1010
    assert one["series"][0]["key"] == "gateway POST /pay"
    assert told["left_out"] == {}


def test_finding_without_end_or_baseline_is_null_in_json():
    [one] = found_in(made.Shop().fail("POST /pay", 30, 39)).findings
    told = dataclasses.replace(one, magnitude=math.inf, baseline=math.nan).to_dict()
    assert (told["magnitude"], told["baseline"]) == (None, None)


def test_findings_summary_names_the_severest():
    found = found_in(made.Shop().fail("POST /pay", 30, 59))
    assert found.summary == (
        "1 anomaly in 2023-11-14 22:16:40-22:23:20 UTC, 1 of them still lasting; the severest (high): 30.0 % of "
        "requests to POST /pay failed (1.0 % before, n 3,000)."
    )
