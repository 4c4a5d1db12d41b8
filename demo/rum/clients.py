"""Where visitors are and what they look through: regions, devices and browsers with shares as the web has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Region:
    """A region of visitors.

    Attributes
    ----------
    country, region : str
        ISO 3166-1 and 3166-2.
    zone : str
        IANA name of the time zone.
    language : str
    share : float
        Of the visitors; relative to the others.
    latency : float
        How many times longer a page loads than next to the servers.
    """

    country: str
    region: str
    zone: str
    language: str
    share: float
    latency: float


REGIONS: Final = (
    Region("US", "US-CA", "America/Los_Angeles", "en-US", 13, 1.25),
    Region("US", "US-NY", "America/New_York", "en-US", 12, 1.1),
    Region("US", "US-TX", "America/Chicago", "en-US", 10, 1.15),
    Region("GB", "GB-ENG", "Europe/London", "en-GB", 12, 1.0),
    Region("GB", "GB-SCT", "Europe/London", "en-GB", 2, 1.05),
    Region("DE", "DE-BE", "Europe/Berlin", "de-DE", 8, 1.0),
    Region("DE", "DE-BY", "Europe/Berlin", "de-DE", 8, 1.0),
    Region("FR", "FR-IDF", "Europe/Paris", "fr-FR", 9, 1.0),
    Region("ES", "ES-MD", "Europe/Madrid", "es-ES", 5, 1.1),
    Region("PL", "PL-14", "Europe/Warsaw", "pl-PL", 4, 1.1),
    Region("PL", "PL-12", "Europe/Warsaw", "pl-PL", 3, 1.1),
    Region("BR", "BR-SP", "America/Sao_Paulo", "pt-BR", 5, 1.45),
    Region("IN", "IN-MH", "Asia/Kolkata", "en-IN", 5, 1.5),
    Region("AU", "AU-NSW", "Australia/Sydney", "en-AU", 4, 1.4),
)


@dataclass(frozen=True, slots=True)
class Client:
    """One version of a browser on one kind of device.

    Attributes
    ----------
    device, system, browser, version, agent : str
    width_px, height_px : int
    share : float
        Of the visitors.
    """

    device: str
    system: str
    browser: str
    version: str
    agent: str
    width_px: int
    height_px: int
    share: float


@dataclass(frozen=True, slots=True)
class _Family:
    device: str
    system: str
    browser: str
    share: float
    width_px: int
    height_px: int
    versions: tuple[tuple[str, float], ...]
    agent: str


_CHROME: Final = (("142.0", 0.62), ("141.0", 0.25), ("138.0", 0.13))
_EDGE: Final = (("142.0", 0.70), ("141.0", 0.30))
_SAFARI: Final = (("26.1", 0.30), ("26.0", 0.34), ("18.6", 0.36))
_FIREFOX: Final = (("145.0", 0.55), ("144.0", 0.25), ("140.0", 0.20))
_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
_MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/"
_BLINK: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_FAMILIES: Final = (
    _Family("mobile", "Android", "Chrome", 0.330, 412, 915, _CHROME,
            f"Mozilla/5.0 (Linux; Android 10; K) {_BLINK} Chrome/{{}}.0.0 Mobile Safari/537.36"),
    _Family("mobile", "iOS", "Safari", 0.195, 393, 852, _SAFARI,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/{} Mobile/15E148 Safari/604.1"),
    _Family("mobile", "Android", "Samsung Internet", 0.030, 384, 832, (("29.0", 0.7), ("28.0", 0.3)),
            f"Mozilla/5.0 (Linux; Android 10; K) {_BLINK} SamsungBrowser/{{}} Chrome/136.0.0.0 Mobile Safari/537.36"),
    _Family("mobile", "Android", "Firefox", 0.010, 412, 915, _FIREFOX,
            "Mozilla/5.0 (Android 15; Mobile; rv:{0}) Gecko/{0} Firefox/{0}"),
    _Family("desktop", "Windows", "Chrome", 0.185, 1536, 730, _CHROME,
            f"{_WINDOWS}) {_BLINK} Chrome/{{}}.0.0 Safari/537.36"),
    _Family("desktop", "Windows", "Edge", 0.062, 1536, 730, _EDGE,
            f"{_WINDOWS}) {_BLINK} Chrome/{{0}}.0.0 Safari/537.36 Edg/{{0}}.0.0"),
    _Family("desktop", "Windows", "Firefox", 0.030, 1920, 955, _FIREFOX,
            f"{_WINDOWS}; rv:{{0}}) Gecko/20100101 Firefox/{{0}}"),
    _Family("desktop", "macOS", "Chrome", 0.055, 1440, 789, _CHROME,
            f"{_MAC}537.36 (KHTML, like Gecko) Chrome/{{}}.0.0 Safari/537.36"),
    _Family("desktop", "macOS", "Safari", 0.050, 1440, 789, _SAFARI,
            f"{_MAC}605.1.15 (KHTML, like Gecko) Version/{{}} Safari/605.1.15"),
    _Family("desktop", "Linux", "Firefox", 0.013, 1920, 955, _FIREFOX,
            "Mozilla/5.0 (X11; Linux x86_64; rv:{0}) Gecko/20100101 Firefox/{0}"),
    _Family("tablet", "iOS", "Safari", 0.025, 820, 1106, _SAFARI,
            "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/{} Mobile/15E148 Safari/604.1"),
    _Family("tablet", "Android", "Chrome", 0.015, 800, 1205, _CHROME,
            f"Mozilla/5.0 (Linux; Android 10; K) {_BLINK} Chrome/{{}}.0.0 Safari/537.36"),
)  # fmt: skip
CLIENTS: Final = tuple(
    Client(
        family.device,
        family.system,
        family.browser,
        version,
        family.agent.format(version),
        family.width_px,
        family.height_px,
        family.share * share,
    )
    for family in _FAMILIES
    for version, share in family.versions
)
LOAD_BY_DEVICE: Final = {"desktop": 1.0, "mobile": 1.45, "tablet": 1.2}
INP_BY_DEVICE: Final = {"desktop": 80.0, "mobile": 150.0, "tablet": 110.0}

NETWORKS: Final = ("wifi", "4g", "3g")
NETWORK_SHARES: Final = {"desktop": (0.97, 0.03, 0.0), "mobile": (0.55, 0.42, 0.03), "tablet": (0.85, 0.14, 0.01)}
LOAD_BY_NETWORK: Final = (1.0, 1.1, 2.2)

# Share of a day's sessions that begin in each local hour, and of a week's on each day from Monday; relative figures.
HOURS: Final = (14, 8, 5, 4, 4, 7, 16, 30, 42, 50, 55, 58, 62, 58, 54, 53, 56, 62, 72, 84, 92, 84, 58, 30)
WEEKDAYS: Final = (1.0, 0.97, 0.96, 0.99, 1.02, 1.14, 1.2)
