import math
import random

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from polars.testing import assert_frame_equal

from prodintel_lib.analyses.production import latency_percentiles
from prodintel_lib.analyses.production.latency import count_slow
from prodintel_lib.errors import MissingColumnsError, ParameterError
from prodintel_lib.rollups.request_bins import NO_BIN, coarse_value_of
from prodintel_lib.windows import Window

from .made import B, asked, made_production

NAMES = ["service_name", "route", "column", "bin", "requests"]


def count(requests, *, points, learn=None, day=8640, most=9):
    """Count the slow ones of rows of NAMES."""
    frame = pl.DataFrame(requests, schema=NAMES, orient="row")
    allowed = np.ones(points, dtype=bool) if learn is None else learn
    return count_slow(frame, points=points, points_a_day=day, learn=allowed, most=most)


def dense(counted, suffix, *, points):
    """Return the slow ones of all rows at each point (NaN where none could be compared), and of how many."""
    sums = counted.group_by("column").agg(pl.col(f"slow{suffix}", f"timed{suffix}").sum())
    slow, timed = np.full(points, math.nan), np.zeros(points)
    timed[sums["column"].to_numpy()] = sums[f"timed{suffix}"]
    slow[sums["column"].to_numpy()] = sums[f"slow{suffix}"]
    return np.where(timed > 0, slow, math.nan), timed


def slow(cells, *, points, series=1, **options):
    """Count by route: cells are (number of the route, column, bin, requests)."""
    counted = count([("shop", f"GET /{row}", *cell) for row, *cell in cells], points=points, **options)
    routes = [counted.filter(pl.col("route") == f"GET /{row}") for row in range(series)]
    values, exposure = zip(*(dense(route, "_by_route", points=points) for route in routes), strict=True)
    return np.array(values), np.array(exposure)


def naive_usual(cells, *, points, window=10**6):
    """Find point by point what was usual before, and after how many blocks: cells are (column, bin, requests)."""
    renewed = list(range(1, 51))
    while renewed[-1] < points:
        renewed.append(math.ceil(renewed[-1] * 1.05))
    block, known, found = [], [], []
    for column in range(points):
        reach = max((k for k in renewed if k <= len(known)), default=0)
        past = sorted(known[:reach][-window:])
        found.append((past[(len(past) - 1) // 2] if past else None, len(known)))
        block += [bin_ for at, bin_, n in cells if at == column for _ in range(n)]
        if len(block) >= 30:
            known.append(sorted(block)[math.ceil(0.9 * len(block) - 1e-9) - 1])
            block = []
    return found


def naive_slow(cells, *, points, window):
    """Count one route point by point."""
    here = [cell[1:] for cell in cells]
    counted = []
    for column, (usual, _) in enumerate(naive_usual(here, points=points, window=window)):
        asked_now = [(bin_, n) for at, bin_, n in here if at == column]
        is_scored = usual is not None and asked_now
        counted.append(sum(n for bin_, n in asked_now if bin_ > usual + 2) if is_scored else math.nan)
    return counted


def naive_slow_of_service(cells, *, points):
    """Sum up over the routes of one service: each request by its route, or by the service where that is allowed."""
    routes = {row for row, *_ in cells}
    usual = {row: naive_usual([cell for other, *cell in cells if other == row], points=points) for row in routes}
    service = naive_usual([cell for _, *cell in cells], points=points)
    slow, timed = [0] * points, [0] * points
    for row, column, bin_, n in cells:
        limit = usual[row][column][0]
        known = {other for other, at, _, _ in cells if usual[other][at][0] is not None and at <= column}
        if limit is None and (not known or service[column][1] >= 50):
            limit = service[column][0]
        if limit is not None:
            timed[column] += n
            slow[column] += n if bin_ > limit + 2 else 0
    return [n if of else math.nan for n, of in zip(slow, timed, strict=True)], timed


def test_count_slow_compares_with_the_ninetieth_percentile_of_the_first_thirty():
    cells = [(0, 0, 40, 27), (0, 0, 50, 3), (0, 1, 42, 10), (0, 1, 43, 5), (0, 1, 60, 2), (0, 2, 42, 1)]
    values, exposure = slow(cells, points=4)
    assert_array_equal(values, [[math.nan, 7.0, 0.0, math.nan]])
    assert_array_equal(exposure, [[0.0, 17.0, 1.0, 0.0]])


def test_count_slow_waits_for_thirty_requests():
    values, exposure = slow([(0, column, 40, 10) for column in range(5)], points=5)
    assert_array_equal(values, [[math.nan, math.nan, math.nan, 0.0, 0.0]])
    assert exposure.tolist() == [[0.0, 0.0, 0.0, 10.0, 10.0]]


def test_count_slow_gives_what_the_naive_version_gives():
    chance = random.Random(3)
    cells = [
        (0, column, bin_, chance.randrange(1, 9))
        for column in range(60)
        for bin_ in sorted(chance.sample(range(35, 50), 3 if column < 30 else 6))
    ]
    for days in (1, 10):
        values, _ = slow(cells, points=65, day=days)
        assert_array_equal(values[0], naive_slow(cells, points=65, window=7 * days))


def test_count_slow_of_a_point_does_not_depend_on_later_ones():
    chance = random.Random(4)
    cells = [(0, column, chance.randrange(30, 50), chance.randrange(5, 40)) for column in range(200)]
    later = [(row, column, bin_ + (20 if column >= 100 else 0), n) for row, column, bin_, n in cells]
    values, exposure = slow(cells, points=200)
    changed, _ = slow(later, points=200)
    assert_array_equal(values[:, :100], changed[:, :100])
    assert (values[:, 100:] != changed[:, 100:]).any()
    cut, cut_exposure = slow([cell for cell in cells if cell[1] < 100], points=100)
    assert_array_equal(values[:, :100], cut)
    assert_array_equal(exposure[:, :100], cut_exposure)


def test_count_slow_forgets_an_incident_and_follows_a_release():
    def bin_of(column):
        return 55 if 100 <= column < 110 else 48 if column >= 300 else 40

    values, exposure = slow([(0, column, bin_of(column), 50) for column in range(700)], points=700)
    share = values[0] / np.maximum(exposure[0], 1)
    assert (share[1:100] == 0).all()
    assert (share[100:110] == 1).all()
    assert (share[110:300] == 0).all()
    assert (share[300:600] == 1).all()
    assert (share[640:] == 0).all()


def test_count_slow_does_not_learn_where_it_must_not():
    cells = [(0, 0, 60, 500), (0, 1, 40, 30), (0, 2, 45, 10)]
    values, _ = slow(cells, points=3, learn=np.array([False, True, True]))
    assert_array_equal(values, [[math.nan, math.nan, 10.0]])


def test_count_slow_leaves_out_requests_whose_duration_is_not_known():
    cells = [(0, 0, 40, 30), (0, 1, NO_BIN, 9), (0, 1, 50, 2), (1, 1, NO_BIN, 9)]
    values, exposure = slow(cells, points=2, series=2)
    assert_array_equal(values, [[math.nan, 2.0], [math.nan, math.nan]])
    assert exposure.tolist() == [[0.0, 2.0], [0.0, 0.0]]


def asked_in_mix(fast, slow, columns, *, routes=("GET /fast", "GET /slow")):
    """Return rows of two routes in which one request in ten takes longer than the others."""
    return [
        ("shop", route, column, bin_, n)
        for column in columns
        for route, total, usual in zip(routes, (fast, slow), (30, 60), strict=True)
        for bin_, n in ((usual, total * 9 // 10), (usual + 6, total // 10))
    ]


def test_count_slow_does_not_move_when_only_the_mix_of_routes_does():
    def share_of(**named):
        rows = [*asked_in_mix(90, 10, range(20), **named), *asked_in_mix(10, 90, range(20, 40), **named)]
        values, exposure = dense(count(rows, points=40), "", points=40)
        assert (exposure[3:] == 100).all()
        return values[3:] / exposure[3:]

    assert_array_equal(share_of(), np.full(37, 0.1))
    # Without names of routes it cannot be told from a service that became slow.
    unnamed = share_of(routes=("", ""))
    assert_array_equal(unnamed[:17], np.full(17, 0.1))
    assert unnamed[17] == 0.9


def test_count_slow_of_a_route_that_became_slow_is_seen_in_the_sum():
    rows = [*asked_in_mix(90, 10, range(20)), ("shop", "GET /fast", 20, 40, 90), ("shop", "GET /slow", 20, 60, 10)]
    values, exposure = dense(count(rows, points=21), "", points=21)
    assert (values[20], exposure[20]) == (90, 100)


def test_count_slow_of_a_service_gives_what_the_naive_version_gives():
    chance = random.Random(5)
    weights = {0: 12, 1: 6, 2: 2, 3: 0.1}
    cells = [
        (row, column, 30 + 5 * row + chance.randrange(8), 1 + chance.randrange(4))
        for column in range(90)
        for row, weight in weights.items()
        for _ in range(int(weight) + (chance.random() < weight % 1))
    ]
    counted = count([("shop", f"GET /{row}", *cell) for row, *cell in cells], points=90)
    values, exposure = dense(counted, "", points=90)
    expected, timed = naive_slow_of_service(cells, points=90)
    assert_array_equal(values, expected)
    assert_array_equal(exposure, timed)
    rare = counted.filter(pl.col("route") == "GET /3")
    assert rare["timed_by_route"].sum() == 0
    assert 0 < rare["timed"].sum() < rare["requests"].sum()


def test_count_slow_of_a_service_does_not_depend_on_later_requests():
    chance = random.Random(6)
    rows = [
        ("shop", f"GET /{route}", column, 30 + 9 * route + chance.randrange(9), chance.randrange(1, 20))
        for column in range(120)
        for route in range(4)
        if chance.random() < 0.6 or route < 2
    ]
    later = [row if row[2] < 80 else (*row[:3], 30 + chance.randrange(60), row[4] * 3) for row in rows]
    before = pl.col("column") < 80
    expected = count(rows, points=120).filter(before)
    assert_frame_equal(count(later, points=120).filter(before), expected)
    assert_frame_equal(count([row for row in rows if row[2] < 80], points=80), expected)


def test_count_slow_compares_with_the_service_while_no_route_of_it_is_known():
    rows = [
        ("shop", f"GET /{number}", column, 40, 5) for column in range(4) for number in range(column * 9, column * 9 + 9)
    ]
    counted = count([*rows, ("other", "GET /", 2, 90, 50)], points=4, most=99).filter(pl.col("service_name") == "shop")
    values, exposure = dense(counted, "", points=4)
    assert_array_equal(values, [math.nan, 0, 0, 0])
    assert exposure.tolist() == [0, 45, 45, 45]
    # From the first request on whose route is known, those whose route is not are left out.
    known = count([*rows, ("shop", "GET /known", 1, 40, 30), ("shop", "GET /known", 2, 40, 1)], points=4)
    assert dense(known, "", points=4)[1].tolist() == [0, 75, 1, 0]


def test_count_slow_has_limits_for_the_routes_with_the_most_requests():
    rows = [("shop", route, column, 40, n) for column in range(3) for route, n in (("GET /a", 40), ("GET /b", 50))]
    counted = count(rows, points=3, most=1).group_by("route").agg(pl.col("timed_by_route").sum()).sort("route")
    assert counted.rows() == [("GET /a", 0), ("GET /b", 100)]


def production_with_durations():
    rows = [
        *asked([3], route="GET /", bin=40, requests=95),
        *asked([4], route="GET /", bin=50, requests=5),
        *asked([3], route="GET /slow", bin=70, requests=1),
        *asked([3], route="GET /slow", bin=NO_BIN, requests=7),
        *asked([9], route="GET /slow", bin=90, requests=50),
        *asked([3], route="GET /unknown", bin=NO_BIN),
    ]
    return made_production(requests=rows)


def test_latency_percentiles_reads_each_group_and_says_of_how_many():
    window = Window(0, 5 * B)
    values = coarse_value_of(np.array([40, 50, 70])).tolist()
    production = production_with_durations()
    found = latency_percentiles(production, by=["route"], window=window, q=0.95)
    assert found.rows() == [("GET /", values[0], 100), ("GET /slow", values[2], 1)]
    assert latency_percentiles(production, by=["route"], window=window, q=0.951).rows()[0] == ("GET /", values[1], 100)
    assert latency_percentiles(production, window=window, q=1).rows() == [(values[2], 101)]
    assert latency_percentiles(production, window=Window(6 * B, 7 * B), q=0.5).rows() == []


def test_latency_percentiles_refuses_what_it_cannot_read():
    production = production_with_durations()
    with pytest.raises(ParameterError, match="not at 95"):
        latency_percentiles(production, window=Window(0, B), q=95)
    with pytest.raises(MissingColumnsError, match="needs column `operation`"):
        latency_percentiles(production, by=["operation"], window=Window(0, B), q=0.5)
