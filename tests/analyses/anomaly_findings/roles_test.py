"""What an event is: the series that stands for it, its name, and where it began."""

import numpy as np
import pytest

from prodintel_lib.analyses.anomalies import SeriesMatrix
from prodintel_lib.analyses.anomaly_findings.episodes import Episode
from prodintel_lib.analyses.anomaly_findings.figures import Figures
from prodintel_lib.analyses.anomaly_findings.linking import Topology
from prodintel_lib.analyses.anomaly_findings.roles import choose_core, choose_main, find_origin, title_of, type_of
from prodintel_lib.analyses.production import SignalSet

from . import made

TOPOLOGY = Topology.of(made.Shop().production())
TRIALS = 100.0


def episodes(*rows, signal="error_ratio"):
    """Episodes of one signal by (service, route, share), with the set they are of."""
    keys = {f"{service} {route}": (service, route) for service, route, _ in rows}
    values = np.array([[share * TRIALS] for *_, share in rows])
    matrix = SeriesMatrix(
        tuple(keys), np.array([made.at(30)]), values, exposure=np.full(values.shape, TRIALS), kind="ratio"
    )
    about = made.about(keys, grain="route", worse=1)
    found = []
    for number, (_, route, share) in enumerate(rows):
        row = about.row(number, named=True) | {"grain": "route" if route else "service"}
        at = made.at(30)
        found.append(Episode(signal, row, number, made.BUCKET_US, at, at, (at,), at, 9.0, share, 0.0, TRIALS, share))
    return found, {signal: SignalSet(signal, matrix, about)}


@pytest.mark.parametrize(("of_route", "main"), [(0.25, "POST /pay"), (0.1, "")])
def test_choose_main_is_a_route_only_where_it_holds_most_of_its_service(of_route, main):
    found, signals = episodes(("gateway", "", 0.4), ("gateway", "POST /pay", of_route), ("payment", "", 0.9))
    chosen = choose_main(found, signals, TOPOLOGY)
    assert (chosen.service, chosen.route) == ("gateway", main)


def test_choose_main_is_within_the_system_where_nothing_from_outside_is_abnormal():
    found, signals = episodes(("payment", "POST /charge", 0.3), ("orders", "POST /orders", 0.2))
    assert choose_main(found, signals, TOPOLOGY).service == "payment"


def test_find_origin_is_the_end_of_the_chain_that_began_first():
    found, _ = episodes(("gateway", "POST /pay", 0.4), ("payment", "POST /charge", 0.4), ("catalogue", "", 0.4))
    later = made.at(32)
    payment = next(one for one in found if one.service == "payment")
    delayed = [one for one in found if one is not payment]
    object.__setattr__(payment, "hot_us", (later,))
    assert find_origin([*delayed, payment], found[0], TOPOLOGY) == "catalogue"
    object.__setattr__(payment, "hot_us", (made.at(28),))
    assert find_origin([*delayed, payment], found[0], TOPOLOGY) == "payment"


def test_find_origin_looks_at_those_that_went_bad_as_the_main_series_did():
    failed, _ = episodes(("gateway", "POST /pay", 0.4), ("orders", "POST /orders", 0.4))
    slow, _ = episodes(("catalogue", "", 0.4), signal="latency")
    assert find_origin([*slow, *failed], failed[0], TOPOLOGY) == "orders"
    gauge, _ = episodes(("payment", "", 0.4), signal="saturation")
    assert find_origin([*slow, *gauge], gauge[0], TOPOLOGY) == "catalogue"
    assert find_origin(gauge, gauge[0], TOPOLOGY) == ""


def test_choose_core_is_what_users_feel():
    found, _ = episodes(("gateway", "POST /pay", 0.4), ("payment", "POST /charge", 0.4))
    assert [one.service for one in choose_core(found, found[0], TOPOLOGY)] == ["gateway"]
    assert [one.service for one in choose_core(found[1:], found[1], TOPOLOGY)] == ["payment"]


@pytest.mark.parametrize(
    ("signal", "about", "figures", "title"),
    [
        (
            "error_ratio",
            {"grain": "region", "region": "GB", "route": ""},
            Figures(0.25, 0.01, 0, 0, 400, 900, "share", "requests that failed"),
            "25.0 % of requests from GB failed (1.0 % before, n 400)",
        ),
        (
            "latency",
            {},
            Figures(1250.0, 120.0, 0, 0, 400, 900, "ms", "p95 of the duration"),
            "POST /pay: p95 of the duration 1,250 ms (120 ms before, n 400)",
        ),
        (
            "throughput",
            {},
            Figures(0.5, 10.0, 0, 0, 50, 900, "per_s", "requests a second"),
            "POST /pay: 0.5 requests a second (10 a second before, n 50)",
        ),
        (
            "conversion",
            {"grain": "journey", "route": "/cart"},
            Figures(0.01, float("nan"), 0, 0, 50, 0, "share", "sessions that converted"),
            "1.0 % of sessions of journey /cart converted (nothing recorded before, n 50)",
        ),
    ],
)
def test_title_of_says_what_and_how_much(signal, about, figures, title):
    [one], _ = episodes(("gateway", "POST /pay", 0.4), signal=signal)
    one.about.update(about)
    assert title_of(one, figures) == title


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [("db.pool.used", 1, "SATURATION"), ("db.pool.used", -1, "METRIC_ANOMALY"), ("frobs", 1, "METRIC_ANOMALY")],
)
def test_type_of_a_gauge_is_saturation_only_where_it_fills(name, change, kind):
    [one], _ = episodes(("payment", "", 0.4), signal="saturation")
    one.about.update(metric_name=name)
    object.__setattr__(one, "change", change)
    assert type_of(one) == kind
