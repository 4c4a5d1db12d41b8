"""What a user agent says of itself: browser and version, operating system, kind of device, and whether it is a machine.

The rules are an ordered list each, most special first: every browser claims to be the one it descends from. A family
has one name on all devices (``Chrome`` on a phone is ``Chrome``); ``device_type`` tells them apart. What agents hide
cannot be told: Brave says it is Chrome, an iPad with iPadOS 13 or later that it is a Mac.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_AGENT_CHARS: Final = 2048
CLIENT_COLUMNS: Final = ("browser_name", "browser_version", "os_name", "device_type", "user_agent_synthetic_type")
_VERSION: Final = "([0-9]+(?:[.][0-9]+)*)"

# Checks of availability and speed, and browsers that a program drives.
_TEST: Final = re.compile(
    r"HeadlessChrome|PhantomJS|Electron.*Cypress|Lighthouse|PageSpeed|\bPTST/|GTmetrix|Pingdom|UptimeRobot|StatusCake"
    r"|Site24x7|Catchpoint|DatadogSynthetics|Datadog/Synthetics|NewRelicSynthetics|Dynatrace|Uptime-?Kuma|updown\.io"
    r"|Better (?:Uptime|Stack)|kube-probe|ELB-HealthChecker|GoogleHC|GoogleStackdriverMonitoring|check_http|Blackbox"
    r"|\bk6/|\bLocust\b|ApacheBench|JMeter|Gatling|\bSiege\b|\bVegeta\b|\bhey/",
    re.IGNORECASE,
)
# Crawlers name themselves with one of these words; a page's address in the agent is a crawler's manner too. Cubot is a
# maker of phones.
_BOT: Final = re.compile(
    r"(?<!cu)bot(?:\b|[^a-z])|(?<!cu)bot$|crawl|spider|slurp|scrap|archiver|fetcher|\bfeed|\brss|indexer|scanner|favicon|imageproxy"
    r"|link ?sleuth|nikto|masscan|nmap|zgrab|sqlmap|monitor|validator|link ?check|preview|mediapartners"
    r"|externalhit|facebookcatalog|bingpreview|ia_archiver|transcoder|wordpress/|pingback|baiduspider|yandex(?!search)[a-z]*/|nutch|heritrix"
    r"|\bcurl/|\bwget|python|\bperl|\bruby|\bphp/|\bjava/|jakarta|httpclient|http-client|okhttp|axios/|node-fetch"
    r"|undici|got \(|libwww|lwp|go-http|aiohttp|httpx/|guzzle|rest-?client|postman|insomnia|winhttp|powershell|scrapy"
    r"|mechanize|universalfeedparser|tiny tiny|newsblur|feedly|magpie|jetty/|dart/|dalvik/.*cfnetwork|apachebench"
    r"|\(\+?https?://|;\s*\+?https?://|\bGPT|ClaudeBot|anthropic|perplexity|whatsapp/|telegram|discord|twitterbot|skype",
    re.IGNORECASE,
)

_BROWSERS: Final[Sequence[tuple[str, re.Pattern[str]]]] = tuple(
    (name, re.compile(pattern.replace("<v>", _VERSION)))
    for name, pattern in (
        ("Edge", "Edg(?:e|A|iOS)?/<v>"),
        ("Opera Mini", "Opera Mini/<v>"),
        ("Opera", "OPR/<v>"),
        ("Opera", "(?:OPiOS|OPT|OPX)/<v>"),
        ("Opera", "Opera[/ ].*Version/<v>"),
        ("Opera", "Opera[/ ]<v>"),
        ("Samsung Internet", "SamsungBrowser/<v>"),
        ("Yandex Browser", "Ya(?:SearchBrowser|Browser)/<v>"),
        ("UC Browser", "UC ?Browser/?<v>"),
        ("Vivaldi", "Vivaldi/<v>"),
        ("DuckDuckGo", "(?:DuckDuckGo|Ddg)/<v>"),
        ("Huawei Browser", "HuaweiBrowser/<v>"),
        ("MIUI Browser", "MiuiBrowser/<v>"),
        ("QQ Browser", "M?QQBrowser/<v>"),
        ("Whale", "Whale/<v>"),
        ("Silk", "Silk/<v>"),
        ("Coc Coc", "coc_coc_browser/<v>"),
        ("WeChat", "MicroMessenger/<v>"),
        ("Facebook", "FBAV/<v>"),
        ("Instagram", "Instagram <v>"),
        ("Pinterest", r"\[Pinterest/"),
        ("TikTok", "(?:musical_ly|BytedanceWebview|trill)[_/ ]<v>"),
        ("LINE", r"\bLine/<v>"),
        ("Google App", r"\bGSA/<v>"),
        ("Firefox Focus", "(?:Focus|Klar)/<v>"),
        ("Firefox", "FxiOS/<v>"),
        ("Chrome", "CriOS/<v>"),
        ("SeaMonkey", "SeaMonkey/<v>"),
        ("Pale Moon", "PaleMoon/<v>"),
        ("Iceweasel", "(?:Iceweasel|Iceape|IceCat)/<v>"),
        ("Firefox", "Firefox/<v>"),
        ("Internet Explorer", "MSIE <v>"),
        ("Internet Explorer", "Trident/.*rv:<v>"),
        ("Maxthon", "Maxthon[/ ]<v>"),
        ("Electron", "Electron/<v>"),
        ("Chromium", "Chromium/<v>"),
        ("Chrome", "HeadlessChrome/<v>"),
        ("Android WebView", "(?:; wv[);].*|Android.*Version/[0-9.]+ )Chrome/<v>"),
        ("Chrome", "Chrome/<v>"),
        ("BlackBerry", "(?:BlackBerry|BB10|PlayBook).*Version/<v>"),
        ("Android Browser", "Android.*Version/<v>.*Safari/"),
        ("Konqueror", "Konqueror/<v>"),
        ("Epiphany", "Epiphany/<v>"),
        ("Safari", "Version/<v>.*Safari/"),
        ("iOS WebView", "(?:iPhone|iPad|iPod).*AppleWebKit/<v>"),
        ("Safari", "Safari/<v>"),
        ("Lynx", "Lynx/<v>"),
        ("w3m", "w3m/<v>"),
        ("Links", "Links \\(<v>"),
        ("Netscape", "(?:Netscape6?|Navigator)/<v>"),
        ("Mozilla", "rv:<v>.*Gecko/"),
    )
)
_SYSTEMS: Final[Sequence[tuple[str, re.Pattern[str]]]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("Windows Phone", "Windows Phone|IEMobile|Windows CE"),
        ("Xbox", "Xbox"),
        ("Windows", "Windows|Win(?:9[58]|NT|32|64)"),
        ("tvOS", "AppleTV|Apple TV|tvOS"),
        ("iOS", "iPhone|iPad|iPod|CPU OS [0-9]|iOS/"),
        ("HarmonyOS", "HarmonyOS|OpenHarmony"),
        ("KaiOS", "KAIOS|KaiOS"),
        ("Tizen", "Tizen"),
        ("webOS", "Web0S|webOS|hpwOS"),
        ("Android", "Android|Silk/|\\bAdr "),
        ("ChromeOS", "CrOS"),
        ("macOS", "Macintosh|Mac ?OS|Mac_PowerPC"),
        ("PlayStation", "PlayStation"),
        ("Nintendo", "Nintendo"),
        ("BlackBerry OS", "BlackBerry|BB10|PlayBook|RIM Tablet"),
        ("Symbian", "Symbian|SymbOS|Series ?[346]0|S60"),
        ("BSD", "(?:Free|Open|Net)BSD"),
        ("Solaris", "SunOS|Solaris"),
        ("Linux", "Linux|X11|Ubuntu|Fedora"),
    )
)
_DEVICES: Final[Sequence[tuple[str, re.Pattern[str]]]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "tv",
            (
                "(?i:smart-?tv|apple ?tv|google ?tv|android tv|hbbtv|netcast|bravia|viera|web0s|crkey|roku|\\bdtv\\b)"
                "|Tizen.*\\bTV\\b|; AFT[A-Z]|\\bMIBOX|SHIELD Android TV"
            ),
        ),
        ("other", "PlayStation|Xbox|Nintendo"),
        ("tablet", "iPad|(?i:tablet(?! pc))|PlayBook|Kindle|KF[A-Z]{2,4} Build|; SM-T[0-9]|Silk/(?!.*Mobile)"),
        ("tablet", "\\bAndroid\\b(?!.*(?:Mobile|Mini|Opera Mobi|Wear))"),
        (
            "mobile",
            "iPhone|iPod|Android|Mobi|Windows Phone|IEMobile|BlackBerry|BB10|Opera Mini|KAIOS|Symbian|Series ?60",
        ),
        ("mobile", "SymbOS|Nokia|MIDP|Windows CE|webOS/|hpwOS|\\bPhone\\b"),
        ("desktop", "Windows|Win(?:9[58]|NT|32|64)|Macintosh|Mac_PowerPC|Mac ?OS|Linux|X11|CrOS|BSD|SunOS|Darwin"),
    )
)


@dataclass(frozen=True, slots=True)
class Client:
    """What a user agent says.

    Attributes
    ----------
    browser_name, browser_version : str or None
        The family, and its version as written.
    os_name : str or None
    device_type : str
        ``desktop``, ``mobile``, ``tablet``, ``tv`` or ``other``.
    synthetic_type : str or None
        ``bot`` for crawlers, libraries and tools; ``test`` for monitors and browsers that a program drives.
    """

    browser_name: str | None
    browser_version: str | None
    os_name: str | None
    device_type: str
    synthetic_type: str | None


@lru_cache(maxsize=65536)
def read_user_agent(agent: str) -> Client:
    """Return what a user agent says of itself.

    Examples
    --------
    >>> read_user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0")
    Client(browser_name='Firefox', browser_version='144.0', os_name='Linux', device_type='desktop', synthetic_type=None)
    """
    text = agent[:MAX_AGENT_CHARS]
    name, version = _browser(text)
    return Client(
        browser_name=name,
        browser_version=version,
        os_name=_first(_SYSTEMS, text),
        device_type=_first(_DEVICES, text) or "other",
        synthetic_type="test" if _TEST.search(text) else "bot" if _BOT.search(text) else None,
    )


def with_clients(events: pl.DataFrame) -> pl.DataFrame:
    """Fill what a row's user agent says and its source does not.

    Parameters
    ----------
    events : polars.DataFrame
        With ``user_agent_original`` and the columns of CLIENT_COLUMNS, nulls where the source says nothing.

    Returns
    -------
    polars.DataFrame
        The same rows. A browser's version is filled only together with its name: names and versions of two readings do
        not mix.
    """
    agents = events["user_agent_original"].drop_nulls().unique()
    if agents.is_empty():
        return events
    clients = [read_user_agent(agent) for agent in agents]
    told = pl.DataFrame(
        {
            "user_agent_original": agents,
            "told:browser_name": [client.browser_name for client in clients],
            "told:browser_version": [client.browser_version for client in clients],
            "told:os_name": [client.os_name for client in clients],
            "told:device_type": [client.device_type for client in clients],
            "told:user_agent_synthetic_type": [client.synthetic_type for client in clients],
        },
        schema_overrides={f"told:{name}": pl.String for name in CLIENT_COLUMNS},
    )
    joined = events.join(told, on="user_agent_original", how="left", maintain_order="left")
    version = pl.when(pl.col("browser_name").is_null()).then(pl.coalesce("browser_version", "told:browser_version"))
    filled = [pl.coalesce(name, f"told:{name}").alias(name) for name in CLIENT_COLUMNS if name != "browser_version"]
    return joined.with_columns(version.otherwise("browser_version").alias("browser_version"), *filled).select(
        events.columns
    )


def _browser(text: str) -> tuple[str | None, str | None]:
    for name, pattern in _BROWSERS:
        if found := pattern.search(text):
            return name, found[1] if found.re.groups else None
    return None, None


def _first(rules: Sequence[tuple[str, re.Pattern[str]]], text: str) -> str | None:
    return next((name for name, pattern in rules if pattern.search(text)), None)
