"""The charts of journeys: what they draw is what the result says."""

from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.charts import plot_flow, plot_funnel, plot_journeys, plot_reasons, plot_session
from prodintel_lib.markup import Note

EDGES = pl.DataFrame(
    [
        (1, "/", "/search", 60),
        (1, "/", None, 40),
        (2, "/search", "/p", 45),
        (2, "/search", None, 15),
        (3, "/p", None, 45),
    ],
    schema=["step_no", "from_route", "to_route", "sessions"],
    orient="row",
)


def data_of(chart, column):
    """Return the rows of the data set of a chart that has a column."""
    return next(rows for rows in chart.to_dict()["datasets"].values() if rows and column in rows[0])


def test_plot_flow_draws_each_stream_as_high_as_its_sessions():
    chart = plot_flow(SimpleNamespace(edges=EDGES))
    streams = {row["link"]: round(row["bottom"] - row["top"], 6) for row in data_of(chart, "link")}
    assert streams == {
        "1|/|/search": 0.6,
        "1|/|left": 0.4,
        "2|/search|/p": 0.45,
        "2|/search|left": 0.15,
        "3|/p|left": 0.45,
    }
    boxes = {(row["step_no"], row["route"]): (row["sessions"], row["kind"]) for row in data_of(chart, "x2")}
    assert boxes[1, "/"] == (100, "went on")
    assert boxes[2, "left"] == (40, "left")
    assert "100 sessions" in chart.to_dict()["title"]


def test_plot_flow_draws_streams_that_meet_side_by_side():
    chart = plot_flow(SimpleNamespace(edges=EDGES))
    starts = {row["link"]: row["top"] for row in data_of(chart, "link") if row["x"] < 1.11}
    assert starts == {"1|/|/search": 0.0, "1|/|left": 0.6}


def test_plot_flow_puts_rare_pages_of_a_step_together_and_loses_nobody():
    many = pl.DataFrame([(1, f"/{page}", None, 10 + page) for page in range(10)], schema=EDGES.schema, orient="row")
    boxes = data_of(plot_flow(SimpleNamespace(edges=many)), "x2")
    assert sum(box["sessions"] for box in boxes if box["step_no"] == 1) == sum(range(10, 20))
    assert [box["sessions"] for box in boxes if box["route"] == "other pages"] == [10 + 11 + 12 + 13]


@pytest.mark.parametrize(
    ("plot", "result", "says"),
    [
        (plot_flow, SimpleNamespace(edges=EDGES.clear()), "No session in the window saw a page"),
        (plot_journeys, SimpleNamespace(frame=pl.DataFrame(), sessions=7), "None of 7 sessions followed a path"),
        (plot_funnel, SimpleNamespace(steps=pl.DataFrame()), "No session ended before it converted"),
        (plot_session, None, "No journey is frequent enough"),
    ],
)
def test_plots_of_nothing_are_a_sentence(plot, result, says):
    note = plot(result)
    assert isinstance(note, Note)
    assert says in note.says


REASONS = pl.DataFrame(
    {
        "route": ["/p", "/p", "/cart"],
        "reason": ["error", "unexplained", "slow page"],
        "exposed": [100, None, 40],
        "unexposed": [900, None, 300],
        "risk_difference": [0.2, None, 0.01],
        "low": [0.15, None, -0.05],
        "high": [0.25, None, 0.07],
        "q_value": [0.001, None, 0.8],
        "attributable_sessions": [20.0, 80.0, 0.4],
        "verdict": ["raises drop-off", "unexplained", "no difference shown"],
    }
)


def test_plot_funnel_divides_what_ended_into_reasons_and_the_rest():
    steps = pl.DataFrame(
        {"route": ["/p", "/cart"], "at_risk": [1000, 340], "dropped": [100, 30], "drop_rate": [0.1, 0.088]}
    )
    bars = data_of(plot_funnel(SimpleNamespace(steps=steps, reasons=REASONS)), "attributable_sessions")
    assert {(bar["page"], bar["reason"]): bar["attributable_sessions"] for bar in bars} == {
        ("/p (of 1000)", "error"): 20.0,
        ("/p (of 1000)", "unexplained"): 80.0,
        ("/cart (of 340)", "unexplained"): 30.0,
    }


def test_plot_reasons_shows_what_was_compared_strongest_first():
    dots = data_of(plot_reasons(SimpleNamespace(reasons=REASONS, comparisons=2)), "risk_difference")
    assert [dot["what"] for dot in dots] == ["error on /p (n 100)", "slow page on /cart (n 40)"]
    nothing = plot_reasons(SimpleNamespace(reasons=REASONS.filter(reason="unexplained"), comparisons=9))
    assert "None of 9 comparisons" in nothing.says
