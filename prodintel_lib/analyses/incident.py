"""One incident: its record, and the telemetry of its time as small frames for the analyses."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.errors import ParameterError, UnsafeValueError, near_match
from prodintel_lib.markup import table, text
from prodintel_lib.privacy.pseudonymiser import open_pseudonymiser
from prodintel_lib.tables import INCIDENTS
from prodintel_lib.windows import US_PER_S, Window, format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.clocks import ClockOffsets
    from prodintel_lib.analyses.evidence import Coverage
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.workspace import Workspace

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
LOOK_BACK_S: Final = 3600
LOOK_AHEAD_S: Final = 1800
LOOK_AHEAD_OPEN_S: Final = 7200


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """An incident as its tool knows it.

    Attributes
    ----------
    reported : Window
        From its trigger to its resolution; one minute where it has no end.
    remark : str
        What is odd about its times; empty where nothing is.
    """

    incident_id: str
    title: str
    description: str
    severity: str
    status: str
    service_name: str
    url: str
    source: str
    reported: Window
    acknowledged_us: int | None
    is_open: bool
    remark: str = ""

    def _repr_html_(self) -> str:
        lasted = self.remark or ("no end is known" if self.is_open else format_duration(self.reported.duration_s))
        rows = [
            ["Title", text(self.title)],
            ["Service", text(self.service_name or None)],
            ["Severity", text(self.severity or None)],
            ["Reported", text(f"{self.reported.label()} ({lasted})")],
            ["Source", text(self.source)],
        ]
        return str(table([self.incident_id, ""], rows))


def check_incident_id(incident_id: str) -> str:
    """Return the id if it is safe as a folder name and an argument.

    Raises
    ------
    UnsafeValueError
        If it holds anything but letters, digits, dot, dash and underscore, or is longer than 64.
    """
    if ID_PATTERN.fullmatch(incident_id) and ".." not in incident_id:
        return incident_id
    shown = incident_id if len(incident_id) <= 80 else incident_id[:77] + "..."
    raise UnsafeValueError(
        f"{shown!a} is not an incident id: expected 1 to 64 letters, digits, `.`, `_`, `-`; a letter or digit first.",
        hint="use the id as your incident tool shows it, such as INC-2024-1234.",
    )


def find_incident(workspace: Workspace, incident_id: str, *, private: Pseudonymiser | None = None) -> IncidentRecord:
    """Find the incident in the workspace.

    Parameters
    ----------
    workspace : Workspace
    incident_id : str
    private : Pseudonymiser, optional
        What replaces personal data; the workspace's own is opened where none is given.

    Raises
    ------
    ParameterError
        If there is no such incident, with the nearest id and those there are.
    UnsafeValueError
        If the id is not one.
    """
    check_incident_id(incident_id)
    rows = collect(workspace.scan("incidents"), schema=INCIDENTS.schema, sort_by=("time_us", *INCIDENTS.identity))
    known = sorted(set(rows["incident_id"]))
    chosen = rows.filter(pl.col("incident_id") == incident_id)
    if chosen.is_empty():
        like = near_match(incident_id, known)
        listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        raise ParameterError(
            f"No incident `{incident_id}` in the workspace `{workspace.config.name}`; known: {listed or 'none'}.",
            hint=f"did you mean `{like}`?" if like else "add the incident's export to `sources` in prodintel.yaml.",
        )
    private = private or open_pseudonymiser(workspace.root, workspace.config.privacy)
    row = private.frame(chosen.sort("time_us").head(1)).row(0, named=True)
    start, end = int(row["time_us"]), row["end_time_us"]
    is_open = end is None or end <= start
    return IncidentRecord(
        incident_id=incident_id,
        title=row["title"] or incident_id,
        description=row["description"] or "",
        severity=row["severity"] or "",
        status=row["status"] or "",
        service_name=row["service_name"] or "",
        url=row["url"] or "",
        source=row["source"],
        reported=Window(start, start + 60 * US_PER_S if is_open else end),
        acknowledged_us=row["acknowledged_time_us"],
        is_open=is_open,
        remark=_remark_on(row["status"] or "") if is_open else "",
    )


def _remark_on(status: str) -> str:
    """Say what is odd about an incident without an end that can be used; readers keep none that lies before its start.

    One that is still open is not odd.
    """
    if status.lower() not in OVER:
        return ""
    return f"It is {status}, but no end after its start is known: how long it lasted was read from the data."


OVER: Final = frozenset({"closed", "done", "finished", "mitigated", "resolved"})


@dataclass(frozen=True, slots=True)
class IncidentTelemetry:
    """What production left behind around the incident, in frames of the size of its requests and calls.

    Attributes
    ----------
    record : IncidentRecord
    span : Window
        The time that was read.
    requests : polars.DataFrame
        Entry requests (rollups.requests) with ``route`` (method and route), their attributes flat in ``context_*`` and
        ``number_*``.
    calls : polars.DataFrame
        Calls of dependencies (rollups.calls).
    points : polars.DataFrame
        Metric points (rollups.metric_points).
    red : polars.DataFrame
        Server spans of every service by 10 s and operation (rollups.red).
    error_spans : polars.DataFrame
        Spans with an error.
    log_events : polars.DataFrame
        Log rows by minute, service, level and shape of message (rollups.log_events).
    trace_errors : polars.DataFrame
        Traces with an error among their logs (rollups.trace_errors).
    in_flight : polars.DataFrame
        Entry requests in flight by time (rollups.concurrency).
    changes, alerts : polars.DataFrame
        Canonical rows.
    coverage : mapping of table to Coverage
        How much was recorded in the time that was read.
    clocks : ClockOffsets
        Which clocks were wrong; the frames hold corrected times.
    digest : str
        Of the inputs, 16 hex digits: the entry requests and the id; logs and metrics where requests do not say enough.
    own_time : polars.DataFrame or None
        The time each service spent itself, by bucket (rollups.own_time).
    """

    record: IncidentRecord
    span: Window
    requests: pl.DataFrame
    calls: pl.DataFrame
    points: pl.DataFrame
    red: pl.DataFrame
    error_spans: pl.DataFrame
    log_events: pl.DataFrame
    trace_errors: pl.DataFrame
    in_flight: pl.DataFrame
    changes: pl.DataFrame
    alerts: pl.DataFrame
    coverage: Mapping[str, Coverage]
    clocks: ClockOffsets
    digest: str
    own_time: pl.DataFrame | None = None


def parse_context(requests: pl.DataFrame) -> pl.DataFrame:
    """Flatten the attributes of entry requests: words into ``context_<name>``, numbers into ``number_<name>``.

    Words that differ in nearly every request (ids) are left out: they explain nothing. The user agent becomes
    ``context_device``: ``mobile`` where it says so in the way the browsers' makers agreed on, else ``other``.
    """
    if requests.is_empty():
        return requests.drop("attributes")
    parsed = [orjson.loads(value) if value else {} for value in requests["attributes"]]
    names = {name: None for row in parsed for name in row if name not in READER_KEYS}
    columns = [
        pl.when(pl.col("user_agent_original").is_not_null())
        .then(
            pl.when(pl.col("user_agent_original").str.contains("Mobi"))
            .then(pl.lit("mobile"))
            .otherwise(pl.lit("other"))
        )
        .alias("context_device")
    ]
    flat = requests.with_columns(columns).drop("attributes")
    series = (_flattened(name, [row.get(name) for row in parsed]) for name in names)
    return flat.with_columns(part for part in series if part is not None)


MAX_CONTEXT_VALUES: Final = 200
READER_KEYS: Final = frozenset(
    {"events", "exemplars", "flags", "links", "resource", "scope", "scope_attributes", "scope_version", "trace_state"}
)
"""What readers add to a row's own attributes."""


def _flattened(name: str, values: list[object]) -> pl.Series | None:
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return pl.Series(f"number_{name}", values, dtype=pl.Float64, strict=False)
    words = pl.Series(
        f"context_{name}", [str(value) if isinstance(value, str | bool) else None for value in values], dtype=pl.String
    )
    return words if 0 < words.drop_nulls().n_unique() <= MAX_CONTEXT_VALUES else None


def choose_span(record: IncidentRecord, *, look_back_s: int = LOOK_BACK_S, look_ahead_s: int = LOOK_AHEAD_S) -> Window:
    """Return the time to read: an hour before the incident was raised to half an hour after it was resolved.

    Where nobody said that it was resolved, it may have gone on: two hours after it was raised are read.
    """
    if record.is_open:
        look_ahead_s = max(look_ahead_s, LOOK_AHEAD_OPEN_S)
    return record.reported.widened(before_s=look_back_s, after_s=look_ahead_s)


def digest_of(*parts: str) -> str:
    """Return a short digest of texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
