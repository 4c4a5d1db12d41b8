import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from benchmarks.journeys_truth.lake import write_lake
from demo.rum.plan import Plan
from demo.rum.workspace import generate
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    root = tmp_path_factory.mktemp("ingested") / "shop"
    truth = generate(Plan(800, 2, seed=4), root)
    workspace = open_workspace(root)
    return workspace, ingest(workspace), truth


def rows(workspace, table):
    frame = workspace.scan(table).collect().to_native()
    return frame.sort(frame.columns)


def test_ingest_keeps_every_row_that_was_generated(ingested):
    workspace, report, truth = ingested
    expected = truth["counts"]["events"] + truth["machines"]["page_views"]
    assert sum(source.kept.get("rum_events", 0) for source in report.sources) == expected
    assert sum(source.quarantined for source in report.sources) == 0
    assert sum(sum(source.dropped.values()) for source in report.sources) == 0
    assert workspace.scan("rum_events").select(nw.len()).collect().item() == expected


def test_ingest_leaves_nothing_for_the_attributes(ingested):
    assert rows(ingested[0], "rum_events")["attributes"].drop_nulls().is_empty()
    assert rows(ingested[0], "exposures")["attributes"].drop_nulls().is_empty()


@pytest.mark.parametrize("table", ["rum_events", "exposures"])
def test_write_lake_makes_the_lake_that_ingest_makes(ingested, tmp_path, table):
    generate(Plan(800, 2, seed=4), tmp_path / "shop")
    written = write_lake(tmp_path / "shop")
    assert_frame_equal(rows(written, table), rows(ingested[0], table))


def test_write_lake_is_up_to_date_for_ingest(tmp_path):
    generate(Plan(200, 1, seed=4), tmp_path / "shop")
    written = write_lake(tmp_path / "shop")
    assert not any(source.is_fresh for source in ingest(written).sources)


def test_generated_visitors_are_in_one_bucket_each(ingested):
    events = rows(ingested[0], "rum_events")
    assert events.group_by("visitor_id").agg(pl.col("user_bucket").n_unique())["user_bucket"].max() == 1
