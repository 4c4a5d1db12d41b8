"""The runtime of generated browser tests, where running it whole would not show a corner."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from prodintel_lib.renderers.templates import conftest, ui_conftest, ui_target
from prodintel_lib.renderers.templates.ui_conftest import FormValues, context_arguments, launch_arguments, read_settings
from prodintel_lib.renderers.templates.ui_visitor import Settings, Visitor, plain, shape, told_once

FORM_VALUES = Path(ui_conftest.__file__).with_name("ui_form_values.json")


def configured(*args, base_url=None, scale=None, writes=False, worker=False):
    options = {"base_url": base_url, "think_time_scale": scale, "allow_writes": writes}
    config = SimpleNamespace(
        invocation_params=SimpleNamespace(args=args), getoption=lambda name, default: options[name] or default
    )
    if worker:
        config.workerinput = {}
    return config


def test_read_settings_defaults_to_loopback(monkeypatch):
    for name in ("BASE_URL", "THINK_TIME_SCALE"):
        monkeypatch.delenv(name, raising=False)

    assert read_settings(configured()) == Settings("http://127.0.0.1:8080", True, False, 0.1)


def test_read_settings_leaves_loopback_only_where_the_command_line_says_so(monkeypatch):
    monkeypatch.delenv("THINK_TIME_SCALE", raising=False)
    asked = configured("--base-url", "https://shop.example/", base_url="https://shop.example/", writes=True)
    assert read_settings(asked) == Settings("https://shop.example", False, True, 0.1)
    assert read_settings(configured(base_url="https://shop.example", worker=True)).base_url == "https://shop.example"
    with pytest.raises(pytest.UsageError, match="is beyond loopback"):
        read_settings(configured(base_url="https://shop.example"))


@pytest.mark.parametrize("scale", ["-1", "nan", "fast"])
def test_read_settings_refuses_a_scale_that_is_none(scale, monkeypatch):
    monkeypatch.setenv("THINK_TIME_SCALE", scale)
    with pytest.raises(pytest.UsageError, match="is a number from 0"):
        read_settings(configured())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://evil.example",
        "http://2130706433",
        "http://127.0.0.1@x.example",
        "x",
    ],
)
def test_check_target_judges_as_the_replays_of_incidents_do(url):
    def judged(check):
        try:
            return check(url, may_leave=True)
        except pytest.UsageError as error:
            return str(error)

    assert judged(ui_target.check_target) == judged(conftest.check_target)


def test_form_values_are_the_environments_or_the_countrys_or_anyones(monkeypatch):
    monkeypatch.setenv("FORM_EMAIL", "qa@shop.example")
    values = FormValues("NL")

    assert values["email"] == "qa@shop.example"
    assert values["postcode"] == "1012 AB"
    assert values["postcode@US"] == "10001"
    assert values["postcode@ZZ"] == values["postcode@GB"] == "SW1A 1AA"
    assert values["delivery_note"] == "test delivery note"


def test_form_values_hold_a_card_number_that_checks_out():
    digits = [int(sign) for sign in json.loads(FORM_VALUES.read_text())["card_number"] if sign.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) if n % 2 == len(digits) % 2 else digit for n, digit in enumerate(digits)]

    assert len(digits) == 16
    assert sum(doubled) % 10 == 0


def test_launch_arguments_prefer_the_program_named_then_playwrights_then_the_systems(monkeypatch, tmp_path):
    own = tmp_path / "chrome"
    own.touch()
    monkeypatch.setattr(ui_conftest.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv("PLAYWRIGHT_CHROMIUM_ARGS", "--a '--b=c d'")
    monkeypatch.setenv("PLAYWRIGHT_CHROMIUM", "/opt/chromium")
    assert launch_arguments(str(own)) == {"args": ["--a", "--b=c d"], "executable_path": "/opt/chromium"}
    monkeypatch.delenv("PLAYWRIGHT_CHROMIUM")
    assert "executable_path" not in launch_arguments(str(own))
    assert launch_arguments(str(tmp_path / "none"))["executable_path"] == "/usr/bin/chromium"


def test_context_arguments_are_the_clients():
    client = {"user_agent": "x", "viewport_width_px": 390, "viewport_height_px": 844, "is_mobile": True}

    assert context_arguments(client | {"locale": "de-DE", "timezone": "Europe/Berlin", "seed": 3}) == {
        "user_agent": "x",
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "locale": "de-DE",
        "timezone_id": "Europe/Berlin",
    }
    assert context_arguments({"viewport_width_px": 390}) == {}


class Page:
    """Just enough of a page for what asks nothing of the browser."""

    def __init__(self):
        self.opened = []

    def add_init_script(self, *, path):
        assert path.name == "ui_page.js"

    def on(self, *_):
        pass

    def goto(self, url):
        self.opened.append(url)


@pytest.mark.parametrize(
    ("path", "query", "opened"),
    [
        ("/a b/%2F", "", "/a%20b/%2F"),
        ("/a?b#c", "q=1&r=?#x", "/a%3Fb%23c?q=1&r=?%23x"),
        ("//evil.example/x", "", "//evil.example/x"),
        ("/\t/evil.example", "", "/%09/evil.example"),
        ("/\\evil.example", "", "/%5Cevil.example"),
    ],
)
def test_visit_never_leaves_the_site(path, query, opened):
    page = Page()
    visitor = Visitor(page, Settings("http://127.0.0.1:1", True, False, 0), {}, lambda *_: None)
    visitor.visit(path, query=query)

    assert page.opened == [f"http://127.0.0.1:1{opened}"]


@pytest.mark.parametrize(
    ("route", "url", "is_there"),
    [
        ("/", "/", True),
        ("/", "/x", False),
        ("/product/{id}", "/product/prd_7?a=b#c", True),
        ("/product/{id}", "/product/prd_7/reviews", False),
        ("/product/{id}", "/product/", False),
        ("/cart/", "/cart", True),
        ("/a.c", "/abc", False),
        ("/a b", "/a%20b", True),
        ("/{lang}/x(1)", "/en/x(1)", True),
    ],
)
def test_pattern_knows_a_route(route, url, is_there):
    visitor = Visitor(Page(), Settings("http://127.0.0.1:1/shop", True, False, 0), {}, lambda *_: None)

    assert bool(visitor._pattern(route).match(f"http://127.0.0.1:1/shop{url}")) is is_there


def test_messages_of_failures_are_plain():
    assert plain("a\x1b[31m\u2028") == "a\\x1b[31m\\u2028"
    assert told_once(["a", "b", "a"]) == "a; b"
    assert shape(" item 4711 of 12 ") == "item 0 of 0"
