import json

import polars as pl
import pytest

from prodintel_lib.analyses.load import gather_load, gather_steps
from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.load_model import exchanges as reading
from prodintel_lib.scenarios.load_model import flat_rows, gather_exchanges
from prodintel_lib.scenarios.model import Extracted
from prodintel_lib.windows import Window

S = 1_000_000
START = 2 * 86_400 * S
WINDOW = Window(START, START + 3600 * S)


def span(number, at_s, **row):
    return {
        "time_us": START + at_s * S,
        "duration_ms": 10.0,
        "trace_id": f"t{number}",
        "span_id": f"s{number}",
        "span_kind": "server",
        "service_name": "shop",
        "http_request_method": "GET",
        "http_route": "/",
        "url_path": "/",
        "http_response_status_code": 200,
        "session_id": "ses_aaaa",
        **row,
    }


def event(at_s, **row):
    return {
        "time_us": START + at_s * S,
        "event_kind": "request",
        "user_bucket": 0,
        "visitor_id": "vis_aaaa",
        "http_request_method": "GET",
        "http_response_status_code": 200,
        **row,
    }


def gathered(view, source="spans", **options):
    return gather_exchanges(view, window=WINDOW, source=source, **options)


def test_gather_exchanges_reads_what_was_sent(view_of):
    headers = json.dumps(
        {"http.request.header.accept-language": ["de"], "http.request.header.cookie": ["c=1"], "x": "y"}
    )
    view = view_of(
        spans=[
            span(1, 5, url_query="?q=tea", attributes=headers),
            span(2, 1, http_request_method="POST", http_route="/orders", url_path="/orders",
                 http_request_body='{"n": 1}', http_response_body='{"id": "ord_1"}', http_response_status_code=201),
            span(3, 2, url_path=None), span(4, 3, url_path=None, http_route="/p/{id}"),
            span(5, 6, http_route=None, span_name="tick", http_request_method=None),
        ]
    )  # fmt: skip
    (visitor,) = gathered(view).visitors
    assert [(one.endpoint, one.body_is, one.answer_captured, one.request.path) for one in visitor] == [
        ("POST /orders", "json", True, "/orders"),
        ("GET /", "unknown", False, "/"),
        ("GET /", "unknown", False, "/"),
    ]
    assert visitor[0].request.body == {"n": 1}
    assert visitor[2].request.query == (("q", "tea"),)
    assert visitor[2].request.headers == (("accept-language", "de"),)
    # Answers are read for what they give, and not kept.
    assert visitor[0].request.answer is None


def test_gather_exchanges_counts_all_answers_of_the_window(view_of):
    view = view_of(
        spans=[span(1, 5), span(2, 6, session_id=None), span(3, 7, http_response_status_code=503), span(4, 4000)]
    )
    counted = gathered(view).answers.select("endpoint", "method", "status", "failed", "requests")
    assert counted.rows() == [("GET /", "GET", 200, False, 2), ("GET /", "GET", 503, True, 1)]


def test_gather_exchanges_calls_endpoints_as_steps_do(view_of):
    rows = [span(1, 0), span(2, 1, http_route="/who/jane@corp-mail.com", url_path="/who/jane@corp-mail.com"),
            span(3, 2, http_route=None, span_name="GET")]  # fmt: skip
    view = view_of(spans=rows)
    steps = gather_steps(view, window=WINDOW, source="spans")
    found = gathered(view)
    assert {one.endpoint for visitor in found.visitors for one in visitor} == set(steps["endpoint"])
    assert set(found.answers["endpoint"]) == set(steps["endpoint"])
    assert "jane" not in str(found)


def test_gather_exchanges_leaves_no_id_of_a_user_in_a_path(view_of):
    def visit(number, at_s):
        user, session = f"user-{number}-private", f"ses_{number}_private"
        common = {"session_id": session, "user_id": user}
        return [
            span(10 * number, at_s, http_request_method="POST", http_route="/in", url_path="/in",
                 http_request_body="{}", http_response_body=json.dumps({"user_id": user}), **common),
            span(10 * number + 1, at_s + 1, http_route="/users/{id}", url_path=f"/users/{user}", **common),
            span(10 * number + 2, at_s + 2, http_request_method="POST", http_route="/log", url_path="/log",
                 http_request_body=json.dumps({"who": [user, session]}), **common),
        ]  # fmt: skip

    found = gathered(view_of(spans=[row for number in range(3) for row in visit(number, 10 * number)]))
    # The answer's field is called an id and has a stand-in, the path has none: it is traced nevertheless.
    assert Extracted(name="user_id") in found.flows.origins.values()
    assert "private" not in str(found)
    (path,) = {one.request.path for one in found.visitors[0] if one.endpoint == "GET /users/{id}"}
    assert path.startswith("/users/")


@pytest.mark.parametrize(
    ("body", "size", "kind"),
    [(None, None, "unknown"), (None, 0, "none"), (None, 3, "unknown"), ("", None, "none"), ("a=1", None, "other"),
     ('{"a": 1', None, "other"), ("[]", None, "json")],
)  # fmt: skip
def test_gather_exchanges_tells_no_body_from_an_unknown_one(view_of, body, size, kind):
    attributes = None if size is None else json.dumps({"http.request.body.size": size}, separators=(",", ":"))
    view = view_of(spans=[span(1, 0, http_request_body=body, attributes=attributes)])
    assert gathered(view).visitors[0][0].body_is == kind


def test_gather_exchanges_of_browsers_takes_the_requests_own_address(view_of):
    view = view_of(
        rum_events=[
            event(0, event_kind="view", url_path="/page", url_query="a=1"),
            event(1, request_path="/api/7", url_path="/page", url_query="a=1", attributes='{"request_query":"b=2"}'),
            event(
                2, request_path="/api/8", url_path="/page", attributes='{"url.full":"https://shop.example/api/8?c=3"}'
            ),
            event(3, event_kind="click", request_path="/api/9"),
        ]
    )
    (visitor,) = gathered(view, "rum").visitors
    assert [(one.request.path, one.request.query) for one in visitor] == [
        ("/page", (("a", "1"),)),
        ("/api/7", (("b", "2"),)),
        ("/api/8", (("c", "3"),)),
    ]


def test_gather_exchanges_calls_requests_of_browsers_by_the_routes_given(view_of):
    view = view_of(rum_events=[event(number, request_path=f"/orders/{10_000 + number}") for number in range(5)])
    load = gather_load(view, window=WINDOW, source="rum")
    (visitor,) = gathered(view, "rum", routes=load.routes).visitors
    assert {one.endpoint for one in visitor} == {"GET /orders/{id}"}
    assert {one.request.route for one in visitor} == {"/orders/{id}"}
    assert visitor[0].request.path == "/orders/10000"


def test_gather_exchanges_samples_evenly_and_keeps_rare_endpoints(view_of, monkeypatch):
    monkeypatch.setattr(reading, "MIN_OF_ENDPOINT", 1)
    rows = [span(number, number, session_id=f"ses_{number:04d}") for number in range(40)]
    rows.append(span(99, 7, session_id="ses_0007", http_route="/rare", url_path="/rare"))
    found = gathered(view_of(spans=rows), max_sessions=5)
    times_s = [visitor[0].request.time_us // S - START // S for visitor in found.visitors]
    assert len(times_s) == 5
    assert 7 in times_s
    # One of each third of the time at least.
    assert {time_s // 14 for time_s in times_s} == {0, 1, 2}


def test_gather_exchanges_reads_the_first_requests_of_a_visitor(view_of, monkeypatch):
    monkeypatch.setattr(flat_rows, "MAX_PER_VISITOR", 2)
    found = gathered(view_of(spans=[span(number, 9 - number) for number in range(4)]))
    assert [one.request.time_us // S - START // S for one in found.visitors[0]] == [6, 7]


def test_gather_exchanges_needs_visitors(view_of):
    with pytest.raises(NoDataError, match="names its visitor"):
        gathered(view_of(spans=[span(1, 0, session_id=None)]))


def test_gather_exchanges_gives_the_same_twice(view_of):
    view = view_of(spans=[span(number, number % 3, session_id=f"ses_{number % 4}") for number in range(20)])
    first, second = gathered(view), gathered(view)
    assert first.visitors == second.visitors
    assert pl.DataFrame.equals(first.answers, second.answers)
