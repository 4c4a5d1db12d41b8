import polars as pl

from prodintel_lib.analyses.localisation import localise

FRAME = pl.DataFrame(
    [("<b>Safari</b>", "iOS", 190, 1000), ("Chrome", "Windows", 40, 4000)],
    schema=["browser", "os", "bad", "total"], orient="row",
)  # fmt: skip


def test_localisation_shows_causes_with_denominators_and_escapes_them():
    html = localise(FRAME, dimensions=["browser", "os"])._repr_html_()
    assert "browser = &lt;b&gt;Safari&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "1,000" in html
    assert "os = iOS" in html
    assert "6 combinations of browser, os looked at" in html


def test_localisation_says_in_a_sentence_what_was_found():
    result = localise(FRAME, dimensions=["os"])
    assert result.summary == "os = iOS explains 78 % of the bad events."
    assert str(result.causes[0]) == "os = iOS"


def test_localisation_says_so_where_nothing_is_found():
    result = localise(FRAME.with_columns(bad=pl.Series([10, 40])), dimensions=["os"])
    assert result._repr_html_() == '<p class="say">No combination of os stands out (2 looked at).</p>'
    assert result.to_frame().height == 0


def test_localisation_gives_a_row_a_cause():
    frame = localise(FRAME, dimensions=["os"]).to_frame()
    assert frame.select("cause", "attributes", "bad", "total", "rate", "rate_elsewhere").row(0) == (
        "os = iOS", 1, 190, 1000, 0.19, 0.01,
    )  # fmt: skip
    assert frame["rate_before"].is_nan().to_list() == [True]
