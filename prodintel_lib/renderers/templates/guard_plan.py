"""What a guard concludes, and when: the same for every tool that sends its requests."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"
GRACE_MS = 500  # a client waits this much longer than the limit, so that late differs from never
PREPARATION_MS = 10_000
MAX_TRIES = 3  # so many customers may be lost on the way for each one that is needed
READS = {"GET", "HEAD", "OPTIONS"}

Data = dict[str, Any]


@dataclass
class Tally:
    """How the answers to a guard's requests went so far."""

    guard: Data
    sent: int = 0
    tried: int = 0
    symptoms: Counter[str] = field(default_factory=Counter)
    lost: str = ""

    @property
    def bad(self) -> int:
        """How many were bad."""
        return sum(self.symptoms.values())

    def add(self, symptom: str) -> None:
        """Count an answer: what was wrong with it, or nothing."""
        self.sent += 1
        if symptom:
            self.symptoms[symptom] += 1

    def missing(self) -> int:
        """Return how many more answers the next look needs."""
        return next(int(n) for n, _, _ in self.guard["looks"] if n > self.sent) - self.sent

    def exchanges(self) -> list[Data]:
        """Return what the next customers do, one for each answer that the next look needs."""
        first, self.tried = self.tried, self.tried + self.missing()
        every = self.guard["exchanges"]
        return [every[number % len(every)] for number in range(first, self.tried)]

    def conclusion(self) -> tuple[str, str]:
        """Return the symptom and the reason: ``healthy``, how it is bad, or why nobody can tell; nothing to go on."""
        if self.tried > MAX_TRIES * self.guard["looks"][-1][0]:
            return "setup", f"{self.tried - self.sent} of {self.tried} customers did not get there: {self.lost}"
        looks = {n: (green, red) for n, green, red in self.guard["looks"]}
        if self.sent not in looks:
            return "", ""
        green, red = looks[self.sent]
        if self.bad < red:
            return ("healthy", self.told()) if self.bad <= green else ("", "")
        return self._symptom(), self.told()

    def _symptom(self) -> str:
        """Name how it is bad, or that it is no judgement: nobody answered, or what was recorded does not exist here."""
        if self.symptoms["unreachable"] == self.sent:
            return "unreachable"
        return "setup" if 2 * self.symptoms["unexpected_status"] >= self.bad else self.symptoms.most_common(1)[0][0]

    def told(self) -> str:
        """Say what came."""
        came = ", ".join(f"{n} {symptom}" for symptom, n in self.symptoms.most_common()) or "none"
        return f"{self.bad} of {self.sent} were bad ({came})"


def limit_ms(guard: Data, latency_factor: float) -> float:
    """Return how long an answer may take on this machine."""
    return float(guard["limit_ms"]) * latency_factor


def what_is_wrong(guard: Data, status: int, elapsed_ms: float, latency_factor: float) -> str:
    """Name what is wrong with an answer, or nothing."""
    if status >= 500:
        return "server_error"
    # Another success is a success: what is fixed may accept now and finish later.
    if status not in guard["statuses"] and not 200 <= status < 300:
        return "unexpected_status"
    return "no_answer_in_time" if elapsed_ms > limit_ms(guard, latency_factor) else ""


def writes(guard: Data, requests: Data) -> bool:
    """Say whether a guard may change the system."""
    named = {name for each in guard["exchanges"] for name in (*each["prepare"], each["request"])}
    return any(requests[name]["method"] not in READS for name in named)


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
