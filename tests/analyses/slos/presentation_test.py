from prodintel_lib.analyses.slos import measure_slos
from prodintel_lib.analyses.slos.wording import budget_text, burn_text, foreseen_text, share_text
from prodintel_lib.windows import Window
from prodintel_lib.workspace import RouteSlo

from .made import at, make_production, make_row

DAY = 288
HOSTILE = "GET /<script>alert(1)</script>\x1b[2J\u202e\"'{{x}}"


def _report(bad, *, slos, window_end=2 * DAY, route="GET /a"):
    rows = [make_row(at(bucket), route, 100, failed) for bucket, failed in enumerate(bad)]
    production = make_production(rows, window=Window(at(DAY), at(window_end)), bucket_s=300)
    return measure_slos(production, slos, max_proposed_routes=0)


def test_slo_lines_say_what_was_kept_how_it_burns_and_what_is_foreseen():
    report = _report([0] * (2 * DAY - 12) + [16] * 12, slos=[RouteSlo(route="GET /a", availability=0.99)])
    assert report.lines() == [
        "As of 2025-09-03 00:00:00 UTC.",
        "",
        "Promised",
        "✗ GET /a: 99 % succeed",
        "    kept           99.67 % of 57,600 (98.28 % to 99.94 %)",
        "    budget left    67 %",
        "    burn           5m 16x   1h 16x   6h 2.7x   3d 0.33x",
        "    used up in     6 h: under 1 %   24 h: 3 %   28 d: not known",
        "    page 1h/5m     burns 16x over 1h, 16x over 5m: 192 of 1,200 requests; at the last hour's burn",
        "                   the rest lasts 1 d 4 h",
    ]


def test_slo_lines_say_why_nothing_is_foreseen_and_not_that_what_is_used_up_will_be():
    promised = [RouteSlo(route="GET /a", availability=0.99)]
    rows = [make_row(at(DAY), "GET /a", 100), make_row(at(DAY + 1), "GET /a", 100)]
    production = make_production(rows, window=Window(at(DAY), at(2 * DAY)), bucket_s=300)
    assert "    used up in     not known: 10 min 00 s were recorded; 6 h 00 min are needed to look so far ahead" in (
        measure_slos(production, promised).lines()
    )
    lines = _report([3] * 2 * DAY, slos=promised).lines()
    assert "    budget left    used up 3.0 times" in lines
    assert not any("used up in" in line for line in lines)


def test_slo_lines_take_one_line_for_a_proposal_that_is_kept():
    rows = [make_row(at(bucket), "GET /a", 100) for bucket in range(2 * DAY)]
    production = make_production(rows, window=Window(at(DAY), at(2 * DAY)), bucket_s=300)
    assert measure_slos(production, []).lines()[2:] == [
        "Not promised: what could be, after what was measured",
        "✓ GET /a: 99.95 % succeed   kept 100 % of 57,600",
        "✓ GET /a: 99 % within 75 ms   kept 100 % of 57,600",
    ]


def test_slo_lines_say_since_when_nothing_was_recorded():
    report = _report([0] * (DAY + 10), slos=[RouteSlo(route="GET /a", availability=0.99)])
    assert report.lines()[0].endswith(": nothing was recorded in the last 23 h 10 min of the window.")


def test_slo_lines_say_that_nothing_is_promised():
    lines = _report([0] * 2 * DAY, slos=[]).lines()
    assert "Nothing is promised in prodintel.yaml, and too little was recorded to propose anything." in lines
    assert lines[-1] == "1 more route has no promise, and too few requests or too many failures to propose one."


def test_slo_lines_fit_a_terminal_and_do_not_steer_it():
    slos = [RouteSlo(route=HOSTILE, availability=0.99), RouteSlo(route="GET /" + "long" * 60, latency_ms=5)]
    lines = _report([3] * 2 * DAY, slos=slos, route=HOSTILE).lines()
    assert max(len(line) for line in lines) <= 100
    assert all(line.isprintable() for line in lines)


def test_slo_lines_do_not_let_a_recorded_route_steer_the_terminal():
    lines = _report([0] * 2 * DAY, slos=[RouteSlo(route=HOSTILE[:-2], availability=0.99)], route=HOSTILE).lines()
    assert any("there is `GET /<script>" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_slo_markup_escapes_routes_and_holds_the_denominator():
    html = _report([3] * 2 * DAY, slos=[RouteSlo(route=HOSTILE, availability=0.99)], route=HOSTILE)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "n 57,600" in html
    assert "Recorded: 48 h of 28 days" in html


def test_slo_markup_says_already_of_what_is_used_up():
    spent = _report([3] * 2 * DAY, slos=[RouteSlo(route="GET /a", availability=0.99)])._repr_html_()
    assert spent.count(">already</td>") == 1
    kept = _report([0] * 2 * DAY, slos=[RouteSlo(route="GET /a", availability=0.99)])._repr_html_()
    assert "already" not in kept
    assert "under 1 %" in kept


def test_slo_markup_says_that_nothing_is_promised():
    assert "Nothing is promised in prodintel.yaml" in _report([0] * 2 * DAY, slos=[])._repr_html_()


def test_slo_words_are_no_surer_than_the_figures():
    assert [burn_text(burn) for burn in (None, 0.0, 0.333, 16.04, float("inf"))] == [
        "not known",
        "0x",
        "0.33x",
        "16x",
        "without limit",
    ]
    assert [budget_text(left) for left in (None, 0.672, -0.5, -2.04, float("-inf"))] == [
        "not known",
        "67 %",
        "used up 1.5 times",
        "used up 3.0 times",
        "used up",
    ]
    assert [foreseen_text(chance) for chance in (None, 0.001, 0.249, 0.999, 1.0)] == [
        "not known",
        "under 1 %",
        "25 %",
        "99 %",
        "certain",
    ]
    assert [share_text(share) for share in (0.9912, 0.999996, 1.0)] == ["99.12 %", "99.9996 %", "100 %"]
