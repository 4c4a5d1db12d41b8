import json

import polars as pl
import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.lake import Lake, Manifest, SourceEntry
from prodintel_lib.scenarios.guards.exchanges import (
    RequestNames,
    choose_exchanges,
    evenly,
    read_exchanges,
    routes_of,
)
from prodintel_lib.scenarios.model import Request
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.tables import SPANS, conform
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

AUTH = Authorization("Authorization", "Bearer ", "POST /api/sessions", "/token")
SCHEMA = {
    "time_us": pl.Int64(), "duration_ms": pl.Float64(), "session_id": pl.String(), "trace_id": pl.String(),
    "span_id": pl.String(), "http_request_method": pl.String(), "http_route": pl.String(), "url_path": pl.String(),
    "url_query": pl.String(), "http_response_status_code": pl.Int64(), "attributes": pl.String(),
    "http_request_body": pl.String(), "http_response_body": pl.String(), "route": pl.String(), "failed": pl.Boolean(),
    "bad": pl.Boolean(),
}  # fmt: skip
ROUTE = "GET /api/search"


def row(session, second, method, path, *, query=None, body=None, answer=None, status=200, failed=False):
    return {
        "time_us": second * 1_000_000, "duration_ms": 10.0, "session_id": session, "trace_id": f"{session}-{second}",
        "span_id": "1", "http_request_method": method, "http_route": path, "url_path": path, "url_query": query,
        "http_response_status_code": status, "http_request_body": json.dumps(body) if body else None,
        "http_response_body": json.dumps(answer) if answer else None, "route": f"{method} {path}", "failed": failed,
        "bad": failed,
    }  # fmt: skip


def visit(number, *, word, **changed):
    session = f"session-{number}"
    return [
        row(session, number, "POST", "/api/sessions", body={"locale": "en"}, answer={"token": "[masked]"}),
        row(session, number + 1, "GET", "/api/search", query=f"q={word}", **changed),
    ]


def recorded(*visits):
    return pl.DataFrame([part for each in visits for part in each], schema=SCHEMA)


def test_choose_exchanges_keeps_the_mix_of_what_was_sent():
    words = ["été", "sofa", "sofa", "sofa", "lamp", "lamp", "lamp", "lamp", "lamp", "lamp"] * 10
    found = choose_exchanges(
        recorded(*(visit(n, word=word) for n, word in enumerate(words))), ROUTE, authorization=AUTH
    )
    assert len(found.built) == 40
    asked = [request.query[0][1] for _, request in found.built]
    assert {word: asked.count(word) for word in set(asked)} == {"lamp": 24, "sofa": 12, "été": 4}
    # A guard that stops early has seen a mix as well.
    assert len(set(asked[:10])) == 3


def test_choose_exchanges_prepares_what_the_request_needs():
    (built,) = choose_exchanges(recorded(visit(1, word="lamp")), ROUTE, authorization=AUTH).built
    prepare, request = built
    assert [step.id for step in prepare] == ["post_api_sessions"]
    assert request.replacements[0].at == "Authorization"
    assert routes_of([built]) == ("POST /api/sessions", ROUTE)


def test_choose_exchanges_leaves_out_failures_and_sessions_without_their_beginning():
    visits = [visit(1, word="bad", status=500, failed=True), visit(20, word="late")[1:], visit(40, word="good")]
    found = choose_exchanges(recorded(*visits), ROUTE, authorization=AUTH)
    assert [request.query[0][1] for _, request in found.built] == ["good"]
    # Without a token to learn, whoever was recorded may stand for the route.
    assert len(choose_exchanges(recorded(*visits), ROUTE, authorization=None).built) == 2


def test_choose_exchanges_tells_the_statuses_of_healthy_answers():
    visits = [visit(n, word="lamp", status=304 if n % 2 else 200) for n in range(20)]
    assert choose_exchanges(recorded(*visits), ROUTE, authorization=None).statuses == (200, 304)


def test_choose_exchanges_without_a_path_says_why_not():
    nameless = recorded(visit(1, word="lamp")).with_columns(pl.lit(None, dtype=pl.String()).alias("url_path"))
    found = choose_exchanges(nameless, ROUTE, authorization=None)
    assert found.built == ()
    assert found.why_not == "the spans of `GET /api/search` hold no method and path: nobody knows what to send."


def test_request_names_gives_one_name_to_one_request_and_none_to_two():
    names = RequestNames()
    one = Request(id="search", method="GET", route="/s", path="/s", query=(("q", "a"),))
    other = one.model_copy(update={"query": (("q", "b"),)})
    assert [names.name(each) for each in (one, other, one)] == ["search", "search_2", "search"]
    assert names.requests == {"search": one, "search_2": other}


@pytest.mark.parametrize(("n", "taken"), [(2, [2, 7]), (5, [1, 3, 5, 7, 9]), (20, list(range(10)))])
def test_evenly_takes_values_at_even_distances(n, taken):
    assert evenly(list(range(10)), n) == taken


START_US = 1_795_000_000_000_000


def opened(folder, *spans):
    """Open a lake of entry spans: session, second, method, path, body, failed."""
    rows = [
        {
            "time_us": START_US + second * 1_000_000, "duration_ms": 10.0, "trace_id": f"t{n}", "span_id": f"{n}",
            "span_name": path, "span_kind": "server", "service_name": "gateway", "session_id": session,
            "http_request_method": method, "http_route": path, "url_path": path,
            "http_response_status_code": 500 if failed else 200, "http_request_body": json.dumps(body),
            "http_response_body": "{}",
        }
        for n, (session, second, method, path, body, failed) in enumerate(spans)
    ]  # fmt: skip
    (folder / "prodintel.yaml").write_text("name: shop\n")
    lake = Lake(folder / "lake")
    files = lake.write(SPANS, conform(pl.DataFrame(rows), SPANS))
    lake.publish(Manifest(1, {"made": SourceEntry(0, 0, "0" * 64, "otlp", 0, {}, {}, 0, tuple(files))}))
    return open_view(open_workspace(folder))


def test_read_exchanges_reads_healthy_sessions_of_the_window_without_their_persons(tmp_path):
    mail = "anna.maier@kaufhaus-wien.at"
    view = opened(
        tmp_path,
        ("one", 0, "POST", "/api/profile", {"mail": mail}, False),
        ("one", 1, "GET", "/api/search", None, False),
        ("two", 2, "GET", "/api/search", None, True),
        ("three", 90, "GET", "/api/search", None, False),
    )
    window = Window(START_US, START_US + 60_000_000)
    found = read_exchanges(view, ROUTE, window, authorization=None)
    ((prepare, request),) = found.built
    assert [step.id for step in prepare] == ["post_api_profile"]
    assert request.path == "/api/search"
    assert mail not in prepare[0].model_dump_json()
    assert "mail" in prepare[0].body


def test_read_exchanges_without_a_healthy_request_says_why_not(tmp_path):
    view = opened(tmp_path, ("two", 2, "GET", "/api/search", None, True))
    found = read_exchanges(view, ROUTE, Window(START_US, START_US + 60_000_000), authorization=None)
    assert found.why_not == "no `GET /api/search` of a session without a failure was recorded before it."
