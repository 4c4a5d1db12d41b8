"""Incidents with planted decoys (RootCauseBench): the culprit commit or "none", where it began, whom it reached."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from benchmarks.causes.outcomes import Outcome, f1_of
from prodintel_lib.analyses.causes import gather_case, weigh_causes
from prodintel_lib.analyses.signal_series import build_signals
from prodintel_lib.analyses.signals import find_signal_onsets
from prodintel_lib.engines import collect
from prodintel_lib.rollups.log_events import LOG_EVENTS_KEYS, LOG_EVENTS_SCHEMA, build_log_events
from prodintel_lib.rollups.metric_points import POINTS_SCHEMA
from prodintel_lib.tables import CHANGES, LOGS, conform
from prodintel_lib.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.analyses.causes import Case, Causes

BUCKET_S: Final = 60
FELT: Final = ("latency", "errors", "queue", "log_errors", "log_new", "saturation", "cpu", "memory")


def run(folder: Path) -> Iterator[Outcome]:
    """Rank the causes of every incident in the folder."""
    for incident in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield judge(incident)


def judge(folder: Path) -> Outcome:
    """Rank the causes of one incident and compare them with its truth."""
    truth = _json(folder / "ground_truth.json")
    case = read_case(folder)
    causes = weigh_causes(case)
    best, culprit = causes.ranked[0], truth["root_cause_commit"]
    blamed = best.commit_id or best.change_id if best.kind == "change" else best.kind
    is_none = best.kind not in {"change", "cannot_tell"}
    found = is_none if culprit == "none" else best.kind == "change" and best.commit_id == culprit
    location = causes.location
    return Outcome(
        benchmark="rootcausebench",
        case=folder.name,
        answer=blamed,
        score=best.score,
        is_right=found,
        abstained=best.kind == "cannot_tell",
        decoy_hit=best.kind == "change" and best.commit_id in truth["decoy_deploy_commits"],
        first_failing_right=bool(location) and location.first_failing == truth["first_failing_service"],
        blast_f1=f1_of(location.blast_radius if location else (), truth["blast_radius"]),
        rank=_rank(causes, culprit),
    )


def _rank(causes: Causes, culprit: str) -> int:
    for place, cause in enumerate(causes.ranked, start=1):
        named = cause.commit_id == culprit if culprit != "none" else cause.kind not in {"change", "cannot_tell"}
        if named:
            return place
    return len(causes.ranked) + 1


def read_case(folder: Path) -> Case:
    """Read an incident's files into canonical frames, and those into case."""
    points, logs, edges = _points(folder), _logs(folder), _edges(folder)
    alert = _json(folder / "alert.json")
    last_us = max(int(points["time_us"].max()), int(logs["time_us"].max()))  # type: ignore[arg-type]
    span = Window(min(int(points["time_us"].min()), int(logs["time_us"].min())), last_us + 1)  # type: ignore[arg-type]
    events = collect(
        build_log_events(nw.from_native(logs.lazy()), bucket_s=BUCKET_S), schema=LOG_EVENTS_SCHEMA,
        sort_by=LOG_EVENTS_KEYS,
    )  # fmt: skip
    signals = build_signals(span=span, bucket_s=BUCKET_S, points=points, log_events=events)
    reported_us = _time_us(alert["fired_at"])
    events = pl.concat([events, _counted_patterns(folder, events, reported_us)])
    onsets = find_signal_onsets(signals, window=Window(reported_us, span.end_us)).onsets
    worse = onsets.filter(pl.col("is_worse").fill_null(value=False))
    onset_us = _onset_us(worse, alert["service"], reported_us)
    return gather_case(
        window=Window(onset_us, span.end_us), span=span, bucket_s=BUCKET_S, changes=_changes(folder), signals=signals,
        onsets=onsets, log_events=events, edges=edges, reported_service=alert["service"],
    )  # fmt: skip


def _onset_us(worse: pl.DataFrame, service: str, reported_us: int) -> int:
    """Return when what others can feel began: of the reported service where that is known."""
    felt = worse.filter(pl.col("kind").is_in(["latency", "errors", "queue", "log_errors", "log_new"]))
    own = felt.filter(pl.col("service_name") == service)
    chosen = own if own.height else felt if felt.height else worse
    return int(chosen["onset_us"].min()) if chosen.height else reported_us  # type: ignore[arg-type]


def _points(folder: Path) -> pl.DataFrame:
    rows = pl.read_csv(folder / "metrics.csv")
    return rows.select(
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").cast(pl.Int64).alias("time_us"),
        pl.col("metric").alias("metric_name"),
        pl.lit("").alias("metric_unit"),
        pl.col("service").alias("service_name"),
        pl.lit("").alias("service_instance_id"),
        pl.lit("").alias("series"),
        pl.lit(value=False).alias("is_rate"),
        pl.col("value").cast(pl.Float64),
    ).cast(POINTS_SCHEMA)  # type: ignore[arg-type]


def _logs(folder: Path) -> pl.DataFrame:
    rows = [json.loads(line) for line in (folder / "logs.ndjson").read_text(encoding="utf-8").splitlines()]
    known = {"timestamp", "service", "severity_text", "msg", "trace_id", "version"}
    return conform(
        pl.DataFrame(
            [
                {
                    "time_us": _time_us(row["timestamp"]),
                    "severity_text": row.get("severity_text"),
                    "body": row["msg"],
                    "service_name": row["service"],
                    "exception_stacktrace": row.get("stack"),
                    "attributes": json.dumps({key: value for key, value in row.items() if key not in known}),
                }
                for row in rows
            ],
            infer_schema_length=None,
        ),
        LOGS,
    )


def _counted_patterns(folder: Path, events: pl.DataFrame, reported_us: int) -> pl.DataFrame:
    """Read the messages that the data set only counts (no rows of theirs are in its logs) as warnings of the time."""
    known = set(zip(events["service_name"], events["shape"].str.slice(0, 20), strict=True))
    rows = [
        {
            "bucket_us": reported_us, "service_name": row["service"], "level": "warning", "shape": row["signature"],
            "rows": row["count"], "messages": 2, "first_us": reported_us, "example": row["signature"],
        }
        for row in _json(folder / "patterns.json")
        if row["sentiment"] == "negative" and (row["service"], row["signature"][:20]) not in known
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=LOG_EVENTS_SCHEMA)


def _edges(folder: Path) -> set[tuple[str, str]]:
    spans = _json(folder / "traces.json")
    owner = {(span["trace_id"], span["span_id"]): span["service"] for span in spans}
    pairs = {(owner.get((span["trace_id"], span["parent_id"])), span["service"]) for span in spans}
    peers = {(span["service"], span["peer.service"]) for span in spans if span.get("peer.service")}
    return {(caller, callee) for caller, callee in pairs | peers if caller and caller != callee}


def _changes(folder: Path) -> pl.DataFrame:
    context = folder / "context"
    rows: list[dict[str, Any]] = [
        {
            "time_us": _time_us(row["timestamp"]), "source": "deploys", "change_id": f"deploy-{number}",
            "change_kind": "deployment", "service_name": row["service"], "service_version": row["version"],
            "commit_id": row["commit_sha"], "status": "success",
        }
        for number, row in enumerate(_json(context / "deploys.json"))
    ]  # fmt: skip
    rows += [
        {
            "time_us": _time_us(row["timestamp"]), "source": "flags", "change_id": f"flag-{number}",
            "change_kind": "flag", "service_name": row["service"], "service_version": row["flag"],
            "description": row["change"],
        }
        for number, row in enumerate(_json(context / "flags.json"))
    ]  # fmt: skip
    rows += [
        {
            "time_us": _time_us(row["timestamp"]), "source": "git", "change_id": row["sha"], "change_kind": "commit",
            "commit_id": row["sha"], "description": row["message"], "actor": row["author"],
            "attributes": json.dumps({"files_changed": row["files_changed"], "diff": row["diff"]}),
        }
        for row in _json(context / "commits.json")
    ]  # fmt: skip
    return conform(pl.DataFrame(rows, infer_schema_length=None), CHANGES)


def _json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    return json.loads(path.read_text(encoding="utf-8"))


def _time_us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)
