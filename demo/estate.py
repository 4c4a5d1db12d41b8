"""The running shop: its processes, the fault layer between them, and rolling deployments."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import httpx

from demo.errors import ShopError
from demo.processes import Child, stop_all
from demo.shop.policies import write_policy
from demo.shop.settings import ServiceSettings
from demo.topology import GATEWAY, NODES, Node
from prodintel_lib.errors import ProdintelError
from prodintel_lib.faults.client import FaultClient

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from demo.incidents.model import Operation, Release, Toxic

HOST: Final = "127.0.0.1"
READY_WITHIN_S: Final = 20.0
STOP_GRACE_S: Final = 9.0
METRIC_INTERVAL_MS: Final = 10_000
_BACKLOG: Final = 512
_FAULT_LAYER: Final = "fault-layer"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rolling deployment as it happened: microseconds since the epoch."""

    started_us: int
    ready_us: int
    finished_us: int


class Estate:
    """The shop, running. Use it as a context manager: leaving it leaves nothing behind.

    Parameters
    ----------
    folder : Path
        An empty folder for databases and logs.
    releases : iterable of Release
        What runs instead of a service's usual version.
    port : int, optional
        The gateway's port; 0 lets the kernel choose.
    collector_url : str, optional
        Where telemetry goes; empty for none.

    Attributes
    ----------
    toxiproxy_url : str
        The fault layer's API.
    proxied : dict of str to str
        By service, the address at which the others reach it.
    """

    def __init__(
        self, folder: Path, *, releases: Iterable[Release] = (), port: int = 0, collector_url: str = ""
    ) -> None:
        self._folder = folder
        self._releases = {release.service: release for release in releases}
        self._port = port
        self._collector_url = collector_url
        self._sockets: dict[str, socket.socket] = {}
        self.proxied: dict[str, str] = {}
        self._children: dict[str, Child] = {}
        self._instances: dict[str, str] = {}
        self._started = 0
        self.toxiproxy_url = ""

    @property
    def base_url(self) -> str:
        """Where the gateway answers."""
        return self.direct_url(GATEWAY)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: child.pid for name, child in self._children.items()}

    @property
    def faults(self) -> FaultClient:
        """A client of the fault layer."""
        return FaultClient(self.toxiproxy_url)

    def direct_url(self, service: str) -> str:
        """Return where a service answers without the fault layer between."""
        return f"http://{HOST}:{self._sockets[service].getsockname()[1]}"

    def __enter__(self) -> Self:
        try:
            self._open_sockets()
            self._start_fault_layer()
            for node in NODES:
                self._children[node.service] = self._start(node)
            for node in NODES:
                self._await_ready(node.service, self._children[node.service])
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def require_alive(self) -> None:
        """Raise, naming it and showing the end of its log, when a process has died."""
        for child in self._children.values():
            child.require_alive()

    def apply(self, toxics: Iterable[Toxic]) -> None:
        """Let a condition begin."""
        for toxic in toxics:
            self.faults.add_toxic(toxic.proxy, toxic.type, toxic.attributes)

    def operate(self, operation: Operation) -> None:
        """Do once what an operator does to a service."""
        url = f"{self.direct_url(operation.service)}{operation.path}"
        httpx.request(operation.method, url, trust_env=False).raise_for_status()

    def lift(self) -> None:
        """Let every condition end."""
        self.faults.reset()

    def deploy(self, release: Release) -> Rollout:
        """Replace a service by another release, or the same with other settings, without refusing a request.

        Old and new listen on one socket, which stays open in this process. The new one is started and seen to be
        ready before the old one is told to finish what it has.
        """
        started_us = time.time_ns() // 1_000
        self._releases[release.service] = release
        node = next(node for node in NODES if node.service == release.service)
        old = self._children[node.service]
        new = self._start(node)
        # Both answer on the socket: asking which instance answers until the new one does says that it is ready.
        self._await_ready(node.service, new, instance=self._instances[node.service])
        ready_us = time.time_ns() // 1_000
        self._children[node.service] = new
        stop_all([old], grace_s=STOP_GRACE_S)
        return Rollout(started_us, ready_us, time.time_ns() // 1_000)

    def stop(self) -> None:
        """Stop every process and close every port."""
        if self.toxiproxy_url and self._children[_FAULT_LAYER].is_alive:
            # Requests that hang in a fault go on, so that nobody has to be waited for.
            with suppress(ProdintelError):
                self.lift()
        stop_all(reversed(self._children.values()), grace_s=STOP_GRACE_S)
        for listening in self._sockets.values():
            listening.close()
        self._sockets.clear()

    def _open_sockets(self) -> None:
        for node in NODES:
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sockets[node.service] = listening
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = self._port if node.service == GATEWAY else 0
            try:
                listening.bind((HOST, port))
            except OSError as error:
                raise ShopError(
                    f"The gateway cannot listen on port {port}: {error.strerror}.",
                    hint="leave --port out and a free one is chosen.",
                ) from error
            listening.listen(_BACKLOG)

    def _start_fault_layer(self) -> None:
        proxies = [
            {
                "name": node.service,
                "listen": f"{HOST}:0",
                "upstream": f"{HOST}:{self._sockets[node.service].getsockname()[1]}",
                "enabled": True,
            }
            for node in NODES
            if node.service != GATEWAY
        ]
        config = self._folder / "proxies.json"
        config.write_text(json.dumps(proxies, indent=2))
        child = Child(
            _FAULT_LAYER,
            "prodintel_lib.faults",
            folder=self._folder,
            arguments=["--config", str(config), "--host", HOST, "--port", "0"],
        )
        self._children[_FAULT_LAYER] = child
        line = child.first_line(within_s=READY_WITHIN_S)
        self.toxiproxy_url = line.strip()
        self.proxied = {name: f"http://{proxy['listen']}" for name, proxy in self.faults.proxies().items()}

    def _start(self, node: Node) -> Child:
        release = self._releases.get(node.service)
        version = release.version if release else node.version
        self._started += 1
        listening = self._sockets[node.service].fileno()
        self._instances[node.service] = instance = f"{node.service}-{version}-{self._started}"
        settings = ServiceSettings(
            service=node.service,
            version=version,
            instance=instance,
            listen_fd=listening,
            policy=write_policy(release.policy) if release and release.policy else "",
            dependencies={name: self.proxied[name] for name in node.dependencies},
        )
        return Child(
            f"{node.service}-{self._started}",
            "demo.shop.serve",
            folder=self._folder,
            environment=settings.to_environment() | self._telemetry(node, settings),
            keep_fds=[listening],
        )

    def _telemetry(self, node: Node, settings: ServiceSettings) -> dict[str, str]:
        if not self._collector_url or node.http_names == "none":
            return {}
        resource = {
            "service.version": settings.version,
            "service.instance.id": settings.instance,
            "deployment.environment.name": "production",
        }
        return {
            "OTEL_SERVICE_NAME": node.service,
            "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{name}={value}" for name, value in resource.items()),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._collector_url,
            "OTEL_METRIC_EXPORT_INTERVAL": str(METRIC_INTERVAL_MS),
            "OTEL_METRICS_EXEMPLAR_FILTER": "always_off",
            **({"OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"} if node.http_names == "new" else {}),
        }

    def _await_ready(self, service: str, child: Child, *, instance: str = "") -> None:
        deadline_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline_s:
            child.require_alive()
            # The socket is open from the start, so the question waits in its queue until somebody serves it.
            with suppress(httpx.TransportError):
                answer = httpx.get(f"{self.direct_url(service)}/healthz", timeout=0.5, trust_env=False)
                if answer.is_success and instance in {"", answer.json()["instance"]}:
                    return
        raise ShopError(f"{child.name} was not ready within {READY_WITHIN_S:.0f} s. Its log:\n{child.tail()}")
