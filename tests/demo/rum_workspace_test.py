import hashlib
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from demo.rum.causes import planted_causes
from demo.rum.plan import Plan
from demo.rum.workspace import generate
from prodintel_lib.errors import ParameterError
from prodintel_lib.tables import EXPOSURES, RUM_EVENTS
from prodintel_lib.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]
PLAN = Plan(6000, 3, seed=11)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rum") / "shop"
    truth = generate(PLAN, folder)
    return folder, truth


@pytest.fixture(scope="module")
def events(made):
    return pl.read_parquet(made[0] / "events" / "*.parquet")


@pytest.fixture(scope="module")
def people(events):
    return events.filter(pl.col("geo_region_iso_code") != "US-VA")


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_generate_makes_the_same_bytes_for_the_same_seed(made, tmp_path):
    generate(PLAN, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(made[0])


def test_generate_makes_other_events_for_another_seed(made, tmp_path):
    generate(Plan(6000, 3, seed=12), tmp_path / "other")
    mine, others = digests(made[0]), digests(tmp_path / "other")
    assert not [name for name in mine if mine[name] == others.get(name)]


def test_generate_writes_a_workspace_that_says_it_was_generated(made):
    workspace = open_workspace(made[0])
    assert workspace.config.generated_by == "prodintel demo rum --seed 11 --sessions 6000 --days 3"
    assert workspace.config.journeys.conversions == ("purchase",)
    keys = [file.key for file in workspace.source_files()]
    assert keys[:2] == ["events/2025-11-03-00.parquet", "events/2025-11-04-00.parquet"]
    assert "events/crawl.parquet" in keys
    assert "exposures/2025-11-05-00.parquet" in keys
    assert not any("truth" in key for key in keys)


def test_generate_writes_columns_of_the_canonical_tables(made, events):
    exposures = pl.read_parquet(made[0] / "exposures" / "*.parquet")
    assert set(events.columns) - set(RUM_EVENTS.schema) == set()
    assert {name: events.schema[name] for name in events.columns} == {n: RUM_EVENTS.schema[n] for n in events.columns}
    assert set(exposures.columns) - set(EXPOSURES.schema) == set()
    assert events["event_kind"].unique().sort().to_list() == ["action", "custom", "error", "request", "view", "vital"]


def test_generate_counts_in_its_truth_what_is_in_the_files(made, people):
    counts = made[1]["counts"]
    views = people.filter(pl.col("event_kind") == "view")
    bought = people.filter(pl.col("event_name") == "purchase")
    assert counts["sessions"] == views["session_id"].n_unique() == 6000
    assert counts["page_views"] == views.height
    assert counts["events"] == people.height
    assert counts["conversions"] == bought["session_id"].n_unique() > 0
    new = people.filter(pl.col("user_is_new"))
    assert counts["new_sessions"] == new["session_id"].n_unique()


def test_generate_writes_the_truth_it_returns(made):
    assert yaml.safe_load((made[0] / "truth.yaml").read_text()) == made[1]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("payment_error_safari", "total.amount.toFixed"),
        ("price_error_safari", "price.toFixed"),
        ("new_user_error", "no preferences of visitor v"),
    ],
)
def test_generate_reports_an_error_on_every_view_it_befell(made, people, cause, message):
    truth = next(each for each in made[1]["causes"] if each["id"] == cause)
    errors = people.filter(pl.col("exception_message").str.contains(message, literal=True))
    assert truth["pattern"] in errors["exception_message"][0]
    assert errors["view_id"].n_unique() == truth["exposed_views"] > 0
    assert errors["session_id"].n_unique() == truth["exposed_sessions"]


def test_generate_counts_as_dropped_only_sessions_that_bought_nothing(made, people):
    truth = next(each for each in made[1]["causes"] if each["id"] == "payment_error_safari")
    exposed = people.filter(pl.col("exception_message").str.contains("total.amount", literal=True))["session_id"]
    bought = people.filter(pl.col("event_name") == "purchase")["session_id"]
    left = exposed.unique().is_in(bought.unique().to_list()).not_().sum()
    assert 0 < truth["dropped_because"] <= left


def test_generate_leaves_no_slot_in_a_text(people):
    texts = people.select(pl.col(pl.String)).unpivot()["value"].drop_nulls()
    assert not texts.str.contains(r"\{[a-z]+\}").any()


def test_generate_keeps_a_sessions_events_within_its_views(people):
    views = people.filter(pl.col("event_kind") == "view").select("view_id", pl.col("time_us").alias("shown_us"))
    joined = people.join(views, on="view_id", how="left")
    assert joined["shown_us"].null_count() == 0
    assert (joined["time_us"] >= joined["shown_us"]).all()


def test_generate_crawls_by_the_clock_and_half_of_it_says_so(made, events):
    crawl = events.filter(pl.col("geo_region_iso_code") == "US-VA").sort("session_id", "time_us")
    machines = made[1]["machines"]
    apart_s = crawl.select(pl.col("time_us").diff().over("session_id") / 1e6)["time_us"].drop_nulls()
    assert (machines["declared_sessions"], machines["undeclared_sessions"]) == (3, 3)
    assert machines["page_views"] == crawl.height == 540
    assert 1.9 < apart_s.min() < apart_s.max() < 2.1
    said = crawl.filter(pl.col("user_agent_synthetic_type") == "bot")
    assert said["session_id"].n_unique() == 3
    assert said["user_agent_original"].str.contains("AssortmentBot").all()
    unsaid = crawl.filter(pl.col("user_agent_synthetic_type").is_null())
    assert sorted(unsaid["visitor_id"].unique()) == sorted(machines["undeclared_visitors"])


def test_generate_exposes_every_visitor_to_each_experiment_once(made, people):
    exposures = pl.read_parquet(made[0] / "exposures" / "*.parquet")
    visitors = people["visitor_id"].n_unique()
    assert exposures.height == 2 * visitors
    assert exposures.group_by("visitor_id", "feature_flag_key").len()["len"].max() == 1
    blue = exposures.filter(pl.col("feature_flag_result_variant") == "blue").height
    assert abs(blue / visitors - 0.5) < 0.05


def test_generate_leaves_out_what_is_not_planted(tmp_path):
    without = ["bot_crawl", "coupon_loop", "experiment_with_effect"]
    truth = generate(Plan(500, 1, causes=planted_causes(without=without)), tmp_path / "some")
    assert truth["left_out"] == ["coupon_loop", "bot_crawl", "experiment_with_effect"]
    assert "coupon_loop" not in {cause["id"] for cause in truth["causes"]}
    assert truth["machines"]["page_views"] == 0
    assert [each["has_effect"] for each in truth["experiments"]] == [False, False]
    assert not (tmp_path / "some" / "events" / "crawl.parquet").exists()


def test_generate_makes_a_single_session(tmp_path):
    truth = generate(Plan(1, 7), tmp_path / "one")
    assert truth["counts"]["sessions"] == 1


def test_generate_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ParameterError, match=re.escape(f"`{tmp_path}` is there already, and not empty.")):
        generate(Plan(10, 1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_rum_writes_where_it_was_called_from(tmp_path):
    command = [str(Path(sys.executable).with_name("prodintel")), "demo", "rum", "--sessions", "30", "--days", "1"]
    done = subprocess.run([*command, "--output", "made"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 sessions, ")
    assert (tmp_path / "made" / "truth.yaml").is_file()


def test_rum_names_the_near_cause(tmp_path):
    command = [sys.executable, "-m", "demo", "rum", "--without", "coupon_lop", "--output", str(tmp_path / "made")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean `coupon_loop`?" in done.stderr
    assert not (tmp_path / "made").exists()
