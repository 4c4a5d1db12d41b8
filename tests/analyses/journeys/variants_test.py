import random
from collections import Counter

import polars as pl
import pytest

from prodintel_lib.analyses.journeys.passes import Part
from prodintel_lib.analyses.journeys.variants import (
    MAX_STEPS,
    VariantCounts,
    digests_of,
    rank_journeys,
    routes_of,
    with_paths,
)

PAGES = ("/", "/cart", "/p/{id}", "/search", "a route that is too long to be held in place")


def part_of(*walks):
    """Make a part of sessions, each ``(routes, seconds, whether it converted)``."""
    steps = [(number, place, route) for number, walk in enumerate(walks) for place, route in enumerate(walk[0], 1)]
    return Part(
        pl.DataFrame(
            {
                "session_no": range(len(walks)),
                "steps": [len(routes) for routes, _, _ in walks],
                "duration_s": [float(seconds) for _, seconds, _ in walks],
                "converted": [converted for _, _, converted in walks],
            },
            schema={"session_no": pl.Int64, "steps": pl.Int64, "duration_s": pl.Float64, "converted": pl.Boolean},
        ),
        pl.DataFrame(steps, schema={"session_no": pl.Int64, "step_no": pl.Int64, "route": pl.String}, orient="row"),
    )


def counted(*parts):
    counts = VariantCounts()
    for part in parts:
        counts.add(part)
    return counts


def some_walks(seed, sessions):
    """Make walks of which many are alike and many differ in one place only; some saw no page."""
    chance = random.Random(seed)
    walks = []
    for _ in range(sessions):
        routes = [chance.choice(PAGES) for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 11, 12, 13, 14]))]
        if len(routes) > 10:
            routes[:10] = [PAGES[0], PAGES[1]] * 5
        walks.append((routes, chance.randrange(1000), chance.random() < 0.2))
    return walks


def ranked_naively(walks, *, top, least):
    """List as rank_journeys says, with a text for every journey and one sort of all of them."""
    taken = [(" > ".join(routes[:MAX_STEPS]), len(routes), converted) for routes, _, converted in walks if routes]
    sessions = Counter((path, steps) for path, steps, _ in taken)
    led = Counter((path, steps) for path, steps, converted in taken if converted)
    frequent = [key for key, n in sessions.items() if n >= least]
    first = sorted(frequent, key=lambda key: (-sessions[key], key))[:top]
    more = [key for key in sorted(frequent, key=lambda key: (-led[key], key)) if led[key] and key not in first]
    listed = sorted(first + more[: top // 2], key=lambda key: (-sessions[key], key))
    return [(*key, sessions[key], led[key]) for key in listed], sessions


@pytest.mark.parametrize(("top", "least"), [(1, 1), (4, 1), (5, 2), (7, 3), (1000, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_rank_journeys_lists_what_a_sort_of_all_texts_lists(seed, top, least):
    walks = some_walks(seed, 400)
    expected, sessions = ranked_naively(walks, top=top, least=least)
    counts = counted(part_of(*walks[:150]), part_of(*walks[150:151]), part_of(*walks[151:]))
    found = rank_journeys(counts, top=top, min_sessions=least, has_conversions=True)
    assert found.frame.select("path", "steps", "sessions", "converted").rows() == expected
    assert (found.sessions, found.variants) == (sessions.total(), len(sessions))
    assert found.other_variants == len(sessions) - len(expected)
    assert found.other_sessions == sessions.total() - sum(n for _, _, n, _ in expected)
    assert found.other_converted == sum(c for r, _, c in walks if r) - sum(led for _, _, _, led in expected)


def test_rank_journeys_tells_how_long_they_took():
    took = [([PAGES[0]], seconds, False) for seconds in (1, 2, 30, 40, 100)]
    counts = counted(part_of(*took[:2], ([], 7, False)), part_of(*took[2:]))
    (row,) = rank_journeys(counts, top=1, min_sessions=1, has_conversions=False).frame.rows(named=True)
    assert row["duration_median_s"] == pytest.approx(30, rel=0.01)
    assert row["duration_mean_s"] == pytest.approx(34.6)


@pytest.mark.parametrize(("sessions", "least"), [(5, 3), (1_000, 5), (50_000, 30)])
def test_rank_journeys_asks_for_a_part_of_the_sessions_where_nobody_says_how_many(sessions, least):
    part = part_of(*[(["/"], 1, False)] * sessions)
    assert rank_journeys(counted(part), top=1, min_sessions=None, has_conversions=False).min_sessions == least


def test_rank_journeys_of_sessions_without_a_page_lists_nothing():
    found = rank_journeys(counted(part_of(([], 3, True))), top=3, min_sessions=None, has_conversions=True)
    assert (found.frame.height, found.sessions, found.variants, found.other_converted) == (0, 0, 0, 0)


def test_rank_journeys_tells_routes_with_an_arrow_apart():
    counts = counted(part_of((["Shop > Cart", "Pay"], 1, False), (["Shop", "Cart > Pay"], 1, False)))
    frame = rank_journeys(counts, top=2, min_sessions=1, has_conversions=False).frame
    assert frame["path"].to_list() == ["Shop > Cart>Pay", "Shop>Cart > Pay"]
    assert frame["journey_id"].n_unique() == 2


def test_digests_of_tell_journeys_apart_and_know_them_again():
    walks = some_walks(9, 3000)
    for part in (part_of(*walks), part_of(*reversed(walks))):
        digests = digests_of(part)
        sessions = [number for number, steps in part.sessions.select("session_no", "steps").iter_rows() if steps]
        assert digests["session_no"].to_list() == sessions
    of_first, of_second = digests_of(part_of(*walks)), digests_of(part_of(*reversed(walks)))
    assert of_first["digest"].to_list() == of_second["digest"].reverse().to_list()
    journeys = {(tuple(routes[:MAX_STEPS]), len(routes)) for routes, _, _ in walks if routes}
    assert of_first["digest"].n_unique() == len(journeys) > 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["/", "/cart"], ["/cart", "/"]),
        (["/"], ["/", "/"]),
        ([""], ["", ""]),
        (["/", "/a"] * 6, ["/", "/a"] * 6 + ["/"]),
        (["/", "/a", "/", "/b"], ["/", "/b", "/", "/a"]),
    ],
)
def test_digests_of_differ_by_order_route_and_number(one, other):
    first, second = digests_of(part_of((one, 1, False), (other, 1, False)))["digest"]
    assert first != second


def test_digests_of_leave_out_what_comes_after_the_twelfth_step():
    early = ["/"] * MAX_STEPS
    digests = digests_of(part_of((["/", "/a"] * 6 + ["/x"], 1, False), (["/", "/a"] * 6 + ["/y"], 1, False)))["digest"]
    assert digests[0] == digests[1]
    assert digests_of(part_of((early, 1, False)))["steps"].to_list() == [MAX_STEPS]


def test_routes_of_some_sessions():
    part = part_of((["/"], 1, False), ([], 1, False), (["/a", "/b"], 1, False), (["/"] * 14, 1, False))
    found = routes_of(part, pl.Series([3, 2])).cast({"routes": pl.List(pl.String)})
    assert found.rows() == [(2, ["/a", "/b"]), (3, ["/"] * MAX_STEPS)]


def test_with_paths_of_counts():
    counts = counted(part_of((["/", "/a"], 4, True), (["/", "/a"], 6, False), (["/b"], 1, None)))
    found = with_paths(counts.journeys()).select("path", "steps", "sessions", "converted", "duration_s").sort("path")
    assert found.rows() == [("/ > /a", 2, 2, 1, 10.0), ("/b", 1, 1, 0, 1.0)]
