import polars as pl
import pytest

from prodintel_lib.analyses.onset import find_onset
from prodintel_lib.analyses.timeline import build_timeline, describe_change
from prodintel_lib.tables import ALERTS, CHANGES, conform
from prodintel_lib.windows import US_PER_S, Window

SPAN = Window(0, 600 * US_PER_S)
REPORTED = Window(300 * US_PER_S, 400 * US_PER_S)
NO_SIGNALS = pl.DataFrame(schema={"onset_us": pl.Int64})


def requests(*times_s):
    return pl.DataFrame(
        [(time_s * US_PER_S, 5.0, "GET /a", False, False, False, 200) for time_s in times_s],
        schema={
            "time_us": pl.Int64, "duration_ms": pl.Float64, "route": pl.String, "bad": pl.Boolean,
            "failed": pl.Boolean, "failed_by_logs": pl.Boolean, "http_response_status_code": pl.Int64,
        },
        orient="row",
    )  # fmt: skip


def timeline(frame, changes=()):
    rows = conform(pl.DataFrame(list(changes), infer_schema_length=None), CHANGES) if changes else None
    return build_timeline(
        requests=frame,
        changes=rows if rows is not None else pl.DataFrame(schema=CHANGES.schema),
        alerts=pl.DataFrame(schema=ALERTS.schema),
        onset=find_onset(frame, span=SPAN, reported=REPORTED),
        span=SPAN,
        signals=NO_SIGNALS,
    )


def test_build_timeline_of_healthy_requests_does_not_say_that_they_went_bad():
    told = [(event.kind, event.what, event.source) for event in timeline(requests(*range(0, 600, 5))).events]
    assert told == [
        ("onset", "the time that was reported begins (inferred)", "incidents"),
        ("reported end", "the time that was reported ends", "incidents"),
    ]


def test_build_timeline_breaks_the_course_where_nothing_was_recorded():
    course = timeline(requests(*range(100), *range(500, 600))).course
    silent = course.filter(pl.col("bad_share").is_null())
    assert silent.select("requests", "bad", "p99_ms").rows() == [(0, 0, None)]
    assert course["time_us"].is_sorted()
    assert int(course["requests"].sum()) == 200


def change(kind, time_s, **more):
    return {"time_us": time_s * US_PER_S, "source": "x", "change_id": f"{kind}{time_s}", "change_kind": kind, **more}


def test_build_timeline_tells_changes_by_what_they_say_and_no_commit_after_the_incident():
    events = timeline(
        requests(*range(0, 600, 5)),
        [
            change("commit", 10, description="fix: the basket\n\nlong text", status="pushed"),
            change("commit", 500, description="docs: later", status="pushed"),
            change("flag", 20, service_name="shop", description="new_basket off->on", status="off->on"),
            change("deployment", 500, service_name="shop", service_version="2", description="x", status="success"),
        ],
    ).events
    assert [event.what for event in events if event.source == "changes/x"] == [
        "fix: the basket (pushed)",
        "shop new_basket off->on",
        "shop 2 (success)",
    ]


@pytest.mark.parametrize(
    ("shape", "before", "during", "said"),
    [
        ("step", 1.0, 9.0, "pay: p99 rose from 1 to 9 (n 20 before, 5 since)"),
        ("ramp", 0.97, 0.5, "pay: p99 fell slowly from 0.97 to 0.5 (n 20 before, 5 since)"),
        ("appearance", 0.0, 1234567.0, "pay: p99 appeared from 0 to 1,235,000 (n 20 before, 5 since)"),
        ("stop", 3.0, 0.0, "pay: p99 stopped from 3 to 0 (n 20 before, 5 since)"),
    ],
)
def test_describe_change_says_from_what_to_what(shape, before, during, said):
    row = {"service_name": "pay", "signal": "p99", "shape": shape, "before": before, "during": during}
    assert describe_change(row | {"before_n": 20, "during_n": 5}) == said
