from prodintel_lib.scenarios.ui_clients import client_of, draws, with_failing_requests
from prodintel_lib.scenarios.ui_events import read_moments
from prodintel_lib.scenarios.ui_model import Client
from tests.scenarios.ui_sessions import SAFARI, request, session, view


def test_client_of_is_the_sessions_client():
    events = session(view(0, "/"))

    assert client_of(events, as_browser=True) == Client(
        user_agent=SAFARI,
        viewport_width_px=390,
        viewport_height_px=844,
        is_mobile=True,
        locale="en-GB",
        timezone="Europe/London",
    )
    assert client_of(events, as_browser=False).user_agent is None


def test_client_of_leaves_out_what_no_browser_takes():
    strange = {
        "browser_language": "en'; --",
        "timezone_name": "Mars/Olympus",
        "viewport_width_px": 0,
        "viewport_height_px": None,
        "device_type": "tv",
    }

    assert client_of(session(view(0, "/"), **strange), as_browser=False) == Client()


def test_client_of_takes_the_first_language_of_a_list():
    events = session(view(0, "/"), browser_language="de_DE,de;q=0.9")

    assert client_of(events, as_browser=False).locale == "de-DE"


def test_draws_are_those_of_the_generator():
    # Park and Miller's check value: from seed 1, the 10,000th number is 399268537.
    state = 1
    for _ in range(10_000):
        state = state * 48_271 % 2_147_483_647
    assert state == 399_268_537
    second = 48_271 * 48_271 % 2_147_483_647 / 2_147_483_647
    assert draws(1, second + 1e-12, 1) == [True]
    assert draws(1, second - 1e-12, 1) == [False]


def test_draws_have_their_rate():
    assert abs(sum(draws(7, 0.3, 10_000)) / 10_000 - 0.3) < 0.015


def test_with_failing_requests_lets_the_same_requests_fail():
    events = session(view(0, "/"), *(request(n, "/", status) for n, status in enumerate([200, 200, None, 200, 500])))
    client = with_failing_requests(Client(), read_moments(events), rate=0.3)

    assert draws(client.seed, 0.3, 5) == [False, False, True, False, True]
    assert client.request_failure_rate == 0.3
