import json
import re

from prodintel_lib.reports.figures import render_chart, script_json

COLOURS = {"#c8500a": "var(--c-bad)"}


def spec_of(figure):
    return json.loads(re.search(r'class="spec">(.*?)</script>', figure)[1])


def test_script_json_cannot_end_its_element_and_reads_back():
    value = {"a": "</script><!--", "b": ["&amp;", "\u2028"]}
    text = script_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_render_chart_moves_the_title_into_the_caption():
    figure = render_chart({"title": {"text": ["A", "<b>"], "subtitle": "n 3"}, "mark": "bar"}, number=2, colours={})
    assert '<figcaption class="title"><b>A &lt;b&gt;</b> <span>n 3</span></figcaption>' in figure
    assert 'aria-label="A &lt;b&gt;. n 3"' in figure
    assert spec_of(figure) == {"mark": "bar", "description": "A <b>. n 3"}


def test_render_chart_names_a_chart_without_a_title():
    assert 'aria-label="Chart 4"' in render_chart({"mark": "bar"}, number=4, colours={})


def test_render_chart_drops_outside_data_and_options_in_every_view():
    outside = {
        "data": {"url": "https://x"},
        "usermeta": {"embedOptions": {}},
        "transform": [{"from": {"data": {"url": "u"}}}],
    }
    spec = {"layer": [outside], "$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
    assert spec_of(render_chart(spec, number=1, colours={})) == {
        "layer": [{"data": {"values": []}, "transform": [{"from": {"data": {"values": []}}}]}],
        "description": "Chart 1",
    }
    assert outside["data"] == {"url": "https://x"}


def test_render_chart_replaces_theme_colours_but_not_data_or_continuous_scales():
    spec = {
        "data": {"values": [{"a": "#c8500a"}]},
        "mark": {"type": "bar", "color": "#C8500A"},
        "encoding": {
            "color": {"type": "nominal", "scale": {"range": ["#c8500a", "red"]}},
            "fill": {"type": "quantitative", "scale": {"range": ["#c8500a", "red"]}},
        },
    }
    own = spec_of(render_chart(spec, number=1, colours=COLOURS))
    assert own["data"] == {"values": [{"a": "#c8500a"}]}
    assert own["mark"]["color"] == "var(--c-bad)"
    assert own["encoding"]["color"]["scale"]["range"] == ["var(--c-bad)", "red"]
    assert own["encoding"]["fill"]["scale"]["range"] == ["#c8500a", "red"]


def test_render_chart_shows_its_rows_up_to_200_and_says_the_total():
    rows = [{"name": f"<{place}>", "n": place} for place in range(1201)]
    figure = render_chart({"datasets": {"d": rows}, "data": {"name": "d"}, "mark": "bar"}, number=1, colours={})
    assert "<summary>Data <span>1,201 rows</span></summary>" in figure
    assert figure.count("<tr>") == 1 + 200
    assert "<figcaption>The first 200 of 1,201 rows.</figcaption>" in figure
    assert "&lt;199&gt;" in figure
    assert "&lt;200&gt;" not in figure.split("<script")[0]


def test_render_chart_shows_each_data_set_once_largest_first():
    one, two = [{"a": None}], [{"b": 0.5, "c": [1]}, {"b": 2, "c": True}]
    figure = render_chart(
        {"layer": [{"data": {"values": one}}, {"data": {"values": two}}, {"data": {"values": one}}]},
        number=1,
        colours={},
    )
    assert re.findall(r"<th [^>]*>(.)</th>", figure) == ["b", "c", "a"]
    assert re.findall(r"<td[^>]*>(.*?)</td>", figure) == ["0.500", "[1]", "2", "true", "&ndash;"]
