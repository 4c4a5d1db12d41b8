import polars as pl
import pytest

from prodintel_lib.scenarios.model import Extracted, Fresh, Masked
from prodintel_lib.scenarios.readback import learn_read_back
from prodintel_lib.scenarios.recorded import (
    Authorization,
    RecordedRequest,
    ValueIndex,
    build_requests,
    leaves,
    machine_made,
    read_recorded,
    slug,
)

AUTH = Authorization("Authorization", "Bearer ", "POST /api/sessions", "/token")


def shopper(number, *, status="paid"):
    """One session: sign in, add to the cart, order, look at the order."""
    session, order = f"sess_{number:06d}", f"ord_{number:06d}"
    return (
        request(session, 1, "POST", "/api/sessions", body={"locale": "en-GB"},
                answer={"session_id": session, "token": "[masked]"}),
        request(session, 2, "POST", "/api/cart/items", body={"product_id": f"p-{number % 3}", "quantity": 1},
                answer={"items": 1}),
        request(session, 3, "POST", "/api/orders",
                body={"payment_method": "card", "card_token": "[masked]",
                      "idempotency_key": f"7f9c24e5-2c1d-4d5e-9f00-{number:012d}"},
                answer={"order_id": order, "status": status, "amount": 10.5 + number}),
        request(session, 4, "GET", f"/api/orders/{order}", route="/api/orders/{order_id}",
                answer={"order_id": order, "status": "paid", "amount": 10.5 + number, "payments": [{"id": number}],
                        "items": [1] * (1 + number % 2)}),
    )  # fmt: skip


def request(session, time_us, method, path, *, route=None, body=None, answer=None, status=200, bad=False):
    return RecordedRequest(
        time_us, session, f"trace-{session}-{time_us}", method, route or path, path, (), status, 12.0, bad, body, answer
    )


SESSIONS = {f"sess_{n:06d}": shopper(n) for n in range(8)}


def test_build_requests_extracts_makes_fresh_and_masks():
    session = SESSIONS["sess_000003"]
    prepare, subject = build_requests(session[2], session[:2], ValueIndex(SESSIONS), authorization=AUTH)
    assert [step.id for step in prepare] == ["post_api_sessions", "post_api_cart_items"]
    assert prepare[0].extracts[0].pointer == "/token"
    assert {(part.into, part.at): part.value for part in subject.replacements} == {
        ("body", "/card_token"): Masked(name="card_token"),
        ("body", "/idempotency_key"): Fresh(format="uuid", length=36),
        ("header", "Authorization"): Extracted(name="token", prefix="Bearer "),
    }
    assert [(part.into, part.at) for part in prepare[1].replacements] == [("header", "Authorization")]


def test_build_requests_takes_a_path_value_from_the_answer_that_gave_it():
    session = SESSIONS["sess_000003"]
    prepare, subject = build_requests(session[3], session[:3], ValueIndex(SESSIONS))
    assert subject.replacements[0].at == "2"
    assert subject.replacements[0].value == Extracted(name="order_id")
    assert prepare[-1].extracts[0].pointer == "/order_id"


def test_build_requests_leaves_out_failed_attempts_and_reads():
    session = SESSIONS["sess_000003"]
    failed = request("sess_000003", 2, "POST", "/api/cart/items", body={"product_id": "p-9"}, status=500, bad=True)
    read = request("sess_000003", 2, "GET", "/api/products", answer=[])
    prepare, _ = build_requests(session[2], [session[0], failed, read], ValueIndex(SESSIONS))
    assert [step.id for step in prepare] == ["post_api_sessions"]


def test_learn_read_back_finds_constants_sameness_and_once():
    found = learn_read_back(SESSIONS, "POST /api/orders")
    assert (found.request.route, found.extract.pointer, found.pairs) == ("/api/orders/{order_id}", "/order_id", 8)
    assert [(fact.pointer, fact.check, fact.value) for fact in found.facts] == [
        ("/amount", "same_as_answer", None),
        ("/order_id", "same_as_answer", None),
        ("/payments", "length", 1),
        ("/status", "equals", "paid"),
    ]


def test_learn_read_back_passes_over_failing_creations():
    bad = {key: (*part[:2], request(key, 3, "POST", "/api/orders", answer=part[2].answer, bad=True), part[3])
           for key, part in SESSIONS.items()}  # fmt: skip
    assert learn_read_back(bad, "POST /api/orders") is None


def test_learn_read_back_needs_five():
    assert learn_read_back(dict(list(SESSIONS.items())[:4]), "POST /api/orders") is None


def test_read_recorded_groups_and_parses():
    frame = pl.DataFrame(
        {
            "time_us": [2, 1, 3],
            "duration_ms": [1.0, 1.0, 1.0],
            "session_id": ["s", "s", None],
            "trace_id": ["a", "b", "c"],
            "http_request_method": ["POST", "GET", "GET"],
            "http_route": ["/x/{id}", None, "/z"],
            "url_path": ["/x/1", "/y", "/z"],
            "url_query": [None, "?q=a%20b&q=", None],
            "http_response_status_code": [200, 200, 200],
            "http_request_body": ['{"a": [1, {"b~/": "c"}]}', "not json", None],
            "http_response_body": [None, None, None],
            "bad": [False, False, False],
        }
    )
    first, second = read_recorded(frame)["s"]
    assert (first.label, first.query, first.body) == ("GET /y", (("q", "a b"), ("q", "")), None)
    assert dict(leaves(second.body)) == {"/a/0": 1, "/a/1/b~0~1": "c"}


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("0b9f7a52-6c3e-4f0e-9a57-1d2f3c4b5a69", "uuid"),
        ("1700000000123", "digits"),
        ("9f86d081884c7d65", "hex"),
        ("ord_01HZX9K3", "text"),
        ("express", None),
        ("wireless headphones", None),
        ("2024", None),
    ],
)
def test_machine_made_knows_ids_from_words(value, made):
    found = machine_made(value)
    assert (found.format if found else None) == made


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("POST /api/orders/{order_id}", "post_api_orders_order_id"),
        ("'; import os #", "import_os"),
        ("42", "value_42"),
        ("日本", "value"),
        ("", "value"),
        ("a" * 200, "a" * 80),
    ],
)
def test_slug_is_always_a_safe_name(text, name):
    assert slug(text) == name


def test_read_recorded_keeps_captured_headers_but_no_credentials():
    row = {
        "time_us": 1, "duration_ms": 1.0, "session_id": "s", "trace_id": "t", "http_request_method": "GET",
        "http_route": "/x", "url_path": "/x", "url_query": None, "http_response_status_code": 200,
        "http_request_body": None, "http_response_body": None, "bad": False,
        "attributes": '{"http.request.header.x_region": ["eu"], "http.request.header.accept-language": "de",'
        ' "http.request.header.authorization": ["Bearer 1"], "http.request.header.x-key": ["[masked]"], "other": "x"}',
    }  # fmt: skip
    (read,) = read_recorded(pl.DataFrame([row]))["s"]
    assert read.headers == (("accept-language", "de"), ("x-region", "eu"))
    (_, built) = build_requests(read, (), ValueIndex({"s": (read,), "s2": (read,)}))
    assert built.headers == read.headers
