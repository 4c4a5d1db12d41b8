import asyncio

from prodintel_lib.faults.wire import WINDOW_BYTES, Wire


class FakeTransport:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def write(self, data: bytes) -> None:
        self.calls.append(f"write {data!r}")


def connected() -> tuple[Wire, FakeTransport]:
    wire, transport = Wire(), FakeTransport()
    wire.connection_made(transport)
    return wire, transport


def test_read_gives_chunks_in_order_and_then_the_end():
    async def scenario() -> None:
        wire, _ = connected()
        wire.data_received(b"a")
        wire.data_received(b"b")
        assert wire.eof_received()

        first, second = await wire.read(), await wire.read()
        assert (first.data, second.data) == (b"a", b"b")
        assert first.arrived_s <= second.arrived_s
        assert await wire.read() is None

    asyncio.run(scenario())


def test_read_waits_for_what_is_to_come():
    async def scenario() -> None:
        wire, _ = connected()
        reading = asyncio.create_task(wire.read())
        await asyncio.sleep(0)
        assert not reading.done()
        wire.data_received(b"late")
        assert (await reading).data == b"late"

    asyncio.run(scenario())


def test_data_received_holds_the_sender_back_until_half_the_window_is_read():
    async def scenario() -> None:
        wire, transport = connected()
        half = b"x" * (WINDOW_BYTES // 2)
        wire.data_received(half)
        wire.data_received(half)
        assert transport.calls == []
        wire.data_received(b"x")
        assert transport.calls == ["pause"]
        await wire.read()
        assert transport.calls == ["pause"]
        await wire.read()
        assert transport.calls == ["pause", "resume"]

    asyncio.run(scenario())


def test_write_waits_while_the_peer_does_not_keep_up():
    async def scenario() -> None:
        wire, transport = connected()
        wire.pause_writing()
        writing = asyncio.create_task(wire.write(b"a"))
        await asyncio.sleep(0)
        assert transport.calls == ["write b'a'"]
        assert not writing.done()
        wire.resume_writing()
        await writing

    asyncio.run(scenario())


def test_write_to_a_peer_that_is_gone_does_nothing():
    async def scenario() -> None:
        wire, transport = connected()
        wire.pause_writing()
        writing = asyncio.create_task(wire.write(b"a"))
        await asyncio.sleep(0)
        wire.connection_lost(ConnectionResetError())
        await writing
        await wire.write(b"b")

        assert transport.calls == ["write b'a'"]
        assert wire.broken
        assert wire.ended.done()
        assert wire.lost.done()

    asyncio.run(scenario())


def test_inject_reads_like_what_the_peer_sent_and_ends_it():
    async def scenario() -> None:
        wire, _ = connected()
        wire.inject(b"answer", ends=True)
        wire.data_received(b"too late")

        assert (await wire.read()).data == b"answer"
        assert await wire.read() is None

    asyncio.run(scenario())
