from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.scenarios.guards import Subject, build_guards, building, guard_subjects
from prodintel_lib.scenarios.guards.building import NOT_ASKED
from prodintel_lib.scenarios.guards.exchanges import Recorded
from prodintel_lib.scenarios.guards.subjects import subjects_of
from tests.renderers.guard_sets import ORDER, SEARCH, SIGN_IN
from tests.scenarios.guards.productions import ROUTE, buckets, production, requests

STRUCK = buckets(20, 5)
OTHER = "POST /api/orders"


def finding(*members, number=1, named="ERROR_RATE_SPIKE", route=ROUTE, window=STRUCK, affected=()):
    """Return what guards look at in a finding; a member is a signal and a route."""
    rows = [{"signal": signal, "route": member, "is_worse": worse} for signal, member, worse in members]
    return SimpleNamespace(
        id=f"AN-{number:010x}", title="Home fails", type=named, signal=members[0][0], route=route, start_us=window.start_us,
        end_us=window.end_us, affected_routes=affected,
        series=pl.DataFrame(rows, schema={"signal": pl.String(), "route": pl.String(), "is_worse": pl.Boolean()}),
    )  # fmt: skip


@pytest.fixture
def build(monkeypatch):
    """Return a function that builds guards of findings, with the same recorded requests for every route."""
    asked = []

    def read(view, route, window, *, authorization):
        asked.append((route, window))
        return Recorded((((SIGN_IN,), SEARCH), ((SIGN_IN, SEARCH), ORDER)), (200, 201))

    monkeypatch.setattr(building, "read_exchanges", read)

    def make(seen, *findings, **options):
        return build_guards(None, SimpleNamespace(findings=findings), seen, **options)

    make.asked = asked
    return make


def test_build_guards_makes_a_guard_of_the_route_that_failed(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3))
    suite = build(seen, finding(("error_ratio", ROUTE, True)))
    (guard,) = suite.guards
    assert (guard.id, guard.kind, guard.finding_id) == ("get_api_home_error_ratio", "error_ratio", "AN-0000000001")
    assert guard.title == "GET /api/home: at most 1.7 % fail"
    assert guard.seen == "15 of 50 failed (30.0 %); before, 0 of 170 (0.0 %)"
    assert (guard.plan.healthy, guard.plan.bad) == (guard.healthy.bound, guard.anomalous.bound)
    assert [each.request for each in guard.exchanges] == ["search", "order"]
    assert set(suite.made.requests) == {"sign_in", "search", "order"}
    assert suite.made.writes(guard)
    assert suite.left_out == ()
    assert build.asked == [(ROUTE, buckets(0, 17))]


def test_build_guards_makes_one_for_each_kind_a_finding_shows(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3, slow=5))
    suite = build(seen, finding(("error_ratio", ROUTE, True), ("latency", ROUTE, True), ("latency", ROUTE, False)))
    assert [guard.id for guard in suite.guards] == ["get_api_home_error_ratio", "get_api_home_latency"]


def test_build_guards_of_a_whole_service_takes_the_routes_that_show_it_best(build):
    calm = [requests(0, 25, route=f"GET /calm/{n}", n=30) for n in range(3)]
    shown = [requests(0, 20, route=OTHER), requests(20, 5, route=OTHER, failed=5)]
    seen = production(*calm, *shown, requests(0, 20), requests(20, 5, failed=4))
    suite = build(seen, finding(("error_ratio", "", True), route=""))
    assert [guard.route for guard in suite.guards] == [OTHER, ROUTE]


def test_build_guards_leaves_out_what_no_client_can_ask_for_and_what_is_too_near(build):
    seen = production(requests(0, 20), requests(20, 5))
    suite = build(seen, finding(("saturation", "", True), number=1), finding(("error_ratio", ROUTE, True), number=2))
    assert suite.guards == ()
    assert suite.made is None
    (cannot, near) = suite.left_out
    assert cannot == ("AN-0000000001: Home fails", NOT_ASKED)
    assert near[1].startswith("error ratio: 0 of 170 were bad before it and 0 of 50 in it: by their 95 % bounds")


def test_build_guards_makes_no_second_guard_of_one_route_and_kind(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3), requests(25, 20), requests(45, 5, failed=3))
    again = finding(("error_ratio", ROUTE, True), number=2, window=buckets(45, 5))
    suite = build(seen, finding(("error_ratio", ROUTE, True)), again)
    assert len(suite.guards) == 1
    assert suite.left_out == (
        ("AN-0000000002: Home fails", "error ratio: the guard of AN-0000000001 holds for it as well."),
    )


def test_build_guards_of_at_most_so_many_findings(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3), requests(25, 20), requests(45, 5, failed=3))
    first, again = (
        finding(("error_ratio", ROUTE, True), number=n, window=buckets(20 * n + 5 * n - 5, 5)) for n in (1, 2)
    )
    suite = build(seen, first, again, most=1)
    assert [guard.finding_id for guard in suite.guards] == ["AN-0000000001"]
    assert suite.left_out == (("AN-0000000002: Home fails", "only 1 were asked for."),)


def test_build_guards_of_a_conversion_counts_the_whole_journey(build):
    steps = [
        requests(0, 20, route="GET /api/search/{shelf}"),
        requests(20, 5, route="GET /api/search/{shelf}", failed=5),
    ]
    seen = production(*steps, requests(0, 20, route=OTHER), requests(20, 5, route=OTHER))
    suite = build(seen, finding(("conversion", "", True), named="CONVERSION_DROP", route=""), converting_route=OTHER)
    (guard,) = suite.guards
    assert (guard.kind, guard.route, guard.whole) == ("conversion", OTHER, True)


def test_build_guards_of_fewer_requests_that_were_answered_makes_none(build):
    seen = production(requests(0, 20), requests(20, 5, n=1))
    suite = build(seen, finding(("throughput", ROUTE, True), named="THROUGHPUT_DROP"))
    assert suite.guards == ()


def test_build_guards_says_why_nothing_can_be_sent(monkeypatch):
    monkeypatch.setattr(building, "read_exchanges", lambda *_, **__: Recorded(why_not="nobody knows what to send."))
    seen = production(requests(0, 20), requests(20, 5, failed=3))
    subject = Subject("INC-1", "it failed", "error_ratio", STRUCK, (ROUTE,))
    suite = guard_subjects(None, seen, [subject])
    assert suite.left_out == (("INC-1: it failed", "error ratio: nobody knows what to send."),)


def test_build_guards_is_the_same_every_time(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3))
    shown = finding(("error_ratio", ROUTE, True))
    assert build(seen, shown).made.model_dump_json() == build(seen, shown).made.model_dump_json()


def test_guard_suite_shows_guards_and_what_is_left_out_escaped(build):
    seen = production(requests(0, 20), requests(20, 5, failed=3))
    shown = finding(("error_ratio", ROUTE, True), ("saturation", "", True))
    nasty = finding(("saturation", "", True), number=2)
    nasty.title = "<b>"
    html = build(seen, shown, nasty)._repr_html_()
    assert "GET /api/home: at most 1.7 % fail" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "No guard was made." in build(seen, nasty)._repr_html_()


def test_subjects_of_leaves_a_surge_of_requests_out():
    seen = production(requests(0, 20), requests(20, 5, n=50))
    surge = finding(("throughput", ROUTE, True), named="THROUGHPUT_SURGE")
    assert [subject.kind for subject in subjects_of([surge], seen)] == [None]
