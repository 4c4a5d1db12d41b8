import asyncio
import contextlib
import socket

import pytest

from prodintel_lib.errors import ConditionError
from prodintel_lib.faults.config import Address, ProxyConfig
from prodintel_lib.faults.proxy import Proxy, ProxySet, listen_on
from prodintel_lib.faults.toxics import parse_toxic

HELD = parse_toxic({"type": "http_latency", "name": "held", "attributes": {"latency_ms": 3_600_000}})
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)


async def silent_upstream() -> tuple[asyncio.Server, Address]:
    """Accept connections, read to their end, say nothing."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    return server, Address(*server.sockets[0].getsockname())


async def started(upstream: Address) -> Proxy:
    proxy = Proxy(ProxyConfig("shop", Address("127.0.0.1", 0), upstream))
    await proxy.start()
    return proxy


def test_a_client_that_gave_up_leaves_nothing_behind():
    async def scenario() -> None:
        server, upstream = await silent_upstream()
        proxy = await started(upstream)
        held = proxy.toxics.add(HELD)
        for _ in range(5):
            _, writer = await asyncio.open_connection(*proxy.config.listen)
            writer.write(REQUEST)
            await until(lambda: held.tally.waiting == 1)
            assert proxy.connection_count == 1
            writer.close()
            await until(lambda: proxy.connection_count == 0)
            assert held.tally.waiting == 0
        await proxy.stop()
        server.close()

    asyncio.run(scenario())


def test_stop_cuts_connections_and_waiting_requests_do_not_go_upstream():
    async def scenario() -> None:
        received = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                received.append(await reader.read())
            except ConnectionResetError:
                received.append(b"")
            writer.close()

        server = await asyncio.start_server(note, "127.0.0.1", 0)
        proxy = await started(Address(*server.sockets[0].getsockname()))
        held = proxy.toxics.add(HELD)
        reader, writer = await asyncio.open_connection(*proxy.config.listen)
        writer.write(REQUEST)
        await until(lambda: held.tally.waiting == 1)

        await proxy.stop()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await until(lambda: received == [b""])
        assert proxy.connection_count == 0
        assert not proxy.config.enabled
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*proxy.config.listen)
        server.close()

    asyncio.run(scenario())


def test_stop_does_not_wait_for_an_upstream_that_never_closes():
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            proxy = await started(Address(*listener.getsockname()))
            _, writer = await asyncio.open_connection(*proxy.config.listen)
            await until(lambda: proxy._connections)
            async with asyncio.timeout(20):
                await proxy.stop()
            writer.close()
            assert proxy.connection_count == 0

    asyncio.run(scenario())


def test_stop_gives_up_a_connection_attempt_that_hangs():
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = Address(*full.getsockname())
            with socket.create_connection(address):  # fills the queue: the next attempt hangs
                proxy = await started(address)
                _, writer = await asyncio.open_connection(*proxy.config.listen)
                await until(lambda: proxy.connection_count == 1)
                async with asyncio.timeout(20):
                    await proxy.stop()
                writer.close()
                for _ in range(20):
                    await asyncio.sleep(0)
                assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_stop_cuts_a_connection_that_closes_but_whose_client_does_not_read():
    async def scenario() -> None:
        async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            writer.close()

        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        proxy = await started(Address(*server.sockets[0].getsockname()))
        with socket.create_connection(proxy.config.listen):
            await until(lambda: [wire for wire in proxy._wires if wire._writable is not None])
            proxy.add_toxic(parse_toxic({"type": "timeout", "attributes": {"timeout": 1}}))
            (connection,) = proxy._connections
            await connection.over
            for _ in range(20):
                await asyncio.sleep(0)
            assert proxy.connection_count == 1

            await proxy.stop()

            assert proxy.connection_count == 0
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        server.close()

    asyncio.run(scenario())


def test_a_pipelined_request_after_the_last_answer_leaves_nothing_behind():
    async def scenario() -> None:
        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nall there is")
            writer.close()

        server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
        proxy = await started(Address(*server.sockets[0].getsockname()))
        reader, writer = await asyncio.open_connection(*proxy.config.listen)
        writer.write(REQUEST + REQUEST)
        assert await reader.readuntil(b"all there is") == b"HTTP/1.0 200 OK\r\n\r\nall there is"
        writer.close()
        await until(lambda: proxy.connection_count == 0)
        await proxy.stop()
        server.close()

    asyncio.run(scenario())


def test_start_again_takes_the_same_port():
    async def scenario() -> None:
        server, upstream = await silent_upstream()
        proxy = await started(upstream)
        port = proxy.config.listen.port
        await proxy.stop()
        await proxy.start()
        assert proxy.config.listen.port == port
        await proxy.stop()
        server.close()

    asyncio.run(scenario())


def test_start_names_the_address_it_cannot_listen_on():
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            proxies = ProxySet()
            listen = Address(*taken.getsockname())
            with pytest.raises(ConditionError, match=rf"proxy `a` cannot listen on {listen}: .*\nHint: .*port 0"):
                await proxies.add(ProxyConfig("a", listen, Address("127.0.0.1", 1)))
            assert proxies.get("a") is None

    asyncio.run(scenario())


def test_listen_on_takes_one_ipv4_address_for_localhost(monkeypatch):
    async def both_families(*_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]

    async def scenario() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both_families)
        server, address = await listen_on(Address("localhost", 0), lambda wire: wire.close(), what="it")
        assert address.host == "127.0.0.1"
        assert address.port > 0
        assert len(server.sockets) == 1
        server.close()

    asyncio.run(scenario())


def test_populate_keeps_a_proxy_whose_addresses_are_the_same():
    async def scenario() -> None:
        proxies = ProxySet()
        config = ProxyConfig("a", Address("127.0.0.1", 0), Address("127.0.0.1", 1))
        (first,) = await proxies.populate([config])
        first.toxics.add(HELD)

        (second,) = await proxies.populate([config])
        assert second is first
        assert [active.toxic.name for active in second.toxics] == ["held"]

        (third,) = await proxies.populate([ProxyConfig("a", config.listen, Address("127.0.0.1", 2))])
        assert third is not first
        assert list(third.toxics) == []
        assert not first.config.enabled
        await proxies.stop()

    asyncio.run(scenario())
