import math

import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors.concentration import compare_parts, find_concentrations

DIMENSIONS = ("browser_name", "region")


def parts(hits, visits):
    schema = {"pattern_id": pl.String, "browser_name": pl.String, "region": pl.String, "sessions": pl.Int64}
    frames = [pl.DataFrame([("p", *row) for row in rows], schema=schema, orient="row") for rows in (hits, visits)]
    return compare_parts(*frames, dimensions=DIMENSIONS)


def test_compare_parts_gives_shares_and_ratio_of_rates():
    found = parts(
        [("Safari", "DE", 30), ("Chrome", "DE", 10)],
        [("Safari", "DE", 100), ("Chrome", "DE", 300), ("", "FR", 600)],
    )
    safari = found.filter(pl.col("value") == "Safari").row(0, named=True)
    assert (safari["hits"], safari["sessions"], safari["hit_share"], safari["traffic_share"]) == (30, 100, 0.75, 0.1)
    assert safari["ratio"] == pytest.approx(0.3 / (10 / 900))
    assert safari["low"] < safari["ratio"] < safari["high"]
    assert found.select("dimension", "value").rows() == [
        ("browser_name", "Safari"),
        ("browser_name", "Chrome"),
        ("region", "DE"),
        ("region", "FR"),
    ]


def test_compare_parts_raises_nothing_that_follows_the_traffic():
    found = parts([("Safari", "DE", 20), ("Chrome", "FR", 60)], [("Safari", "DE", 250), ("Chrome", "FR", 750)])
    assert found["is_raised"].to_list() == [False] * 4
    assert found["ratio"].to_list() == pytest.approx([1.0] * 4)


def test_compare_parts_has_no_elsewhere_for_the_only_value():
    found = parts([("Safari", "DE", 5)], [("Safari", "DE", 50)])
    assert found["ratio"].to_list() == [None, None]
    assert found["is_raised"].to_list() == [False, False]


def test_compare_parts_of_hits_in_one_place_only_is_infinite_with_a_finite_bound():
    found = parts([("Safari", "DE", 40)], [("Safari", "DE", 100), ("Chrome", "DE", 900)])
    safari = found.filter(pl.col("value") == "Safari").row(0, named=True)
    assert safari["ratio"] == math.inf
    assert 2 < safari["low"] < math.inf
    assert safari["is_raised"]


def test_find_concentrations_names_the_attribute_that_explains_most():
    found = find_concentrations(
        parts(
            [("Safari", "DE", 40), ("Chrome", "FR", 1)],
            [("Safari", "DE", 100), ("Chrome", "DE", 400), ("Chrome", "FR", 500)],
        )
    )
    assert found.select("dimension", "values", "hit_share", "traffic_share").rows() == [
        ("browser_name", "Safari", 40 / 41, 0.1)
    ]


def test_find_concentrations_puts_the_values_of_one_attribute_together():
    rows = [("Safari", "DE", 30), ("Firefox", "DE", 25), ("Chrome", "DE", 3)]
    found = find_concentrations(parts(rows, [("Safari", "DE", 100), ("Firefox", "DE", 100), ("Chrome", "DE", 800)]))
    assert found["values"].to_list() == ["Safari, Firefox"]


def test_find_concentrations_is_silent_where_the_raised_part_holds_too_little():
    rows = [("Safari", "DE", 30), ("Chrome", "DE", 70)]
    found = parts(rows, [("Safari", "DE", 30), ("Chrome", "DE", 970)])
    assert found["is_raised"].any()
    assert find_concentrations(found).is_empty()
