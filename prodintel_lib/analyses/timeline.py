"""What happened when: changes, alerts, and what the data themselves show, in one order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.markup import table, tag, text
from prodintel_lib.windows import US_PER_S, Window, format_duration, format_time

if TYPE_CHECKING:
    from prodintel_lib.analyses.onset import Onset


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
        ``time_us, requests, bad, bad_share, p99_ms`` a bucket, all entry routes together.
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
    *, requests: pl.DataFrame, changes: pl.DataFrame, alerts: pl.DataFrame, onset: Onset, span: Window
) -> Timeline:
    """Put everything in one order.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests: ``time_us, duration_ms, route, bad, failed``.
    changes, alerts : polars.DataFrame
        Rows of the canonical tables, those of this incident.
    span : Window
        The time that was read.
    """
    events = [
        *_change_events(changes),
        *(
            TimelineEvent(row["time_us"], row["event"], row["summary"] or row["event"], f"alerts/{row['source']}")
            for row in alerts.iter_rows(named=True)
        ),
        *_data_events(requests, onset),
    ]
    ordered = tuple(sorted(events, key=lambda event: (event.time_us, event.kind, event.what)))
    return Timeline(onset, ordered, _course(requests, span=span, bucket_s=onset.bucket_s))


def _change_events(changes: pl.DataFrame) -> list[TimelineEvent]:
    """Tell each change once: when it was done or failed; while it is under way, what is known."""
    under_way = pl.col("status").fill_null("").is_in(list(UNDER_WAY))
    finished = changes.filter(~under_way)
    told = pl.concat(
        [finished, changes.filter(under_way).join(finished, on=["source", "change_id"], how="anti").unique("change_id")]
    )
    return [
        TimelineEvent(
            row["time_us"],
            row["change_kind"],
            " ".join(
                str(part)
                for part in (row["service_name"], row["service_version"], f"({row['status']})" if row["status"] else "")
                if part
            ),
            f"changes/{row['source']}",
        )
        for row in told.iter_rows(named=True)
    ]


def _data_events(requests: pl.DataFrame, onset: Onset) -> list[TimelineEvent]:
    window = onset.window
    events = [
        TimelineEvent(window.start_us, "onset", f"requests begin to go bad ({onset.how})", "spans"),
        TimelineEvent(window.end_us, "last bad request", "the last bad request of the incident began", "spans"),
    ]
    errors = requests.filter(pl.col("failed") & (pl.col("time_us") >= window.start_us)).with_columns(
        (pl.col("time_us") + (pl.col("duration_ms") * 1000).cast(pl.Int64)).alias("answered_us")
    )
    if errors.height:
        first = errors.sort("answered_us").row(0, named=True)
        what = f"{first['route']} answered {first['http_response_status_code'] or 'nothing'}"
        events.append(TimelineEvent(first["answered_us"], "first error", what, "spans"))
    events += [
        TimelineEvent(row["onset_us"], "route affected", f"{row['route']} begins to go bad", "spans")
        for row in onset.routes.iter_rows(named=True)
        if row["onset_us"] > window.start_us
    ]
    return events


def _course(requests: pl.DataFrame, *, span: Window, bucket_s: int) -> pl.DataFrame:
    width_us = bucket_s * US_PER_S
    return (
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
