"""The devices, browsers, countries and networks that visitors come with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_FIREFOX: Final = "rv:145.0) Gecko/20100101 Firefox/145.0"


@dataclass(frozen=True, slots=True)
class Device:
    """A device with its browser.

    Attributes
    ----------
    name : str
    weight : float
        How many have it, among all.
    user_agent : str
    width_px, height_px : int
        Of the viewport.
    is_phone : bool
        Whether it is touched, and has a phone's idea of a page's width.
    tells_network : bool
        Whether the browser tells pages how fast its network is; not all do.
    """

    name: str
    weight: float
    user_agent: str
    width_px: int
    height_px: int
    is_phone: bool = False
    tells_network: bool = False


@dataclass(frozen=True, slots=True)
class Country:
    """A country people come from, with one of its postcodes; `postcode` as people there write it."""

    code: str
    weight: float
    locale: str
    timezone: str
    postcode: str
    city: str
    street: str


@dataclass(frozen=True, slots=True)
class Network:
    """A slow network: round trip in ms, both ways in bytes a second."""

    latency_ms: float
    bytes_per_s: int


DEVICES: Final = (
    Device("windows-chrome", 0.2, f"{_WINDOWS} {_CHROME} Safari/537.36", 1366, 768, tells_network=True),
    Device("windows-edge", 0.08, f"{_WINDOWS} {_CHROME} Safari/537.36 Edg/142.0.0.0", 1536, 864, tells_network=True),
    Device("windows-firefox", 0.1, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; {_FIREFOX}", 1440, 900),
    Device(
        "mac-safari",
        0.12,
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/26.1 Safari/605.1.15",
        1440,
        860,
    ),
    Device(
        "android-chrome",
        0.25,
        f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
        412,
        915,
        is_phone=True,
        tells_network=True,
    ),
    Device("android-firefox", 0.05, f"Mozilla/5.0 (Android 15; Mobile; {_FIREFOX}", 412, 892, is_phone=True),
    Device(
        "iphone-safari",
        0.2,
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {_WEBKIT} Version/26.1 Mobile/15E148 Safari/604.1",
        390,
        844,
        is_phone=True,
    ),
)

COUNTRIES: Final = (
    Country("GB", 0.3, "en-GB", "Europe/London", "SW1A 1AA", "London", "High Street 12"),
    Country("DE", 0.25, "de-DE", "Europe/Berlin", "10115", "Berlin", "Invalidenstraße 3"),
    Country("NL", 0.2, "nl-NL", "Europe/Amsterdam", "1012 AB", "Amsterdam", "Damrak 7"),
    Country("US", 0.15, "en-US", "America/New_York", "10001", "New York", "8th Avenue 400"),
    Country("FR", 0.1, "fr-FR", "Europe/Paris", "75001", "Paris", "Rue de Rivoli 9"),
)

SLOW_NETWORK: Final = Network(latency_ms=300.0, bytes_per_s=90_000)
