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


def test_score_load_finds_what_is_further_off():
    slow = verdicts(score_load(made(1), made(2, think_s=16.0), bucket_s=300.0))
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
    with pytest.raises(NoDataError, match="must have 20 sessions to be compared with itself; it has 19"):
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
