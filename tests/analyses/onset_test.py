import polars as pl
import pytest

from prodintel_lib.analyses.onset import (
    choose_bucket_s,
    choose_signal,
    find_onset,
    mark_bad_requests,
    onset_of_signals,
    worse_within,
)
from prodintel_lib.analyses.signals import ONSETS_SCHEMA, SignalOnsets
from prodintel_lib.errors import NoDataError
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import RouteSlo

SPAN = Window(0, 600 * US_PER_S)
REPORTED = Window(330 * US_PER_S, 450 * US_PER_S)


def requests(bad_from_s=300, bad_to_s=420, share=0.5, per_s=10):
    """Ten requests a second on two routes; a share of the first route's are bad for a while."""
    rows = []
    for second in range(600):
        for k in range(per_s):
            route = "POST /pay" if k % 2 else "GET /page"
            bad = route == "POST /pay" and bad_from_s <= second < bad_to_s and (k // 2) < share * per_s / 2
            rows.append((second * US_PER_S + k * 1000, route, bad))
    return pl.DataFrame(rows, schema=["time_us", "route", "bad"], orient="row")


def test_find_onset_finds_the_first_and_last_bad_request():
    onset = find_onset(requests(), span=SPAN, reported=REPORTED)
    assert onset.how == "observed"
    assert onset.window.start_us == 300 * US_PER_S + 1000
    assert onset.window.end_us == 419 * US_PER_S + 5000 + 1
    assert onset.baseline == Window(0, onset.window.start_us - onset.bucket_s * US_PER_S)
    assert onset.routes["route"].to_list() == ["POST /pay"]


def test_find_onset_trusts_the_data_over_the_report():
    onset = find_onset(requests(), span=SPAN, reported=Window(100 * US_PER_S, 110 * US_PER_S))
    assert onset.window.start_us == 300 * US_PER_S + 1000


def test_find_onset_without_an_interval_takes_the_reported_times_and_says_so():
    onset = find_onset(requests(share=0), span=SPAN, reported=REPORTED)
    assert (onset.how, onset.window) == ("inferred", REPORTED)
    assert "the times are the incident's own" in onset.evidence


def test_find_onset_passes_over_a_lone_bad_request():
    quiet = requests(share=0).with_columns((pl.int_range(pl.len()) == 5).alias("bad"))
    assert find_onset(quiet, span=SPAN, reported=REPORTED).how == "inferred"


def test_find_onset_without_requests_takes_the_reported_times_and_says_so():
    onset = find_onset(requests().head(0), span=SPAN, reported=REPORTED)
    assert (onset.basis, onset.window, onset.baseline) == ("reported", REPORTED, Window(0, 270 * US_PER_S))
    assert onset.evidence == "No entry request was recorded; the times are the incident's own."


def signals(*rows):
    """Signals that changed: service, signal, kind, onset and last point in seconds, effect, whether it is worse."""
    frame = pl.DataFrame(
        [
            (service, signal, kind, "step", onset * US_PER_S, last * US_PER_S, 1.0, 9.0, 20, 5, effect, worse, 0.0, 0.0)
            for service, signal, kind, onset, last, effect, worse in rows
        ],
        schema=ONSETS_SCHEMA,
        orient="row",
    )
    return SignalOnsets(REPORTED, frame, 7, 2, 100)


def test_onset_of_signals_takes_those_that_were_worse_together():
    found = signals(
        ("pay", "threads", "saturation", 60, 90, 99.0, True),
        ("web", "p99", "latency", 310, 420, 5.0, True),
        ("pay", "errors", "errors", 320, 400, 4.0, True),
        ("pay", "requests", "traffic", 290, 430, 50.0, None),
    )
    onset = onset_of_signals(found, span=SPAN, service="pay")
    assert onset.window == Window(310 * US_PER_S, 420 * US_PER_S + 1)
    assert onset.baseline == Window(0, 250 * US_PER_S)
    assert (onset.basis, onset.how) == ("signals", "observed")
    assert onset.evidence == (
        "3 of 7 series of metrics, logs and spans got worse, p99 of web first (n 20 points before, 5 since; q < 1e-12)."
    )
    assert worse_within(found, onset.window)["signal"].to_list() == ["p99", "errors"]


def test_onset_of_signals_is_none_where_nothing_got_worse():
    found = signals(
        ("pay", "requests", "traffic", 290, 430, 50.0, None), ("pay", "p99", "latency", 290, 430, -9.0, False)
    )
    assert onset_of_signals(found, span=SPAN, service="pay") is None


@pytest.mark.parametrize(("service", "chosen"), [("pay", "errors"), ("web", "p99"), ("", "p99")])
def test_choose_signal_prefers_the_reported_service_and_what_users_feel(service, chosen):
    worse = signals(
        ("pay", "threads", "saturation", 60, 90, 99.0, True),
        ("pay", "errors", "errors", 320, 400, 4.0, True),
        ("web", "p99", "latency", 310, 420, 5.0, True),
    ).worse
    assert choose_signal(worse, service)["signal"] == chosen


def test_find_onset_without_a_baseline_is_an_error():
    with pytest.raises(NoDataError, match="Nothing was recorded before the onset"):
        find_onset(requests(bad_from_s=0, bad_to_s=60), span=SPAN, reported=REPORTED)


def test_mark_bad_requests_uses_the_slo_and_else_the_routes_own_usual():
    durations = [100.0] * 20 + [101.0, 99.0] * 20 + [290.0, 310.0, 5000.0]
    frame = pl.DataFrame({"route": "GET /a", "duration_ms": durations, "failed": False})
    usual = mark_bad_requests(frame)
    assert usual["slow_over_ms"][0] == pytest.approx(300.0)
    assert usual.filter("bad")["duration_ms"].to_list() == [310.0, 5000.0]
    promised = mark_bad_requests(frame, slos=[RouteSlo(route="GET /a", latency_ms=1000)])
    assert promised.filter("bad")["duration_ms"].to_list() == [5000.0]


def test_mark_bad_requests_counts_failures_however_fast():
    frame = pl.DataFrame({"route": ["GET /a"] * 3, "duration_ms": [1.0, 1.0, 1.0], "failed": [False, True, False]})
    assert mark_bad_requests(frame)["bad"].to_list() == [False, True, False]


@pytest.mark.parametrize(("requests_n", "duration_s", "bucket_s"), [(6000, 600, 1), (600, 600, 10), (50, 600, 120)])
def test_choose_bucket_s_holds_ten_requests(requests_n, duration_s, bucket_s):
    assert choose_bucket_s(requests_n, duration_s) == bucket_s
