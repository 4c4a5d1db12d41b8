"""Runs the front end in this process, on loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import waitress

from demo.errors import ShopError
from demo.storefront.builds import BUILDS
from demo.storefront.site import create_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.storefront.builds import BuildName

HOST: Final = "127.0.0.1"
THREADS: Final = 8
STOP_WITHIN_S: Final = 5.0


@contextmanager
def running(build: BuildName, *, port: int = 0, telemetry: Path | None = None) -> Iterator[str]:
    """Serve a build of the front end while the context lasts.

    Parameters
    ----------
    build : {"faulty", "fixed"}
    port : int, optional
        0 lets the kernel choose.
    telemetry : Path, optional
        File to append beacons to; without one they are dropped.

    Yields
    ------
    str
        Its address, ``http://127.0.0.1:PORT``.

    Raises
    ------
    ShopError
        If the port is taken.
    """
    channels: dict[int, Any] = {}
    server = waitress.create_server(
        create_site(BUILDS[build], telemetry=telemetry),
        sockets=[_listen(port)],
        threads=THREADS,
        map=channels,
        ident="shop-web",
        clear_untrusted_proxy_headers=True,
    )
    stopping = threading.Event()
    loop = threading.Thread(target=_serve, args=(server, channels, stopping), name="storefront", daemon=True)
    loop.start()
    try:
        yield f"http://{HOST}:{server.effective_port}"
    finally:
        stopping.set()
        server.pull_trigger()
        loop.join(STOP_WITHIN_S)
        server.task_dispatcher.shutdown()
        for channel in list(channels.values()):
            channel.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise ShopError(
            f"The front end cannot listen on port {port}: {error.strerror}.",
            hint="leave --port out and a free one is chosen.",
        ) from error
    return listening


def _serve(server: Any, channels: dict[int, Any], stopping: threading.Event) -> None:  # noqa: ANN401 - not annotated
    while not stopping.is_set():
        server.asyncore.loop(timeout=1.0, map=channels, use_poll=True, count=1)
