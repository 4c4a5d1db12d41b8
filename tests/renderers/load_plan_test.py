"""The plan of a load test: how many sessions begin when, and what each does."""

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest

from prodintel_lib.analyses.behaviour import ArrivalCurve, find_behaviour, simulate
from prodintel_lib.analyses.load_fidelity.distances import DISTANCES, measure_distances, measure_facts, read_log
from prodintel_lib.renderers.templates.load_options import fillable
from prodintel_lib.renderers.templates.load_plan import (
    SESSION,
    Behaviour,
    Setting,
    Stream,
    blocks_of,
    curve_pieces,
    draw_starts_s,
    interpolated,
)
from prodintel_lib.scenarios.load_model.classes import build_walks
from prodintel_lib.scenarios.load_model.model import GAP_LEVELS, LoadGuard
from tests.renderers.load_models import make_model

CURVE = {"bucket_s": 10.0, "sessions": [30.0, 0.0, 60.0, 10.0]}


def setting(**changed):
    return Setting(
        **{"scale": 1.0, "compress": 1.0, "multiplier": 1.0, "start_s": 0.0, "length_s": 40.0, "seed": 3} | changed
    )


def data_of(model):
    """Return a model as the generated load test reads it."""
    data = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    for endpoint in data["endpoints"]:
        endpoint["variants"] = [fillable(endpoint, variant) for variant in endpoint["variants"]]
    return data


def test_stream_is_sfc32():
    # Of the published generator (PractRand's sfc32), seeded with the three words and the counter 1.
    def reference(a, b, c, count):
        state, words = [a, b, c, 1], []
        for _ in range(count):
            word = (state[0] + state[1] + state[3]) % 2**32
            state[3] = (state[3] + 1) % 2**32
            state[0] = state[1] ^ (state[1] >> 9)
            state[1] = (state[2] * 9) % 2**32
            state[2] = ((state[2] * 2**21 + state[2] // 2**11) % 2**32 + word) % 2**32
            words.append(word)
        return words

    stream = Stream(SESSION, 2**40 + 5, 9)
    assert [stream.word() for _ in range(5)] == reference(SESSION, 5, 9, 20)[15:]


def test_stream_draws_what_it_says():
    stream = Stream(SESSION, 1, 2)
    uniform = [stream.uniform() for _ in range(4000)]
    normal = [stream.normal() for _ in range(4000)]
    picked = Counter(stream.pick([1.0, 4.0, 4.0, 10.0]) for _ in range(4000))
    assert kstest(uniform, "uniform").pvalue > 0.01
    assert kstest(normal, "norm").pvalue > 0.01
    assert picked[2] == 0
    assert [round(picked[place] / 4000, 1) for place in (0, 1, 3)] == [0.1, 0.3, 0.6]


def test_streams_of_other_sessions_are_others():
    first = {Stream(SESSION, 1, number).uniform() for number in range(1000)}
    assert len(first) == 1000
    assert kstest(list(first), "uniform").pvalue > 0.01


def test_curve_pieces_are_scaled_and_compressed():
    pieces = curve_pieces(CURVE, setting(scale=2, multiplier=3, compress=4))
    assert [(piece.begin_s, piece.end_s, piece.expected) for piece in pieces] == [
        (0, 2.5, 45),
        (2.5, 5, 0),
        (5, 7.5, 90),
        (7.5, 10, 15),
    ]


def test_curve_pieces_begin_within_a_bucket_and_go_on_from_the_beginning():
    pieces = curve_pieces(CURVE, setting(start_s=25, length_s=30))
    assert [(piece.begin_s, piece.end_s, piece.expected) for piece in pieces] == [
        (0, 5, 30),
        (5, 15, 10),
        (15, 25, 30),
        (25, 30, 0),
    ]


def test_blocks_hold_twenty_sessions_at_least():
    pieces = curve_pieces({"bucket_s": 1.0, "sessions": [12.0, 7.0, 1.0, 50.0, 19.0, 2.0, 3.0]}, setting(length_s=7))
    assert [[piece.expected for piece in block] for block in blocks_of(pieces)] == [[12, 7, 1], [50], [19, 2, 3]]
    few = curve_pieces({"bucket_s": 1.0, "sessions": [1.0, 2.0]}, setting(length_s=2))
    assert [[piece.expected for piece in block] for block in blocks_of(few)] == [[1, 2]]


def test_draw_starts_follows_the_curve_and_leaves_chance_within_blocks():
    counts = []
    for seed in range(50):
        starts = draw_starts_s(CURVE, setting(seed=seed))
        assert starts == sorted(starts)
        counts.append(np.histogram(starts, bins=[0, 10, 20, 30, 40])[0])
    # The first bucket is a block; the second has none; the third and fourth are a block of 70, 60 of them early.
    assert {count[0] for count in counts} == {30}
    assert {count[1] for count in counts} == {0}
    assert {count[2] + count[3] for count in counts} == {70}
    assert len({count[2] for count in counts}) > 5
    assert np.mean([count[2] for count in counts]) == pytest.approx(60, abs=1)


def test_draw_starts_of_a_fraction_are_a_chance_of_one_more():
    curve = {"bucket_s": 10.0, "sessions": [0.25]}
    began = [len(draw_starts_s(curve, setting(length_s=10, seed=seed))) for seed in range(400)]
    assert set(began) == {0, 1}
    assert np.mean(began) == pytest.approx(0.25, abs=0.05)


def test_the_same_seed_plans_the_same_sessions_and_another_one_others():
    data = data_of(make_model())
    first, again, other = (
        (Behaviour(data).planned(data["curve"], one), [list(Behaviour(data).walk(one.seed, k)) for k in range(30)])
        for one in (setting(length_s=2), setting(length_s=2), setting(length_s=2, seed=4))
    )
    assert first == again
    assert first != other


def test_walk_keeps_to_the_guards():
    data = data_of(make_model(guards=(LoadGuard(endpoint=3, needs=2, used_by=3, sessions=40),)))
    unguarded = {**data, "guards": []}
    broken = 0
    for number in range(500):
        cart = order = 0
        for step in Behaviour(data).walk(1, number):
            cart += step.endpoint == 2
            order += step.endpoint == 3
            assert order <= cart
        walked = [step.endpoint for step in Behaviour(unguarded).walk(1, number)]
        broken += walked.count(3) > walked.count(2)
    assert broken > 20


def test_walk_once_is_enough_for_a_guard_without_use():
    data = data_of(make_model(guards=(LoadGuard(endpoint=3, needs=2, sessions=40),)))
    more = 0
    for number in range(500):
        walked = [step.endpoint for step in Behaviour(data).walk(1, number)]
        if 3 in walked:
            assert 2 in walked[: walked.index(3)]
        more += walked.count(3) > walked.count(2)
    assert more > 5


def test_walk_ends_at_the_longest_session():
    model = make_model(longest=2)
    assert {len(list(Behaviour(data_of(model)).walk(1, number))) for number in range(100)} == {1, 2}


def test_walk_ends_as_likely_as_the_model_says():
    data = data_of(make_model())
    [one] = [each for each in data["classes"] if each["id"] == "browsers"]
    ended = Counter(len(list(Behaviour({**data, "classes": [one]}).walk(5, number))) for number in range(4000))
    # After the first step half end, of the others half again.
    assert [ended[length] / 4000 for length in (1, 2, 3)] == pytest.approx([0.5, 0.25, 0.125], abs=0.02)


def test_walk_ends_the_likelier_the_further_it_has_come():
    data = data_of(make_model())
    [one] = [each for each in data["classes"] if each["id"] == "browsers"]
    # No shift after the first step; after the second one that ends nine sessions of ten.
    data["classes"] = [{**one, "step_bounds": [1], "end_shift": [0.0, math.log(9)]}]
    ended = Counter(len(list(Behaviour(data).walk(5, number))) for number in range(4000))
    assert [ended[length] / 4000 for length in (1, 2)] == pytest.approx([0.5, 0.45], abs=0.02)


def test_walk_ends_before_its_first_step_where_the_model_says_so_and_is_not_planned_then():
    data = data_of(make_model())
    for one in data["classes"]:
        one["states"][0]["end_logit"] = 0.0
    behaviour = Behaviour(data)
    planned = behaviour.planned(data["curve"], setting(length_s=2))
    assert 8 <= len(planned) <= 32
    assert all(list(behaviour.walk(3, number)) for number, _ in planned)
    skipped = set(range(40)) - {number for number, _ in planned}
    assert all(list(behaviour.walk(3, number)) == [] for number in skipped)


def test_gaps_follow_their_law_and_are_alike_within_a_session():
    data = data_of(make_model())
    [one] = [each for each in data["classes"] if each["id"] == "browsers"]

    def gaps(correlation):
        alone = {**data, "classes": [{**one, "session_correlation": correlation}]}
        return [[step.gap_s for step in Behaviour(alone).walk(2, k)][1:] for k in range(3000)]

    free, alike = gaps(0.0), gaps(0.8)
    for each in (free, alike):
        seen = [gap for session in each for gap in session[:1]]
        assert kstest(seen, "uniform", args=(0.02, 0.04)).pvalue > 0.01
    pairs = [np.array([session[:2] for session in each if len(session) > 1]) for each in (free, alike)]
    assert np.corrcoef(pairs[0].T)[0, 1] == pytest.approx(0, abs=0.1)
    assert np.corrcoef(pairs[1].T)[0, 1] == pytest.approx(0.8, abs=0.1)


def test_variants_are_sent_in_proportion():
    data = data_of(make_model())
    sent = Counter(
        step.variant for number in range(1500) for step in Behaviour(data).walk(2, number) if step.endpoint == 1
    )
    assert sent[0] / sent.total() == pytest.approx(0.75, abs=0.03)


def test_interpolated_is_on_the_line():
    assert interpolated(0.0, GAP_LEVELS, GAP_LEVELS) == 0.0
    assert interpolated(1.0, GAP_LEVELS, GAP_LEVELS) == 1.0
    assert interpolated(0.9993, GAP_LEVELS, [2 * level for level in GAP_LEVELS]) == pytest.approx(1.9986)


def made_log(seed, sessions=600):
    """Return requests of users of two kinds: readers of a few pages, and buyers with a cart."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(sessions):
        at_s = rng.uniform(0, 1800) if session % 3 else rng.uniform(600, 900)
        if rng.random() < 0.6:
            path = ["home"] + ["page"] * int(rng.geometric(0.4))
        else:
            path = ["home"]
            while len(path) < 40 and rng.random() < 0.85:
                may = ["search", "cart"] + ["order"] * (path.count("cart") > path.count("order"))
                path.append(may[int(rng.integers(len(may)))])
        for endpoint in path:
            rows.append((f"s{session:04d}", endpoint, at_s))
            at_s += float(rng.lognormal(1.0, 0.6))
    log = pl.DataFrame(rows, schema=["session_key", "endpoint", "t"], orient="row")
    return log.select(
        "session_key",
        "endpoint",
        time_us=(pl.col("t") * 1_000_000).cast(pl.Int64),
        step_no=pl.int_range(pl.len()).over("session_key"),
    )


def planned_log(behaviour, curve, seed):
    """Return the requests of a plan, as fast as the plan has them."""
    walks = build_walks(behaviour)
    data = {
        "classes": [one.model_dump(exclude_none=True) for one in walks.classes],
        "gaps": [law.model_dump() for law in walks.gaps],
        "guards": [guard.model_dump(exclude_none=True) for guard in walks.guards],
        "gap_levels": list(GAP_LEVELS),
        "endpoints": [{"variants": [{"n": 1}]} for _ in behaviour.endpoints],
        "longest": 10 * behaviour.longest,
    }
    walker, rows = Behaviour(data), []
    bucketed = {"bucket_s": curve.bucket_s, "sessions": curve.sessions.tolist()}
    for number, at_s in walker.planned(bucketed, setting(length_s=curve.duration_s, seed=seed)):
        sent_s = at_s
        for step in walker.walk(seed, number):
            sent_s += step.gap_s
            rows.append((number, behaviour.endpoints[step.endpoint], sent_s))
    return pl.DataFrame(rows, schema=["session", "endpoint", "t"], orient="row")


def test_plan_is_as_close_to_simulated_sessions_as_those_are_to_each_other():
    log = made_log(1, sessions=1500)
    behaviour = find_behaviour(log, seed=0)
    assert behaviour.guards
    curve = ArrivalCurve(60.0, np.repeat([40.0, 90.0, 60.0], 10))
    simulated = [facts_of(simulate(behaviour, curve, seed=seed)) for seed in range(8)]
    between = [measure_distances(one, other) for at, one in enumerate(simulated) for other in simulated[:at]]
    plans = [facts_of(planned_log(behaviour, curve, seed)) for seed in range(4)]
    far = [measure_distances(one, plan) for plan in plans for one in simulated]
    for name in DISTANCES:
        seeds = sorted(each[name] for each in between)
        assert np.median([each[name] for each in far]) <= 1.25 * np.quantile(seeds, 0.75), name


def facts_of(log):
    return measure_facts(read_log(log, name="log"), bucket_s=60.0)


def test_the_distances_see_a_plan_without_memory():
    # The comparison above can fail: the same sessions with their endpoints shuffled are far off.
    log = planned_log(find_behaviour(made_log(1, sessions=1500), seed=0), ArrivalCurve(60.0, np.full(9, 60.0)), 1)
    shuffled = log.with_columns(pl.col("endpoint").shuffle(seed=1))
    assert measure_distances(facts_of(log), facts_of(shuffled))["trans_tv"] > 0.2
