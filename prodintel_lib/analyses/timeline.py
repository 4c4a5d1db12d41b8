"""What happened when: changes, alerts, and what the data themselves show, in one order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.markup import four_digits, table, tag, text
from prodintel_lib.windows import US_PER_S, Window, format_duration, format_time

if TYPE_CHECKING:
    from prodintel_lib.analyses.onset import Basis, Onset

MAX_SIGNALS: Final = 12
MAX_GAP_BUCKETS: Final = 5
UNDER_WAY: Final = frozenset({"created", "pending", "queued", "in_progress"})


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event: when, what kind, what it says, and where it was read."""

    time_us: int
    kind: str
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in the order of time, and the course of the requests.

    Attributes
    ----------
    onset : Onset
    events : tuple of TimelineEvent
    course : polars.DataFrame
        ``time_us, requests, bad, bad_share, p99_ms`` a bucket, all entry routes together; where more than five buckets
        hold no request, one of them stands for the silence, without share and p99.
    """

    onset: Onset
    events: tuple[TimelineEvent, ...]
    course: pl.DataFrame

    def _repr_html_(self) -> str:
        rows = [
            [
                text(_clock(event.time_us, self.onset.window.start_us)),
                text(relative_to_onset(event.time_us, self.onset.window.start_us)),
                tag(event.kind),
                text(event.what),
                text(event.source),
            ]
            for event in self.events
        ]
        caption = f"Onset {self.onset.how}: {self.onset.evidence}"
        return str(table(["UTC", "From onset", "Kind", "What", "Source"], rows, align="lrlll", caption=caption))


def _clock(time_us: int, onset_us: int) -> str:
    """Write the time of day, with the date where it is another than the onset's."""
    day, clock, _ = format_time(time_us, precision="ms").split(" ")
    return clock if day == format_time(onset_us).split(" ")[0] else f"{day} {clock}"


def relative_to_onset(time_us: int, onset_us: int) -> str:
    """Write a time as its distance from the onset: ``+41.0 s``, ``-4 min 10 s``."""
    seconds = (time_us - onset_us) / US_PER_S
    return "onset" if seconds == 0 else ("+" if seconds > 0 else "−") + format_duration(abs(seconds))


def build_timeline(
    *,
    requests: pl.DataFrame,
    changes: pl.DataFrame,
    alerts: pl.DataFrame,
    onset: Onset,
    span: Window,
    signals: pl.DataFrame,
) -> Timeline:
    """Put everything in one order.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, duration_ms, route, bad, failed, failed_by_logs``.
    changes, alerts : polars.DataFrame
        Rows of the canonical tables, those of this incident.
    span : Window
        The time that was read.
    signals : polars.DataFrame
        Signals that got worse, earliest first (signals.SignalOnsets); told where the onset was read from them.
    """
    events = [
        *_change_events(changes, window=onset.window),
        *(
            TimelineEvent(row["time_us"], row["event"], row["summary"] or row["event"], f"alerts/{row['source']}")
            for row in alerts.iter_rows(named=True)
        ),
        *_data_events(requests, onset, signals),
    ]
    ordered = tuple(sorted(events, key=lambda event: (event.time_us, event.kind, event.what)))
    return Timeline(onset, ordered, _course(requests, span=span, bucket_s=onset.bucket_s))


def _change_events(changes: pl.DataFrame, *, window: Window) -> list[TimelineEvent]:
    """Tell each change once: when it was done or failed; while it is under way, what is known.

    A commit after the incident is no part of it; what was deployed or switched then may have ended it.
    """
    changes = changes.filter((pl.col("change_kind") != "commit") | (pl.col("time_us") < window.end_us))
    under_way = pl.col("status").fill_null("").is_in(list(UNDER_WAY))
    finished = changes.filter(~under_way)
    told = pl.concat(
        [finished, changes.filter(under_way).join(finished, on=["source", "change_id"], how="anti").unique("change_id")]
    )
    return [
        TimelineEvent(
            row["time_us"],
            row["change_kind"],
            _change_words(row),
            f"changes/{row['source']}",
        )
        for row in told.iter_rows(named=True)
    ]


def _change_words(row: dict[str, object]) -> str:
    """Name what changed; a commit or a flag has no version, its description says what it is."""
    described = str(row["description"] or "").partition("\n")[0] if not row["service_version"] else ""
    status = f"({row['status']})" if row["status"] and str(row["status"]) not in described else ""
    return " ".join(str(part) for part in (row["service_name"], row["service_version"], described, status) if part)


def describe_change(row: dict[str, Any]) -> str:
    """Say how a signal changed: from what to what, over how many points."""
    way = {"appearance": "appeared", "stop": "stopped"}.get(
        row["shape"], "rose" if row["during"] > row["before"] else "fell"
    )
    slowly = " slowly" if row["shape"] == "ramp" else ""
    return (
        f"{row['service_name'] or 'no named service'}: {row['signal']} {way}{slowly} "
        f"from {four_digits(row['before'])} to {four_digits(row['during'])} "
        f"(n {row['before_n']:,} before, {row['during_n']:,} since)"
    )


def _data_events(requests: pl.DataFrame, onset: Onset, signals: pl.DataFrame) -> list[TimelineEvent]:
    window = onset.window
    began, ended, source = _BOUNDS[onset.basis]
    events = [
        TimelineEvent(window.start_us, "onset", f"{began} ({onset.how})", source),
        TimelineEvent(window.end_us, ended[0], ended[1], source),
        *_first_error(requests, window),
    ]
    events += [
        TimelineEvent(row["onset_us"], "route affected", f"{row['route']} begins to go bad", "spans")
        for row in onset.routes.iter_rows(named=True)
        if row["onset_us"] > window.start_us
    ]
    if onset.basis == "signals":
        events += [
            TimelineEvent(row["onset_us"], "signal", describe_change(row), "metrics, logs and spans")
            for row in signals.head(MAX_SIGNALS).iter_rows(named=True)
        ]
    return events


_BOUNDS: Final[dict[Basis, tuple[str, tuple[str, str], str]]] = {
    "requests": (
        "requests begin to go bad",
        ("last bad request", "the last bad request of the incident began"),
        "spans",
    ),
    "signals": (
        "the first signal gets worse",
        ("last bad point", "the last point at which a signal was worse"),
        "metrics, logs and spans",
    ),
    "reported": ("the time that was reported begins", ("reported end", "the time that was reported ends"), "incidents"),
}


def _first_error(requests: pl.DataFrame, window: Window) -> list[TimelineEvent]:
    errors = requests.filter(pl.col("failed") & (pl.col("time_us") >= window.start_us)).with_columns(
        (pl.col("time_us") + (pl.col("duration_ms") * 1000).cast(pl.Int64)).alias("answered_us")
    )
    if errors.is_empty():
        return []
    first = errors.sort("answered_us").row(0, named=True)
    if first["failed_by_logs"]:
        return [TimelineEvent(first["answered_us"], "first error", f"{first['route']}: an error in its logs", "logs")]
    what = f"{first['route']} answered {first['http_response_status_code'] or 'nothing'}"
    return [TimelineEvent(first["answered_us"], "first error", what, "spans")]


def _course(requests: pl.DataFrame, *, span: Window, bucket_s: int) -> pl.DataFrame:
    width_us = bucket_s * US_PER_S
    course = (
        requests.with_columns(
            ((pl.col("time_us") - span.start_us) // width_us * width_us + span.start_us).alias("time_us")
        )
        .group_by("time_us")
        .agg(
            pl.len().cast(pl.Int64).alias("requests"),
            pl.col("bad").sum().cast(pl.Int64),
            pl.col("bad").mean().alias("bad_share"),
            pl.col("duration_ms").quantile(0.99, "linear").alias("p99_ms"),
        )
        .sort("time_us")
    )
    # A line across time in which nothing was recorded would show what nobody saw.
    gap_us = pl.col("time_us").diff().shift(-1)
    silent = course.filter(gap_us > MAX_GAP_BUCKETS * width_us).select(pl.col("time_us") + width_us)
    nothing = silent.with_columns(requests=pl.lit(0, dtype=pl.Int64), bad=pl.lit(0, dtype=pl.Int64))
    return pl.concat([course, nothing], how="diagonal").sort("time_us")
