import itertools

import altair as alt
import pytest

from prodintel_lib import chart_theme
from prodintel_lib.palette import CATEGORIES, DARK, INK, PALETTE, TONES

MINUTE_US = 60_000_000
EPOCH_US = 1_700_000_000_000_000


@pytest.fixture
def enabled():
    theme, renderer = alt.theme.active, alt.renderers.active
    chart_theme.enable()
    yield
    alt.theme.enable(theme)
    alt.renderers.enable(renderer)


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def rows_of(spec):
    (rows,) = spec["datasets"].values()
    return rows


@pytest.mark.parametrize("colour", sorted({*PALETTE.values(), *CATEGORIES}))
def test_colours_are_seen_on_white_on_lab_s_dark_paper_and_on_the_report_s(colour):
    assert contrast(colour, "#ffffff") >= 3
    assert contrast(colour, "#111111") >= 3
    assert contrast(DARK[colour], "#0d1117") >= 4.5


def test_letters_in_charts_are_readable_on_white_and_on_lab_s_dark_paper():
    assert contrast(INK, "#ffffff") >= 4.5
    assert contrast(INK, "#111111") >= 4


def test_every_colour_means_one_thing():
    assert len(set(PALETTE.values())) == len(PALETTE)
    assert len(set(CATEGORIES)) == len(CATEGORIES)
    assert TONES.items() <= PALETTE.items()


def test_series_colours_differ_for_readers_who_do_not_see_red_and_green():
    # Viénot, Brettel and Mollon (1999): deuteranopia as a linear map of linear RGB.
    def seen(colour):
        red, green, blue = (((int(colour[place : place + 2], 16) / 255) ** 2.2) for place in (1, 3, 5))
        mixed = 0.29275 * red + 0.70725 * green
        return mixed, -0.02234 * red + 0.02234 * green + blue

    for one, other in itertools.combinations(CATEGORIES[:4], 2):
        assert max(abs(a - b) for a, b in zip(seen(one), seen(other), strict=True)) > 0.05, (one, other)


def test_the_renderer_emits_what_lab_and_the_report_know(enabled):
    chart = alt.Chart(alt.InlineData(values=[{"a": 1}]), title=["Failed", "requests"]).mark_point().encode(x="a:Q")
    bundle = chart._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert sorted(data) == ["application/vnd.vegalite.v5+json", "text/plain"]
    assert data["text/plain"] == "Chart: Failed requests"
    assert data["application/vnd.vegalite.v5+json"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/v5.")
    assert data["application/vnd.vegalite.v5+json"]["config"]["range"]["category"] == list(CATEGORIES)


def test_utc_x_shows_utc_by_24_hours():
    encoded = chart_theme.utc_x("time", "onset").to_dict()
    assert encoded["scale"] == {"type": "utc"}
    assert encoded["axis"]["title"] == "onset (UTC)"
    assert encoded["axis"]["format"]["hours"] == "%H:%M"


def test_window_shade_covers_the_window():
    shade = chart_theme.window_shade(EPOCH_US, EPOCH_US + MINUTE_US).to_dict()
    assert rows_of(shade) == [{"start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:14:20Z"}]
    assert shade["mark"]["color"] == PALETTE["shade"]


def test_mark_lines_sorts_events_and_staggers_their_labels():
    events = [(EPOCH_US + MINUTE_US * place, f"e{place}") for place in (4, 0, 1, 2, 3)]
    values = rows_of(chart_theme.mark_lines(events).to_dict())
    assert [value["event"] for value in values] == ["e0", "e1", "e2", "e3", "e4"]
    assert [value["row_px"] for value in values] == [-45, -32, -19, -6, -45]
