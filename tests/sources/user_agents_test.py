"""Browsers, systems, devices and machines by their user agents; the agents are real ones."""

import polars as pl
import pytest

from prodintel_lib.sources.user_agents import CLIENT_COLUMNS, read_user_agent, with_clients

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
PIXEL = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (WINDOWS, ("Chrome", "141.0.0.0", "Windows", "desktop")),
        (f"{WINDOWS} Edg/141.0.3537.57", ("Edge", "141.0.3537.57", "Windows", "desktop")),
        (f"{WINDOWS} OPR/122.0.0.0", ("Opera", "122.0.0.0", "Windows", "desktop")),
        (
            f"{MAC}605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
            ("Safari", "18.5", "macOS", "desktop"),
        ),
        (f"{IPHONE}Version/18.5 Mobile/15E148 Safari/604.1", ("Safari", "18.5", "iOS", "mobile")),
        (f"{IPHONE}CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1", ("Chrome", "141.0.7390.41", "iOS", "mobile")),
        (f"{IPHONE}FxiOS/143.0 Mobile/15E148 Safari/605.1.15", ("Firefox", "143.0", "iOS", "mobile")),
        (f"{IPHONE}Mobile/15E148", ("iOS WebView", "605.1.15", "iOS", "mobile")),
        (f"{PIXEL}Chrome/141.0.0.0 Mobile Safari/537.36", ("Chrome", "141.0.0.0", "Android", "mobile")),
        (
            f"{PIXEL}SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            ("Samsung Internet", "28.0", "Android", "mobile"),
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X910) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            ("Chrome", "141.0.0.0", "Android", "tablet"),
        ),
        (
            f"{IPHONE}Version/15.1 Mobile/15E148 Safari/604.1".replace("iPhone;", "iPad;"),
            ("Safari", "15.1", "iOS", "tablet"),
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
            ("Firefox", "144.0", "Linux", "desktop"),
        ),
        (
            "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
            ("Internet Explorer", "11.0", "Windows", "desktop"),
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            ("Chrome", "141.0.0.0", "ChromeOS", "desktop"),
        ),
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV Safari/537.36",
            ("Safari", "6.0", "Tizen", "tv"),
        ),
        (
            f"{PIXEL}Chrome/120.0.0.0 Mobile Safari/537.36".replace("Pixel 9", "CUBOT X19"),
            ("Chrome", "120.0.0.0", "Android", "mobile"),
        ),
        ("", (None, None, None, "other")),
    ],
)
def test_read_user_agent_tells_browsers_of_people(agent, expected):
    client = read_user_agent(agent)
    assert (client.browser_name, client.browser_version, client.os_name, client.device_type) == expected
    assert client.synthetic_type is None


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bot"),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "bot"),
        ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "bot"),
        ("UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/", "bot"),
        ("curl/8.11.0", "bot"),
        ("python-requests/2.32.3", "bot"),
        ("Go-http-client/1.1", "bot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "bot",
        ),
        (WINDOWS.replace("Chrome/", "HeadlessChrome/"), "test"),
        (f"{PIXEL}Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse", "test"),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "test"),
        ("kube-probe/1.31", "test"),
    ],
)
def test_read_user_agent_tells_machines(agent, expected):
    assert read_user_agent(agent).synthetic_type == expected


def test_read_user_agent_reads_the_beginning_of_a_very_long_one():
    assert read_user_agent("x" * 1_000_000 + WINDOWS).browser_name is None


def test_read_user_agent_tells_the_machines_of_a_real_log(shared_data):
    lines = (shared_data / "access-logs" / "apache_combined.log").read_text(encoding="utf-8").splitlines()
    types = [read_user_agent(line.rsplit('"', 2)[1]).synthetic_type for line in lines if line.endswith('"')]
    assert {kind: types.count(kind) for kind in ("bot", "test", None)} == {"bot": 2446, "test": 5, None: 7536}


def frame(**columns):
    height = len(columns["user_agent_original"])
    filled = {name: columns.get(name, [None] * height) for name in ("user_agent_original", *CLIENT_COLUMNS)}
    return pl.DataFrame(filled, schema=dict.fromkeys(filled, pl.String))


def test_with_clients_fills_what_the_source_does_not_say():
    made = with_clients(
        frame(
            user_agent_original=[WINDOWS, WINDOWS, WINDOWS, None],
            browser_name=[None, "Brave", None, None],
            browser_version=[None, None, "9", None],
            device_type=[None, "tablet", None, None],
        )
    )
    assert made.rows() == [
        (WINDOWS, "Chrome", "141.0.0.0", "Windows", "desktop", None),
        (WINDOWS, "Brave", None, "Windows", "tablet", None),
        (WINDOWS, "Chrome", "9", "Windows", "desktop", None),
        (None, None, None, None, None, None),
    ]


def test_with_clients_leaves_a_frame_without_agents_as_it_is():
    given = frame(user_agent_original=[None], browser_name=["Safari"])
    assert with_clients(given).equals(given)
