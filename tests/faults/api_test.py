"""The API against what Toxiproxy 2 answers: paths, status codes, error documents."""

import json
import socket

import pytest

PROXY = {"name": "db", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}


@pytest.fixture
def ask(faults):
    """Send one request; return the status and the decoded document."""

    def send(method: str, path: str, document: object = None):
        body = document if isinstance(document, str) else None if document is None else json.dumps(document)
        status, text, _ = faults.ask(method, path, body)
        return status, json.loads(text) if text else None

    return send


@pytest.fixture
def db(ask):
    status, proxy = ask("POST", "/proxies", PROXY)
    assert status == 201
    return proxy


def test_version_tells_the_request_level_toxics(faults):
    status, text, content_type = faults.ask("GET", "/version")

    assert status == 200
    assert content_type == "application/json"
    assert json.loads(text)["prodintel"] == {"http_toxics": ["http_latency", "http_status"]}


def test_create_proxy_answers_201_with_the_real_port(ask, db):
    port = int(db["listen"].removeprefix("127.0.0.1:"))
    assert db == {**PROXY, "listen": f"127.0.0.1:{port}", "enabled": True, "toxics": []}
    assert port > 0
    assert ask("GET", "/proxies/db") == (200, db)
    assert ask("GET", "/proxies") == (200, {"db": db})


@pytest.mark.parametrize(
    ("method", "path", "document", "expected"),
    [
        ("GET", "/proxies/no", None, (404, "proxy not found")),
        ("POST", "/proxies/no", {}, (404, "proxy not found")),
        ("PATCH", "/proxies/no", {}, (404, "proxy not found")),
        ("DELETE", "/proxies/no", None, (404, "proxy not found")),
        ("GET", "/proxies/no/toxics", None, (404, "proxy not found")),
        ("POST", "/proxies/no/toxics", {"type": "latency"}, (404, "proxy not found")),
        ("DELETE", "/proxies/no/toxics/x", None, (404, "proxy not found")),
        ("GET", "/proxies/db/toxics/no", None, (404, "toxic not found")),
        ("POST", "/proxies/db/toxics/no", {}, (404, "toxic not found")),
        ("PATCH", "/proxies/db/toxics/no", {}, (404, "toxic not found")),
        ("DELETE", "/proxies/db/toxics/no", None, (404, "toxic not found")),
        ("POST", "/proxies", PROXY, (409, "proxy already exists")),
        ("POST", "/proxies/db/toxics", {"type": "timeout", "name": "there"}, (409, "toxic already exists")),
        ("POST", "/proxies/db/toxics", {"type": "delay"}, (400, "invalid toxic type")),
        (
            "POST",
            "/proxies/db/toxics",
            {"type": "latency", "stream": "sideways"},
            (400, "stream was invalid, can be either upstream or downstream"),
        ),
        ("GET", "/nothing", None, (404, "page not found")),
        ("DELETE", "/proxies", None, (405, "method not allowed")),
        ("POST", "/version", None, (405, "method not allowed")),
    ],
)
def test_errors_are_those_of_toxiproxy(ask, db, method, path, document, expected):
    assert ask("POST", "/proxies/db/toxics", {"type": "latency", "name": "there"})[0] == 200
    status, error = expected

    assert ask(method, path, document) == (status, {"error": error, "status": status})


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/proxies", "{", "bad request body: Expecting property name"),
        ("POST", "/proxies", "", "bad request body: EOF"),
        ("POST", "/proxies", '{"upstream": "a:1"}', "missing required field: name"),
        ("POST", "/proxies", '{"name": "a"}', "missing required field: upstream"),
        ("POST", "/proxies", '{"name": "a", "upstream": "b"}', "bad request body: proxy: `upstream` is 'b'"),
        ("POST", "/populate", "{}", "bad request body: populate holds an object"),
        ("PATCH", "/proxies/db", '{"enabled": 3}', "bad request body: proxy db: `enabled` is 3"),
        ("PATCH", "/proxies/db", "[]", "bad request body: proxy db: a list where an object is expected"),
        ("POST", "/proxies/db/toxics", "nope", "bad request body: Expecting value"),
        (
            "POST",
            "/proxies/db/toxics",
            '{"type": "latency", "attributes": {"latncy": 1}}',
            "bad request body: Unknown attribute `latncy` in toxic type `latency`; known: jitter, latency. (did",
        ),
        ("PATCH", "/proxies/db/toxics/there", '{"attributes": {"latency": -1}}', "bad request body: `latency` of"),
    ],
)
def test_bad_bodies_are_answered_400(ask, db, method, path, body, message):
    ask("POST", "/proxies/db/toxics", {"type": "latency", "name": "there"})

    status, document = ask(method, path, body)

    assert status == 400
    assert document["status"] == 400
    assert document["error"].startswith(message)


def test_create_toxic_answers_200_with_its_defaults(ask, db):
    status, toxic = ask("POST", "/proxies/db/toxics", {"type": "latency", "attributes": {"latency": 5}})

    assert status == 200
    assert toxic == {
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1.0,
        "attributes": {"latency": 5, "jitter": 0},
    }
    assert ask("GET", "/proxies/db/toxics/latency_downstream") == (200, toxic)
    assert ask("GET", "/proxies/db/toxics") == (200, [toxic])
    assert ask("GET", "/proxies/db") == (200, {**db, "toxics": [toxic]})


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_change_toxic_keeps_what_is_left_out(ask, db, method):
    ask("POST", "/proxies/db/toxics", {"type": "latency", "attributes": {"latency": 5, "jitter": 2}})

    status, toxic = ask(method, "/proxies/db/toxics/latency_downstream", {"attributes": {"latency": 7}})

    assert status == 200
    assert toxic["attributes"] == {"latency": 7, "jitter": 2}
    assert ask("GET", "/proxies/db/toxics") == (200, [toxic])


def test_delete_toxic_answers_204(ask, db):
    ask("POST", "/proxies/db/toxics", {"type": "timeout"})

    assert ask("DELETE", "/proxies/db/toxics/timeout_downstream") == (204, None)
    assert ask("GET", "/proxies/db/toxics") == (200, [])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_change_proxy_switches_it_off_and_on(ask, db, method):
    host, port = db["listen"].split(":")

    assert ask(method, "/proxies/db", {"enabled": False}) == (200, {**db, "enabled": False})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))

    assert ask(method, "/proxies/db", {**db, "enabled": True}) == (200, db)
    socket.create_connection((host, int(port))).close()


def test_change_proxy_takes_another_upstream(ask, db):
    assert ask("PATCH", "/proxies/db", {"upstream": "127.0.0.1:10"}) == (200, {**db, "upstream": "127.0.0.1:10"})


def test_delete_proxy_answers_204_and_stops_it(ask, db):
    host, port = db["listen"].split(":")

    assert ask("DELETE", "/proxies/db") == (204, None)
    assert ask("GET", "/proxies") == (200, {})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_proxy_with_a_taken_port_answers_500(ask, db):
    status, document = ask("POST", "/proxies", {**PROXY, "name": "other", "listen": db["listen"]})

    assert status == 500
    assert document["error"].startswith(f"proxy `other` cannot listen on {db['listen']}: ")
    assert ask("GET", "/proxies/other")[0] == 404


def test_populate_answers_201_with_the_proxies(ask, db):
    off = {"name": "off", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9", "enabled": False}

    assert ask("POST", "/populate", [PROXY, off]) == (201, {"proxies": [db, {**off, "toxics": []}]})
    assert list(ask("GET", "/proxies")[1]) == ["db", "off"]


def test_reset_removes_toxics_and_switches_proxies_on(ask, db):
    ask("POST", "/proxies/db/toxics", {"type": "timeout"})
    ask("PATCH", "/proxies/db", {"enabled": False})

    assert ask("POST", "/reset") == (204, None)
    assert ask("GET", "/proxies/db") == (200, db)


def test_names_with_spaces_are_found(ask):
    assert ask("POST", "/proxies", {**PROXY, "name": "my db"})[0] == 201
    assert ask("GET", "/proxies/my%20db")[0] == 200


def test_browsers_are_refused(faults):
    status, text, _ = faults.ask("GET", "/proxies", headers={"user-agent": "Mozilla/5.0"})

    assert (status, json.loads(text)["error"]) == (403, "User agent not allowed")


def test_tally_counts_requests(ask, db):
    ask("POST", "/proxies/db/toxics", {"type": "http_latency", "attributes": {"latency_ms": 1}})

    assert ask("GET", "/proxies/db/toxics/http_latency_downstream/tally") == (
        200,
        {"requests": 0, "struck": 0, "waiting": 0},
    )


def test_requests_that_are_no_http_are_answered_400(faults, sockets):
    host, port = faults.url.removeprefix("http://").split(":")
    client = sockets.connect((host, int(port)))
    client.sendall(b"what is this\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_is_too_large_is_refused(faults, sockets):
    host, port = faults.url.removeprefix("http://").split(":")
    client = sockets.connect((host, int(port)))
    client.sendall(b"POST /proxies HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b" " * 1_100_000)
    assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
