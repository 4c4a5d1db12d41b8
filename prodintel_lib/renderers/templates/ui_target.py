"""The site under test: loopback unless another one is named on the command line itself."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import pytest


def typed_base_url(config: pytest.Config) -> str:
    """Return what the command line itself names; an ini file or the environment does not count."""
    typed = ""
    args = [str(arg) for arg in config.invocation_params.args]
    for n, arg in enumerate(args):
        if arg == "--base-url":
            typed = "".join(args[n + 1 : n + 2])
        elif arg.startswith("--base-url="):
            typed = arg.partition("=")[2]
    return typed


def check_target(url: str, *, may_leave: bool) -> tuple[str, bool]:
    """Return the URL without a trailing slash, and whether it is loopback; refuse what hides its host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        hidden = not re.fullmatch(
            r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]+)?", parts.netloc
        )
    except ValueError:
        host, hidden = "", True
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # What ends in a number but is no address may still be read as one (127.1, 2130706433, 0x7f000001).
        hidden |= bool(re.fullmatch(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)", host))
        loopback = False
    if hidden or not re.fullmatch(r"https?://[!-~]+", url) or re.search(r"[\\?#]", url):
        raise pytest.UsageError(f"A target is http(s)://host[:port][/path] and nothing else; got {url!a}.")
    if not (loopback or may_leave):
        raise pytest.UsageError(f"{url} is beyond loopback: name it with --base-url on the command line.")
    return url.rstrip("/"), loopback
