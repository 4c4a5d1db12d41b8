"""Request-level toxics, through a real HTTP server; what waits an hour is released, never waited for."""

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from prodintel_lib.faults.sequence import is_struck, offset_of

HOUR_MS = 3_600_000


def get(connection: http.client.HTTPConnection, path: str = "/x", method: str = "GET") -> tuple[int, bytes]:
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read()


def release_by_delete(faults):
    faults.client.remove_toxic("shop", "slow")


def release_by_reset(faults):
    faults.client.reset()


def release_by_change(faults):
    faults.client.change_toxic("shop", "slow", {"rate": 0.0})


@pytest.mark.parametrize("release", [release_by_delete, release_by_reset, release_by_change])
def test_http_latency_holds_a_request_until_it_is_lifted(faults, upstream, shop, http_client, release):
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": HOUR_MS, "path_prefix": "/slow"}, name="slow")
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(get, http_client(shop), f"/slow/{number}") for number in range(2)]
        assert get(http_client(shop), "/fast") == (200, b"answer to /fast")
        assert upstream.next_seen() == "GET /fast"
        wait_until_waiting(faults, "slow", 2)
        assert upstream.seen.empty()

        release(faults)

        assert [answer.result(20) for answer in waiting] == [(200, b"answer to /slow/0"), (200, b"answer to /slow/1")]
    assert {upstream.next_seen(), upstream.next_seen()} == {"GET /slow/0", "GET /slow/1"}


def test_http_latency_answers_after_its_time(faults, shop, http_client):
    with faults.client.applied("shop", "http_latency", {"latency_ms": 30, "jitter_ms": 20}):
        assert get(http_client(shop)) == (200, b"answer to /x")


def test_http_latency_strikes_a_connection_opened_before(faults, upstream, shop, http_client):
    connection = http_client(shop)
    assert get(connection, "/before") == (200, b"answer to /before")
    assert upstream.next_seen() == "GET /before"
    with faults.client.applied("shop", "http_latency", {"latency_ms": HOUR_MS}):
        connection.request("GET", "/during")
        wait_until_waiting(faults, "http_latency_downstream", 1)
        assert upstream.seen.empty()
    assert connection.getresponse().read() == b"answer to /during"
    assert upstream.next_seen() == "GET /during"


def test_http_latency_strikes_the_requests_of_the_sequence(faults, upstream, shop, http_client):
    faults.client.add_toxic(
        "shop", "http_latency", {"latency_ms": HOUR_MS, "rate": 0.45, "seed": 7}, name="slow", stream="upstream"
    )
    struck = [index for index in range(8) if is_struck(offset_of(7, "slow"), index, 0.45)]
    connections = []
    for index in range(8):
        connections.append(http_client(shop))
        connections[-1].request("GET", f"/{index}")
        if index not in struck:
            connections[-1].getresponse().read()
            assert upstream.next_seen() == f"GET /{index}"
        else:  # its index must be drawn before the next request comes
            wait_until_waiting(faults, "slow", struck.index(index) + 1)
    assert struck == [1, 3, 4, 6]
    assert upstream.seen.empty()
    assert faults.client.tally("shop", "slow") == {"requests": 8, "struck": 4, "waiting": 4}


def test_http_latency_forgets_a_client_that_gave_up(faults, sockets):
    listener = sockets.listen()
    address = faults.add_proxy("shop", listener.getsockname())
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": HOUR_MS})
    client = sockets.connect(address)
    upstream = sockets.accept(listener)
    client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    wait_until_waiting(faults, "http_latency_downstream", 1)

    client.close()

    assert upstream.recv(100) == b""
    assert faults.client.tally("shop", "http_latency_downstream") == {"requests": 1, "struck": 1, "waiting": 0}


def test_http_latency_jitter_moves_the_wait_both_ways(faults, shop, http_client):
    with faults.client.applied("shop", "http_latency", {"latency_ms": 1, "jitter_ms": 50}):
        connection = http_client(shop)
        assert [get(connection)[0] for _ in range(5)] == [200] * 5


def test_http_status_answers_its_share(faults, upstream, shop, http_client):
    attributes = {"status": 503, "body": '{"error": "down"}', "content_type": "application/json", "rate": 0.45}
    faults.client.add_toxic("shop", "http_status", attributes)
    connection = http_client(shop)

    answers = [get(connection) for _ in range(100)]

    assert abs(answers.count((503, b'{"error": "down"}')) - 45) <= 2
    assert answers.count((200, b"answer to /x")) == upstream.seen.qsize()
    assert upstream.seen.qsize() + answers.count((503, b'{"error": "down"}')) == 100


def test_http_status_counts_only_the_requests_that_match(faults, shop, http_client):
    attributes = {"status": 500, "rate": 0.5, "method": "post", "path_prefix": "/charges"}
    faults.client.add_toxic("shop", "http_status", attributes, name="half")
    connection = http_client(shop)

    def statuses():
        for _ in range(10):
            assert get(connection, "/charges")[0] == 200
            assert get(connection, "/refunds", "POST")[0] == 200
            yield get(connection, "/charges/7", "POST")[0]

    expected = [500 if is_struck(offset_of(0, "half"), index, 0.5) else 200 for index in range(10)]
    assert list(statuses()) == expected
    assert expected == [200, 500, 500, 200, 500, 200, 500, 500, 200, 500]


def test_http_status_shows_its_type_and_reason(faults, shop, http_client):
    connection = http_client(shop)
    with faults.client.applied("shop", "http_status", {"status": 429, "body": "später"}):
        connection.request("GET", "/x")
        response = connection.getresponse()
        assert (response.status, response.reason) == (429, "Too Many Requests")
        assert response.getheader("content-type") == "text/plain; charset=utf-8"
        assert response.read().decode() == "später"
    with faults.client.applied("shop", "http_status", {"status": 599}):
        connection.request("GET", "/x")
        response = connection.getresponse()
        assert (response.status, response.reason, response.read()) == (599, "Unknown", b"")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 503), ("GET", 204), ("GET", 304)])
def test_http_status_without_body_keeps_the_connection_usable(faults, shop, http_client, method, status):
    connection = http_client(shop)
    with faults.client.applied("shop", "http_status", {"status": status, "body": "not sent"}):
        assert get(connection, method=method) == (status, b"")
        assert get(connection, method=method) == (status, b"")
    assert get(connection) == (200, b"answer to /x")


def test_http_status_sends_no_body_where_there_is_none(faults, shop, sockets, read_exactly):
    client = sockets.connect(shop)
    faults.client.add_toxic("shop", "http_status", {"status": 204, "body": "not sent", "method": "GET"}, name="get")
    faults.client.add_toxic("shop", "http_status", {"status": 500, "body": "not sent", "method": "HEAD"}, name="head")
    client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nHEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert read_exactly(client, 1000) == (
        b"HTTP/1.1 204 No Content\r\n\r\n"
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: 8\r\nconnection: close\r\n\r\n"
    )


def test_http_status_swallows_the_body_of_the_request(faults, upstream, shop, http_client):
    connection = http_client(shop)
    with faults.client.applied("shop", "http_status", {"status": 500}):
        connection.request("POST", "/charges", b"x" * 3_000_000)
        assert connection.getresponse().read() == b""
    connection.request("POST", "/charges", b"second")
    assert connection.getresponse().read() == b"second"
    assert upstream.bodies == [b"second"]


def test_http_status_closes_when_the_client_asks_before_sending_its_body(faults, shop, sockets):
    client = sockets.connect(shop)
    faults.client.add_toxic("shop", "http_status", {"status": 500})
    client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
    answer = b""
    while more := client.recv(1000):
        answer += more
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"connection: close\r\n" in answer


def test_http_status_closes_for_a_client_that_does_not_keep_alive(faults, shop, sockets):
    client = sockets.connect(shop)
    faults.client.add_toxic("shop", "http_status", {"status": 500})
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close\r\n" in client.recv(1000)
    assert client.recv(1000) == b""


def test_http_status_comes_through_the_delays_of_the_network(faults, shop, http_client):
    connection = http_client(shop)
    faults.client.add_toxic("shop", "http_status", {"status": 500})
    with faults.client.applied("shop", "latency", {"latency": HOUR_MS}), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, connection)
        wait_until(lambda: faults.client.tally("shop", "http_status_downstream")["struck"] == 1)
        assert not answer.done()
        faults.client.remove_toxic("shop", "latency_downstream")
        assert answer.result(20) == (500, b"")


def test_latency_and_status_together_answer_after_the_wait(faults, upstream, shop, http_client):
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": HOUR_MS})
    faults.client.add_toxic("shop", "http_status", {"status": 504})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, http_client(shop))
        wait_until_waiting(faults, "http_latency_downstream", 1)
        faults.client.remove_toxic("shop", "http_latency_downstream")
        assert answer.result(20) == (504, b"")
    assert upstream.seen.empty()


def test_reset_lifts_every_toxic_a_waiting_request_was_to_meet(faults, shop, http_client):
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": HOUR_MS}, name="slow")
    faults.client.add_toxic("shop", "http_status", {"status": 504})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, http_client(shop))
        wait_until_waiting(faults, "slow", 1)
        faults.client.reset()
        assert answer.result(20) == (200, b"answer to /x")


def test_changing_a_toxic_goes_on_with_its_sequence(faults, shop, http_client):
    connection = http_client(shop)
    faults.client.add_toxic("shop", "http_status", {"status": 500, "rate": 0.5}, name="half")
    before = [get(connection)[0] for _ in range(3)]
    faults.client.change_toxic("shop", "half", {"status": 503})
    after = [get(connection)[0] for _ in range(4)]

    assert before == [200, 500, 500]
    assert after == [200, 503, 200, 503]
    assert faults.client.tally("shop", "half") == {"requests": 7, "struck": 4, "waiting": 0}


def test_pipelined_requests_are_answered_in_order(faults, upstream, shop, sockets):
    faults.client.add_toxic("shop", "http_status", {"status": 500, "path_prefix": "/b"})
    client = sockets.connect(shop)
    client.sendall(b"".join(b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % name for name in (b"a", b"b", b"c", b"b", b"d")))
    reader = client.makefile("rb")
    assert [status_and_body(reader) for _ in range(5)] == [
        (200, b"answer to /a"),
        (500, b""),
        (200, b"answer to /c"),
        (500, b""),
        (200, b"answer to /d"),
    ]
    reader.close()
    assert [upstream.next_seen() for _ in range(3)] == ["GET /a", "GET /c", "GET /d"]


def test_chunked_bodies_pass_both_ways(upstream, shop, http_client):
    connection = http_client(shop)
    connection.request("POST", "/up", iter([b"one ", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"one two"
    assert get(connection, "/chunked") == (200, b"one two three")
    assert get(connection, "/after") == (200, b"answer to /after")
    assert upstream.bodies == [b"one two", b"", b""]


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/x", 200), ("GET", "/status/204", 204)])
def test_answers_without_body_leave_the_connection_usable(faults, shop, http_client, method, path, status):
    faults.client.add_toxic("shop", "http_status", {"status": 500, "path_prefix": "/struck"})
    connection = http_client(shop)
    assert get(connection, path, method) == (status, b"")
    assert get(connection, "/struck") == (500, b"")
    assert get(connection, "/after") == (200, b"answer to /after")


def test_large_bodies_pass_unchanged_while_a_toxic_is_in_force(faults, shop, http_client):
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": 1})
    connection = http_client(shop)
    body = bytes(range(256)) * 20_000
    connection.request("POST", "/up", body)
    assert connection.getresponse().read() == body


def test_continue_passes_before_the_body(faults, sockets, read_exactly):
    listener = sockets.listen()
    client = sockets.connect(faults.add_proxy("shop", listener.getsockname()))
    upstream = sockets.accept(listener)
    head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
    client.sendall(head)
    assert read_exactly(upstream, len(head)) == head
    upstream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert read_exactly(client, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"hello")
    assert read_exactly(upstream, 5) == b"hello"


def test_upgrade_ends_http_and_bytes_pass(faults, sockets, read_exactly):
    listener = sockets.listen()
    client = sockets.connect(faults.add_proxy("shop", listener.getsockname()))
    upstream = sockets.accept(listener)
    request = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    client.sendall(request + b"\x81\x01early")
    assert read_exactly(upstream, len(request)) == request
    upstream.sendall(answer)
    assert read_exactly(client, len(answer)) == answer
    assert read_exactly(upstream, 7) == b"\x81\x01early"
    faults.client.add_toxic("shop", "http_status", {"status": 500})
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert read_exactly(upstream, 16) == b"GET / HTTP/1.1\r\n"


def test_other_protocols_pass_untouched_under_http_toxics(faults, sockets, read_exactly):
    listener = sockets.listen()
    address = faults.add_proxy("shop", listener.getsockname())
    faults.client.add_toxic("shop", "http_status", {"status": 500})
    client = sockets.connect(address)
    upstream = sockets.accept(listener)
    client.sendall(b"GET key\r\n")
    assert read_exactly(upstream, 9) == b"GET key\r\n"
    upstream.sendall(b"$-1\r\n")
    assert read_exactly(client, 5) == b"$-1\r\n"


def test_client_that_ends_within_a_head_is_passed_on(faults, sockets, read_exactly):
    listener = sockets.listen()
    client = sockets.connect(faults.add_proxy("shop", listener.getsockname()))
    upstream = sockets.accept(listener)
    client.sendall(b"GET / HTTP/1.1\r\nhost")
    client.shutdown(socket.SHUT_WR)
    assert read_exactly(upstream, 100) == b"GET / HTTP/1.1\r\nhost"


def test_answer_that_ends_with_the_connection_reaches_the_client(faults, sockets, read_exactly):
    listener = sockets.listen()
    client = sockets.connect(faults.add_proxy("shop", listener.getsockname()))
    upstream = sockets.accept(listener)
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert read_exactly(upstream, 18) == b"GET / HTTP/1.0\r\n\r\n"
    upstream.sendall(b"HTTP/1.0 200 OK\r\n\r\nall there is")
    upstream.close()
    assert read_exactly(client, 1000) == b"HTTP/1.0 200 OK\r\n\r\nall there is"


def test_many_clients_at_once_all_get_their_own_answer(faults, shop, http_client):
    faults.client.add_toxic("shop", "http_latency", {"latency_ms": 5, "rate": 0.5})

    def fetch(number: int) -> list[tuple[int, bytes]]:
        connection = http_client(shop)
        return [get(connection, f"/{number}/{turn}") for turn in range(10)]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(fetch, range(16)))

    assert answers == [[(200, f"answer to /{number}/{turn}".encode()) for turn in range(10)] for number in range(16)]


def wait_until(condition) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s


def wait_until_waiting(faults, name: str, count: int) -> None:
    wait_until(lambda: faults.client.tally("shop", name)["waiting"] == count)


def status_and_body(reader) -> tuple[int, bytes]:
    status = int(reader.readline().split()[1])
    length = 0
    while line := reader.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return status, reader.read(length)
