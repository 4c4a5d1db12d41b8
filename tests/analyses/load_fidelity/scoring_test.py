import json

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load_fidelity import DISTANCES, Omission, find_omission, score_load
from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, FURTHER, MAX_RATIO
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError


def made(seed, *, sessions=400, think_s=8.0, names="abc", until_s=3600.0):
    rng = np.random.default_rng(seed)
    rows = []
    for number, start_s in enumerate(np.sort(rng.uniform(0, until_s, sessions))):
        at_s = float(start_s)
        for step in range(int(rng.integers(1, 6))):
            at_s += float(rng.lognormal(np.log(think_s), 0.5)) if step else 0.0
            rows.append((number, names[step % len(names)], at_s))
    return pl.DataFrame(rows, schema=["session", "endpoint", "t"], orient="row")


def verdicts(result):
    return dict(result.scores.select("distance", "verdict").iter_rows())


def test_score_load_finds_the_same_process_as_close_as_production_to_itself():
    result = score_load(made(1), made(2), bucket_s=300.0)
    assert set(verdicts(result).values()) == {AS_CLOSE}
    assert result.is_faithful
    assert result.scores["distance"].to_list() == list(DISTANCES)
    assert (result.original_sessions, result.generated_sessions) == (400, 400)
    assert result.sentences()[0].startswith("11 of 11 distances are as small as between production's own halves: ")


def test_score_load_takes_missed_arrivals_as_unfaithful():
    load = made(2)
    planned = load.group_by("session").agg(pl.col("t").min())
    kept = score_load(made(1), load, bucket_s=300.0, planned=planned)
    # Four of 400 may be missed; five are more than 1 %.
    lost = pl.DataFrame({"session": range(1000, 1005), "t": [0.0] * 5})
    missed = score_load(made(1), load, bucket_s=300.0, planned=pl.concat([planned, lost]))
    assert (kept.kept_arrivals, kept.is_faithful) == (True, True)
    assert (missed.omission.missed_share, missed.kept_arrivals, missed.is_faithful) == (5 / 405, False, False)
    assert missed.scores.equals(kept.scores)


def test_score_load_finds_what_is_further_off():
    slower = score_load(made(1), made(2, think_s=16.0), bucket_s=300.0)
    assert {"think_ks", "dur_ks"} <= set(slower.beyond_median)
    assert not {"mix_tv", "len_ks", "trans_tv"} & set(slower.beyond_median)
    slow = verdicts(slower)
    assert (slow["think_ks"], slow["dur_ks"]) == (FURTHER, FURTHER)
    assert (slow["mix_tv"], slow["len_ks"], slow["trans_tv"]) == (AS_CLOSE, AS_CLOSE, AS_CLOSE)
    turned = verdicts(score_load(made(1), made(2, names="bac"), bucket_s=300.0))
    assert (turned["trans_tv"], turned["path_tv"], turned["mix_tv"]) == (FURTHER, FURTHER, FURTHER)
    early = score_load(made(1), made(2, until_s=1800.0), bucket_s=300.0)
    assert verdicts(early)["rate_wape"] == FURTHER
    assert not early.is_faithful


def test_score_load_shows_what_the_halves_get():
    scores = score_load(made(1), made(2), bucket_s=300.0, splits=5).scores
    assert (scores["halves_low"] <= scores["halves_median"]).all()
    assert (scores["halves_median"] <= scores["halves_high"]).all()
    bound = pl.max_horizontal(MAX_RATIO * pl.col("halves_median"), "halves_high")
    assert scores.filter((pl.col("value") <= bound) != (pl.col("verdict") == AS_CLOSE)).is_empty()
    # All sessions are of one process: halves differ by chance, and not at all where nothing varies.
    assert scores.filter(pl.col("distance") == "trans_tv")["halves_median"].item() < 0.05


def test_score_load_compares_a_small_load_with_parts_as_small():
    production = made(1, sessions=2000)
    small, large = (score_load(production, made(2, sessions=n), bucket_s=300.0, scale=n / 2000) for n in (60, 1500))
    assert (small.part_sessions, large.part_sessions) == (60, 1000)
    medians = [dict(each.scores.select("distance", "halves_median").iter_rows()) for each in (small, large)]
    # A distance between shares of 60 sessions and of 1,940 holds the chance of the 60: some 1/60 against 4/2000.
    for name in ("mix_tv", "len_ks", "think_ks", "path_tv"):
        assert 2 < medians[0][name] / medians[1][name] < 4.5
    # Fifteen requests a bucket against 485: compared at the same rate, and not all of the difference in numbers.
    assert 0.1 < medians[0]["rate_wape"] < 0.5
    # Held to production's halves, such a load would not pass however it was made.
    values = dict(small.scores.select("distance", "value").iter_rows())
    assert sum(values[name] > MAX_RATIO * medians[1][name] for name in values) >= 5
    assert sum(verdict == FURTHER for verdict in verdicts(small).values()) <= 1


@pytest.mark.parametrize("compress", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("volume", [1.0, 0.25])
def test_score_load_is_fair_to_a_faithful_load_at_any_compression(compress, volume):
    # Production's own process, its starts pressed together; eleven distances of four seeds each.
    further = []
    for seed in range(4):
        load = made(10 + seed, sessions=round(400 * volume))
        starts = pl.col("t").min().over("session")
        pressed = load.with_columns(starts / compress + pl.col("t") - starts)
        result = score_load(
            made(30 + seed), pressed, bucket_s=300.0, scale=volume, compress=compress, starts_s=(0.0, 0.0), splits=49
        )
        further += [name for name, verdict in verdicts(result).items() if verdict == FURTHER]
    assert len(further) <= 6


def test_score_load_lays_curves_over_each_other_by_the_clock():
    # Both begin with a quiet quarter of an hour; the load's first session comes at its end, production's at its start.
    rows = made(1, sessions=300).with_columns(pl.col("t") + 900)
    early = pl.DataFrame({"session": [-1], "endpoint": ["a"], "t": [0.0]})
    production = pl.concat([early, rows])
    by_clock = score_load(production, rows, bucket_s=300.0, starts_s=(0.0, 0.0), splits=9)
    by_first = score_load(production, rows, bucket_s=300.0, splits=9)
    assert by_clock.scores.row(by_predicate=pl.col("distance") == "rate_wape", named=True)["value"] < 0.01
    assert by_first.scores.row(by_predicate=pl.col("distance") == "rate_wape", named=True)["value"] > 0.3


def test_score_load_cuts_a_large_log_less_often():
    assert score_load(made(1), made(2)).splits == 99
    large = pl.concat([made(1).with_columns(pl.col("session") + 1000 * n) for n in range(60)])
    assert score_load(large, made(2)).splits == 2_000_000 // large.height


def test_score_load_calls_the_same_paths_rare_in_halves():
    # 1,500 sessions, each with a path of its own: rare in all of them, and so in the halves, which are the same then.
    own = pl.DataFrame({"session": range(1500), "endpoint": [f"e{n}" for n in range(1500)], "t": np.arange(1500.0)})
    paths = score_load(own, own, splits=2).scores.filter(pl.col("distance") == "path_tv")
    assert paths["halves_high"].item() == 0.0


def test_score_load_undoes_scale_and_compression():
    # Times in 1/1024 s and a power of two: no sum is rounded, so equal gaps are equal.
    original = made(1, sessions=800).with_columns((pl.col("t") * 1024).round() / 1024)
    starts = original.group_by("session").agg(pl.col("t").min().alias("start"))
    fast = original.join(starts, on="session").select(
        "session", "endpoint", (pl.col("start") / 16 + pl.col("t") - pl.col("start")).alias("t")
    )
    twice = pl.concat([fast, fast.with_columns(pl.col("session") + 10_000)])
    result = score_load(original, twice, bucket_s=300.0, scale=2.0, compress=16.0)
    values = dict(result.scores.select("distance", "value").iter_rows())
    # Every start comes twice, so gaps between arrivals do change.
    assert values.pop("iat_cv") > 0.1
    assert values == pytest.approx(dict.fromkeys(values, 0.0), abs=1e-9)


def test_score_load_gives_plain_values_and_a_page():
    plan = pl.DataFrame({"session": [0, 1], "t": [0.0, 1.0]})
    result = score_load(made(1), made(2), planned=plan)
    shown = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert shown["omission"]["planned"] == 2
    assert len(shown["scores"]) == 11
    page = result._repr_html_()
    assert "Kolmogorov-Smirnov" in page
    assert "Coordinated omission" in page or "planned sessions began" in page
    assert "no plan was given" in score_load(made(1), made(2)).sentences()[1]


def test_score_load_refuses_what_cannot_be_scored():
    with pytest.raises(NoDataError, match="The load must have 20 sessions to be compared; it has 19"):
        score_load(made(1), made(2, sessions=19))
    with pytest.raises(NoDataError, match="Production must have 20 sessions to be compared; it has 19"):
        score_load(made(1, sessions=19), made(2))
    with pytest.raises(ParameterError, match="scale must be above 0; it is 0"):
        score_load(made(1), made(2), scale=0.0)
    with pytest.raises(MissingColumnsError, match="Table `generated` needs column `endpoint`"):
        score_load(made(1), made(2).drop("endpoint"))


def test_find_omission_counts_what_never_began_and_what_began_late():
    plan = pl.DataFrame({"session": [1, 2, 3, 4], "t": [0.0, 10.0, 20.0, 30.0]})
    sent = pl.DataFrame({"session": [1, 1, 2, 3], "t": [0.2, 9.0, 15.0, 21.0]})
    found = find_omission(plan, sent)
    assert found == Omission(4, 1, 1, 1.0, 1.0, pytest.approx(4.92), 5.0)
    assert found.sentence.startswith(
        "Coordinated omission: of 4 planned sessions 1 never began and 1 began more than 1 s late (99 % within 4.9 s)"
    )


def test_find_omission_of_a_plan_that_was_kept():
    plan = pl.DataFrame({"session": [1], "t": [5.0]})
    assert find_omission(plan, plan).sentence == "All 1 planned sessions began within 1 s of their time."


def test_find_omission_where_nothing_came_knows_no_delay():
    plan = pl.DataFrame({"session": [1], "t": [5.0]})
    found = find_omission(plan, plan.clear())
    assert (found.missing, found.delay_p99_s) == (1, None)
    assert "1 never began and 0 began more than 1 s late, 100.0 % in all" in found.sentence
    with pytest.raises(MissingColumnsError, match="Table `planned` needs column `t`"):
        find_omission(plan.drop("t"), plan)
