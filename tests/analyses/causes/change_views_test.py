import json

import polars as pl

from prodintel_lib.analyses.causes.change_views import view_changes
from prodintel_lib.tables import CHANGES, conform

SHA, OTHER = "a1b2c3d4e5f6a7b8", "ffff0000eeee1111"


def views(*rows, from_us=0, until_us=1000, services=("payment-service", "shop")):
    whole = [{"source": "s", "change_id": f"c{n}", "change_kind": "deployment", **row} for n, row in enumerate(rows)]
    frame = conform(pl.DataFrame(whole, infer_schema_length=None), CHANGES)
    return view_changes(frame, from_us=from_us, until_us=until_us, services=services)


def commit(at, sha, *files, diff=None):
    return {
        "time_us": at, "change_id": sha, "change_kind": "commit", "commit_id": sha, "description": "tidy",
        "attributes": json.dumps({"payload": {"files_changed": list(files), "diff": diff}}),
    }  # fmt: skip


def test_view_changes_gives_a_commit_the_time_and_service_of_its_deployment():
    [view] = views(
        commit(100, SHA, "pkg/a.go"),
        {"time_us": 300, "service_name": "shop", "service_version": "2", "commit_id": SHA[:8]},
    )
    assert (view.kind, view.time_us, view.services, view.commit_id, view.carried) == (
        "deployment", 300, ("shop",), SHA, True
    )  # fmt: skip
    assert view.label == "deployment of shop 2 (commit a1b2c3d4e5)"


def test_view_changes_recognises_the_service_in_a_path_and_says_that_no_deployment_carried_it():
    [loose] = views(commit(100, SHA, "services/payment/charge.go"))
    assert (loose.services, loose.carried) == (("payment-service",), None)
    seen = views(commit(100, SHA, "pkg/db/pool.go"), {"time_us": 200, "service_name": "shop", "commit_id": OTHER})
    assert [(view.kind, view.services, view.carried) for view in seen] == [
        ("commit", (), False),
        ("deployment", ("shop",), None),
    ]


def test_view_changes_reads_files_and_diff_at_any_depth():
    [view] = views(commit(1, SHA, "a.go", diff="-limit: 50\n+limit: 5"))
    assert view.reading.files == ("a.go",)
    assert [fact.kind for fact in view.reading.facts] == ["constant"]


def test_view_changes_survives_attributes_that_are_no_json():
    [view] = views({"time_us": 5, "attributes": "{broken"})
    assert view.reading.effect == "unknown"


def test_view_changes_leaves_out_what_failed_and_what_lies_outside():
    seen = views(
        {"time_us": 10, "status": "success"},
        {"time_us": 20, "change_id": "x", "status": "in_progress"},
        {"time_us": 30, "change_id": "x", "status": "failure"},
        {"time_us": 40, "status": "cancelled"},
        {"time_us": 999, "status": "success"},
        {"time_us": 1000, "status": "success"},
        from_us=20,
    )
    assert [view.time_us for view in seen] == [999]
