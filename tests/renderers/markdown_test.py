import re
import unicodedata

import mistune
import pytest
from hypothesis import given

from prodintel_lib.renderers.markdown import JOINER, code, inert, one_line, plain
from tests.renderers.hostile import broken_texts, texts

# What a tracker acts upon in the text that Markdown leaves.
LIVE = re.compile(r"[@#!~%&][A-Za-z0-9_]|\bGH-[0-9]|://|\bwww\.[a-z]|:[a-z_]+:|\bmailto:[a-z]", re.IGNORECASE)


def shown(markdown):
    """Return the text of a rendered paragraph, and the elements in it besides the paragraph."""
    html = str(mistune.html("x " + markdown + " y"))
    return re.sub(r"<[^>]*>", "", html), set(re.findall(r"<(\w+)", html)) - {"p"}


@pytest.mark.parametrize(
    "text",
    [
        "fixes #1", "closes acme/shop#12", "resolves GH-3", "resolves gh-3", "@everyone", "see !7 and ~bug and %v1 and &4",
        "https://example.com", "www.example.com", "mailto:a@example.com", ":tada:", '~"two words"',
    ],
)  # fmt: skip
def test_nothing_a_tracker_acts_upon_is_left(text):
    assert LIVE.search(text) or '"' in text, "the example is live to begin with"
    for made in (inert(text), shown(plain(text))[0]):
        assert not LIVE.search(made.replace("&amp;", "&").replace("&quot;", '"'))
        assert '~"' not in made


@given(broken_texts)
def test_inert_keeps_all_that_can_be_seen(text):
    made = inert(text)
    assert made.replace(JOINER, "") == one_line(text).replace(JOINER, "")
    assert not LIVE.search(made)
    assert "\n" not in made
    made.encode("utf-8")


@given(broken_texts)
def test_plain_is_one_paragraph_without_markup(text):
    _, elements = shown(plain(text))
    assert elements == set()


@given(texts)
def test_code_shows_its_text_and_is_code_only(text):
    line = one_line(text)
    html = str(mistune.html(f"x {code(text)} y"))
    assert set(re.findall(r"<(\w+)", html)) == {"p", "code"}
    if line.strip():
        assert html.count("<code>") == 1


@pytest.mark.parametrize("text", ["- a", "+ a", "1. a", "7) a", "---", "-", "===", "1."])
def test_plain_begins_no_list_and_draws_no_line(text):
    assert not re.search("<li>|<hr|<h[1-6]", str(mistune.html("a\n" + plain(text))))
    assert plain(text).startswith(JOINER)


def test_one_line_drops_what_turns_text_around():
    assert one_line("a\u202eb\u2028c\x1b[31m\ud800") == "ab c[31m"
    assert all(unicodedata.category(letter) != "Cf" for letter in one_line("a\u200bb\u2066"))


def test_plain_writes_no_mathematics():
    assert plain("$x$") == "\\$x\\$"
