import random

import polars as pl
import pytest

from prodintel_lib.analyses.journeys import analyse_journeys, passes, read_session
from prodintel_lib.analyses.journeys.analysis import JourneyFindings
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import Window

S = 1_000_000
DAY_US = 86_400 * S
START = 20_000 * DAY_US
WINDOW = Window(START, START + 7 * DAY_US)


def view(visitor, at_s, path, **more):
    return {"visitor_id": visitor, "time_us": START + int(at_s * S), "url_path": path, **more}


def small_shop():
    """Five visitors: three ways through the site, one that converts, one who comes back, and a machine."""
    return [
        view("a", 0, "/"),
        view("a", 10, "/p/10"),
        view("a", 40, "/p/11"),
        view("b", 0, "/"),
        view("b", 20, "/p/12"),
        view("b", 3600, "/p/10"),
        view("b", 3610, "/cart"),
        {**view("b", 3620, "/cart"), "event_kind": "custom", "event_name": "purchase"},
        view("c", 5, "/"),
        view("d", 5, "/"),
        {**view("d", 6, "/"), "event_kind": "action", "action_type": "click"},
        view("m", 5, "/", user_agent_synthetic_type="bot"),
    ]


def analyse(view, **options) -> JourneyFindings:
    return analyse_journeys(view, **{"window": WINDOW, "conversions": ["purchase"], "min_sessions": 1, **options})


def test_analyse_journeys_counts_people_and_machines(view_of):
    counts = analyse(view_of(small_shop())).counts
    assert (counts.events, counts.machine_events, counts.sessions, counts.visitors) == (12, 1, 5, 4)
    assert (counts.views, counts.actions, counts.converted, counts.without_views) == (9, 1, 1, 0)
    assert counts.duration_mean_s == pytest.approx((40 + 20 + 20 + 0 + 1) / 5)
    assert str(counts.conversion).startswith("1 of 5 (20.0 %")


def test_analyse_journeys_ranks_the_ways_through_the_site(view_of):
    journeys = analyse(view_of(small_shop()), top=2).journeys
    assert journeys.frame.select("path", "steps", "sessions", "share", "converted").rows() == [
        ("/", 1, 2, 0.4, 0),
        ("/ > /p/{id}", 2, 2, 0.4, 0),
        ("/p/{id} > /cart", 2, 1, 0.2, 1),
    ], "two are the most frequent, and half as many more lead to the most conversions"
    assert journeys.frame["duration_mean_s"].to_list()[:2] == [0.5, 30.0]
    assert journeys.frame["share_low"].round(4).to_list()[:2] == [0.1176, 0.1176]
    assert journeys.frame["is_rare"].to_list() == [True, True, True]
    others = (journeys.variants, journeys.other_variants, journeys.other_sessions, journeys.other_converted)
    assert others == (3, 0, 0, 0)


def test_analyse_journeys_lists_what_converts_only_where_something_does(view_of):
    journeys = analyse(view_of(small_shop()), top=2, conversions=[]).journeys
    assert journeys.frame["path"].to_list() == ["/", "/ > /p/{id}"]
    assert (journeys.other_variants, journeys.other_sessions, journeys.other_converted) == (1, 1, None)


def test_analyse_journeys_calls_rare_ways_other(view_of):
    journeys = analyse(view_of(small_shop()), min_sessions=2).journeys
    assert journeys.frame["path"].to_list() == ["/", "/ > /p/{id}"]
    assert "other (1 journeys)" in journeys._repr_html_()


def test_analyse_journeys_follows_pages(view_of):
    flow = analyse(view_of(small_shop())).flow
    assert flow.graph.rows() == [("/", "/p/{id}", 2, 2), ("/p/{id}", "/cart", 1, 1)]
    assert flow.steps.rows() == [
        (1, "/", 4, 2, 2),
        (1, "/p/{id}", 1, 0, 0),
        (2, "/p/{id}", 2, 2, 2),
        (2, "/cart", 1, 1, 0),
    ]
    assert flow.edges.filter(pl.col("to_route").is_null())["sessions"].to_list() == [2, 2, 1]


def test_analyse_journeys_says_where_they_went_and_who_came_back(view_of):
    after = analyse(view_of(small_shop())).after_drop
    assert after.went.rows() == [("/", None, 2, 0.5), ("/", "/p/{id}", 2, 0.5), ("/p/{id}", None, 2, 1.0)]
    returns = after.returns.select("exit_route", "dropped", "came_back", "converted_then")
    assert returns.rows() == [("/", 2, 0, 0), ("/p/{id}", 2, 1, 1)]
    assert after.returns["hours_median"][1] == pytest.approx(3580 / 3600, rel=0.01)
    assert after.entries.rows() == [("/p/{id}", "/p/{id}", 1, 1)]


def test_analyse_journeys_of_a_feature_leaves_other_sessions_out(view_of):
    found = analyse(view_of(small_shop()), feature="CART")
    assert found.counts.sessions == 5
    assert (found.journeys.sessions, found.journeys.frame["path"].to_list()) == (1, ["/p/{id} > /cart"])
    assert found.flow.graph.rows() == [("/p/{id}", "/cart", 1, 1)]


def test_analyse_journeys_without_conversions_says_nothing_of_them(view_of):
    found = analyse(view_of(small_shop()), conversions=[])
    assert found.counts.converted is None
    assert found.counts.conversion is None
    assert found.journeys.frame["conversion"].to_list() == [None, None, None]
    assert found.journeys.other_converted is None
    assert found.after_drop.returns["dropped"].sum() == 5


def test_analyse_journeys_lists_the_templates_it_learned(view_of):
    assert analyse(view_of(small_shop())).routes.rows() == [("/p/{id}", 3, 4)]


def test_analyse_journeys_lets_no_address_out(view_of):
    rows = [view("v", n, path) for n, path in enumerate(["/mail?to", "/u/jane.doe@gmail.com", "/x"])]
    found = analyse(view_of(rows))
    pages = [found.journeys.frame["path"], found.flow.graph["from_route"], found.drop_offs.steps["route"]]
    assert not any("jane" in text for series in pages for text in series)


def test_analyse_journeys_of_a_window_without_events_says_so(view_of):
    view = view_of(small_shop())
    with pytest.raises(NoDataError, match="No event of a user was recorded in 2023-12-09"):
        analyse(view, window=Window(WINDOW.start_us - 300 * DAY_US, WINDOW.start_us - 299 * DAY_US))


def test_analyse_journeys_of_machines_alone_counts_them(view_of):
    with pytest.raises(NoDataError, match=r"\(1 events are of machines\)"):
        analyse(view_of([view("m", 5, "/", user_agent_synthetic_type="bot")]))


def test_analyse_journeys_of_an_unknown_feature_says_so(view_of):
    with pytest.raises(NoDataError, match="None of the 5 sessions saw a page whose route holds `wishlist`"):
        analyse(view_of(small_shop()), feature="wishlist")


@pytest.mark.parametrize("name", ["gap_min", "top", "min_sessions"])
def test_analyse_journeys_refuses_nonsense(view_of, name):
    with pytest.raises(ParameterError, match=f"`{name}` must be positive; it is 0"):
        analyse(view_of(small_shop()), **{name: 0})


def planted_shop(seed, *, sessions=3000):
    """Make a shop where errors on the payment page and a slow cart drive users away, and nothing else does.

    Half the payment errors come with a failed request. Phones meet more errors and convert less, everywhere.
    """
    chance = random.Random(seed)
    rows = []
    for number in range(sessions):
        visitor, at = f"v{number}", chance.uniform(0, 6 * 86_400)
        device = chance.choice(["mobile", "desktop"])
        weary = 0.15 if device == "mobile" else 0.05
        for page in ("/", "/product", "/cart", "/payment"):
            slow = chance.random() < 0.15
            stay_s = chance.expovariate(1 / 20) + 2
            rows.append(view(visitor, at, page, device_type=device, duration_ms=5000.0 if slow else 900.0))
            risk = weary + (0.35 if slow and page == "/cart" else 0)
            if chance.random() < (0.2 if device == "mobile" else 0.05):
                moment = at + chance.uniform(0, stay_s)
                rows.append({**view(visitor, moment, page), "event_kind": "error"})
                if page == "/payment":
                    risk += 0.5
            if chance.random() < risk:
                break
            at += stay_s
        else:
            rows.append({**view(visitor, at, "/payment"), "event_kind": "custom", "event_name": "purchase"})
    return rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_analyse_journeys_finds_the_planted_reasons_and_no_others(view_of, seed):
    found = analyse(view_of(planted_shop(seed))).drop_offs
    assert sorted(found.causes.select("route", "reason").rows()) == [("/cart", "slow page"), ("/payment", "error")]
    slow = found.causes.filter(pl.col("route") == "/cart").row(0, named=True)
    assert slow["low"] <= 0.35 <= slow["high"]


def comparable(found):
    return {
        "counts": found.counts.breakdown,
        "journeys": found.journeys.frame,
        "graph": found.flow.graph,
        "edges": found.flow.edges,
        "steps": found.drop_offs.steps,
        "reasons": found.drop_offs.reasons,
        "returns": found.after_drop.returns,
        "went": found.after_drop.went,
        "exemplars": found.exemplars.frame,
    }


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def test_analyse_journeys_finds_the_same_on_every_engine(view_of, engine, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    rows = planted_shop(4, sessions=400)
    expected = comparable(analyse(view_of(rows)))
    found = comparable(analyse(view_of(rows, engine=engine)))
    for name, frame in expected.items():
        floats = pl.selectors.float().round(9)
        assert found[name].with_columns(floats).equals(frame.with_columns(floats), null_equal=True), name


def test_analyse_journeys_finds_the_same_part_by_part(view_of, monkeypatch):
    view = view_of(planted_shop(5, sessions=400))
    expected = comparable(analyse(view))
    monkeypatch.setattr(passes, "ROWS_AT_ONCE", 50)
    found = comparable(analyse(view))
    assert passes.choose_slices(2000, is_native=True)[-1] == passes.Slice(15, 2, 3)
    # What a page's window is learned from is then a part; the rest is sums.
    for name in ("counts", "journeys", "graph", "edges", "returns", "went"):
        floats = pl.selectors.float().round(9)
        assert found[name].with_columns(floats).equals(expected[name].with_columns(floats), null_equal=True), name


def test_analyse_journeys_names_sessions_that_can_be_read(view_of):
    view = view_of(planted_shop(6, sessions=200))
    found = analyse(view, min_sessions=5)
    chosen = found.exemplars.frame.filter(pl.col("rank") == 1)
    assert chosen["journey_id"].to_list() == found.journeys.frame["journey_id"].to_list()
    for row in chosen.iter_rows(named=True):
        session = read_session(view, row["session"])
        path = found.journeys.frame.filter(pl.col("journey_id") == row["journey_id"])["path"][0]
        assert " > ".join(session.steps()["route"]) == path
        assert session.duration_s == pytest.approx(row["duration_s"])


def test_findings_show_themselves(view_of):
    found = analyse(view_of(planted_shop(7, sessions=600)))
    assert "Of 600 sessions." in found.journeys._repr_html_()
    assert "raises drop-off" in found.drop_offs._repr_html_()
    for part in (found.counts, found.flow, found.after_drop, found.exemplars):
        assert "<table" in part._repr_html_()
