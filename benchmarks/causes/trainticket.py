"""Faults injected into a train ticket shop (TrainTicket): which service, from its traces and logs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from benchmarks.causes.outcomes import Outcome
from prodintel_lib.analyses.causes import gather_case
from prodintel_lib.analyses.signal_series import build_signals
from prodintel_lib.analyses.signals import find_signal_onsets
from prodintel_lib.engines import collect
from prodintel_lib.rollups.log_events import LOG_EVENTS_KEYS, LOG_EVENTS_SCHEMA, build_log_events
from prodintel_lib.rollups.own_time import OWN_TIME_KEYS, OWN_TIME_SCHEMA, build_own_time
from prodintel_lib.tables import CHANGES, LOGS, SPANS, conform
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.analyses.causes import Location

BUCKET_S: Final = 10
RECORDED_MINUTES: Final = 3
POD: Final = r"^(.*)-[0-9a-f]+-[0-9a-z]+$"


def run(folder: Path) -> Iterator[Outcome]:
    """Locate every fault whose minutes are there, against its day's fault-free minute and the time just before it."""
    for day in sorted(path.name for path in (folder / "rca_data").iterdir()):
        faults = json.loads((folder / "rca_data" / day / f"{day}-fault_list.json").read_text(encoding="utf-8"))
        for fault in (fault for hour in faults.values() for fault in hour):
            minutes = _minutes(folder / "rca_data" / day, fault)
            if not minutes:
                continue
            location = locate_fault(folder, day, minutes, injected_us=_injected_us(fault))
            names = [name for name, _ in location.ranked] if location else []
            true = re.match(POD, fault["inject_pod"])[1]  # type: ignore[index]
            yield Outcome(
                benchmark="trainticket", case=f"{fault['inject_time']} {fault['inject_type']}",
                answer=names[0] if names else "", score=0.0, is_right=names[:1] == [true],
                rank=names.index(true) + 1 if true in names else len(names) + 1,
            )  # fmt: skip


def _injected_us(fault: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(fault["inject_time"]).replace(tzinfo=UTC).timestamp()) * US_PER_S


def _minutes(folder: Path, fault: dict[str, Any]) -> list[str]:
    began = datetime.fromisoformat(fault["inject_time"])
    names = [f"{began + timedelta(minutes=number):%H_%M}" for number in range(RECORDED_MINUTES)]
    return [name for name in names if (folder / "trace" / f"{name}_trace.csv").exists()]


def locate_fault(folder: Path, day: str, minutes: list[str], *, injected_us: int) -> Location | None:
    """Rank the services for the time from the injection until the recording ends.

    A file holds the minute that ends when its name says: the first of a fault is mostly from before the injection. The
    fault-free minute may have been recorded later: it is moved to the time just before the first of them.
    """
    quiet, bad = folder / "construct_data" / day, folder / "rca_data" / day
    [name] = [path.name.removesuffix("_trace.csv") for path in (quiet / "trace").iterdir()]
    calm, recorded = _read(quiet, [name]), _read(bad, minutes)
    width_us = BUCKET_S * US_PER_S
    first_us, last_us = _ends(recorded[0])
    calm_first_us, calm_last_us = _ends(calm[0])
    shift_us = (first_us // width_us * width_us - calm_last_us) // width_us * width_us
    spans, logs = (
        pl.concat([past.with_columns(pl.col("time_us") + shift_us), now])
        for past, now in zip(calm, recorded, strict=True)
    )
    span = Window(calm_first_us + shift_us, last_us + 1)
    # One log row of the data set is dated 1754.
    logs = logs.filter(pl.col("time_us").is_between(span.start_us, span.end_us, closed="left"))
    return _locate(spans, logs, window=Window(injected_us // width_us * width_us, span.end_us), span=span)


def _ends(spans: pl.DataFrame) -> tuple[int, int]:
    first, last = spans.select(pl.col("time_us").min().alias("first"), pl.col("time_us").max().alias("last")).row(0)
    return int(first), int(last)


def _locate(spans: pl.DataFrame, logs: pl.DataFrame, *, window: Window, span: Window) -> Location | None:
    own_time = collect(
        build_own_time(nw.from_native(spans.lazy()), bucket_s=BUCKET_S), schema=OWN_TIME_SCHEMA, sort_by=OWN_TIME_KEYS
    )
    events = collect(
        build_log_events(nw.from_native(logs.lazy()), bucket_s=BUCKET_S), schema=LOG_EVENTS_SCHEMA,
        sort_by=LOG_EVENTS_KEYS,
    )  # fmt: skip
    signals = build_signals(span=span, bucket_s=BUCKET_S, own_time=own_time, log_events=events)
    pairs = own_time.filter(pl.col("callee") != "").select("service_name", "callee").unique()
    case = gather_case(
        window=window, span=span, bucket_s=BUCKET_S, changes=pl.DataFrame(schema=CHANGES.schema), signals=signals,
        onsets=find_signal_onsets(signals, window=window).onsets, log_events=events, own_time=own_time,
        edges=set(pairs.iter_rows()),
    )  # fmt: skip
    return case.location


def _read(folder: Path, minutes: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    spans = pl.concat([pl.read_csv(folder / "trace" / f"{name}_trace.csv") for name in minutes])
    logs = pl.concat([pl.read_csv(folder / "log" / f"{name}_log.csv") for name in minutes])
    service = pl.col("PodName").str.extract(POD, 1).alias("service_name")
    text = pl.col("Log").str.json_path_match("$.log")
    return (
        conform(
            spans.select(
                (pl.col("StartTimeUnixNano") // 1000).alias("time_us"),
                (pl.col("Duration") / 1000).alias("duration_ms"),
                pl.col("TraceID").alias("trace_id"),
                pl.col("SpanID").alias("span_id"),
                pl.when(pl.col("ParentID") != "root").then(pl.col("ParentID")).alias("parent_span_id"),
                pl.col("OperationName").alias("span_name"),
                service,
            ),
            SPANS,
        ),
        conform(
            logs.select(
                (pl.col("TimeUnixNano") // 1000).alias("time_us"),
                text.str.extract(r"^[0-9:.]+ +([A-Z]+) ", 1).alias("severity_text"),
                text.str.replace(r"^[0-9:.]+ +[A-Z]+ +", "")
                .str.replace(r"TraceID: \w+ SpanID: \w+ ", "")
                .alias("body"),
                service,
            ),
            LOGS,
        ),
    )
