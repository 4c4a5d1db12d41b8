import pytest

from prodintel_lib.markup import (
    Markup,
    facts,
    figure_text,
    four_digits,
    number,
    paragraph,
    percent,
    table,
    tag,
    text,
    tone,
)

HOSTILE = "<b onclick='x'>\"&"
ESCAPED = "&lt;b onclick=&#39;x&#39;&gt;&#34;&amp;"


@pytest.mark.parametrize(
    "made",
    [
        text(HOSTILE),
        tone(HOSTILE, "bad"),
        tone(HOSTILE, ""),
        tag(HOSTILE),
        paragraph(HOSTILE),
        figure_text(HOSTILE, n=1, note=HOSTILE),
        facts([(HOSTILE, HOSTILE, HOSTILE, "")]),
        table([HOSTILE], [[HOSTILE]], caption=HOSTILE),
        number(1.0, unit=HOSTILE),
    ],
)
def test_every_block_escapes_what_it_is_given(made):
    assert isinstance(made, Markup)
    assert HOSTILE not in made
    assert ESCAPED in made


def test_markup_inside_a_block_stays_markup():
    assert "<td" in table(["a"], [[tag("t")]])
    assert '<span class="tag"' in table(["a"], [[tag("t")]])
    assert '<span class="bad"' in paragraph(tone("x", "bad"))


@pytest.mark.parametrize(
    ("value", "digits", "unit", "shown"),
    [
        (None, None, "", "&ndash;"),
        (float("nan"), None, "", "&ndash;"),
        (float("inf"), None, "", "inf"),
        (0, None, "", "0"),
        (1247, None, "", "1,247"),
        (30012.4, None, "ms", "30,012 ms"),
        (0.04567, None, "", "0.0457"),
        (12.345, None, "s", "12.3 s"),
        (-0.5, None, "", "-0.500"),
        (1e-9, None, "", "1.00e-09"),
        (2.0, 1, "", "2.0"),
    ],
)
def test_number_shows_three_significant_figures_and_thousands(value, digits, unit, shown):
    assert number(value, digits=digits, unit=unit) == shown


def test_percent_shows_a_share():
    assert (percent(0.3767), percent(1.0, digits=0), percent(None)) == ("37.7 %", "100 %", "&ndash;")


def test_figure_text_carries_its_denominator():
    assert (
        figure_text(percent(0.5), n=3310, note="inferred")
        == '50.0 % <small class="n">n 3,310 &middot; inferred</small>'
    )
    assert figure_text("x") == "x"


def test_table_aligns_columns_and_shows_a_dash_for_nothing():
    made = table(["a", "b"], [["x", None]], align="lr")
    assert '<td style="text-align:left">x</td><td class="r" style="text-align:right">&ndash;</td>' in made


def test_table_refuses_a_row_of_another_length():
    with pytest.raises(ValueError, match="shorter"):
        table(["a", "b"], [["x"]])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(25031.4, "25,030"), (249.31, "249.3"), (0.43416, "0.4342"), (0.0, "0"), (-0.00012, "-0.00012"), (9999.6, "10,000"),
     (3.0, "3"), (1200.0, "1,200")],
)  # fmt: skip
def test_four_digits_has_four_digits_and_no_exponent(value, shown):
    assert four_digits(value) == shown
