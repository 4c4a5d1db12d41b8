"""The check of a target without pytest: it judges as the copies in the suites that stand alone do."""

import pytest

from prodintel_lib.renderers.templates import conftest, guard_plan, target


def judged(check, url, **more):
    """Return what a check says, or that it refuses."""
    try:
        return check(url, **more)
    except (ValueError, pytest.UsageError) as error:
        return str(error)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1:8080/", ("http://127.0.0.1:8080", True)),
        ("https://[::1]:8443", ("https://[::1]:8443", True)),
        ("http://localhost/shop", ("http://localhost/shop", True)),
        ("http://evil.example", ("http://evil.example", False)),
        ("http://127.0.0.1.evil.example", ("http://127.0.0.1.evil.example", False)),
    ],
)
def test_check_target_says_what_is_loopback(url, wanted):
    assert judged(target.check_target, url) == wanted
    assert judged(guard_plan.check_target, url) == judged(conftest.check_target, url, may_leave=True) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433",
        "http://127.1",
        "http://0x7f000001",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1#@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://l\u00f6calhost",
        "ftp://127.0.0.1",
        "",
    ],
)
def test_check_target_refuses_what_hides_its_host(url):
    said = judged(target.check_target, url)
    assert "and nothing else; got" in said
    assert judged(guard_plan.check_target, url) == judged(conftest.check_target, url, may_leave=True) == said
