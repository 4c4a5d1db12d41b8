"""The embedded fault server: the proxies of a file, and the API that puts faults on them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from prodintel_lib.faults.api import FaultApi, serve_api
from prodintel_lib.faults.config import Address
from prodintel_lib.faults.proxy import ProxySet, listen_on, stop_listening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prodintel_lib.faults.config import ProxyConfig
    from prodintel_lib.faults.wire import Wire


async def serve(
    config: Sequence[ProxyConfig], host: str, port: int, ready: Callable[[str], None], *, stop: asyncio.Event
) -> None:
    """Run the proxies and the API until `stop` is set.

    Parameters
    ----------
    config : sequence of ProxyConfig
        The proxies to begin with.
    host, port : str, int
        Where the API listens; port 0 takes any.
    ready : callable
        Called once with the API's URL, when every proxy listens.
    stop : asyncio.Event
        Ends it: listening stops and every connection is cut.

    Raises
    ------
    ConditionError
        If an address cannot be listened on.
    """
    proxies = ProxySet()
    api = FaultApi(proxies)
    clients: set[asyncio.Task[None]] = set()

    def accept(client: Wire) -> None:
        task = asyncio.get_running_loop().create_task(serve_api(client, api))
        clients.add(task)
        task.add_done_callback(clients.discard)

    try:
        await proxies.populate(config)
        server, address = await listen_on(Address(host, port), accept, what="the fault API")
        try:
            ready(f"http://{address}")
            await stop.wait()
        finally:
            await stop_listening(server)
    finally:
        await proxies.stop()
        for task in tuple(clients):
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def run_server(config: Sequence[ProxyConfig], host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run `serve` in the foreground until SIGINT or SIGTERM."""

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C still interrupts
                loop.add_signal_handler(number, stop.set)
        await serve(config, host, port, ready, stop=stop)

    asyncio.run(until_signalled())
