"""Events of users in the lake: one file a bucket where there are many, and any bucket by itself."""

import polars as pl
import pytest

from prodintel_lib.engines import collect
from prodintel_lib.lake import MIN_BUCKETED_ROWS, Lake, Manifest, SourceEntry
from prodintel_lib.sources.visitors import with_visitors
from prodintel_lib.tables import RUM_EVENTS, conform


def events(count: int) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "time_us": range(1_759_276_800_000_000, 1_759_276_800_000_000 + count),
            "event_kind": "view",
            "visitor_id": [f"v-{place % 40}" for place in range(count)],
            **dict.fromkeys(("session_id", "user_id", "client_address", "user_agent_original")),
        }
    )
    return conform(with_visitors(frame), RUM_EVENTS)


def stored(folder, frame) -> Lake:
    lake = Lake(folder)
    files = lake.write(RUM_EVENTS, frame)
    lake.publish(Manifest(1, {"rum": SourceEntry(0, 0, "0" * 64, "otlp", frame.height, {}, {}, 0, files)}))
    return lake


@pytest.mark.parametrize(("count", "files"), [(MIN_BUCKETED_ROWS - 1, 1), (MIN_BUCKETED_ROWS, 16)])
def test_scan_gives_a_bucket_wherever_its_rows_are(tmp_path, count, files):
    frame = events(count)
    lake = stored(tmp_path / "lake", frame)
    schema = {"time_us": pl.Int64(), "visitor_id": pl.String(), "user_bucket": pl.Int64()}
    assert len(list(lake.manifest().files("rum_events"))) == files
    parts = [collect(lake.scan("rum_events", bucket=b), schema=schema, sort_by=["time_us"]) for b in range(16)]
    assert [set(part["user_bucket"]) - {place} for place, part in enumerate(parts)] == [set()] * 16
    assert sorted(visitor for part in parts for visitor in set(part["visitor_id"])) == sorted(
        {f"v-{place}" for place in range(40)}
    )
    assert pl.concat(parts).sort("time_us").equals(frame.select(*schema))


def test_with_visitors_falls_back_from_the_device_to_the_session_the_user_and_the_address():
    rows = pl.DataFrame(
        {
            "visitor_id": ["device", None, None, None, None],
            "session_id": ["s", "s", None, None, None],
            "user_id": ["u", "u", "u", None, None],
            "client_address": ["192.0.2.1"] * 4 + [None],
            "user_agent_original": ["agent"] * 5,
        }
    )
    assert with_visitors(rows)["visitor_id"].to_list() == ["device", "s", "u", "192.0.2.1 agent", "unknown"]
