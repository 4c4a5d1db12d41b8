"""Toxiproxy's HTTP API over a set of proxies: the same paths, status codes and error documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import h11

from prodintel_lib import __version__
from prodintel_lib.errors import ConditionError, ProdintelError
from prodintel_lib.faults.config import parse_proxies, parse_proxy
from prodintel_lib.faults.toxics import HTTP_TYPES, INVALID_STREAM, INVALID_TYPE, parse_toxic, revise_toxic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prodintel_lib.faults.active import ActiveToxic
    from prodintel_lib.faults.proxy import Proxy, ProxySet
    from prodintel_lib.faults.wire import Wire

_LARGEST_BODY_BYTES = 1 << 20
_BAD_BODY = "bad request body"

T = TypeVar("T")


class Answer(NamedTuple):
    """A status and the document that goes with it (None: no body)."""

    status: int
    document: Any = None


class ApiError(ProdintelError):
    """What the API answers when it cannot do what was asked; `status` is Toxiproxy's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FaultApi:
    """The API.

    Parameters
    ----------
    proxies : ProxySet
        What it shows and changes.
    """

    def __init__(self, proxies: ProxySet) -> None:
        self._proxies = proxies
        self._routes: dict[tuple[str, ...], Callable[[list[str], bytes], Awaitable[Answer]]] = {
            ("GET", "version"): self._show_version,
            ("POST", "reset"): self._reset,
            ("POST", "populate"): self._populate,
            ("GET", "proxies"): self._list_proxies,
            ("POST", "proxies"): self._create_proxy,
            ("GET", "proxies", "*"): self._show_proxy,
            ("POST", "proxies", "*"): self._change_proxy,
            ("PATCH", "proxies", "*"): self._change_proxy,
            ("DELETE", "proxies", "*"): self._delete_proxy,
            ("GET", "proxies", "*", "toxics"): self._list_toxics,
            ("POST", "proxies", "*", "toxics"): self._create_toxic,
            ("GET", "proxies", "*", "toxics", "*"): self._show_toxic,
            ("POST", "proxies", "*", "toxics", "*"): self._change_toxic,
            ("PATCH", "proxies", "*", "toxics", "*"): self._change_toxic,
            ("DELETE", "proxies", "*", "toxics", "*"): self._delete_toxic,
            ("GET", "proxies", "*", "toxics", "*", "tally"): self._show_tally,
        }

    async def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Do what one request asks."""
        parts = [unquote(part) for part in urlsplit(target).path.strip("/").split("/")]
        pattern = ["*" if place in (1, 3) else part for place, part in enumerate(parts)]
        handler = self._routes.get((method, *pattern))
        try:
            if handler is None:
                known = any(route[1:] == tuple(pattern) for route in self._routes)
                raise ApiError(405 if known else 404, "method not allowed" if known else "page not found")  # noqa: TRY301
            return await handler(parts[1::2], body)
        except ApiError as error:
            return Answer(error.status, {"error": error.message, "status": error.status})

    async def _show_version(self, _names: list[str], _body: bytes) -> Answer:
        return Answer(200, {"version": __version__, "prodintel": {"http_toxics": list(HTTP_TYPES)}})

    async def _reset(self, _names: list[str], _body: bytes) -> Answer:
        await _started(self._proxies.reset())
        return Answer(204)

    async def _populate(self, _names: list[str], body: bytes) -> Answer:
        configs = _checked(lambda: parse_proxies(_decoded(body), where="populate"))
        proxies = await _started(self._proxies.populate(configs))
        return Answer(201, {"proxies": [proxy.as_json() for proxy in proxies]})

    async def _list_proxies(self, _names: list[str], _body: bytes) -> Answer:
        return Answer(200, {proxy.config.name: proxy.as_json() for proxy in self._proxies})

    async def _create_proxy(self, _names: list[str], body: bytes) -> Answer:
        config = _checked(lambda: parse_proxy(_decoded(body), where="proxy"))
        if self._proxies.get(config.name) is not None:
            raise ApiError(409, "proxy already exists")
        return Answer(201, (await _started(self._proxies.add(config))).as_json())

    async def _show_proxy(self, names: list[str], _body: bytes) -> Answer:
        return Answer(200, self._proxy(names).as_json())

    async def _change_proxy(self, names: list[str], body: bytes) -> Answer:
        proxy = self._proxy(names)
        given = _decoded(body)
        before = {key: value for key, value in proxy.as_json().items() if key != "toxics"}
        # A client may send back the whole proxy it read, its toxics included: those have paths of their own.
        if isinstance(given, dict):
            given = {**before, **{key: value for key, value in given.items() if key != "toxics"}, "name": names[0]}
        config = _checked(lambda: parse_proxy(given, where=f"proxy {names[0]}"))
        await _started(proxy.change(listen=config.listen, upstream=config.upstream, enabled=config.enabled))
        return Answer(200, proxy.as_json())

    async def _delete_proxy(self, names: list[str], _body: bytes) -> Answer:
        await self._proxies.remove(self._proxy(names).config.name)
        return Answer(204)

    async def _list_toxics(self, names: list[str], _body: bytes) -> Answer:
        return Answer(200, [active.toxic.as_json() for active in self._proxy(names).toxics])

    async def _create_toxic(self, names: list[str], body: bytes) -> Answer:
        proxy = self._proxy(names)
        toxic = _checked(lambda: parse_toxic(_decoded(body)))
        if proxy.toxics.get(toxic.name) is not None:
            raise ApiError(409, "toxic already exists")
        proxy.add_toxic(toxic)
        return Answer(200, toxic.as_json())

    async def _show_toxic(self, names: list[str], _body: bytes) -> Answer:
        return Answer(200, self._toxic(names).toxic.as_json())

    async def _change_toxic(self, names: list[str], body: bytes) -> Answer:
        before = self._toxic(names).toxic
        toxic = _checked(lambda: revise_toxic(before, _decoded(body)))
        self._proxy(names).revise_toxic(toxic)
        return Answer(200, toxic.as_json())

    async def _delete_toxic(self, names: list[str], _body: bytes) -> Answer:
        self._toxic(names)
        self._proxy(names).toxics.remove(names[1])
        return Answer(204)

    async def _show_tally(self, names: list[str], _body: bytes) -> Answer:
        tally = self._toxic(names).tally
        return Answer(200, {"requests": tally.requests, "struck": tally.struck, "waiting": tally.waiting})

    def _proxy(self, names: list[str]) -> Proxy:
        proxy = self._proxies.get(names[0])
        if proxy is None:
            raise ApiError(404, "proxy not found")
        return proxy

    def _toxic(self, names: list[str]) -> ActiveToxic:
        active = self._proxy(names).toxics.get(names[1])
        if active is None:
            raise ApiError(404, "toxic not found")
        return active


async def serve_api(client: Wire, api: FaultApi) -> None:
    """Answer the requests of one connection, one after the other."""
    parser = h11.Connection(h11.SERVER)
    try:
        while (request := await _next_request(parser, client)) is not None:
            head, body = request
            await client.write(_sent(parser, await _guarded(api, head, body)))
            if parser.our_state is h11.MUST_CLOSE:
                return
            parser.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if parser.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            answer = Answer(error.error_status_hint, {"error": str(error), "status": error.error_status_hint})
            await client.write(_sent(parser, answer))
    finally:
        client.close()


async def _next_request(parser: h11.Connection, client: Wire) -> tuple[h11.Request, bytes] | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            if parser.they_are_waiting_for_100_continue:
                await client.write(parser.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            chunk = await client.read()
            parser.receive_data(b"" if chunk is None else chunk.data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST_BODY_BYTES:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return head, bytes(body)
        else:
            return None


async def _guarded(api: FaultApi, head: h11.Request, body: bytes) -> Answer:
    agents = [value for name, value in head.headers if name == b"user-agent"]
    if any(agent.startswith(b"Mozilla/") for agent in agents):  # a web page must not reach it, as in Toxiproxy
        return Answer(403, {"error": "User agent not allowed", "status": 403})
    return await api.answer(head.method.decode("ascii"), head.target.decode("ascii"), body)


def _sent(parser: h11.Connection, answer: Answer) -> bytes:
    body = b"" if answer.document is None else json.dumps(answer.document).encode()
    headers = [] if answer.document is None else [("content-type", "application/json")]
    if answer.status != 204:
        headers.append(("content-length", str(len(body))))
    parts = (
        parser.send(h11.Response(status_code=answer.status, headers=headers)),
        parser.send(h11.Data(data=body)) if body else b"",
        parser.send(h11.EndOfMessage()),
    )
    return b"".join(part or b"" for part in parts)


def _decoded(body: bytes) -> Any:  # noqa: ANN401 - whatever the client sent
    try:
        return json.loads(body)
    except ValueError as error:
        raise ApiError(400, f"{_BAD_BODY}: {error if body else 'EOF'}") from error


def _checked(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ApiError:
        raise
    except ProdintelError as error:
        exact = error.message in {INVALID_STREAM, INVALID_TYPE} or error.message.startswith("missing required field")
        text = f"{error.message} ({error.hint})" if error.hint else error.message
        raise ApiError(400, error.message if exact else f"{_BAD_BODY}: {text}") from error


async def _started(work: Awaitable[T]) -> T:
    try:
        return await work
    except ConditionError as error:
        raise ApiError(500, error.message) from error
