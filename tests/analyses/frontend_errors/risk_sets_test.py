import random
from collections import Counter

import polars as pl

from prodintel_lib.analyses.frontend_errors.risk_sets import ALIKE, tally_risks

CLIENT = {"device_type": "mobile", "region": "DE", "browser_name": "Safari", "user_is_new": "new"}


def tally(views, met, converted):
    """Count sessions of one kind of client: views by session, what they met, and who converted."""
    rows = [(key, number, route) for key, routes in views.items() for number, route in enumerate(routes, start=1)]
    met_schema = {
        "pattern_id": pl.String,
        "session_key": pl.String,
        "first_view_no": pl.Int64,
        "before_conversion": pl.Boolean,
    }
    return tally_risks(
        pl.DataFrame(rows, schema={"session_key": pl.String, "view_no": pl.Int64, "route": pl.String}, orient="row"),
        pl.DataFrame(met, schema=met_schema, orient="row"),
        pl.DataFrame([{"session_key": key, "converted": key in converted, **CLIENT} for key in views]),
    )


def test_tally_risks_counts_the_meeting_once_and_takes_later_views_out():
    risks = tally({"a": ["/", "/cart", "/cart"], "b": ["/", "/cart"]}, [("E", "a", 2, True)], converted={"b"})
    assert risks.at_risk.drop(ALIKE).rows() == [
        ("/", 1, 2, 1, 5, 2),
        ("/cart", 2, 2, 1, 5, 3),
        ("/cart", 3, 1, 0, 3, 2),
    ]
    assert risks.met.drop(ALIKE).rows() == [("E", "/cart", 2, 1, 0, 0, 0), ("E", "/cart", 3, 0, 0, 1, 0)]


def test_tally_risks_takes_the_first_of_several_meetings_and_those_before_the_first_view():
    met = [("E", "a", 3, True), ("E", "a", 2, True), ("F", "a", 0, True), ("G", "a", 1, False)]
    risks = tally({"a": ["/", "/b", "/c"]}, met, converted={"a"})
    assert risks.met.filter(pl.col("exposed") > 0).select("pattern_id", "route", "exposed_converted").rows() == [
        ("E", "/b", 1),
        ("F", "/", 1),
    ]


def test_tally_risks_puts_late_views_into_bands():
    risks = tally({"a": ["/"] * 30}, [], converted=set())
    assert dict(risks.at_risk.select("band", "views").iter_rows()) == {
        1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 8: 3, 11: 5, 16: 10, 26: 5,
    }  # fmt: skip


def test_tally_risks_of_disjoint_sessions_add_up_to_that_of_all_and_match_a_naive_count():
    chance = random.Random(3)
    views = {f"s{n}": [chance.choice("/abc") for _ in range(chance.randrange(1, 9))] for n in range(200)}
    met = [("E", key, chance.randrange(1, len(path) + 1), True) for key, path in views.items() if chance.random() < 0.5]
    converted = {key for key in views if chance.random() < 0.3}
    halves = [{key: path for key, path in views.items() if int(key[1:]) % 2 == part} for part in (0, 1)]
    parts = [tally(half, [row for row in met if row[1] in half], converted) for half in halves]
    whole = tally(views, met, converted)
    added = parts[0] + parts[1]
    assert added.at_risk.equals(whole.at_risk)
    assert added.met.equals(whole.met)
    first = {key: number for _, key, number, _ in met}
    naive = Counter(
        (path[number - 1], min(number, 5) if number < 6 else 6 if number < 8 else 8)
        for key, path in views.items()
        for number in range(1, len(path) + 1)
        if number == first.get(key)
    )
    found = whole.met.filter(pl.col("exposed") > 0).select("route", "band", "exposed")
    assert {(route, band): count for route, band, count in found.iter_rows()} == dict(naive)
