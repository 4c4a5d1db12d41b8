from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.load_fidelity.distances import DISTANCES
from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, FURTHER, SCORES_SCHEMA, LoadFidelity
from prodintel_lib.analyses.load_fidelity.shown import DISTANCE_NAMES
from prodintel_lib.charts.load_fidelity import plot_fidelity
from prodintel_lib.markup import Note

SCORES = pl.DataFrame(
    [
        ("rate_wape", 0.2, 0.1, 0.05, 0.3, AS_CLOSE),
        ("trans_tv", 5.0, 0.02, 0.01, 0.04, FURTHER),
        ("mix_js", 0.0, 0.01, 0.0, 0.02, AS_CLOSE),
        ("peak_rel", 0.25, 0.0, 0.0, 0.0, FURTHER),
    ],
    schema=SCORES_SCHEMA,
    orient="row",
)
FOUND = LoadFidelity(
    scores=SCORES, omission=None, original_sessions=1200, original_requests=9000, generated_sessions=1100,
    generated_requests=8000, bucket_s=60.0, scale=1.0, compress=1.0, splits=49, seed=0, part_sessions=600,
)  # fmt: skip


def drawn(spec):
    return next(rows for rows in spec["datasets"].values() if "what" in rows[0])


def test_plot_fidelity_draws_distances_in_multiples_of_production_s_own():
    spec = plot_fidelity(FOUND).to_dict()
    rows = {row["distance"]: row for row in drawn(spec)}
    assert [rows["rate_wape"][name] for name in ("times", "low_times", "high_times")] == pytest.approx([2.0, 0.5, 3.0])
    assert rows["rate_wape"]["what"] == "Requests over time · rate_wape"
    assert spec["title"]["text"] == (
        "The load against production: 2 of 4 distances as small as production's own (n 1,100 sessions against 1,200)"
    )


def test_plot_fidelity_draws_what_is_far_off_at_the_edge_and_tells_it_as_it_is():
    rows = {row["distance"]: row for row in drawn(plot_fidelity(FOUND).to_dict())}
    assert (rows["trans_tv"]["times"], rows["trans_tv"]["drawn_times"]) == (250.0, 100.0)
    assert (rows["mix_js"]["times"], rows["mix_js"]["drawn_times"], rows["mix_js"]["value"]) == (0.0, 0.1, 0.0)


def test_plot_fidelity_tells_the_distances_that_have_no_scale():
    spec = plot_fidelity(FOUND).to_dict()
    assert "peak_rel" not in [row["distance"] for row in drawn(spec)]
    assert spec["title"]["subtitle"].endswith("parts of production do not differ in them: peak_rel (0.250)")
    known = plot_fidelity(replace(FOUND, scores=SCORES.head(3))).to_dict()
    assert "not drawn" not in known["title"]["subtitle"]


def test_plot_fidelity_tells_verdicts_apart_by_shape_too():
    encoding = plot_fidelity(FOUND).to_dict()["layer"][-1]["encoding"]
    assert encoding["shape"]["scale"] == {"domain": [AS_CLOSE, FURTHER], "range": ["circle", "triangle-up"]}


def test_plot_fidelity_of_nothing_is_a_sentence():
    for asked in (None, replace(FOUND, scores=SCORES.tail(1))):
        assert isinstance(plot_fidelity(asked), Note)


def test_distance_names_name_every_distance():
    assert list(DISTANCE_NAMES) == list(DISTANCES)
