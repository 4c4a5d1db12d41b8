import json

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.behaviour import find_behaviour
from prodintel_lib.analyses.behaviour.finding import _assign
from prodintel_lib.analyses.behaviour.selection import adjusted_rand
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

from .made import BACK, FORWARD, steps_of, walks


@pytest.fixture(scope="module")
def two_classes():
    paths = walks(FORWARD, sessions=350, seed=1) + walks(BACK, sessions=650, seed=2)
    return find_behaviour(steps_of(*paths), conversions=["d"], seed=3)


def test_find_behaviour_finds_classes_by_share(two_classes):
    shares = [one.share.share for one in two_classes.classes]
    assert shares == pytest.approx([0.65, 0.35], abs=0.05)
    assert sum(one.share.hits for one in two_classes.classes) == 1000
    truth = np.repeat([0, 1], [350, 650])
    assert adjusted_rand(two_classes.likeliest, truth) > 0.5
    assert np.bincount(two_classes.likeliest).argmax() == 0


def test_find_behaviour_finds_each_class_its_transitions(two_classes):
    for one, matrix in zip(two_classes.classes, (BACK, FORWARD), strict=True):
        seen = {(row["from_endpoint"], row["to_endpoint"]): row["share"] for row in one.transitions.to_dicts()}
        for place, before in enumerate(["<start>", *"abcd"]):
            for to, after in enumerate([*"abcd", "<end>"]):
                assert seen.get((before, after), 0.0) == pytest.approx(matrix[place][to], abs=0.08)


def test_find_behaviour_counts_conversions(two_classes):
    for one in two_classes.classes:
        assert one.converted is not None
        assert one.converted.n == one.share.hits
    assert [one.name for one in two_classes.classes] == ["buyers (often d)", "buyers (often a)"]


def test_find_behaviour_says_what_it_found(two_classes):
    said = two_classes.sentences()
    assert said[0].startswith("2 classes of sessions in 1,000 (")
    assert "the same in random halves (adjusted Rand 1.00)" in said[0]
    assert "with 3, predicts other sessions no better" in said[0]
    assert said[1].startswith("The next step depends on the last endpoint: ")
    page = two_classes._repr_html_()
    assert "buyers" in page
    assert "Gaps are from the start of one request" in page


def test_find_behaviour_gives_plain_values(two_classes):
    shown = json.loads(json.dumps(two_classes.to_dict(), allow_nan=False))
    assert [one["sessions"] for one in shown["classes"]] == [one.share.hits for one in two_classes.classes]
    assert shown["trials"][0]["gain"] is None
    assert shown["guards"] == []


def test_find_behaviour_names_guards():
    rng = np.random.default_rng(1)
    paths = []
    for _ in range(400):
        path, held = "", 0
        for _ in range(int(rng.integers(3, 12))):
            to = str(rng.choice(["l", "a", "p"], p=[0.4, 0.3, 0.3] if held else [0.65, 0.35, 0.0]))
            held += (to == "a") - (to == "p")
            path += to
        paths.append(path)
    model = find_behaviour(steps_of(*paths))
    shown = model.to_dict()["guards"]
    assert [(rule["endpoint"], rule["needs"], rule["used_by"]) for rule in shown] == [("p", "a", "p")]
    assert shown[0]["sessions"] == sum("p" in path for path in paths)
    # Of the steps that may go to p, 30 % do, whatever the share of those that may.
    chain = model.classes[0].chain
    to_p = {
        int(here): weight
        for here, to, weight in zip(chain.arc_from, chain.arc_to, chain.arc_weight, strict=True)
        if model.endpoints[to] == "p"
    }
    visits = [int(chain.visits[here]) for here in to_p]
    seen = model.classes[0].transitions.filter((pl.col("from_endpoint") == "l") & (pl.col("to_endpoint") == "p"))
    assert np.average(list(to_p.values()), weights=visits) == pytest.approx(0.3, abs=0.04)
    assert seen["share"].item() < 0.2
    assert any(sentence.startswith("p comes only after more a than p (") for sentence in model.sentences())


def test_find_behaviour_of_one_session_is_one_class():
    model = find_behaviour(steps_of("ab"))
    assert [one.name for one in model.classes] == ["everybody"]
    assert (model.sessions, model.requests, model.longest) == (1, 2, 2)
    assert "no more were asked for, or there are too few" in model.sentences()[0]


def test_find_behaviour_of_single_requests_has_no_gaps():
    model = find_behaviour(steps_of(*["a"] * 5, *["b"] * 5))
    assert model.classes[0].median_gap_s is None
    assert model.classes[0].single_share == 1.0
    assert "everybody" in model._repr_html_()


def test_find_behaviour_escapes_names_of_endpoints():
    assert "<b>" not in find_behaviour(steps_of((["<b>", "x"], [1.0])))._repr_html_()


def test_find_behaviour_refuses_no_classes():
    with pytest.raises(ParameterError, match="max_classes must be at least 1; it is 0"):
        find_behaviour(steps_of("ab"), max_classes=0)


def test_find_behaviour_refuses_what_is_no_steps():
    with pytest.raises(MissingColumnsError, match="needs columns `endpoint`, `session_key`, `step_no`, `time_us`"):
        find_behaviour(pl.DataFrame({"x": [1]}))
    with pytest.raises(NoDataError, match="there are 0 steps"):
        find_behaviour(steps_of("a").clear())


def test_assign_draws_by_chance_and_numbers_by_size():
    posterior = np.tile([0.2, 0.7, 0.1], (3000, 1))
    drawn, likeliest = _assign(posterior, np.random.default_rng(1))
    assert (np.bincount(drawn) / 3000).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert set(likeliest.tolist()) == {0}
