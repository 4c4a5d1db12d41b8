"""The record of a load test: what is counted, and when a run fails."""

import csv
import json

import pytest
from scipy.stats import binom

from prodintel_lib.renderers.load_tests import render_model
from prodintel_lib.renderers.templates.load_options import Run
from prodintel_lib.renderers.templates.load_plan import Setting
from prodintel_lib.renderers.templates.load_record import Record, chance, held, percentile, sentence, told
from prodintel_lib.scenarios.load_model.model import Threshold
from tests.renderers.load_models import make_model

LATENCY = Threshold(endpoint=1, kind="latency", percentile=90, limit=100, origin="production", seen=80, n=900)
FAILURES = Threshold(endpoint=1, kind="failures", limit=0.1, origin="slo", seen=0.01, n=900)


def make_record(folder, *, latency_factor=1.0, thresholds=(LATENCY, FAILURES)):
    setting = Setting(scale=1.0, compress=1.0, multiplier=1.0, start_s=0.0, length_s=2.0, seed=1)
    run = Run("http://127.0.0.1:1", setting, latency_factor, str(folder))
    return Record(json.loads(render_model(make_model(thresholds=thresholds))), run, folder)


def sent(number, *, status=200, elapsed_ms=50.0, place=1, setup=0):
    return (number, place, float(number), status, elapsed_ms, setup)


def closed(record, rows, *, planned=None, begun=None, stopped=""):
    """Return the judgement of a run whose sessions are one request each."""
    record.take(rows)
    plan = [(number, float(number)) for number, *_ in rows] if planned is None else planned
    record.begin(plan if begun is None else begun)
    return record.close(plan, stopped)


def test_record_writes_what_was_sent_and_planned(tmp_path):
    record = make_record(tmp_path)
    rows = [(3, 1, 0.12345678, 200, 12.34567, 0), (3, 0, 0.1, 201, 5.0, 1), (4, 1, 1.0, None, 2000.0, 0)]
    judged = closed(record, rows, planned=[(3, 0.1), (4, 0.9)])
    assert (tmp_path / "requests.csv").read_text().splitlines() == [
        "session,endpoint,t,status,elapsed_ms,setup",
        "3,GET /api/search/{shelf},0.123457,200,12.346,0",
        "3,POST /api/sessions,0.1,201,5.0,1",
        "4,GET /api/search/{shelf},1.0,,2000.0,0",
    ]
    assert list(csv.reader((tmp_path / "planned.csv").read_text().splitlines())) == [
        ["session", "t"],
        ["3", "0.1"],
        ["4", "0.9"],
    ]
    assert json.loads((tmp_path / "run.json").read_text()) == judged
    assert (judged["requests"], judged["setup_requests"], judged["failed_requests"]) == (2, 1, 1)


def test_record_removes_what_an_earlier_run_left(tmp_path):
    closed(make_record(tmp_path), [sent(1)])
    second = make_record(tmp_path)
    assert not (tmp_path / "run.json").exists()
    assert not (tmp_path / "planned.csv").exists()
    assert closed(second, [sent(1), sent(2)])["requests"] == 2


def test_a_run_that_holds_does_not_fail(tmp_path):
    judged = closed(make_record(tmp_path), [sent(number) for number in range(200)])
    assert (judged["failed"], judged["why"]) == (False, [])
    assert [(each["value"], each["n"], each["held"]) for each in judged["thresholds"]] == [
        (50.0, 200, True),
        (0.0, 200, True),
    ]
    assert sentence(judged).startswith(
        "held: no threshold is broken, 2 of 2 are held; 200 of 200 planned sessions began within 1 s"
    )


def test_the_latency_of_a_refused_connection_is_none_and_that_of_no_answer_the_patience(tmp_path):
    rows = [sent(1, status=None, elapsed_ms=3.0), sent(2, status=None, elapsed_ms=2000.0), sent(3)]
    latency, failures = closed(make_record(tmp_path), rows)["thresholds"]
    assert latency["n"] == 2
    assert (failures["n"], failures["value"]) == (3, round(2 / 3, 6))


def test_thresholds_are_broken_where_chance_is_no_explanation(tmp_path):
    rows = [sent(number, elapsed_ms=150.0 if number < 60 else 50.0) for number in range(300)]
    judged = closed(make_record(tmp_path), rows)
    latency, failures = judged["thresholds"]
    assert (latency["value"], latency["held"], failures["held"]) == (150.0, False, True)
    assert judged["why"] == ["'GET /api/search/{shelf}': p90 150 ms of 300, limit 100 ms: BROKEN"]
    assert sentence(judged) == "FAILED: " + judged["why"][0]


def test_thresholds_are_not_judged_where_chance_may_be_the_reason(tmp_path):
    rows = [
        sent(number, status=500 if number < 2 else 200, elapsed_ms=150.0 if number < 2 else 50.0)
        for number in range(10)
    ]
    judged = closed(make_record(tmp_path), rows)
    assert [each["held"] for each in judged["thresholds"]] == [None, None]
    assert judged["failed"] is False
    assert told(judged["thresholds"][1]).endswith(
        "failed 20.00 % of 10, limit 10.00 %: not judged, for it may be chance"
    )


def test_thresholds_see_a_few_requests_that_all_fail(tmp_path):
    judged = closed(make_record(tmp_path), [sent(number, status=500) for number in range(3)])
    assert judged["thresholds"][1]["held"] is False


def test_the_latency_factor_widens_latencies_alone(tmp_path):
    rows = [sent(number, status=500, elapsed_ms=150.0) for number in range(50)]
    latency, failures = closed(make_record(tmp_path, latency_factor=2.0), rows)["thresholds"]
    assert (latency["limit"], latency["held"]) == (200.0, True)
    assert (failures["limit"], failures["held"]) == (0.1, False)


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (range(2, 200), "200 planned sessions 2 never began and 0 began"),
        (range(3, 200), "200 planned sessions 3 never began and 0 began"),
    ],
)
def test_missed_arrivals_fail_from_more_than_one_in_a_hundred_on(tmp_path, begun, said):
    planned = [(number, float(number)) for number in range(200)]
    begun = [(number, float(number) + 0.9) for number in begun]
    judged = closed(make_record(tmp_path), [sent(number) for number, _ in begun], planned=planned, begun=begun)
    failed = len(begun) < 198
    assert judged["failed"] is failed
    assert (said in "".join(judged["why"])) is failed


def test_late_arrivals_are_missed_arrivals(tmp_path):
    planned = [(number, float(number)) for number in range(100)]
    begun = [(number, float(number) + (1.5 if number < 2 else 0.5)) for number in range(100)]
    judged = closed(make_record(tmp_path), [sent(number) for number, _ in begun], planned=planned, begun=begun)
    assert judged["late_sessions"] == 2
    assert "0 never began and 2 began more than 1 s late" in judged["why"][0]


def test_errors_cut_sessions_and_an_early_stop_fail_a_run(tmp_path):
    record = make_record(tmp_path)
    record.fail("ValueError: x", "y.py:3 in z")
    record.fail("ValueError: x", "y.py:3 in z")
    record.cut_short = 6
    judged = closed(record, [sent(number) for number in range(100)], stopped="it was stopped.")
    assert judged["errors"] == [{"what": "ValueError: x", "where": "y.py:3 in z", "count": 2}]
    assert judged["why"] == [
        "it was stopped.",
        "ValueError: x (y.py:3 in z), 2 times",
        "6 of 100 sessions were cut short: they lacked a value to send.",
    ]


def test_five_sessions_of_a_hundred_may_be_cut_short(tmp_path):
    record = make_record(tmp_path)
    record.cut_short = 5
    assert closed(record, [sent(number) for number in range(100)])["failed"] is False


def test_a_run_that_sent_nothing_fails(tmp_path):
    judged = closed(make_record(tmp_path), [sent(1, place=0, setup=1)])
    assert judged["why"] == ["nothing was sent."]


def test_a_slow_process_says_so(tmp_path):
    planned = [(number, float(number)) for number in range(50)]
    begun = [(number, at_s + 0.25) for number, at_s in planned]
    judged = closed(make_record(tmp_path), [sent(number) for number in range(50)], planned=planned, begun=begun)
    assert "This process was slow itself, by 250 ms: answers were faster than they seemed." in sentence(judged)


@pytest.mark.parametrize(
    ("n", "bad", "share"), [(135, 1, 0.005), (134, 2, 0.01), (16, 16, 0.05), (10**6, 10_300, 0.01), (3, 3, 0.5)]
)
def test_chance_is_the_binomials_tail(n, bad, share):
    assert chance(n, bad, share) == pytest.approx(binom.sf(bad - 1, n, share), rel=1e-6)


@pytest.mark.parametrize(
    ("n", "bad", "share", "wanted"), [(10, 1, 0.0, 0), (10, 0, 0.0, 1), (10, 10, 1.0, 1), (10, 1, 0.2, 1)]
)
def test_chance_at_its_ends(n, bad, share, wanted):
    assert chance(n, bad, share) == wanted


def test_held_is_up_to_the_limit_itself():
    assert held(0.1, 0.1, n=10, bad=1, share=0.1) is True


def test_percentile_lies_on_the_line_between_values():
    assert [percentile([10.0, 20.0, 40.0], percent) for percent in (0, 50, 75, 100)] == [10, 20, 30, 40]
    assert percentile([7.0], 99) == 7
