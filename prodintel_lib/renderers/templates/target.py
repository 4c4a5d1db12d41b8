"""The system under test, as its URL names it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def check_target(url: str) -> tuple[str, bool]:
    """Return the URL without a trailing slash, and whether it is loopback; refuse what hides its host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        shown = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]+)?", parts.netloc)
    except ValueError:
        host, shown = "", None
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # What ends in a number but is no address may still be read as one (127.1, 2130706433, 0x7f000001).
        shown = None if re.fullmatch(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)", host) else shown
        loopback = False
    if not shown or not re.fullmatch(r"https?://[!-~]+", url) or re.search(r"[\\?#]", url):
        raise ValueError(f"A target is http(s)://host[:port][/path] and nothing else; got {url!a}.")
    return url.rstrip("/"), loopback
