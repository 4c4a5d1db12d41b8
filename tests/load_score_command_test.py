import json

import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.analyses.load_fidelity import DISTANCES
from prodintel_lib.cli import main
from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.load_score_command import ScoreWish, show_score
from prodintel_lib.terminal import Terminal
from tests.load_patterns.runs_test import CURVE_S, made, production, write_run


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recording.parquet"
    production().write_parquet(path)
    return path


def score(run, recording, **wish):
    with Terminal() as terminal:
        return show_score(run, recording, ScoreWish(**wish), terminal=terminal)


def test_show_score_says_the_answer_first_and_ends_in_0_where_the_load_is_faithful(recording, tmp_path, capsys):
    load = made(2)
    plan = load.group_by("session").agg(pl.col("t").min())
    assert score(write_run(tmp_path / "run", load, planned=plan), recording) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Faithful: the load is as close to production as production is to itself."
    assert lines[1].startswith("  11 of 11 distances are as small as between production's own halves: 600 sessions (")
    assert lines[2] == "  All 600 planned sessions began within 1 s of their time."
    assert [name for line in lines[5:] for name in DISTANCES if f" {name} " in line] == list(DISTANCES)
    assert lines[5].startswith("  Requests over time         rate_wape  ")
    assert lines[-2].endswith("Buckets of 60 s.")
    assert lines[-1].startswith("  Up to 1.5 times it alone: ")


def test_show_score_ends_in_1_and_names_what_is_further_off(recording, tmp_path, capsys):
    load = made(2, think_s=16.0)
    plan = load.group_by("session").agg(pl.col("t").min() - 5.0)
    assert score(write_run(tmp_path / "run", load, planned=plan), recording) == 1
    said = capsys.readouterr().out
    assert said.startswith("Not faithful: further off in ")
    assert "time between requests" in said.splitlines()[0]
    assert said.splitlines()[0].endswith("; arrivals were missed.")
    assert "Coordinated omission: of 600 planned sessions 0 never began and 600 began more than 1 s late" in said
    assert sum(line.endswith("further off") for line in said.splitlines()) >= 2


def test_show_score_takes_missed_arrivals_alone_as_unfaithful(recording, tmp_path, capsys):
    load = made(2)
    plan = load.group_by("session").agg(pl.col("t").min() - 5.0)
    assert score(write_run(tmp_path / "run", load, planned=plan), recording) == 1
    assert capsys.readouterr().out.startswith("Not faithful: arrivals were missed.")


def test_show_score_writes_json(recording, tmp_path, capsys):
    assert score(write_run(tmp_path / "run", made(2)), recording, as_json=True, bucket_s=120.0) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["distance"] for row in found["scores"]] == list(DISTANCES)
    assert (found["is_faithful"], found["bucket_s"], found["omission"]) == (True, 120.0, None)


def test_show_score_compares_with_another_time_where_a_window_is_given(tmp_path, capsys):
    # Recorded a day later than the curve was counted.
    later = production().with_columns(pl.col("t") + 86_400)
    later.write_parquet(tmp_path / "later.parquet")
    run = write_run(tmp_path / "run", made(2))
    window = "2023-11-15T22:13:20/2023-11-15T23:13:20"
    assert CURVE_S + 86_400 == 1_700_086_400
    assert score(run, tmp_path / "later.parquet", window=window) == 0
    assert "The recording is not of the time" not in capsys.readouterr().out
    score(run, tmp_path / "later.parquet")
    assert "The recording is not of the time the curve was counted in" in capsys.readouterr().out


def test_show_score_cannot_tell_of_what_is_not_there(recording, tmp_path):
    with pytest.raises(SourceFormatError, match=r"holds no run\.json") as caught:
        score(tmp_path, recording)
    assert caught.value.exit_code == 2
    with pytest.raises(ParameterError, match=r"is a folder without prodintel\.yaml"):
        score(write_run(tmp_path / "run", made(2)), tmp_path)


@pytest.mark.parametrize(("think_s", "code"), [(8.0, 0), (16.0, 1)])
def test_load_score_ends_with_the_code_of_its_answer(recording, tmp_path, think_s, code):
    run = write_run(tmp_path / "run", made(2, think_s=think_s))
    assert CliRunner().invoke(main, ["load-score", str(run), str(recording)]).exit_code == code


def test_load_score_ends_in_2_where_it_cannot_be_told(recording, tmp_path):
    nothing = CliRunner().invoke(main, ["load-score", str(tmp_path), str(recording)])
    assert nothing.exit_code == 2
    assert "holds no run.json" in nothing.stderr
    others = write_run(tmp_path / "run", made(2, names="xyz"))
    strange = CliRunner().invoke(main, ["load-score", str(others), str(recording)])
    assert strange.exit_code == 2
    assert "share no endpoint" in strange.stderr
