"""A small client for the fault API: this project's server or a real Toxiproxy. Standard library only."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from prodintel_lib.errors import ConditionError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class FaultClient:
    """Puts faults on proxies and removes them.

    Parameters
    ----------
    url : str
        The API's URL, such as the value of ``TOXIPROXY_URL``.
    timeout_s : float, optional
        How long to wait for one answer of the API.

    Raises
    ------
    ParameterError
        If `url` is no ``http://host:port``.

    Notes
    -----
    Every method raises `ConditionError` when the server cannot be reached or refuses. Proxy settings of the
    environment are not looked at: the API is on this machine or on a network of its own.

    Examples
    --------
    >>> faults = FaultClient("http://127.0.0.1:8474")
    >>> with faults.applied("payment", "http_latency", {"latency_ms": 30_000, "rate": 0.45}):  # doctest: +SKIP
    ...     check_out()
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ParameterError(
                f"The fault API's URL is {url!r}; expected http://host:port.", hint="set TOXIPROXY_URL to it."
            )
        self.url = url.rstrip("/")
        self._host = parts.hostname
        self._port = parts.port or 8474
        self._timeout_s = timeout_s

    def version(self) -> dict[str, Any]:
        """Return what the server says about itself."""
        return dict(self._ask("GET", "/version"))

    def http_toxics(self) -> tuple[str, ...]:
        """Return the request-level toxic types of the server; none for a real Toxiproxy."""
        return tuple(self.version().get("prodintel", {}).get("http_toxics", ()))

    def proxies(self) -> dict[str, dict[str, Any]]:
        """Return every proxy by name, with its toxics."""
        return dict(self._ask("GET", "/proxies"))

    def populate(self, proxies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Make the proxies that are missing and return all that were named."""
        return list(self._ask("POST", "/populate", list(map(dict, proxies)))["proxies"])

    def toxics(self, proxy: str) -> list[dict[str, Any]]:
        """Return the toxics of a proxy."""
        return list(self._ask("GET", _path(proxy, "toxics")))

    def add_toxic(
        self,
        proxy: str,
        kind: str,
        attributes: Mapping[str, Any],
        *,
        name: str = "",
        stream: str = "downstream",
        toxicity: float = 1.0,
    ) -> dict[str, Any]:
        """Put a toxic on a proxy and return it as the server shows it."""
        document = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": dict(attributes)}
        return dict(self._ask("POST", _path(proxy, "toxics"), {"name": name, **document} if name else document))

    def change_toxic(self, proxy: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Change attributes of a toxic; those left out stay."""
        return dict(self._ask("PATCH", _path(proxy, "toxics", name), {"attributes": dict(attributes)}))

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic; what waits in it goes on."""
        self._ask("DELETE", _path(proxy, "toxics", name))

    def tally(self, proxy: str, name: str) -> dict[str, int]:
        """Return how many requests met a request-level toxic, how many it struck, and how many wait in it now.

        A real Toxiproxy does not count.
        """
        return dict(self._ask("GET", _path(proxy, "toxics", name, "tally")))

    def reset(self) -> None:
        """Remove every toxic and switch every proxy on."""
        self._ask("POST", "/reset")

    @contextlib.contextmanager
    def applied(
        self,
        proxy: str,
        kind: str,
        attributes: Mapping[str, Any],
        *,
        name: str = "",
        stream: str = "downstream",
        toxicity: float = 1.0,
    ) -> Iterator[dict[str, Any]]:
        """Keep a toxic on a proxy while the block runs, and remove it however the block ends."""
        toxic = self.add_toxic(proxy, kind, attributes, name=name, stream=stream, toxicity=toxicity)
        try:
            yield toxic
        finally:
            # A reset within the block has removed it already.
            if any(one["name"] == toxic["name"] for one in self.toxics(proxy)):
                self.remove_toxic(proxy, toxic["name"])

    def _ask(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401 - any JSON document
        body = None if document is None else json.dumps(document)
        headers = {"content-type": "application/json"} if body else {}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            status, data = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConditionError(
                f"The fault API at {self.url} does not answer {method} {path}: {error}.",
                hint="start it with `prodintel faults serve --config proxies.json` and set TOXIPROXY_URL.",
            ) from error
        finally:
            connection.close()
        return self._read(method, path, status, data)

    def _read(self, method: str, path: str, status: int, data: bytes) -> Any:  # noqa: ANN401 - any JSON document
        try:
            answer = json.loads(data) if data else None
        except ValueError:
            answer = None
        if 200 <= status < 300 and (answer is not None or not data):
            return answer
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise ConditionError(
            f"The fault API at {self.url} answered {method} {path} with {status}: {reason or data[:200]!r}.",
            hint=_HINTS.get(status, "see the server's API, docs/faults.md."),
        )


_HINTS = {
    400: "correct the toxic; http_latency and http_status need `prodintel faults serve`, a Toxiproxy has neither.",
    404: "check the name; GET /proxies lists the proxies and their toxics.",
    409: "remove the toxic of that name first, or give this one another name.",
}


def _path(proxy: str, *rest: str) -> str:
    return "/".join(["/proxies", quote(proxy, safe=""), *(quote(part, safe="") for part in rest)])
