"""The runtime of generated tests, where running it whole would not show a corner."""

import re

import pytest

from prodintel_lib.renderers.templates import conftest
from prodintel_lib.renderers.templates.conftest import SecretValues, check_target
from prodintel_lib.renderers.templates.replay_requests import MISSING, SetUpError, at_pointer, fill
from prodintel_lib.renderers.templates.replay_system import Answer, _symptom, _unlike

ORDER = {"method": "POST", "route": "/o", "path": "/api/orders/7", "body": {"n": 1, "items": [{"id": "a"}]}}


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080", "http://localhost", "https://[::1]:8443", "http://127.8.9.1/shop"],
)
def test_check_target_takes_loopback(url):
    assert check_target(url + "/", may_leave=False) == (url, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://evil.com",
        "http://10.0.0.1",
        "http://[2001:db8::1]",
        "http://0.0.0.0",
    ],
)
def test_check_target_leaves_loopback_only_where_asked(url):
    assert check_target(url, may_leave=True) == (url, False)
    with pytest.raises(pytest.UsageError, match="is beyond loopback"):
        check_target(url, may_leave=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@evil.com",
        "http://user:secret@127.0.0.1",
        "http://2130706433",
        "http://127.1",
        "http://0x7f000001",
        "http://127.0.0.01",
        "http://evil.com\\@127.0.0.1",
        "http://127.0.0.1#@evil.com",
        "http://127.0.0.1?@evil.com",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://127.0.0.1\n.evil.com",
        "http://[::1",
        "http://l\u00f6calhost",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "127.0.0.1:8080",
        "",
    ],
)
def test_check_target_refuses_what_hides_its_host(url):
    with pytest.raises(pytest.UsageError, match="and nothing else; got"):
        check_target(url, may_leave=True)


def test_options_that_another_plugin_has_registered_are_left_to_it():
    registered = []

    class Group:
        def addoption(self, name, **_):
            if name == "--base-url":
                raise ValueError("option names {'--base-url'} already added")
            registered.append(name)

    class Parser:
        def getgroup(self, *_):
            return Group()

    conftest.pytest_addoption(Parser())

    assert registered == ["--allow-writes", "--time-scale", "--without-conditions", "--include-unverified"]


def test_secret_values_come_from_the_environment_or_are_visibly_none(monkeypatch):
    monkeypatch.setenv("SECRET_CARD_TOKEN", "tok_1")

    assert SecretValues()["card_token"] == "tok_1"
    assert SecretValues()["password"] == "placeholder-for-password"


def filled(replacements, values=None, **parts):
    return fill({**ORDER, **parts, "replacements": replacements}, values or {}, SecretValues())


def test_fill_puts_values_where_they_belong_and_leaves_the_recording_alone():
    path, headers, body = filled(
        [
            {"into": "path", "at": "2", "extracted": "id"},
            {"into": "query", "at": "q", "extracted": "id"},
            {"into": "header", "at": "Authorization", "extracted": "token", "prefix": "Bearer "},
            {"into": "body", "at": "/items/0/id", "extracted": "id"},
            {"into": "body", "at": "/new", "masked": "pin"},
        ],
        {"id": "a/../b c", "token": "t"},
        query=[["q", "old"], ["r", "a&b"]],
        headers=[["Accept", "x"], ["Host", "evil.com"], ["Content-Length", "3"]],
    )

    assert path == "/api/orders/a%2F..%2Fb%20c?q=a%2F..%2Fb+c&r=a%26b"
    assert headers == {b"accept": b"x", b"content-type": b"application/json", b"authorization": b"Bearer t"}
    assert body == {"n": 1, "items": [{"id": "a/../b c"}], "new": "placeholder-for-pin"}
    assert ORDER["body"] == {"n": 1, "items": [{"id": "a"}]}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("//evil.com/x", "//evil.com/x"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/a b/%2F", "/a%20b/%2F"),
        ("/\r\nX: y", "/%0D%0AX:%20y"),
    ],
)
def test_fill_keeps_a_path_a_path(path, sent):
    assert filled([], path=path)[0] == sent


@pytest.mark.parametrize(
    ("replacement", "pattern"),
    [
        ({"fresh": "uuid"}, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ({"fresh": "hex", "length": 12}, r"[0-9a-f]{12}"),
        ({"fresh": "text", "length": 5}, r"[a-z]{5}"),
    ],
)
def test_fill_makes_fresh_values_of_the_form(replacement, pattern):
    made = {filled([{"into": "body", "at": "/n2", **replacement}])[2]["n2"] for _ in range(20)}

    assert all(re.fullmatch(pattern, value) for value in made)
    assert len(made) > 15


def test_fill_keeps_a_number_a_number():
    body = filled([{"into": "body", "at": "/n", "fresh": "digits", "length": 9}])[2]

    assert isinstance(body["n"], int)
    assert 10**8 <= body["n"] < 10**9


def test_fill_says_which_value_is_missing():
    with pytest.raises(SetUpError, match="no earlier answer gave a value for token"):
        filled([{"into": "header", "at": "a", "extracted": "token"}])
    with pytest.raises(SetUpError, match="the recorded body has no place /items/3/id"):
        filled([{"into": "body", "at": "/items/3/id", "fresh": "uuid"}])


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", {"a/b": [{"~": 1}]}), ("/a~1b/0/~0", 1), ("/a~1b/1", MISSING), ("/a~1b/x", MISSING), ("/x", MISSING)],
)
def test_at_pointer_reads_as_rfc_6901_says(pointer, found):
    assert at_pointer({"a/b": [{"~": 1}]}, pointer) == found


EXPECTED = {"statuses": [200], "refusals": True, "deadline_ms": 100, "oracle": ""}


@pytest.mark.parametrize(
    ("answer", "symptom"),
    [
        (Answer(200, 100.0), ""),
        (Answer(200, 100.1), "no_answer_in_time"),
        (Answer(503, 5.0, {"retry-after": "1"}), ""),
        (Answer(429, 5.0, {"retry-after": "1"}), ""),
        (Answer(503, 100.1, {"retry-after": "1"}), "no_answer_in_time"),
        (Answer(503, 5.0), "server_error"),
        (Answer(429, 5.0), "unexpected_status"),
        (Answer(504, 500.0), "server_error"),
        (Answer(404, 5.0), "unexpected_status"),
        (Answer(None, 600.0, error="gave up waiting"), "no_answer_in_time"),
        (Answer(None, 5.0, error="ConnectError"), "unreachable"),
    ],
)
def test_symptom_of_an_answer(answer, symptom):
    assert _symptom(answer, EXPECTED) == symptom


def test_symptom_takes_a_refusal_for_an_error_where_none_is_allowed():
    assert _symptom(Answer(503, 5.0, {"retry-after": "1"}), EXPECTED | {"refusals": False}) == "server_error"


@pytest.mark.parametrize(
    ("shown", "fact", "words"),
    [
        ({"a": 1}, {"check": "equals", "pointer": "/a", "value": 1}, None),
        ({"a": True}, {"check": "equals", "pointer": "/a", "value": 1}, "equals at /a: expected 1, found true"),
        ({}, {"check": "equals", "pointer": "/a", "value": None}, "equals at /a: expected null, found nothing"),
        ({"a": [1, 2]}, {"check": "length", "pointer": "/a", "value": 1}, "length at /a: expected 1, found 2"),
        ({"a": "x"}, {"check": "length", "pointer": "/a", "value": 1}, "length at /a: expected 1, found nothing"),
        (
            {"a": 9},
            {"check": "same_as_answer", "pointer": "/a", "other": "/b"},
            "same_as_answer at /a: expected 5, found 9",
        ),
        ({"a": 9}, {"check": "same_as_answer", "pointer": "/a", "other": "/not_promised"}, None),
    ],
)
def test_unlike_says_which_fact_a_read_back_does_not_show(shown, fact, words):
    wrong = _unlike(Answer(200, 1.0, json=shown), Answer(201, 1.0, json={"b": 5}), [fact])

    assert wrong == (("wrong_state", words) if words else None)


def test_unlike_takes_what_is_gone_for_a_wrong_state():
    assert _unlike(Answer(404, 1.0), Answer(201, 1.0), []) == ("wrong_state", "the read-back got status 404")
    assert _unlike(Answer(500, 1.0), Answer(201, 1.0), []) == ("server_error", "the read-back got status 500")
