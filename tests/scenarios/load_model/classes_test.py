import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from prodintel_lib.analyses.behaviour import ArrivalCurve, ClassGaps, find_behaviour, simulate
from prodintel_lib.analyses.behaviour.gaps import ANY, fit_gap
from prodintel_lib.analyses.behaviour.guards import Guard
from prodintel_lib.renderers.templates.load_plan import Behaviour
from prodintel_lib.scenarios.load_model.classes import build_walks
from prodintel_lib.scenarios.load_model.model import GAP_LEVELS

from .made_sessions import random_sessions


@pytest.fixture(scope="module")
def behaviour():
    return find_behaviour(random_sessions(600, seed=5), max_classes=3, seed=1)


@pytest.fixture(scope="module")
def walks(behaviour):
    return build_walks(behaviour)


def test_build_walks_keeps_chains_and_weights(behaviour, walks):
    assert [one.sessions for one in walks.classes] == [one.share.hits for one in behaviour.classes]
    assert sum(one.weight for one in walks.classes) == pytest.approx(1)
    chain, states = behaviour.classes[0].chain, walks.classes[0].states
    assert len(states) == len(chain.contexts)
    assert states[0].after == ("<start>",)
    assert sum(len(state.arcs) for state in states) == len(chain.arc_weight)
    for state in states:
        assert not state.arcs or sum(arc.weight for arc in state.arcs) == pytest.approx(1)
        # Only the first step has no gap.
        assert all((arc.gap is None) == (state.after == ("<start>",)) for arc in state.arcs)


def test_build_walks_writes_the_quantiles_of_gaps(behaviour):
    rest = fit_gap(np.linspace(1.0, 9.0, 200))
    plain = replace(behaviour, classes=(replace(behaviour.classes[0], gaps=ClassGaps({}, rest, 0.25)),))
    made = build_walks(plain)
    assert (len(made.gaps), made.gaps[0].n, made.gaps[0].family) == (1, 200, rest.family)
    assert made.gaps[0].seconds == pytest.approx(1 + 8 * np.array(GAP_LEVELS), abs=1e-5)
    assert made.classes[0].session_correlation == 0.25


def test_build_walks_takes_the_gap_of_the_transition_then_of_the_endpoint_then_the_rest(behaviour):
    own, of_endpoint, rest, unused = (fit_gap(np.linspace(1.0, 9.0, count)) for count in (61, 62, 63, 64))
    gaps = ClassGaps({(0, 1): own, (ANY, 1): unused, (ANY, 2): of_endpoint}, rest, 0.0)
    made = build_walks(replace(behaviour, classes=(replace(behaviour.classes[0], gaps=gaps),)))
    seen = {
        (state.after[0], behaviour.endpoints[arc.endpoint], made.gaps[arc.gap].n)
        for state in made.classes[0].states[1:]
        for arc in state.arcs
    }
    a, b, c, d = behaviour.endpoints
    # Its sessions go round.
    assert seen == {(a, b, 61), (b, d, 63), (c, a, 63), (d, c, 62)}


def test_build_walks_names_classes_apart(behaviour):
    alike = replace(behaviour, classes=tuple(replace(one, name="Käufer!") for one in behaviour.classes))
    names = [one.id for one in build_walks(alike).classes]
    assert names == ["kufer", "kufer_2", "kufer_3"][: len(names)]
    assert len(names) > 1


def test_build_walks_writes_guards():
    found = find_behaviour(random_sessions(50, seed=1), max_classes=1)
    guarded = replace(found, guards=(Guard(1, 0, -1, 40, 0.5), Guard(2, 1, 0, 41, 0.25)))
    assert [(one.endpoint, one.needs, one.used_by, one.sessions) for one in build_walks(guarded).guards] == [
        (1, 0, None, 40),
        (2, 1, 0, 41),
    ]


def test_sessions_walked_by_the_model_are_those_that_are_simulated(behaviour, walks):
    """The plan of a generated test walks the document; two seeds of the simulation say how far chance alone leads."""
    sessions = 4000
    model = json.loads(
        json.dumps(
            {
                "classes": [one.model_dump(mode="json") for one in walks.classes],
                "gaps": [one.model_dump(mode="json") for one in walks.gaps],
                "gap_levels": list(GAP_LEVELS),
                "endpoints": [{"variants": [{"n": 1}]} for _ in behaviour.endpoints],
                "longest": 10 * behaviour.longest,
            }
        )
    )
    planned = Behaviour(model)
    made = [list(planned.walk(7, number)) for number in range(sessions)]
    own = shape_of([[(step.endpoint, step.gap_s) for step in steps] for steps in made], behaviour)
    first, second = (simulated(behaviour, sessions, seed) for seed in (1, 2))
    for name, value in own.items():
        chance = distance(first[name], second[name])
        assert distance(value, first[name]) < 2.5 * chance + 0.004, name


def simulated(behaviour, sessions, seed):
    frame = simulate(behaviour, ArrivalCurve(60.0, np.full(1, float(sessions))), seed=seed)
    codes = {name: code for code, name in enumerate(behaviour.endpoints)}
    steps = []
    for part in frame.partition_by("session", maintain_order=True):
        times = part["t"].to_numpy()
        gaps = np.diff(times, prepend=times[0])
        steps.append([(codes[name], gap) for name, gap in zip(part["endpoint"], gaps, strict=True)])
    return shape_of(steps, behaviour)


def shape_of(sessions, behaviour):
    """Return lengths, gaps and durations, sorted, and the shares of transitions."""
    width = len(behaviour.endpoints) + 1
    moves = np.zeros((width, width))
    for steps in sessions:
        path = [width - 1, *(endpoint for endpoint, _ in steps), width - 1]
        for before, after in pairwise(path):
            moves[before, after] += 1
    return {
        "lengths": np.sort([len(steps) for steps in sessions]).astype(float),
        "gaps": np.sort([gap for steps in sessions for _, gap in steps[1:]]),
        "durations": np.sort([sum(gap for _, gap in steps) for steps in sessions]),
        "moves": moves / moves.sum(),
    }


def distance(one, other):
    if one.ndim == 2:
        return float(np.abs(one - other).sum() / 2)
    at = np.unique(np.concatenate([one, other]))
    shares = [np.searchsorted(each, at, side="right") / len(each) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())
