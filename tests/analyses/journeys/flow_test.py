import polars as pl

from prodintel_lib.analyses.journeys.flow import tally_graph
from prodintel_lib.analyses.journeys.passes import Part

STEPS = {"session_no": pl.Int64, "route": pl.String, "next_route": pl.String}


def test_tally_graph_counts_transitions_and_the_sessions_that_made_them():
    rows = [
        (0, "/", "/a"),
        (0, "/a", "/"),
        (0, "/", "/a"),
        (0, "/a", None),
        (1, "/", "/a"),
        (1, "/a", None),
        (2, "/", None),
    ]
    graph = tally_graph(Part(pl.DataFrame(), pl.DataFrame(rows, schema=STEPS, orient="row")))
    assert sorted(graph.rows()) == [("/", "/a", 3, 2), ("/a", "/", 1, 1)]
    assert graph.schema == {
        "from_route": pl.String, "to_route": pl.String, "transitions": pl.Int64, "sessions": pl.Int64
    }  # fmt: skip


def test_tally_graph_of_sessions_of_one_step_is_empty():
    steps = pl.DataFrame([(0, "/", None)], schema=STEPS, orient="row")
    assert tally_graph(Part(pl.DataFrame(), steps)).height == 0
