import math

import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns.contexts import compare_contexts, find_places

TRAFFIC = pl.DataFrame(
    [("requests", "shop", "release", "1", 600), ("requests", "shop", "release", "2", 400)],
    schema=["unit", "service_name", "attribute", "value", "rows"],
    orient="row",
)


def contexts(rows, dispersion=1.0, traffic=TRAFFIC):
    parts = pl.DataFrame(
        [("EP-1", attribute, value, n) for attribute, value, n in rows],
        schema=["pattern_id", "attribute", "value", "rows"],
        orient="row",
    )
    patterns = pl.DataFrame(
        {"pattern_id": ["EP-1"], "service_name": ["shop"], "unit": ["requests"], "dispersion": [dispersion]}
    )
    return compare_contexts(parts, traffic, patterns)


def test_compare_contexts_gives_the_rate_here_over_the_rate_elsewhere():
    first, second = contexts([("release", "2", 90), ("release", "1", 10)]).iter_rows(named=True)
    assert (first["value"], first["share"], first["traffic"], first["share_of_all"]) == ("2", 0.9, 400, 0.4)
    assert first["ratio"] == pytest.approx((90 / 400) / (10 / 600))
    error = 2.2414027276 * math.sqrt(1 / 90.5 + 1 / 10.5)
    estimate = math.log(90.5 / 400) - math.log(10.5 / 600)
    assert first["ratio_low"] == pytest.approx(math.exp(estimate - error))
    assert first["ratio_high"] == pytest.approx(math.exp(estimate + error))
    assert second["ratio"] == pytest.approx(1 / first["ratio"])
    assert (round(first["low"], 4), round(first["high"], 4)) == (0.8256, 0.9448)


def test_compare_contexts_of_what_traffic_does_not_say_has_a_share_alone():
    (row,) = contexts([("logger", "db", 5)]).iter_rows(named=True)
    assert (row["share"], row["traffic"], row["share_of_all"], row["ratio"], row["ratio_low"]) == (
        1.0,
        None,
        None,
        None,
        None,
    )


def test_find_places_names_what_a_pattern_keeps_to():
    places = find_places(contexts([("release", "2", 90), ("release", "1", 10)]))
    assert places == {"EP-1": "release 2: 90 % of it and 40 % of the traffic, 13.5 times as often as elsewhere"}


@pytest.mark.parametrize(
    ("rows", "dispersion"),
    [
        ([("release", "2", 45), ("release", "1", 55)], 1.0),
        ([("release", "2", 6), ("release", "1", 0)], 1.0),
        ([("release", "2", 90), ("release", "1", 10)], 20.0),
        ([("route", "2", 90), ("route", "1", 10)], 1.0),
    ],
)
def test_find_places_is_silent_where_it_is_the_traffic_too_few_bursts_or_a_route(rows, dispersion):
    traffic = pl.concat([TRAFFIC, TRAFFIC.with_columns(attribute=pl.lit("route"))])
    assert find_places(contexts(rows, dispersion, traffic)) == {}
