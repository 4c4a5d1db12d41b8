from types import SimpleNamespace

import polars as pl

from prodintel_lib.analyses.behaviour.chain import END, START
from prodintel_lib.charts.load_transitions import MAX_ENDPOINTS, plot_class_transitions
from prodintel_lib.markup import Note


def one_class(name, *rows):
    frame = pl.DataFrame(rows, schema=["from_endpoint", "to_endpoint", "transitions"], orient="row")
    return SimpleNamespace(name=name, transitions=frame.with_columns(pl.lit(0.0).alias("share")))


def behaviour(*classes):
    return SimpleNamespace(classes=classes, sessions=100)


def drawn(spec):
    return spec["datasets"][spec["data"]["name"]]


READERS = one_class("readers", (START, "GET /a", 10), ("GET /a", "GET /b", 6), ("GET /a", END, 4), ("GET /b", END, 6))
BUYERS = one_class("buyers", (START, "GET /b", 5), ("GET /b", "GET /b", 5), ("GET /b", END, 5))


def test_plot_class_transitions_numbers_endpoints_and_shares_what_follows_them():
    spec = plot_class_transitions(behaviour(READERS, BUYERS)).to_dict()
    cells = [
        (row["class"], row["from"], row["to"], row["percent"], row["transitions"], row["of"]) for row in drawn(spec)
    ]
    # /b is asked for 16 times in all, /a 10 times.
    assert cells == [
        ("readers", "1 · GET /b", "×", 100.0, 6, 6),
        ("readers", "2 · GET /a", "1", 60.0, 6, 10),
        ("readers", "2 · GET /a", "×", 40.0, 4, 10),
        ("readers", "begins", "2", 100.0, 10, 10),
        ("buyers", "1 · GET /b", "1", 50.0, 5, 10),
        ("buyers", "1 · GET /b", "×", 50.0, 5, 10),
        ("buyers", "begins", "1", 100.0, 5, 5),
    ]
    encoding = spec["layer"][0]["encoding"]
    assert encoding["x"]["scale"]["domain"] == ["1", "2", "×"]
    assert encoding["y"]["scale"]["domain"] == ["begins", "1 · GET /b", "2 · GET /a"]


def test_plot_class_transitions_lets_the_reader_choose_a_class():
    spec = plot_class_transitions(behaviour(READERS, BUYERS)).to_dict()
    [chosen] = spec["params"]
    assert (chosen["name"], chosen["value"], chosen["bind"]["options"]) == (
        "class_shown",
        "readers",
        ["readers", "buyers"],
    )
    assert {"filter": "datum.class === class_shown"} in spec["layer"][0]["transform"]
    assert spec["title"]["subtitle"].endswith("; choose the class below")
    alone = plot_class_transitions(behaviour(READERS)).to_dict()
    assert "bind" not in alone["params"][0]
    assert "choose" not in alone["title"]["subtitle"]
    assert alone["title"]["text"].endswith("(n 100 sessions, 1 class)")


def test_plot_class_transitions_puts_what_is_rarely_asked_for_together():
    names = [f"GET /{number:02d}" for number in range(MAX_ENDPOINTS + 3)]
    rows = [(START, name, 100 - place) for place, name in enumerate(names)]
    ends = [(name, END, 100 - place) for place, name in enumerate(names)]
    spec = plot_class_transitions(behaviour(one_class("all", *rows, *ends))).to_dict()
    labels = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert (len(labels), labels[-1]) == (MAX_ENDPOINTS + 2, "… · all others (3)")
    [rest] = [row for row in drawn(spec) if row["from"] == "begins" and row["to"] == "…"]
    assert (rest["transitions"], rest["to_name"]) == (88 + 87 + 86, "all others")


def test_plot_class_transitions_without_sessions_is_a_sentence():
    assert isinstance(plot_class_transitions(None), Note)
