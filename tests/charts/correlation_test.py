import polars as pl

from prodintel_lib.analyses.correlation import correlate
from prodintel_lib.charts.correlation import MAX_NODES, plot_correlations
from prodintel_lib.markup import Note
from tests.analyses.correlation.made import evidence, frame, linked, noise


def rows_of(chart, layer):
    spec = chart.to_dict()
    return spec["datasets"][spec["layer"][layer]["data"]["name"]]


def test_plot_correlations_without_a_pair_is_a_sentence():
    found = correlate(linked().filter(pl.col("signal") != "b"), max_lag_s=100)
    note = plot_correlations(found)
    assert isinstance(note, Note)
    assert note.says == "None of the 1 pairs tested goes together beyond chance: there is no hypothesis."


def test_plot_correlations_puts_what_comes_first_above_what_follows():
    found = correlate(linked(), evidence=evidence(("a", 0, 40, 3_000), ("c", 0, 40, 1_000)), max_lag_s=100)
    chart = plot_correlations(found)
    labels = [row["label"] for row in rows_of(chart, 3)]
    assert labels == ["c", "a", "b"]
    arcs = {(row["pair"], row["evidence"], row["windows"]) for row in rows_of(chart, 0)}
    assert arcs == {("c and a", "shared traces", None), ("a and b", "time only", 397)}
    assert [row["lag"] for row in rows_of(chart, 4)] == ["30 s"]


def test_plot_correlations_gives_every_label_a_row_and_shows_no_more_than_it_can():
    names = [f"s{number:02d}" for number in range(20)]
    series = pl.concat([frame(name, noise(number)) for number, name in enumerate(names)])
    shared = [(name, 0, 40, number) for number, name in enumerate(names)]
    found = correlate(series, evidence=evidence(*shared), max_lag_s=100)
    chart = plot_correlations(found)
    heights = [row["y"] for row in rows_of(chart, 3)]
    assert len(set(heights)) == len(heights) == MAX_NODES
    assert "weaker pairs not shown" in chart.to_dict()["title"]["text"]
