"""The proxies file: which dependency is reached through which address.

The file is Toxiproxy's: a JSON list of ``{"name", "listen", "upstream", "enabled"}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prodintel_lib.errors import ParameterError, SourceFormatError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ("name", "listen", "upstream", "enabled")
EXAMPLE = '[{"name": "payment", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9001"}]'


class Address(NamedTuple):
    """A host and a port; ``str`` gives them back as ``host:port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """One proxy: its name, where it listens, what it forwards to, and whether it starts at once.

    Port 0 in `listen` lets the system choose; the API then reports the real port.
    """

    name: str
    listen: Address
    upstream: Address
    enabled: bool = True


def load_proxies(path: Path) -> tuple[ProxyConfig, ...]:
    """Read a proxies file.

    Parameters
    ----------
    path : pathlib.Path
        A JSON file with a list of proxies.

    Returns
    -------
    tuple of ProxyConfig
        In the order of the file.

    Raises
    ------
    ParameterError
        If the file cannot be read, or a proxy has an unknown key, a repeated name or an address that is none.
    SourceFormatError
        If the file is no JSON list of objects.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"The proxies file {path} cannot be read: {error.strerror}.", hint=f"write one like {EXAMPLE}."
        ) from error
    except UnicodeDecodeError as error:
        raise SourceFormatError(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="save it as UTF-8 JSON."
        ) from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{path}:{error.lineno}:{error.colno} is not JSON: {error.msg}.", hint=f"it should look like {EXAMPLE}."
        ) from error
    return parse_proxies(document, where=str(path))


def parse_proxies(document: object, *, where: str) -> tuple[ProxyConfig, ...]:
    """Check a decoded list of proxies; names must differ."""
    if not isinstance(document, list):
        raise SourceFormatError(
            f"{where} holds {_kind(document)} where a list of proxies is expected.", hint=f"write {EXAMPLE}."
        )
    proxies = tuple(parse_proxy(entry, where=f"{where}, proxy {number}") for number, entry in enumerate(document, 1))
    names = [proxy.name for proxy in proxies]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(
                f"{where} names proxy `{name}` {names.count(name)} times; a name may appear once.",
                hint="name each proxy after the dependency behind it.",
            )
    return proxies


def parse_proxy(document: object, *, where: str) -> ProxyConfig:
    """Check one decoded proxy; `listen` may be left out (any port of the loopback interface)."""
    if not isinstance(document, dict):
        raise SourceFormatError(f"{where}: {_kind(document)} where an object is expected.", hint=f"see {EXAMPLE}.")
    for key in document:
        if key not in KEYS:
            raise ParameterError.unknown("key", str(key), known=KEYS, where=where)
    for key in ("name", "upstream"):
        if not document.get(key):
            raise ParameterError(f"missing required field: {key} ({where}).", hint=f"a proxy looks like {EXAMPLE}.")
    name, enabled = document["name"], document.get("enabled", True)
    if not isinstance(name, str) or "/" in name:
        raise ParameterError(
            f"{where}: `name` is {name!r}; expected a string without a slash.",
            hint="use the dependency's service name.",
        )
    if not isinstance(enabled, bool):
        raise ParameterError(f"{where}: `enabled` is {enabled!r}.", hint="use true or false.")
    return ProxyConfig(
        name=name,
        listen=parse_address(document.get("listen") or "127.0.0.1:0", key="listen", where=where),
        upstream=parse_address(document["upstream"], key="upstream", where=where, lowest_port=1),
        enabled=enabled,
    )


def parse_address(text: object, *, key: str, where: str, lowest_port: int = 0) -> Address:
    """Read ``host:port``, ``[ipv6]:port`` or ``:port`` (every IPv4 interface)."""
    host, colon, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    plain = ":" not in host and not any(character.isspace() or character in "/@[]" for character in host)
    digits = port.isascii() and port.isdecimal()
    if not colon or not (bracketed or plain) or not digits or not lowest_port <= int(port) <= 65_535:
        raise ParameterError(
            f"{where}: `{key}` is {text!r}; expected host:port with a port from {lowest_port} to 65535.",
            hint=f'for example "{key}": "127.0.0.1:9001".',
        )
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - ":port" means this to Toxiproxy's users


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
