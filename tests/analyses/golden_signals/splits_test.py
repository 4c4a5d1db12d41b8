import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.golden_signals.splits import find_split

from . import made
from .made import MINUTE_US

FAST, SLOW = made.bin_of(10.0), made.bin_of(200.0)
BOUNDARY = math.log(50)


def rows(cells):
    """One row for each (minute, path, region, release, bin, requests)."""
    names = ("minute", "path", "region", "release", "bin", "requests")
    frame = pl.DataFrame(cells, schema=names, orient="row")
    return frame.with_columns((pl.col("minute") * MINUTE_US).alias("bucket_us"))


def split(frame):
    return find_split(frame, boundary=BOUNDARY, bucket_us=MINUTE_US, dispersion=1.0)


def test_find_split_names_the_region_that_is_slow():
    cells = []
    for minute in range(20):
        cells += [(minute, "GET /a", "eu", "1", FAST, 50), (minute, "GET /a", "us", "1", SLOW, 9)]
        cells += [(minute, "GET /a", "us", "1", FAST, 1)]
    found = split(rows(cells))
    assert found.says == "region: 90 % of 200 with us are slow, 0 % elsewhere"
    best = found.values.row(0, named=True)
    assert (best["dimension"], best["value"], best["n"], best["slow_n"]) == ("region", "us", 200, 180)
    assert best["explains"] == pytest.approx(0.86, abs=0.03)
    assert found.place.causes[0].attributes == {"region": "us"}
    assert not found.is_of_time


def test_find_split_names_the_time_where_all_became_slow():
    cells = [(minute, "GET /a", "", "1", SLOW if 10 <= minute < 15 else FAST, 40) for minute in range(30)]
    found = split(rows(cells))
    assert found.says.startswith("only during 1970-01-01 00:10:00-00:15:00 UTC: 100 % of 200 are slow, 0 % elsewhere")
    assert found.place is None
    assert found.is_of_time


def test_find_split_prefers_a_release_to_the_time_it_came_with():
    cells = [
        (minute, "GET /a", "", "1" if minute < 15 else "2", FAST if minute < 15 else SLOW, 40) for minute in range(30)
    ]
    # The old release answers a few requests more: the time says all, the release nearly all.
    found = split(rows([*cells, (15, "GET /a", "", "1", SLOW, 4)]))
    assert found.says == "release: 100 % of 600 with 2 are slow, 1 % elsewhere"
    assert found.values["dimension"][0] == "time"


def test_find_split_says_where_nothing_tells_them_apart():
    chance = np.random.default_rng(1)
    cells = [
        (minute, "GET /a", region, "1", at, int(n))
        for minute in range(30)
        for region in ("eu", "us")
        for at, n in ((FAST, chance.poisson(40)), (SLOW, chance.poisson(10)))
    ]
    found = split(rows(cells))
    assert found.says == "nothing that was recorded tells them apart"
    assert found.place.causes == ()


def test_find_split_does_not_take_a_name_for_each_request_as_an_explanation():
    cells = [(at % 20, "GET /a", f"r{at}", "1", SLOW if at % 3 == 0 else FAST, 1) for at in range(60)]
    explained = split(rows(cells)).values.filter(pl.col("dimension") == "region")["explains"]
    assert explained[0] < 0.3
