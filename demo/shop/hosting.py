"""Hosts a service's Flask application on the socket the parent opened."""

from __future__ import annotations

import importlib
import logging
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import waitress

from demo.shop.problems import register_problems
from demo.shop.queues import observe_queue

if TYPE_CHECKING:
    from types import FrameType

    from flask import Flask

    from demo.shop.settings import ServiceSettings

BACKLOG: Final = 512
CONNECTION_LIMIT: Final = 1_000
CHANNEL_TIMEOUT_S: Final = 120
DRAIN_WITHIN_S: Final = 5.0
FIRST_REQUEST_WITHIN_S: Final = 0.25
_POLL_S: Final = 1.0
_DRAIN_POLL_S: Final = 0.01


def host(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    service = importlib.import_module(f"demo.shop.{settings.service.replace('-', '_')}")
    channels: dict[int, Any] = {}
    server = waitress.create_server(
        _finish(service.create_app(settings), settings),
        map=channels,
        sockets=[socket.socket(fileno=settings.listen_fd)],
        threads=service.THREADS,
        backlog=BACKLOG,
        connection_limit=CONNECTION_LIMIT,
        channel_timeout=CHANNEL_TIMEOUT_S,
        ident="shop",
    )
    observe_queue("waitress", lambda: len(server.task_dispatcher.queue))
    logging.getLogger(__name__).info("%s %s is ready", settings.service, settings.version)
    _Loop(server, channels).run()


class _Loop:
    """Waitress's own loop, with an end that drops no request.

    Waitress stops its workers when it is interrupted, and what arrives on a kept connection from then on is lost. In
    a rolling deployment somebody's request would be. So: accept nothing new (the other process on the socket does),
    answer what is there, close each connection as it falls silent.
    """

    def __init__(self, server: Any, channels: dict[int, Any]) -> None:  # noqa: ANN401 - it has no annotations
        self._server = server
        self._channels = channels
        self._is_stopping = False

    def run(self) -> None:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        while not self._is_stopping:
            self._turn(_POLL_S)
        self._drain()
        for number, handler in before.items():
            signal.signal(number, handler)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_stopping = True
        self._server.pull_trigger()

    def _turn(self, timeout_s: float) -> None:
        self._server.asyncore.loop(timeout=timeout_s, map=self._channels, use_poll=True, count=1)

    def _drain(self) -> None:
        server = self._server
        server.del_channel(self._channels)
        server.socket.close()
        deadline_s = time.monotonic() + DRAIN_WITHIN_S
        while server.active_channels and time.monotonic() < deadline_s:
            # A turn first: what has arrived by now is read, and its channel is no longer silent.
            self._turn(_DRAIN_POLL_S)
            for channel in list(server.active_channels.values()):
                is_new = channel.last_activity == channel.creation_time
                may_yet_ask = is_new and time.time() - channel.creation_time < FIRST_REQUEST_WITHIN_S
                if not channel.requests and channel.request is None and not may_yet_ask:
                    channel.will_close = True


def _finish(app: Flask, settings: ServiceSettings) -> Flask:
    register_problems(app)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        about = {"service": settings.service, "version": settings.version, "instance": settings.instance}
        return {"status": "ok", **about}

    return app
