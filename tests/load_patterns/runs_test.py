import json

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.load_fidelity import score_load
from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, FURTHER
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError, SourceFormatError
from prodintel_lib.load_patterns.runs import LoadRun, RunSettings, choose_bucket_s, read_recording, read_run, score_run
from prodintel_lib.windows import Window

CURVE_S = 1_700_000_000
LENGTH_S = 3600.0


def settings(**changes):
    values = {
        "schema": "prodintel/load-run/1",
        "generator": "locust",
        "scale": 1.0,
        "compress": 1.0,
        "multiplier": 1.0,
        "start_s": 0.0,
        "length_s": LENGTH_S,
        "curve_start_us": CURVE_S * 1_000_000,
        "curve_end_us": (CURVE_S + int(LENGTH_S)) * 1_000_000,
        "source": "spans",
        "begun_sessions": 0,
    }
    return values | changes


def busy_at(shares):
    """Return where in the hour a session begins: three times as often in the second half hour."""
    return np.where(shares < 0.25, shares * 4 * 1800, 1800 + (shares - 0.25) / 0.75 * 1800)


def made(seed, *, sessions=600, start_s=0.0, compress=1.0, length_s=LENGTH_S, think_s=8.0, names="abc"):
    """Make the sessions of a part of the hour, on a clock that is 0 where the part begins."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, at in enumerate(busy_at(rng.random(sessions))):
        position_s = (at - start_s) % LENGTH_S
        if position_s >= length_s:
            continue
        t = position_s / compress
        for step in range(int(rng.integers(1, 6))):
            t += float(rng.lognormal(np.log(think_s), 0.5)) if step else 0.0
            rows.append((str(number), names[step % len(names)], t))
    return pl.DataFrame(rows, schema=["session", "endpoint", "t"], orient="row")


def run_of(log, *, planned=None, **changes):
    begun = log.group_by("session").agg(pl.col("t").min())
    return LoadRun(log, begun, planned, RunSettings.model_validate(settings(**changes)))


def production(seed=1, **changes):
    return made(seed, **changes).with_columns(pl.col("t") + CURVE_S)


def verdicts(score):
    return dict(score.scores.select("distance", "verdict").iter_rows())


def write_run(folder, log, *, planned=None, **changes):
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(settings(**changes)), encoding="utf-8")
    log.write_csv(folder / "requests.csv")
    if planned is not None:
        planned.write_csv(folder / "planned.csv")
    return folder


def test_read_run_reads_what_a_run_left_and_leaves_set_up_out(tmp_path):
    log = pl.DataFrame(
        {
            "session": [0, 0, 7],
            "endpoint": ["POST /login", 'GET /a,"b"', "GET /c"],
            "t": [0.5, 0.75, 2.25],
            "status": [201, 200, None],
            "elapsed_ms": [12.5, 3.0, None],
            "setup": [1, 0, 0],
        }
    )
    plan = pl.DataFrame({"session": [0, 7], "t": [0.5, 2.0]})
    run = read_run(write_run(tmp_path / "run", log, planned=plan, scale=2.0, compress=4.0, multiplier=3.0))
    assert run.requests.rows() == [("0", 'GET /a,"b"', 0.75, 3.0), ("7", "GET /c", 2.25, None)]
    assert run.begun.rows() == [("0", 0.5), ("7", 2.25)]
    assert run.planned.rows() == [("0", 0.5), ("7", 2.0)]
    assert run.settings.volume == 1.5
    assert run.settings.curve == Window(CURVE_S * 1_000_000, (CURVE_S + 3600) * 1_000_000)


def test_read_run_reads_a_bare_log(tmp_path):
    log = pl.DataFrame({"session": ["x", "x"], "endpoint": ["a", "b"], "t": [3.0, 4.5]})
    log.write_csv(tmp_path / "log.csv")
    log.with_columns(session=pl.Series([1, 1])).write_parquet(tmp_path / "log.parquet")
    assert read_run(tmp_path / "log.csv").requests.rows() == [("x", "a", 3.0), ("x", "b", 4.5)]
    run = read_run(tmp_path / "log.parquet")
    assert run.requests.rows() == [(1, "a", 3.0), (1, "b", 4.5)]
    assert (run.planned, run.settings) == (None, None)


def test_read_run_says_what_is_wrong(tmp_path):
    log = made(1, sessions=3)
    folder = write_run(tmp_path / "run", log)
    with pytest.raises(SourceFormatError, match=r"A log of requests was expected at .*absent\.csv; there is none"):
        read_run(tmp_path / "absent.csv")
    with pytest.raises(SourceFormatError, match=r"run\.json, requests\.csv and planned\.csv; .* holds no run\.json"):
        read_run(tmp_path)
    (folder / "run.json").write_text(json.dumps(settings(compress=0)), encoding="utf-8")
    with pytest.raises(
        SourceFormatError, match=r"is not the record of a run: compress: Input should be greater than 0"
    ):
        read_run(folder)
    (folder / "run.json").write_text(json.dumps(settings()), encoding="utf-8")
    twice = (folder / "requests.csv").read_text(encoding="utf-8") * 2
    (folder / "requests.csv").write_text(twice, encoding="utf-8")
    with pytest.raises(SourceFormatError, match=r"(?s)requests\.csv cannot be read as a log.*a second one does not go"):
        read_run(folder)
    (folder / "requests.csv").unlink()
    with pytest.raises(SourceFormatError, match=r"expected at .*requests\.csv; there is none"):
        read_run(folder)


@pytest.mark.parametrize(
    ("log", "error", "said"),
    [
        ({"session": [1], "endpoint": ["a"]}, MissingColumnsError, "needs column `t`"),
        (
            {"session": [1], "endpoint": ["a"], "t": ["noon"]},
            SourceFormatError,
            "`t` of .* must be a number of seconds",
        ),
        ({"session": [1, None], "endpoint": ["a", "a"], "t": [1.0, 2.0]}, SourceFormatError, "1 of 2 rows of .* lack"),
        ({"session": [1], "endpoint": ["a"], "t": [float("nan")]}, SourceFormatError, "1 of 1 rows of .* lack one"),
    ],
)
def test_read_run_refuses_rows_that_cannot_be_compared(log, error, said, tmp_path):
    pl.DataFrame(log).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(error, match=said):
        read_run(tmp_path / "log.parquet")


def test_read_recording_needs_a_log_or_a_workspace_with_a_window(tmp_path):
    with pytest.raises(ParameterError, match=r"is a folder without prodintel\.yaml"):
        read_recording(tmp_path)
    (tmp_path / "prodintel.yaml").write_text("name: shop\nsources: []\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"(?s)compared over a window; none was given.*--window START/END"):
        read_recording(tmp_path)


def test_read_recording_reads_whole_sessions_of_a_workspace(tmp_path):
    # Minutes after 13:00: the first visitor comes back after more than half an hour, the second goes on.
    asked = [("1", 0, "/a"), ("1", 2, "/b?x=1"), ("2", 50, "/a"), ("1", 59, "/c"), ("2", 61, "/c"), ("3", 300, "/a")]
    lines = [
        f'10.0.0.{who} - - [10/Oct/2024:{13 + at // 60}:{at % 60:02}:36 +0000] "GET {path} HTTP/1.1" 200 9 "-" "x/1"'
        for who, at, path in asked
    ]
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = "name: shop\nsources:\n  - path: access.log\nprivacy:\n  made_up_data_phrase: nobody is real here\n"
    (tmp_path / "prodintel.yaml").write_text(config, encoding="utf-8")
    window = Window.parse("2024-10-10T13:30/2024-10-10T14:00")
    found = read_recording(tmp_path, window=window, source="rum").sort("t")
    start_s = window.start_us / 1_000_000 - 1800
    assert [(t - start_s - 36) / 60 for t in found["t"]] == [0, 2, 50, 59, 61]
    assert found["endpoint"].to_list() == ["GET /a", "GET /b", "GET /a", "GET /c", "GET /c"]
    sessions = found["session"].to_list()
    assert sessions[0] == sessions[1] != sessions[3]
    assert sessions[2] == sessions[4]
    assert not any("10.0.0" in session for session in sessions)
    with pytest.raises(NoDataError, match=r"Of 2024-10-10.*, no request in .* names its visitor"):
        read_recording(tmp_path, window=window, source="spans")


@pytest.mark.parametrize(
    ("changes", "sessions"),
    [
        ({"compress": 1.0}, 600),
        ({"compress": 3.0, "scale": 3.0}, 600),
        ({"compress": 3.0, "scale": 1.0}, 200),
        ({"compress": 12.0, "scale": 6.0, "multiplier": 2.0}, 600),
        ({"compress": 12.0, "scale": 2.0}, 100),
        ({"start_s": 1200.0, "compress": 4.0, "scale": 4.0}, 600),
        ({"start_s": 2700.0, "length_s": 1800.0, "scale": 2.0}, 1200),
    ],
)
def test_score_run_finds_a_faithful_load_faithful_at_any_scale_start_and_compression(changes, sessions):
    # Seeds are as they come: with eleven distances one in so many faithful loads is further off by chance in one.
    parts = {name: changes.get(name, default) for name, default in
             {"start_s": 0.0, "compress": 1.0, "length_s": LENGTH_S}.items()}  # fmt: skip
    further = []
    for seed in range(4):
        load = run_of(made(20 + seed, sessions=sessions, **parts), **changes)
        score = score_run(load, production(seed), splits=19)
        further += [name for name, verdict in verdicts(score).items() if verdict == FURTHER]
        assert verdicts(score)["rate_wape"] == AS_CLOSE
    assert len(further) <= 3


def test_score_run_finds_what_differs():
    slow = score_run(run_of(made(2, think_s=16.0)), production())
    assert {name for name, verdict in verdicts(slow).items() if verdict == FURTHER} >= {"think_ks", "dur_ks"}
    # The whole hour's load, begun at another time than the record says.
    turned = score_run(run_of(made(2), start_s=1800.0), production())
    assert verdicts(turned)["rate_wape"] == FURTHER
    assert not turned.is_faithful


def test_score_run_compares_a_small_load_with_small_parts_of_production():
    score = score_run(run_of(made(2, sessions=50, compress=12.0), compress=12.0), production())
    assert (score.part_sessions, score.original_sessions, score.generated_sessions) == (50, 600, 50)
    assert "a part of production as small as the load (50 sessions) and the rest of it" in score.sentences()[0]
    assert score.scale == pytest.approx(1 / 12)


def test_score_run_keeps_sessions_whole_that_begin_in_the_part_that_was_run():
    # The second half of the hour is run: sessions that began before it do not count, those that go on after it do.
    load, recorded = made(2, start_s=1800.0, length_s=1800.0), production()
    score = score_run(run_of(load, start_s=1800.0, length_s=1800.0), recorded, splits=9)
    begun = recorded.filter(pl.col("t").min().over("session") >= CURVE_S + 1800)
    assert (score.original_requests, score.generated_requests) == (begun.height, load.height)
    assert begun["t"].max() > CURVE_S + LENGTH_S
    assert score.is_faithful


def test_score_run_keeps_a_session_that_began_a_little_after_the_end_of_the_curve():
    late = pl.DataFrame({"session": ["late"], "endpoint": ["a"], "t": [LENGTH_S / 3 + 0.1]})
    load = pl.concat([made(2, compress=3.0), late])
    score = score_run(run_of(load, compress=3.0, scale=3.0), production(), splits=9)
    assert score.generated_sessions == 601


def test_score_run_scores_the_first_turn_of_a_run_that_went_on():
    load = made(2)
    second = load.with_columns(pl.col("t") + LENGTH_S, pl.col("session") + "-again")
    score = score_run(run_of(pl.concat([load, second]), length_s=2 * LENGTH_S), production())
    assert score.generated_sessions == load["session"].n_unique()
    assert "its first turn is scored" in " ".join(score.notes)


def test_score_run_takes_the_first_request_where_the_clocks_have_nothing_in_common():
    elsewhere = production().with_columns(pl.col("t") - CURVE_S + 77.0)
    score = score_run(run_of(made(2)), elsewhere)
    assert score.is_faithful
    assert "The recording is not of the time the curve was counted in" in score.notes[0]
    assert score_run(run_of(made(2)), elsewhere, origin_s=77.0).notes == ()


def test_score_run_cuts_times_to_the_whole_seconds_that_the_recording_keeps():
    load = made(2, think_s=1.5)
    coarse = production(think_s=1.5).with_columns(pl.col("t").floor())
    score = score_run(run_of(load), coarse, splits=19)
    assert score.notes == ("The recording keeps whole seconds; the load's times were cut to them.",)
    assert score.is_faithful
    # Left as they are, no gap of the load would be one of the recording's.
    far = score_load(coarse, load, bucket_s=60.0, splits=19)
    assert verdicts(far)["think_ks"] == FURTHER


def test_score_run_says_what_else_matters():
    score = score_run(
        run_of(made(2, names="abd"), cut_short=12, begun_sessions=600, failed=True, why=["p95 of a was broken."]),
        production(),
    )
    said = " ".join(score.sentences())
    assert "Only in production: c, " in said
    assert "Only in the load: d, " in said
    assert "12 of 600 sessions ended early: no answer gave a value they had to send." in said
    assert said.endswith("The run itself failed: p95 of a was broken.")


def test_score_run_reports_arrivals_that_were_missed():
    # The generator was too slow: from the middle on everything begins half a minute late, and the last never begin.
    load = made(2)
    plan = load.group_by("session").agg(pl.col("t").min())
    late = load.join(plan.rename({"t": "start"}), on="session").filter(pl.col("start") < 3500)
    sent = late.select("session", "endpoint", pl.col("t") + pl.when(pl.col("start") > 1800).then(30.0).otherwise(0.0))
    score = score_run(run_of(sent, planned=plan), production())
    lost, delayed = plan.filter(pl.col("t") >= 3500).height, plan.filter(pl.col("t").is_between(1800, 3500)).height
    assert (score.omission.planned, score.omission.missing, score.omission.late) == (plan.height, lost, delayed)
    assert score.sentences()[1].startswith("Coordinated omission: of 600 planned sessions ")
    assert not score.is_faithful
    kept = score_run(run_of(load, planned=plan), production())
    assert kept.omission.missing == kept.omission.late == 0
    assert kept.is_faithful


def test_score_run_knows_that_a_session_may_begin_without_a_request():
    load = made(2)
    plan = load.group_by("session").agg(pl.col("t").min())
    lacking = load.filter(~pl.col("session").is_in(["1", "2", "3"]))
    begun = score_run(run_of(lacking, planned=plan, begun_sessions=599, cut_short=2), production())
    assert begun.omission.missing == 1


def test_score_run_tells_of_users_held_up_by_slow_answers():
    log = made(2).sort("session", "t")
    fast = log.with_columns(elapsed_ms=pl.lit(20.0))
    assert not any("held users up" in note for note in score_run(run_of(fast), production()).notes)
    # Each answer takes as long as the user would have waited anyway.
    gap_ms = (pl.col("t").shift(-1) - pl.col("t")).over("session") * 1000
    slow = log.with_columns(elapsed_ms=gap_ms.fill_null(20.0))
    further = log.height - 600
    note = next(note for note in score_run(run_of(slow), production()).notes if "held users up" in note)
    assert note.startswith(
        f"Slow answers held users up: {further:,} of {further:,} further requests (100.0 %) were sent"
    )


def test_score_run_cannot_tell_without_common_names_or_sessions():
    with pytest.raises(NoDataError, match=r"(?s)share no endpoint: the run asked for x, y, z; production for a, b, c"):
        score_run(run_of(made(2, names="xyz")), production())
    with pytest.raises(NoDataError, match="No session of the recording begins in the part of the curve"):
        score_run(run_of(made(2)), production(), origin_s=CURVE_S + 9999.0)
    with pytest.raises(NoDataError, match="The load must have 20 sessions to be compared; it has 5"):
        score_run(run_of(made(2, sessions=5)), production())
    with pytest.raises(NoDataError, match="The run sent nothing"):
        score_run(run_of(made(2).clear()), production())


def test_choose_bucket_s_covers_the_part_with_no_more_than_a_hundred():
    assert [choose_bucket_s(length) for length in (60.0, 300.0, 3600.0, 86_400.0, 30 * 86_400.0)] == [
        1.0, 5.0, 60.0, 900.0, 3600.0,
    ]  # fmt: skip
