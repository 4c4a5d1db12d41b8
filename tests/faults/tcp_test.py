"""Byte-level toxics, through real sockets: the order of events is asserted, never how long they took."""

import socket
import threading

import pytest

from prodintel_lib.faults.sequence import is_struck, offset_of

HOUR_MS = 3_600_000


def is_silent(one: socket.socket) -> bool:
    """Say whether nothing has arrived so far."""
    one.settimeout(0)
    try:
        one.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        one.settimeout(20)
    return False


def test_bytes_pass_both_ways_without_toxics(pair):
    client, upstream = pair
    upstream.sendall(b"220 ready\r\n")
    assert client.recv(100) == b"220 ready\r\n"
    client.sendall(b"\x16\x03\x01")
    assert upstream.recv(100) == b"\x16\x03\x01"


def test_half_close_passes_and_the_other_direction_goes_on(pair):
    client, upstream = pair
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert upstream.recv(100) == b"question"
    assert upstream.recv(100) == b""
    upstream.sendall(b"answer")
    upstream.close()
    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""


def test_large_bodies_pass_unchanged(pair, read_exactly):
    client, upstream = pair
    data = bytes(range(256)) * 16_384
    upstream.settimeout(None)
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert read_exactly(upstream, len(data)) == data
    sender.join()


def test_reset_by_one_side_reaches_the_other(pair):
    client, upstream = pair
    client.sendall(b"x")
    assert upstream.recv(1) == b"x"
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    upstream.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_upstream_down_closes_the_client(faults, sockets):
    listener = sockets.listen()
    address = listener.getsockname()
    listener.close()
    client = sockets.connect(faults.add_proxy("down", address))
    assert client.recv(1) == b""


def test_latency_holds_bytes_until_it_is_removed(faults, pair, read_exactly):
    client, upstream = pair
    with faults.client.applied("raw", "latency", {"latency": HOUR_MS}):
        upstream.sendall(b"late")
        client.sendall(b"now")
        assert read_exactly(upstream, 3) == b"now"
        assert is_silent(client)
    assert read_exactly(client, 4) == b"late"


def test_latency_delays_bytes_by_its_time(faults, pair, read_exactly):
    client, upstream = pair
    with faults.client.applied("raw", "latency", {"latency": 20, "jitter": 10}, stream="upstream"):
        client.sendall(b"a")
        assert read_exactly(upstream, 1) == b"a"


def test_latency_zero_toxicity_strikes_nothing(faults, pair, read_exactly):
    client, upstream = pair
    with faults.client.applied("raw", "latency", {"latency": HOUR_MS}, toxicity=0.0):
        upstream.sendall(b"now")
        assert read_exactly(client, 3) == b"now"


def test_toxicity_is_decided_once_for_each_connection(faults, sockets):
    listener = sockets.listen()
    address = faults.add_proxy("raw", listener.getsockname())
    faults.client.add_toxic("raw", "limit_data", {"bytes": 1}, name="one", toxicity=0.5)

    def answer() -> bytes:
        client = sockets.connect(address)
        upstream = sockets.accept(listener)
        received = b""
        for byte in (b"a", b"b", b"c"):
            upstream.sendall(byte)
            received += client.recv(1)
            if not received.endswith(byte):
                break
        return received

    expected = [b"a" if is_struck(offset_of(0, "one"), index, 0.5) else b"abc" for index in range(10)]
    assert [answer() for _ in range(10)] == expected
    assert 3 <= expected.count(b"a") <= 7


def test_timeout_drops_bytes_and_closes(faults, pair):
    client, upstream = pair
    with faults.client.applied("raw", "timeout", {"timeout": 30}):
        upstream.sendall(b"lost")
        assert client.recv(10) == b""


def test_timeout_closes_a_connection_on_which_nothing_moves(faults, pair):
    client, upstream = pair
    with faults.client.applied("raw", "timeout", {"timeout": 30}):
        assert client.recv(10) == b""
        assert upstream.recv(10) == b""


def test_timeout_zero_drops_until_it_is_removed_and_then_closes(faults, pair):
    client, upstream = pair
    with faults.client.applied("raw", "timeout", {"timeout": 0}):
        upstream.sendall(b"lost")
        client.sendall(b"through")
        assert upstream.recv(10) == b"through"
        assert is_silent(client)
    assert client.recv(10) == b""


def test_timeout_changed_keeps_the_connection_until_its_new_time(faults, pair):
    client, upstream = pair
    faults.client.add_toxic("raw", "timeout", {"timeout": HOUR_MS}, name="hole")
    faults.client.change_toxic("raw", "hole", {"timeout": 0})
    client.sendall(b"open")
    assert upstream.recv(10) == b"open"
    faults.client.change_toxic("raw", "hole", {"timeout": 10})
    assert client.recv(10) == b""


def test_reset_peer_resets_after_the_first_bytes(faults, pair):
    client, upstream = pair
    with faults.client.applied("raw", "reset_peer", {"timeout": 0}):
        upstream.sendall(b"lost")
        with pytest.raises(ConnectionResetError):
            client.recv(10)


def test_reset_peer_removed_in_time_lets_bytes_pass(faults, pair):
    client, upstream = pair
    with faults.client.applied("raw", "reset_peer", {"timeout": HOUR_MS}):
        upstream.sendall(b"kept")
    assert client.recv(10) == b"kept"


def test_bandwidth_passes_everything_in_order(faults, pair, read_exactly):
    client, upstream = pair
    data = bytes(range(256)) * 20
    with faults.client.applied("raw", "bandwidth", {"rate": 50}):
        upstream.sendall(data)
        assert read_exactly(client, len(data)) == data


def test_bandwidth_removed_releases_the_rest(faults, pair, read_exactly):
    client, upstream = pair
    data = b"x" * 200_000
    with faults.client.applied("raw", "bandwidth", {"rate": 1}):
        upstream.sendall(data)
        assert read_exactly(client, 1) == b"x"
    assert read_exactly(client, len(data) - 1) == data[1:]


def test_slow_close_holds_the_end_back(faults, pair, read_exactly):
    client, upstream = pair
    with faults.client.applied("raw", "slow_close", {"delay": HOUR_MS}):
        upstream.sendall(b"last")
        upstream.shutdown(socket.SHUT_WR)
        assert read_exactly(client, 4) == b"last"
        for _ in range(3):  # each round trip gives the end time to come through
            client.sendall(b"still there?")
            assert read_exactly(upstream, 12) == b"still there?"
            faults.client.version()
        assert is_silent(client)
    assert client.recv(1) == b""


def test_limit_data_closes_after_its_bytes(faults, pair, read_exactly):
    client, upstream = pair
    with faults.client.applied("raw", "limit_data", {"bytes": 5}, stream="upstream"):
        client.sendall(b"abc")
        assert read_exactly(upstream, 3) == b"abc"
        client.sendall(b"defg")
        assert read_exactly(upstream, 3) == b"de"
        assert client.recv(1) == b""


def test_two_toxics_both_act(faults, pair, read_exactly):
    client, upstream = pair
    faults.client.add_toxic("raw", "limit_data", {"bytes": 2})
    faults.client.add_toxic("raw", "latency", {"latency": HOUR_MS})
    upstream.sendall(b"abc")
    client.sendall(b"barrier")
    assert read_exactly(upstream, 7) == b"barrier"
    assert is_silent(client)
    faults.client.remove_toxic("raw", "latency_downstream")
    assert read_exactly(client, 3) == b"ab"
