"""Proxies: one listening address each, forwarding to one upstream; and the set of them behind the API."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
from typing import TYPE_CHECKING, Any

from prodintel_lib.errors import ConditionError
from prodintel_lib.faults.active import ToxicSet
from prodintel_lib.faults.config import Address
from prodintel_lib.faults.connection import Connection
from prodintel_lib.faults.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prodintel_lib.faults.active import ActiveToxic
    from prodintel_lib.faults.config import ProxyConfig
    from prodintel_lib.faults.toxics import Toxic

_BACKLOG = 512
_log = logging.getLogger(__name__)


class Proxy:
    """Forwards connections from one address to another, through the toxics in force.

    Parameters
    ----------
    config : ProxyConfig
        Name and addresses. It starts only on `start`.

    Attributes
    ----------
    asked : Address
        The address it was told to listen on; `config.listen` has the real port once it listens.
    """

    def __init__(self, config: ProxyConfig) -> None:
        self.config = dataclasses.replace(config, enabled=False)
        self.asked = config.listen
        self.toxics = ToxicSet()
        self._server: asyncio.Server | None = None
        self._wires: set[Wire] = set()
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    def as_json(self) -> dict[str, Any]:
        """Return the proxy as the API shows it."""
        return {
            "name": self.config.name,
            "listen": str(self.config.listen),
            "upstream": str(self.config.upstream),
            "enabled": self.config.enabled,
            "toxics": [active.toxic.as_json() for active in self.toxics],
        }

    async def start(self) -> None:
        """Listen; nothing happens if it does already.

        Raises
        ------
        ConditionError
            If the address cannot be listened on.
        """
        if self._server is not None:
            return
        self._server, listen = await listen_on(self.config.listen, self._accept, what=f"proxy `{self.config.name}`")
        self.config = dataclasses.replace(self.config, listen=listen, enabled=True)

    async def stop(self) -> None:
        """Stop listening and cut every connection, as a dependency that goes away does."""
        self.config = dataclasses.replace(self.config, enabled=False)
        if self._server is not None:
            server, self._server = self._server, None
            await stop_listening(server)
        for wire in tuple(self._wires):
            wire.reset()
        for connection in tuple(self._connections):
            connection.reset()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def change(self, *, listen: Address, upstream: Address, enabled: bool) -> None:
        """Take new addresses and switch on or off; connections are cut when an address changes."""
        if (listen, upstream) != (self.config.listen, self.config.upstream):
            await self.stop()
            self.asked = listen
            self.config = dataclasses.replace(self.config, listen=listen, upstream=upstream)
        if enabled:
            await self.start()
        else:
            await self.stop()

    def add_toxic(self, toxic: Toxic) -> None:
        """Put a toxic in force, on the connections there are as well."""
        self._introduce(self.toxics.add(toxic))

    def revise_toxic(self, toxic: Toxic) -> None:
        """Change a toxic; whoever waits in it goes on."""
        self._introduce(self.toxics.revise(toxic))

    def _introduce(self, active: ActiveToxic) -> None:
        for connection in tuple(self._connections):
            connection.meet(active)

    def _accept(self, client: Wire) -> None:
        if self._server is None:
            client.reset()
            return
        self._wires.add(client)
        task = asyncio.get_running_loop().create_task(self._serve(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: Wire) -> None:
        try:
            upstream = await self._connect(client)
            if upstream is None:
                await client.lost
                return
            connection = Connection(client, upstream, self.toxics)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)
        finally:
            self._wires.discard(client)

    async def _connect(self, client: Wire) -> Wire | None:
        dialling = asyncio.get_running_loop().create_task(self._dial())
        either: set[asyncio.Future[Any]] = {dialling, client.lost}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not dialling.done():
            dialling.cancel()  # nobody is left to answer, and an upstream that is silent would keep us for minutes
            return None
        try:
            return dialling.result()
        except OSError as error:
            _log.debug("proxy %s: upstream %s: %s", self.config.name, self.config.upstream, error)
            client.close()
            return None

    async def _dial(self) -> Wire:
        host, port = self.config.upstream
        _, upstream = await asyncio.get_running_loop().create_connection(Wire, host, port)
        return upstream


class ProxySet:
    """The proxies by name."""

    def __init__(self) -> None:
        self._proxies: dict[str, Proxy] = {}

    def __iter__(self) -> Iterator[Proxy]:
        return iter(tuple(self._proxies.values()))

    def get(self, name: str) -> Proxy | None:
        """Return the proxy of that name, or None."""
        return self._proxies.get(name)

    async def add(self, config: ProxyConfig) -> Proxy:
        """Make a proxy and start it if it is enabled."""
        proxy = self._proxies[config.name] = Proxy(config)
        if config.enabled:
            try:
                await proxy.start()
            except ConditionError:
                del self._proxies[config.name]
                raise
        return proxy

    async def remove(self, name: str) -> None:
        """Stop and forget a proxy."""
        await self._proxies.pop(name).stop()

    async def populate(self, configs: Sequence[ProxyConfig]) -> list[Proxy]:
        """Make the proxies that are missing and replace those with other addresses; the others keep their toxics."""
        return [await self._add_or_replace(config) for config in configs]

    async def reset(self) -> None:
        """Remove every toxic and start every proxy."""
        for proxy in self:
            proxy.toxics.clear()
        for proxy in self:
            await proxy.start()

    async def stop(self) -> None:
        """Stop every proxy."""
        for proxy in self:
            await proxy.stop()

    async def _add_or_replace(self, config: ProxyConfig) -> Proxy:
        existing = self._proxies.get(config.name)
        if existing is None:
            return await self.add(config)
        same_listen = config.listen in (existing.asked, existing.config.listen)
        if same_listen and config.upstream == existing.config.upstream:
            await existing.change(listen=existing.config.listen, upstream=config.upstream, enabled=config.enabled)
            return existing
        await self.remove(config.name)
        return await self.add(config)


async def listen_on(
    address: Address, on_connected: Callable[[Wire], None], *, what: str
) -> tuple[asyncio.Server, Address]:
    """Listen on one address and return the server and the address with its real port.

    A name is resolved first and IPv4 preferred, so that port 0 means one port and not one for each address.

    Raises
    ------
    ConditionError
        If the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        host = str(min(found, key=lambda info: info[0] != socket.AF_INET)[4][0])
        server = await loop.create_server(lambda: Wire(on_connected), host, address.port, backlog=_BACKLOG)
    except OSError as error:
        raise ConditionError(
            f"{what} cannot listen on {address}: {error.strerror or error}.",
            hint="give it a free port, or port 0 for any.",
        ) from error
    name = server.sockets[0].getsockname()
    return server, Address(str(name[0]), int(name[1]))


async def stop_listening(server: asyncio.Server) -> None:
    """Close a server's listening sockets; connections the loop has accepted by then are announced first."""
    server.close()
    for _ in range(3):  # the turns of the loop between accepting a connection and announcing it
        await asyncio.sleep(0)
