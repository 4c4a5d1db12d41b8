"""The report in a real browser, from a file, with the network cut."""

import altair as alt
import pytest
from nbformat import v4

from prodintel_lib.markup import table

BREAKOUT = "</script><script>window.pwned=1</script>"
IMAGE = '<img src="http://127.0.0.1:9/x" onerror="window.pwned=2">'
LINK = "javascript:window.pwned=3"
HOSTILE = [
    BREAKOUT,
    IMAGE,
    LINK,
    "<!--<script>",
    "${window.pwned=4}",
    "{{window.pwned}}",
    "'+(window.pwned=5)+'",
    "\u2028</ScRiPt >",
]


@pytest.fixture(scope="module")
def html(sample, render):
    return render(sample.sample_notebook())


@pytest.mark.parametrize(
    ("scheme", "width_px", "paper"),
    [("light", 1280, "rgb(255, 255, 255)"), ("dark", 1280, "rgb(13, 17, 23)"), ("light", 375, "rgb(255, 255, 255)")],
)
def test_the_page_draws_every_chart_and_asks_for_nothing(html, visit, scheme, width_px, paper):
    seen = visit(html, color_scheme=scheme, viewport={"width": width_px, "height": 800})
    assert (seen.requests, seen.errors) == ([], [])
    assert seen.count("figure.chart") == 3
    assert seen.count("figure.chart .plot svg.marks") == 3
    assert (
        seen.count("figure.chart .plot svg.marks path[aria-roledescription], figure.chart .plot g.mark-line path") > 0
    )
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width_px
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == paper


def test_a_phone_gets_one_column_with_the_contents_on_top(html, visit):
    seen = visit(html, viewport={"width": 375, "height": 800})
    title, contents = (seen.page.locator(part).bounding_box() for part in ("h1", "nav"))
    assert (title["x"], title["width"]) == (16, 343)
    assert (contents["x"], contents["width"]) == (0, 375)
    assert contents["y"] + contents["height"] <= title["y"]
    assert seen.page.locator("nav").evaluate("nav => nav.scrollWidth <= nav.clientWidth")


def test_charts_fill_the_column_at_every_width(html, visit):
    for width_px in (1280, 375):
        seen = visit(html, viewport={"width": width_px, "height": 800})
        widths = seen.page.evaluate(
            "[...document.querySelectorAll('.plot')]"
            ".map(plot => [plot.clientWidth, plot.querySelector('svg').getBoundingClientRect().width])"
        )
        assert [abs(have - drawn) <= 12 for have, drawn in widths] == [True, True, True]


def test_charts_follow_the_switch_between_light_and_dark_without_being_drawn_again(html, visit):
    seen = visit(html, color_scheme="light")
    stroke = "getComputedStyle(document.querySelector('.plot .mark-line path')).stroke"
    before = seen.page.evaluate(stroke)
    seen.page.evaluate("document.querySelector('.plot svg').dataset.same = 'yes'")
    seen.page.click("#theme-switch")
    assert (before, seen.page.evaluate(stroke)) == ("rgb(200, 80, 10)", "rgb(255, 138, 92)")
    assert seen.page.evaluate("document.querySelector('.plot svg').dataset.same") == "yes"
    assert seen.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    seen.page.emulate_media(media="print")
    assert seen.page.evaluate(stroke) == "rgb(200, 80, 10)"


def test_code_is_folded_and_one_click_off(html, visit):
    seen = visit(html)
    assert seen.count("details.code[open]") == 0
    assert not seen.page.locator(".silent").first.is_visible()
    seen.page.click("#code-switch")
    assert seen.count("details.code:not([open])") == 0
    assert seen.page.locator(".silent").first.is_visible()
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("details.code").nth(1).is_visible()
    assert not seen.page.locator("nav").is_visible()


def test_the_contents_list_leads_to_every_section_and_marks_the_present_one(html, visit):
    seen = visit(html)
    names = ["What happened", "Timeline", "Blast radius", "What was different", "The failing path", "Probable causes"]
    assert seen.page.locator("nav a").all_text_contents() == [*names, "Data and method"]
    assert seen.page.locator("nav a.here").all_text_contents() == ["What happened"]
    seen.page.emulate_media(reduced_motion="reduce")
    seen.page.locator("nav a", has_text="Blast radius").click()
    seen.page.wait_for_function("document.querySelector('nav a.here').textContent === 'Blast radius'")
    assert seen.count("nav a[aria-current]") == 1


def test_times_are_shown_in_utc_and_by_24_hours(html, visit):
    seen = visit(html, timezone_id="America/New_York")
    labels = seen.page.evaluate(
        "[...document.querySelector('.plot').querySelectorAll('.role-axis-label text')].map(t => t.textContent)"
    )
    assert "14:20" in labels
    assert not {"10:20", "02:20"} & set(labels)


def test_each_chart_has_its_name_and_its_rows(html, visit):
    seen = visit(html)
    labels = seen.page.evaluate("[...document.querySelectorAll('.plot')].map(p => p.getAttribute('aria-label'))")
    assert labels[2] == "Spans of the median failing request. A waterfall of five spans."
    seen.page.locator("details.rows summary").nth(1).click()
    assert seen.page.locator("details.rows").nth(1).locator("tbody tr").count() == 5


def test_hostile_text_does_nothing_wherever_it_stands(render, sample, visit):
    rows = [{"name": text, "url": LINK, "n": place} for place, text in enumerate(HOSTILE)]
    chart = (
        alt.Chart(alt.InlineData(values=rows), title={"text": BREAKOUT, "subtitle": IMAGE}, description=IMAGE)
        .mark_bar()
        .encode(x="n:Q", y=alt.Y("name:N", title=BREAKOUT), href="url:N", tooltip=["name:N", "url:N"])
    )
    outside = alt.Chart(alt.UrlData("http://127.0.0.1:9/data.json")).mark_point().encode(x="a:Q")
    words = "\n\n".join(HOSTILE)
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell(
                f"# {BREAKOUT}\n\n## {IMAGE}\n\n{words}\n\n[link]({LINK}) ![x](http://127.0.0.1:9/y.png)"
            ),
            v4.new_code_cell(words, outputs=[sample.html_output(table([BREAKOUT], [[text] for text in HOSTILE]))]),
            v4.new_code_cell(
                "raw", outputs=[sample.html_output(f"{words}<a href='{LINK}' onclick='pwned=6'>x</a><p onclick=1>")]
            ),
            v4.new_code_cell("err", outputs=[v4.new_output("error", ename="E", evalue=IMAGE, traceback=HOSTILE)]),
            v4.new_code_cell("out", outputs=[v4.new_output("stream", name="stderr", text=words)]),
            v4.new_code_cell("chart", outputs=[sample.chart_output(chart), sample.chart_output(outside)]),
        ]
    )
    seen = visit(render(notebook, title=BREAKOUT, kicker=IMAGE, workspace_label=IMAGE))
    seen.page.locator(".plot .mark-rect path").nth(3).hover(force=True)
    assert seen.page.evaluate("typeof window.pwned") == "undefined"
    assert (seen.requests, seen.errors) == ([], [])
    assert seen.count("main img, main iframe, main a[href^='javascript'], main [onclick], main [onerror]") == 0
    assert seen.count("script") == 2 + 2
    assert seen.page.locator("h1").text_content() == BREAKOUT


def test_the_policy_stops_a_script_that_would_get_through(html, visit):
    planted = html.replace("</main>", "<script>window.pwned=1</script><img src='http://127.0.0.1:9/x'></main>")
    seen = visit(planted)
    assert seen.page.evaluate("typeof window.pwned") == "undefined"
    assert seen.requests == []
    assert len(seen.errors) == 2
    assert all("Content Security Policy" in error for error in seen.errors)
