import random

import polars as pl
import pytest

from prodintel_lib.analyses.journeys import analyse_journeys
from prodintel_lib.analyses.journeys.machines import Machines, find_machines, judge_rhythms
from prodintel_lib.windows import Window

S = 1_000_000
START = 20_000 * 86_400 * S
WINDOW = Window(START, START + 86_400 * S)


def visits(visitor, gaps_s, *, pages=None):
    """Make the views of a visitor: one more than there are gaps."""
    rows, at = [], START
    for number, gap_s in enumerate([*gaps_s, 0]):
        path = f"/p/{number % (pages or 10_000)}"
        rows.append({"visitor_id": visitor, "time_us": at, "url_path": path})
        at += round(gap_s * S)
    return pl.DataFrame(rows)


def steady(count, *, seed=1, spread=0.05):
    chance = random.Random(seed)
    return [2 + chance.uniform(-spread, spread) for _ in range(count)]


def judged(events):
    return judge_rhythms(events, gap_min=30).frame["visitor_id"].to_list()


def test_judge_rhythms_finds_the_steady_walk_through_many_pages():
    frame = judge_rhythms(visits("m", steady(60)), gap_min=30).frame
    assert frame.select("visitor_id", "views", "pages").rows() == [("m", 61, 61)]
    assert frame["gap_mean_s"][0] == pytest.approx(2.0, abs=0.02)
    assert frame["gap_variation"][0] < 0.03


@pytest.mark.parametrize(
    "events",
    [
        visits("few views", steady(28)),
        visits("one page again and again", steady(60), pages=40),
        visits("no rhythm", steady(60, spread=1.5)),
    ],
    ids=lambda events: events["visitor_id"][0],
)
def test_judge_rhythms_leaves_everybody_else_alone(events):
    assert judged(events) == []


def test_judge_rhythms_draws_its_lines_where_it_says():
    assert judged(visits("thirty", steady(29))) == ["thirty"]
    assert judged(visits("four of five new", steady(59), pages=48)) == ["four of five new"]
    assert judged(visits("varies by less than a fifth", [1.0, 1.45] * 30)) == ["varies by less than a fifth"]
    assert judged(visits("varies by more", [1.0, 1.6] * 30)) == []


def test_judge_rhythms_counts_a_break_for_nothing():
    assert judged(visits("pauses", [*steady(30), 40 * 60, *steady(30)])) == ["pauses"]
    assert judged(visits("pauses", [*steady(30), 20 * 60, *steady(30)])) == []


def test_judge_rhythms_takes_no_person_for_a_machine():
    chance = random.Random(7)
    people = [visits(f"p{n}", [chance.lognormvariate(2.5, 0.8) for _ in range(60)]) for n in range(300)]
    assert judged(pl.concat(people)) == []


def test_judge_rhythms_of_views_at_one_moment_finds_nothing():
    assert judged(visits("all at once", [0.0] * 60)) == []


def test_find_machines_looks_at_undeclared_visitors_of_the_window(view_of):
    def rows(visitor, **more):
        events = visits(visitor, steady(40))
        return [{**row, "event_kind": "view", **more} for row in events.iter_rows(named=True)]

    later = [{**row, "time_us": row["time_us"] + 3 * 86_400 * S} for row in rows("late")]
    acts = [*rows("acts"), {"visitor_id": "acts", "time_us": START + 5 * S, "event_kind": "action"}]
    view = view_of([*rows("poses"), *rows("declared", user_agent_synthetic_type="bot"), *later, *acts])
    machines = find_machines(view, WINDOW, gap_min=30)
    assert machines.frame["visitor_id"].to_list() == ["poses"]
    assert machines.events == 41
    assert machines.sentence().startswith(
        "1 visitor has the rhythm of a machine, and their 41 page views are left out of all else"
    )
    kept = machines.left_in(view.workspace.scan("rum_events")).to_native().collect()
    assert set(kept["visitor_id"]) == {"declared", "late", "acts"}


def test_machines_of_none_say_the_rule(view_of):
    machines = find_machines(view_of([{"visitor_id": "a", "time_us": START}]), WINDOW, gap_min=30)
    assert isinstance(machines, Machines)
    assert machines.events == 0
    assert machines._repr_html_().startswith('<p class="say">No visitor has the rhythm of a machine: 30 page views')


def test_analyse_journeys_leaves_machines_out_and_counts_their_events(view_of):
    poses = [{**row, "event_kind": "view"} for row in visits("poses", steady(40)).iter_rows(named=True)]
    person = [{"visitor_id": "p", "time_us": START + at * S, "url_path": path} for at, path in ((0, "/"), (9, "/cart"))]
    found = analyse_journeys(view_of([*poses, *person]), window=WINDOW, min_sessions=1)
    assert (found.counts.events, found.counts.machine_events, found.counts.sessions, found.counts.views) == (
        43,
        41,
        1,
        2,
    )
    assert found.journeys.frame["path"].to_list() == ["/ > /cart"]
    assert found.machines.frame["visitor_id"].to_list() == ["poses"]
    assert found.experiments is None, "without a conversion there is nothing to compare"
