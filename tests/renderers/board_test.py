import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.analyses.status_board import BOARD_SCHEMA, StatusBoard
from prodintel_lib.errors import ParameterError
from prodintel_lib.renderers.board import render_board
from prodintel_lib.windows import Window
from tests.analyses.made_board import finding_of, findings_of
from tests.renderers.hostile import texts

WINDOW = Window(1_756_771_200_000_000, 1_756_857_600_000_000)
ROW = {
    "signal": "errors",
    "about": "GET /a",
    "service_name": "shop",
    "route": "GET /a",
    "current": 0.377,
    "baseline": 0.002,
    "unit": "share",
    "status": "bad",
    "trend": "rising",
    "n": 3310,
    "reason": "Errors of GET /a rose",
}
ELEMENTS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "p",
        "h1",
        "span",
        "main",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "small",
        "h2",
        "h3",
        "article",
        "dl",
        "dt",
        "dd",
        "ul",
        "li",
        "footer",
    ]
)


def _board(*rows, verdict="bad", sentence="Of 1 signals 1 is bad."):
    frame = pl.DataFrame([{**ROW, **row} for row in rows], schema=BOARD_SCHEMA)
    return StatusBoard(WINDOW, WINDOW.end_us, verdict, sentence, frame)


class _Page(HTMLParser):
    """The elements, attributes and words of a page."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.attributes, self.words = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(name, value) for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)


def test_render_board_answers_first():
    page = render_board(_board({}), findings_of(), "html", title="shop")
    said = " ".join("".join(_Page(page).words).split())
    first = said.index("Production is not well", said.index("Status board"))
    assert said.index("Status board · shop · 2025-09-02 00:00:00-2025-09-03 00:00:00 UTC · as of 2025-09-03") < first
    assert (
        first < said.index("Of 1 signals 1 is bad.") < said.index("37.7 % n 3,310") < said.index("Active anomalies (0)")
    )


def test_render_board_says_in_words_what_it_says_in_colour():
    page = render_board(_board({}), findings_of(), "html")
    assert '<td role="cell" class="status bad"><span aria-hidden="true">✗</span> bad</td>' in page
    assert '<td role="cell" class="trend"><span aria-hidden="true">↑</span> rising</td>' in page
    assert "<title>✗ Production is not well</title>" in page


def test_render_board_allows_its_own_style_and_nothing_else():
    page = render_board(_board({}), findings_of(finding_of()), "html")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'".replace("'", "&#39;")
        in page
    )
    read = _Page(page)
    assert not {name for name, _ in read.attributes} & {"style", "src", "href", "srcset", "action"}
    assert "url(" not in style
    assert "@import" not in style


def test_render_board_shows_what_lasts_and_then_what_is_over():
    lasting = finding_of(affected_users=Proportion.of(61, 140))
    over = finding_of(ongoing=False, title="It was slow", severity="medium", baseline=math.nan)
    page = render_board(_board({}), findings_of(lasting, over), "html")
    assert "<h2>Active anomalies (1)</h2>" in page
    assert '<article class="bad"><h3>Errors of GET /a rose</h3><p>Look at the last change of shop.</p>' in page
    assert "<dt>requests that failed</dt><dd>40.0 % (n 500), 0.20 % before (n 9,000)</dd>" in page
    assert "<dt>Confidence</dt><dd>97 %: far above the threshold</dd>" in page
    assert "<dt>Users hit</dt><dd>61 of 140 (43.6 %, 95 % CI 35.6-51.8 %)</dd>" in page
    assert "Sessions hit" not in page
    assert "<li>It was slow: medium, from 2025-09-02 22:40:00 UTC for 1 h 20 min</li>" in page


def test_render_board_says_what_was_looked_at_where_nothing_is():
    page = render_board(_board(verdict="unknown"), findings_of(), "html")
    assert "No signal was recorded." in page
    assert "None lasts now." in page
    assert "Looked at 41 series with 9,000 points, 2 were too short to be judged;" in page


def test_render_board_shows_a_notice():
    assert '<p class="notice">Made-up data</p>' in render_board(
        _board({}), findings_of(), "html", notice="Made-up data"
    )
    assert "**Made-up data**" in render_board(_board({}), findings_of(), "md", notice="Made-up data")
    assert "notice" not in render_board(_board({}), findings_of(), "html").partition("</style>")[2]


@given(text=texts)
def test_render_board_html_has_no_element_from_production(text):
    hostile = finding_of(title=text, recommendation=text, measure=text, severity_reason=text, confidence_reason=text)
    over = finding_of(title=text, ongoing=False)
    row = {"signal": "errors", "about": text, "reason": text, "service_name": text, "route": text}
    board = _board(row, sentence=text)
    page = render_board(board, findings_of(hostile, over), "html", title=text, notice=text)
    plain = render_board(
        _board({}, sentence="x"),
        findings_of(finding_of(), finding_of(ongoing=False)),
        "html",
        notice="x" if text else "",
    )
    read = _Page(page)
    assert set(read.elements) <= ELEMENTS
    assert read.elements == _Page(plain).elements
    assert len(read.attributes) == len(_Page(plain).attributes)


@given(text=texts)
def test_render_board_markdown_keeps_a_row_a_line_and_a_cell_a_cell(text):
    row = {"about": text, "reason": text}
    lines = render_board(_board(row, {}), findings_of(finding_of(title=text)), "md", title=text).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {9}
    assert not any(line.lstrip().startswith("<") for line in lines)


@given(text=texts)
def test_render_board_json_is_read_back_as_it_was(text):
    board = _board({"about": text, "current": None}, sentence=text)
    document = json.loads(
        render_board(board, findings_of(finding_of(title=text, current=math.nan)), "json", title=text)
    )
    assert (document["title"], document["sentence"], document["rows"][0]["about"]) == (text, text, text)
    assert (document["rows"][0]["current"], document["active"][0]["current"]) == (None, None)
    assert (document["active"][0]["title"], document["over"], document["verdict"]) == (text, [], "bad")


def test_render_board_markdown_is_this():
    text = render_board(_board({}), findings_of(finding_of()), "md", title="shop")
    assert text == (
        "# ✗ Production is not well\n"
        "\n"
        "Status board · shop · 2025-09-02 00:00:00-2025-09-03 00:00:00 UTC · as of 2025-09-03 00:00:00 UTC\n"
        "\n"
        "**Of 1 signals 1 is bad.**\n"
        "\n"
        "| Signal | Of | Now | n | Before | Status | Trend | Why |\n"
        "| --- | --- | ---: | ---: | ---: | --- | --- | --- |\n"
        "| errors | GET /a | 37.7 % | 3,310 | 0.20 % | ✗ bad | ↑ rising | Errors of GET /a rose |\n"
        "\n"
        "## Active anomalies (1)\n"
        "\n"
        "- **Errors of GET /a rose** Look at the last change of shop. Severity: high: users feel it; "
        "Since: 2025-09-02 22:40:00 UTC; requests that failed: 40.0 % (n 500), 0.20 % before (n 9,000); "
        "Confidence: 97 %: far above the threshold\n"
        "\n"
        "Looked at 41 series with 9,000 points, 2 were too short to be judged; "
        "an anomaly is a score of 4 -log10 p or more.\n"
    )


def test_render_board_refuses_an_unknown_format():
    with pytest.raises(
        ParameterError, match=r"Unknown board format `htm`; known: html, json, md\.\nHint: did you mean `html`"
    ):
        render_board(_board({}), findings_of(), "htm")
