import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load.local_hours import zone_named
from prodintel_lib.analyses.load.mix import find_mix, jensen_shannon, top_endpoints

UTC = zone_named("UTC")
HOUR = 3600


def some_days(days, share_at, *, seed=1, per_hour=60):
    """Return times and endpoints: at each hour of the day such a share asks for /b."""
    rng = np.random.default_rng(seed)
    times, endpoints = [], []
    for hour in range(24 * days):
        times += (HOUR * hour + rng.integers(0, HOUR, size=per_hour)).tolist()
        endpoints += np.where(rng.random(per_hour) < share_at(hour), "/b", "/a").tolist()
    return times, endpoints


@pytest.mark.parametrize(
    ("counts", "others", "bits"), [([1, 1], [3, 3], 0.0), ([2, 0], [0, 9], 1.0), ([1, 1], [1, 0], 0.31127812445913283)]
)
def test_jensen_shannon_is_exact(counts, others, bits):
    assert jensen_shannon(np.array(counts, dtype=float), np.array(others, dtype=float)) == pytest.approx(bits)


def test_jensen_shannon_agrees_with_scipy():
    from scipy.spatial.distance import jensenshannon

    rng = np.random.default_rng(1)
    mine, others = rng.random((5, 7)), rng.random((5, 7))
    expected = jensenshannon(mine, others, base=2, axis=1) ** 2
    assert np.allclose(jensen_shannon(mine, others), expected)


def test_find_mix_finds_the_hour_that_differs(arrivals_of):
    mix, shares = find_mix(arrivals_of(*some_days(7, lambda hour: 0.6 if hour % 24 == 20 else 0.2)), zone=UTC)
    assert mix.filter("differs").select("part_kind", "part").rows() == [("hour of day", "20:00")]
    row = mix.row(by_predicate=pl.col("part") == "20:00", named=True)
    assert row["requests"] == 7 * 60
    assert row["js"] > 3 * row["js_chance"]
    assert row["p_value"] == 1 / 2000
    own = shares.filter(pl.col("part") == "20:00").select("endpoint", "requests", "share")
    assert own["requests"].sum() == 420
    assert own["share"].sum() == pytest.approx(1.0)
    b_share = dict(own.select("endpoint", "share").rows())["/b"]
    assert row["most_changed"].split(":")[0] in {"/a", "/b"}
    assert f"{100 * b_share:.1f} %" in row["most_changed"] or f"{100 - 100 * b_share:.1f} %" in row["most_changed"]


def test_find_mix_finds_nothing_where_nothing_changes(arrivals_of):
    found = [
        find_mix(arrivals_of(*some_days(4, lambda _: 0.3, seed=seed)), zone=UTC)[0]["differs"].sum()
        for seed in range(5)
    ]
    assert found == [0] * 5


def test_find_mix_cannot_tell_from_one_stretch(arrivals_of):
    mix, _ = find_mix(arrivals_of([0, 60, HOUR, HOUR + 60], ["/a", "/a", "/b", "/b"]), zone=UTC)
    assert mix.select("part", "js", "p_value", "differs").rows() == [
        ("00:00", 1.0, None, None),
        ("01:00", 1.0, None, None),
    ]


def test_find_mix_compares_weeks_where_there_are_many_days(arrivals_of):
    times, endpoints = some_days(70, lambda _: 0.3, per_hour=2)
    mix, _ = find_mix(arrivals_of(times, endpoints), zone=UTC)
    weeks = mix.filter(pl.col("part_kind") == "week of")
    # From a Thursday on: the first week begins the Monday before.
    assert (weeks.height, weeks["part"][0], weeks["part"][1]) == (11, "1969-12-29", "1970-01-05")


def test_find_mix_pools_what_is_asked_for_least(arrivals_of):
    endpoints = [f"/{number:02}" for number in range(25) for _ in range(30 - number)]
    frame = arrivals_of([0] * len(endpoints), endpoints)
    _, shares = find_mix(frame, zone=UTC)
    whole = shares.filter(pl.col("part_kind") == "whole")
    assert whole["endpoint"].to_list() == [*(f"/{number:02}" for number in range(20)), "(others)"]
    assert whole["requests"][-1] == sum(30 - number for number in range(20, 25))
    assert top_endpoints(frame, 2) == ["/00", "/01"]
