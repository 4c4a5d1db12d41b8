"""Calls from one service to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping


def segment(text: str) -> str:
    """Return a client's text as one segment of a path: nothing in it may end the path, or lead out of it.

    Examples
    --------
    >>> segment("prd_101?all"), segment("..")
    ('prd_101%3Fall', '%2E%2E')
    """
    # Dots alone are steps up the path to whoever normalises it.
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


class Dependency:
    """Another service, reached over HTTP.

    Parameters
    ----------
    name : str
        Its service name.
    base_url : str
    timeout_s : float or None
        How long to wait for it to connect and between bytes; None waits for ever.

    Notes
    -----
    What goes wrong becomes the status a gateway gives it: no answer in time 504, no connection 503, an answer that
    is a server error 502 (503 stays 503, since it says when to come back), a refusal (4xx) is passed on.
    """

    def __init__(self, name: str, base_url: str, *, timeout_s: float | None) -> None:
        self.name = name
        self._client = httpx.Client(
            base_url=base_url,
            # Everything is on this machine: a proxy from the environment has no business here.
            trust_env=False,
            timeout=httpx.Timeout(timeout_s, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
        )

    def get(self, path: str, *, params: Mapping[str, str] | None = None, token: str = "") -> dict[str, Any]:
        """Return the JSON object at `path`."""
        return self._call("GET", path, params=params, token=token)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Post `body` and return the JSON object that comes back."""
        return self._call("POST", path, body=body)

    def put(self, path: str, body: Mapping[str, object], *, token: str = "") -> dict[str, Any]:
        """Put `body` and return the JSON object that comes back."""
        return self._call("PUT", path, body=body, token=token)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        token: str = "",
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else None
        request = self._client.build_request(method, path, params=params, json=body, headers=headers)
        try:
            response = self._sent(request)
        except httpx.TimeoutException as error:
            raise ProblemError(504, "Gateway Timeout", f"{self.name} did not answer in time") from error
        except httpx.TransportError as error:
            raise ProblemError(503, "Service Unavailable", f"{self.name} cannot be reached") from error
        if response.is_success:
            answer: dict[str, Any] = response.json()
            return answer
        raise self._problem(response)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send a request; a GET once more where the connection was lost before an answer began.

        A server that is being replaced closes kept connections, and one may be sent into that moment. Asking again
        is safe for a method that changes nothing (RFC 9110, section 9.2.2).
        """
        try:
            return self._client.send(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if request.method != "GET":
                raise
            return self._client.send(request)

    def _problem(self, response: httpx.Response) -> ProblemError:
        title, detail = _read_problem(response)
        if response.status_code < 500:
            return ProblemError(response.status_code, title, detail)
        if response.status_code == 503:
            return ProblemError(503, title, detail)
        if response.status_code == 504:
            return ProblemError(504, title, detail)
        return ProblemError(502, "Bad Gateway", f"{self.name} answered {response.status_code}: {detail or title}")


def _read_problem(response: httpx.Response) -> tuple[str, str]:
    try:
        body = response.json()
        return str(body["title"]), str(body.get("detail", ""))
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase, ""
