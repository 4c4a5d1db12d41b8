import re

import pytest
from nbformat import v4

from prodintel_lib.reports.html import prepare_renderer


@pytest.fixture
def one_cell(render):
    return lambda *outputs, source="f()": render(
        v4.new_notebook(cells=[v4.new_code_cell(source, outputs=list(outputs))])
    )


def body(html):
    return re.search(r"<section.*?</section>", html, re.DOTALL)[0]


def test_render_html_is_the_same_to_the_byte_for_the_same_notebook(render, sample):
    prepare_renderer()
    assert render(sample.sample_notebook()) == render(sample.sample_notebook())


def test_render_html_stays_small_and_carries_the_chart_script_once(render, sample):
    html = render(sample.sample_notebook())
    assert len(html.encode()) < 1_500_000
    assert html.count("vegaEmbed=") == 1
    assert html.count("<script") == 2 + 3


def test_render_html_leaves_the_chart_script_out_of_a_page_without_charts(render):
    assert len(render(v4.new_notebook(cells=[v4.new_markdown_cell("# Q?")]))) < 40_000


def test_render_html_says_title_kicker_workspace_and_time(render):
    html = render(v4.new_notebook(), title="A & B", kicker="K", workspace_label="W")
    assert "<title>A &amp; B</title>" in html
    assert '<p class="kicker">K · W</p>' in html
    assert re.search(r"<footer>W · made 2026-01-02 03:04 UTC by prodintel [0-9.]+</footer>", html)


def test_render_html_shows_a_traceback_plainly(one_cell):
    html = one_cell(
        v4.new_output("error", ename="ValueError", evalue="<b>", traceback=["\x1b[31mValueError\x1b[0m: <b>"])
    )
    assert '<pre class="error">ValueError: &lt;b&gt;</pre>' in body(html)


def test_render_html_keeps_plain_results_and_images(one_cell):
    html = one_cell(
        v4.new_output("display_data", data={"text/plain": "<x>"}),
        v4.new_output("display_data", data={"image/png": "aGk=\n", "text/plain": "Figure"}),
        v4.new_output("display_data", data={"image/svg+xml": "<svg onload='x'/>"}),
    )
    assert '<pre class="text">&lt;x&gt;</pre>' in html
    assert 'src="data:image/png;base64,aGk="' in html
    assert "onload" not in html


def test_render_html_hides_cells_without_output_until_code_is_asked_for(one_cell):
    assert body(one_cell(source="import os")).startswith('<section class="cell silent">')
    assert body(one_cell(v4.new_output("stream", name="stdout", text="x"))).startswith('<section class="cell">')


def test_render_html_gives_headings_of_one_name_different_anchors(render):
    html = render(v4.new_notebook(cells=[v4.new_markdown_cell("## Same\n## Same\n## Ä `<b>`")]))
    assert re.findall(r'<h2 id="([^"]*)"', html) == ["s1-same", "s2-same", "s3-lt-b-gt"]
    assert '<a href="#s3-lt-b-gt">Ä &lt;b&gt;</a>' in html


def test_render_html_shows_a_notice_under_the_title_and_none_without_one(render):
    html = render(v4.new_notebook(), notice="Made-up <data>")
    assert '<p class="notice" role="note">Made-up &lt;data&gt;</p>' in html
    assert 'role="note"' not in render(v4.new_notebook())
