import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.causes.errors import ErrorText
from prodintel_lib.analyses.causes.location import Contrast, contrast_series, locate, rank_by_own_growth
from prodintel_lib.analyses.causes.own_growth import OwnGrowth
from prodintel_lib.analyses.signals import ONSETS_SCHEMA, OWN_TIME_SIGNAL
from prodintel_lib.windows import Window

MIN = 60_000_000


def grew(added, *, deviations=20.0, usual=1.0):
    return Contrast(deviations, added, added, usual)


def contrast(values, *, split, direction=1, rests_on=1, times=None):
    times = np.arange(len(values)) * MIN if times is None else times
    return contrast_series(
        np.asarray(times), np.asarray(values, dtype=float), np.full(len(values), rests_on),
        window=Window(int(times[split]), int(times[-1]) + 1), direction=direction,
    )  # fmt: skip


def test_contrast_series_weighs_the_worse_half_by_what_it_rests_on():
    found = contrast([10.0] * 20 + [10.0, 10.0, 30.0, 20.0], split=20, rests_on=7)
    assert (found.shift, found.added, found.usual) == (15.0, 105.0, 70.0)
    assert found.deviations == pytest.approx(15 / 0.2)


def test_contrast_series_compares_with_just_before_where_the_service_had_moved_for_good():
    times = np.concatenate([np.arange(50), 5000 + np.arange(6)]) * MIN
    found = contrast([10.0] * 50 + [40.0, 40.0, 40.0, 41.0, 41.0, 41.0], split=53, times=times)
    assert found.shift == pytest.approx(1.0)
    assert found.deviations < 3


def test_contrast_series_turns_success_into_what_is_missing():
    found = contrast([100.0] * 20 + [90.0, 90.0], split=20, direction=-1)
    assert found.shift == pytest.approx(10.0)
    assert contrast([1.0] * 20 + [0.9, 0.9], split=20, direction=-1).shift == pytest.approx(0.1)


def test_contrast_series_takes_one_failure_among_many_for_noise():
    assert contrast([0.0] * 20 + [0.02, 0.02], split=20, rests_on=50).deviations == pytest.approx(1.0)
    assert contrast([0.0] * 20 + [0.2, 0.2], split=20, rests_on=50).deviations == pytest.approx(10.0)


def test_contrast_series_needs_both_sides():
    times = np.arange(5) * MIN
    assert contrast_series(times, np.ones(5), np.ones(5, dtype=int), window=Window(-9, 10 * MIN)) is None
    assert contrast_series(times, np.ones(5), np.ones(5, dtype=int), window=Window(9 * MIN, 10 * MIN)) is None


def test_rank_by_own_growth_goes_down_to_the_service_whose_callees_do_not_explain_it():
    edges = {("web", "shop"), ("shop", "pay"), ("pay", "db"), ("shop", "cart")}
    contrasts = {"web": grew(110), "shop": grew(105), "pay": grew(100), "db": grew(5, deviations=1), "cart": grew(2)}
    ranked = rank_by_own_growth(contrasts, edges, symptom_service="web")
    assert ranked[0] == ("pay", 100.0)
    assert dict(ranked)["shop"] == pytest.approx(5.0)
    assert dict(ranked)["web"] == pytest.approx(0.3 * 5)


def test_rank_by_own_growth_counts_little_for_what_the_symptom_cannot_reach():
    contrasts = {"web": grew(10), "batch": grew(50), "shop": grew(8)}
    ranked = rank_by_own_growth(contrasts, {("web", "shop")}, symptom_service="web")
    assert [name for name, _ in ranked] == ["shop", "batch", "web"]


def test_rank_by_own_growth_survives_a_cycle():
    ranked = rank_by_own_growth({"a": grew(5), "b": grew(9)}, {("a", "b"), ("b", "a"), ("b", "b")}, symptom_service="a")
    assert ranked[0][0] == "b"


def onset(service, kind, at, *, signal="s", is_worse=True):
    return {"service_name": service, "signal": signal, "kind": kind, "onset_us": at, "is_worse": is_worse}


def test_locate_keeps_the_blast_radius_apart_and_leaves_hosts_out():
    found = locate(
        contrasts={
            ("pay", "latency", "ms"): grew(90), ("shop", "latency", "ms"): grew(92), ("node-1", "cpu", "load"): grew(9),
        },
        onsets=pl.DataFrame(
            [onset("pay", "latency", 10), onset("shop", "latency", 12), onset("node-1", "cpu", 9)], schema=ONSETS_SCHEMA
        ),
        errors=(ErrorText("shop", "error", "s", "calling pay failed", "", 40, 1, 0),),
        mentions=frozenset({("shop", "pay")}),
        edges=frozenset({("shop", "pay")}),
        reported_service="shop",
        window=Window(10, 1000),
    )  # fmt: skip
    assert found.first_failing == "pay"
    assert found.blast_radius == ("shop",)
    assert "growth of ms is its own" in found.evidence[0]


def test_locate_says_nothing_where_nothing_is_known():
    empty = pl.DataFrame(schema=ONSETS_SCHEMA)
    assert locate(
        contrasts={}, onsets=empty, errors=(), mentions=frozenset(), edges=frozenset(), reported_service="",
        window=Window(0, 1),
    ) is None  # fmt: skip


def located(*, own_growth, edges=frozenset(), onsets=()):
    return locate(
        contrasts={(name, "latency", OWN_TIME_SIGNAL): grew(added) for name, added in (("busy", 900), ("slow", 10))},
        onsets=pl.DataFrame(list(onsets), schema=ONSETS_SCHEMA), errors=(), mentions=frozenset(), edges=edges,
        reported_service="", window=Window(0, 1000), own_growth=own_growth,
    )  # fmt: skip


def test_locate_believes_own_time_by_operation_before_its_series():
    busy = onset("busy", "latency", 10, signal=OWN_TIME_SIGNAL)
    slow = OwnGrowth({"slow": 400.0, "busy": 100.0}, {"slow": "POST /pay", "busy": "GET /"}, 1000.0)
    assert located(own_growth=None, onsets=[busy]).first_failing == "busy"
    found = located(own_growth=slow, onsets=[busy])
    assert found.ranked == (("slow", pytest.approx(3 * 0.8)), ("busy", pytest.approx(3 * 0.2)))
    assert found.evidence == ("80 % of the own time that was added is its own, most in POST /pay",)


def test_locate_counts_own_time_by_operation_less_where_it_is_little_and_where_all_requests_come_in():
    little = OwnGrowth({"slow": 10.0}, {"slow": "GET /"}, 1000.0)
    assert dict(located(own_growth=little).ranked)["slow"] == pytest.approx(3 * 10 / 200)
    entry = OwnGrowth({"slow": 100.0, "busy": 100.0}, {"slow": "GET /", "busy": "GET /"}, 100.0)
    ranked = dict(located(own_growth=entry, edges=frozenset({("busy", "slow")})).ranked)
    assert ranked == {"slow": pytest.approx(3 / 1.3), "busy": pytest.approx(0.9 / 1.3)}


def test_locate_takes_who_added_nothing_and_answers_nobody_for_a_condition():
    found = located(own_growth=OwnGrowth({"slow": 100.0}, {"slow": "GET /"}, 100.0))
    assert dict(found.ranked)["busy"] == -3.0
