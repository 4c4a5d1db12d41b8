import polars as pl
import pytest

from prodintel_lib.errors import MissingColumnsError
from prodintel_lib.scenarios.ui_events import read_moments
from tests.scenarios.ui_sessions import act, error, request, session, view

SEARCH = {"role": "searchbox", "name": "Search"}
PAY = {"role": "button", "name": "Pay"}
CARD = {"role": "textbox", "name": "Card number"}


def told(*rows, **options):
    moments = read_moments(session(*rows), **options)
    return [(moment.kind, moment.deed or moment.message or moment.path) for moment in moments]


def test_read_moments_tells_each_entry_once():
    rows = [act(n / 10, "/", "input", value="lamp"[: n + 1], **SEARCH) for n in range(4)]
    moments = read_moments(session(view(0, "/"), act(0, "/", "click", **SEARCH), *rows))

    assert [(moment.deed, moment.value) for moment in moments] == [(None, None), ("enter", "lamp")]


def test_read_moments_drops_the_submission_that_a_click_made():
    form = {"role": "form", "name": "Search"}
    button = {"role": "button", "name": "Go"}

    assert told(view(0, "/"), act(1, "/", "click", **button), act(1.01, "/", "submit", **form)) == [
        ("view", "/"),
        ("action", "click"),
    ]
    assert told(view(0, "/"), act(1, "/", "click", **button), act(2.5, "/", "submit", **form))[2:] == [
        ("action", "submit")
    ]


def test_read_moments_takes_the_change_of_a_box_for_a_click_unless_one_made_it():
    box = {"role": "checkbox", "name": "I agree"}

    assert told(view(0, "/"), act(1, "/", "click", **box), act(1.01, "/", "change", **box))[1:] == [("action", "click")]
    assert told(view(0, "/"), act(1, "/", "change", **box))[1:] == [("action", "toggle")]


def test_read_moments_puts_the_way_back_before_the_page_it_led_to():
    rows = [view(0, "/"), view(5, "/b"), view(9, "/"), act(9.0001, "/", "back")]

    assert told(*rows)[2:] == [("action", "go_back"), ("view", "/")]


def test_read_moments_drops_clicks_on_nothing_that_led_nowhere():
    nothing = {"selector": "main > p:nth-of-type(2)"}

    assert told(view(0, "/"), act(1, "/", "click", **nothing), act(2, "/", "click", **PAY))[1:] == [("action", "click")]
    assert told(view(0, "/"), act(1, "/", "click", **nothing), view(1.2, "/b"))[1:] == [
        ("action", "click"),
        ("view", "/b"),
    ]


def refused(*again):
    return [
        view(0, "/pay"),
        act(1, "/pay", "change", **CARD),
        act(2, "/pay", "click", **PAY),
        error(2.1, "/pay", "Check the card number.", source="validation", kind="ValidationError"),
        *again,
    ]


def test_read_moments_leaves_out_what_was_refused_and_mended():
    rows = refused(act(3, "/pay", "change", **CARD), act(4, "/pay", "click", **PAY), view(4.2, "/done"))

    assert told(*rows) == [("view", "/pay"), ("action", "enter"), ("action", "click"), ("view", "/done")]
    assert len(told(*rows, mended=False)) == 7


def test_read_moments_leaves_out_the_page_a_server_refused_with():
    rows = [
        *refused()[:3],
        view(2.3, "/pay"),
        error(2.4, "/pay", "The bank refused.", source="validation"),
        act(3, "/pay", "change", **CARD),
        act(4, "/pay", "click", **PAY),
        view(4.2, "/done"),
    ]

    assert told(*rows) == [("view", "/pay"), ("action", "enter"), ("action", "click"), ("view", "/done")]


@pytest.mark.parametrize("again", [[], [act(3, "/pay", "click", **PAY)], [act(3, "/pay", "change", **CARD)]])
def test_read_moments_keeps_what_was_refused_and_never_mended(again):
    assert ("error", "Check the card number.") in told(*refused(*again))


def test_read_moments_says_which_requests_failed():
    moments = read_moments(session(view(0, "/"), *(request(1, "/", status) for status in (200, 404, 503, None))))

    assert [moment.failed for moment in moments[1:]] == [False, False, True, True]


def test_read_moments_takes_the_learned_route_before_the_sources_own():
    events = session(view(0, "/p/7", route="/p/:id")).with_columns(route=pl.lit("/p/{id}"))

    assert read_moments(events)[0].route == "/p/{id}"
    assert read_moments(events.drop("route"))[0].route == "/p/:id"


def test_read_moments_needs_the_columns_of_events():
    with pytest.raises(MissingColumnsError, match="needs columns `action_type`, `target_name`, `target_role`"):
        read_moments(session(view(0, "/")).select("time_us", "event_kind", "url_path"))


def test_read_moments_leaves_out_targets_that_nothing_finds_and_roles_nobody_knows():
    nameless, strange = act(1, "/", "click", role="button"), act(2, "/", "click", role="bouton", name="X", test_id="x")
    moments = read_moments(session(view(0, "/"), nameless, strange))

    assert [(moment.target.role, moment.target.test_id) for moment in moments[1:]] == [(None, "x")]
