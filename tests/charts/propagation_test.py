from types import SimpleNamespace

import polars as pl

from prodintel_lib.analyses.signals import ONSETS_SCHEMA, SignalOnsets
from prodintel_lib.charts import plot_propagation
from prodintel_lib.markup import Note
from prodintel_lib.windows import Window

MIN = 60_000_000
WINDOW = Window(10 * MIN, 20 * MIN)


def onset(service, kind, at, *, signal="s", until=19, effect=9.0, is_worse=True):
    return {
        "service_name": service, "signal": signal, "kind": kind, "shape": "step", "onset_us": round(at * MIN),
        "last_us": until * MIN, "before": 1.0, "during": 1.0 + effect, "before_n": 30, "during_n": 5, "effect": effect,
        "is_worse": is_worse, "p_value": 0.0, "q_value": 0.0,
    }  # fmt: skip


def findings(*onsets):
    frame = pl.DataFrame(list(onsets), schema=ONSETS_SCHEMA).sort("onset_us", "service_name", "signal")
    signals = SignalOnsets(WINDOW, frame, 40, 2, 900)
    return SimpleNamespace(onset=SimpleNamespace(window=WINDOW), signals=signals)


def drawn(chart):
    """Return the rows that a chart shows, and its title."""
    spec = chart.to_dict()
    [rows] = [rows for rows in spec["datasets"].values() if "what" in rows[0]]
    return rows, spec["title"], spec["layer"][1]["encoding"]["y"]["sort"]


def test_plot_propagation_puts_the_earliest_kind_of_signal_on_top():
    rows, title, order = drawn(
        plot_propagation(
            findings(
                onset("shop", "latency", 12), onset("pay", "saturation", 9), onset("pay", "errors", 11, signal="few"),
                onset("pay", "errors", 13, signal="many", effect=-40.0), onset("shop", "log_new", 12),
                onset("shop", "log_errors", 14), onset("", "cpu", 12),
            )
        )
    )  # fmt: skip
    assert order == [
        "pay: saturation", "pay: errors", "no service named: CPU", "shop: error logs", "shop: latency"
    ]  # fmt: skip
    assert [row["what"] for row in rows] == order
    assert [(row["group"], row["signals"]) for row in rows] == [
        ("resource", 1), ("felt by callers", 2), ("resource", 1), ("logged", 2), ("felt by callers", 1),
    ]  # fmt: skip
    assert (rows[1]["signal"], rows[1]["onset"][11:16], rows[1]["last"][11:16]) == ("many", "00:11", "00:19")
    assert title.endswith("(7 of 40 series judged); which was first within 60 s cannot be told")


def test_plot_propagation_claims_no_order_within_a_bucket():
    rows, _, _ = drawn(
        plot_propagation(
            findings(
                onset("shop", "errors", 11), onset("pay", "saturation", 11.9), onset("pay", "cpu", 12.1),
                onset("cart", "errors", 12),
            )
        )
    )  # fmt: skip
    assert [row["what"] for row in rows] == ["pay: saturation", "shop: errors", "cart: errors", "pay: CPU"]


def test_plot_propagation_leaves_out_what_was_over_what_came_after_and_what_is_not_worse():
    rows, _, _ = drawn(
        plot_propagation(
            findings(
                onset("pay", "errors", 3, until=9), onset("pay", "latency", 20, until=25),
                onset("shop", "traffic", 11, is_worse=None), onset("cart", "errors", 3, until=10),
            )
        )
    )  # fmt: skip
    assert [row["what"] for row in rows] == ["cart: errors"]


def test_plot_propagation_shows_the_first_twenty():
    rows, title, _ = drawn(plot_propagation(findings(*(onset(f"s{n:02}", "errors", 10 + n / 10) for n in range(25)))))
    assert [row["what"] for row in rows] == [f"s{n:02}: errors" for n in range(20)]
    assert "(20 of 40 series" in title


def test_plot_propagation_of_nothing_is_a_sentence():
    said = plot_propagation(findings(onset("pay", "errors", 3, until=9)))
    assert isinstance(said, Note)
    assert "40 series could be judged" in said._repr_html_()
