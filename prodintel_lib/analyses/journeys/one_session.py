"""One session, event by event, as it was recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.exemplars import name_session
from prodintel_lib.analyses.journeys.passes import routes_on_engine
from prodintel_lib.analyses.journeys.routes import learn_routes
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import Markup, number, paragraph, table, text, tone
from prodintel_lib.rollups.rum_paths import PATHS_SCHEMA, build_paths
from prodintel_lib.rollups.rum_sessions import SESSION_EVENTS_SCHEMA, build_session_events
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.windows import US_PER_S, Window, format_duration, format_time

if TYPE_CHECKING:
    from prodintel_lib.analyses.telemetry import LakeView

# Longer than a person sits at one site without a gap.
MAX_SESSION_US: Final = 2 * 86_400 * US_PER_S
MAX_SHOWN: Final = 80
_NAME: Final = re.compile(r"([0-9]{2})-([0-9]{1,17})-([0-9a-f]{3})")
# What a user does; the time before it is time to think. The rest happens by itself.
_OF_USER: Final = ("view", "action", "custom")
_FACTS: Final = (
    "device_type", "browser_name", "browser_version", "os_name", "geo_country_iso_code", "geo_region_iso_code",
    "service_version", "browser_language", "timezone_name", "utc_offset_min", "network_type", "viewport_width_px",
    "viewport_height_px", "user_agent_original", "user_is_new",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionView:
    """A whole session.

    Attributes
    ----------
    session : str
        Its name; see exemplars.name_session.
    facts : dict
        The client: device, browser, language, window and so on, as the first event that says it says it.
    events : polars.DataFrame
        Columns of ``rum_events`` (personal data replaced), ``session_key`` aside, with ``route, view_no, step_no``,
        ``after_s`` (since the session began) and ``think_s`` (since what the user did before, null where the event is
        not the user's doing), in order.
    """

    session: str
    facts: dict[str, object]
    events: pl.DataFrame

    @property
    def duration_s(self) -> float:
        """From the first event to the last."""
        return float(str(self.events["after_s"].max()))

    def steps(self) -> pl.DataFrame:
        """List the pages in order: ``step_no, route, after_s, stayed_s, events, errors``."""
        seen = self.events.filter(pl.col("step_no") > 0)
        is_error = pl.col("event_kind") == "error"
        steps = (
            seen.group_by("step_no")
            .agg(
                pl.col("route").filter(pl.col("event_kind") == "view").first(),
                pl.col("after_s").filter(pl.col("event_kind") == "view").min(),
                pl.len().cast(pl.Int64).alias("events"),
                is_error.sum().cast(pl.Int64).alias("errors"),
            )
            .sort("step_no")
        )
        until_s = pl.col("after_s").shift(-1).fill_null(self.duration_s)
        stayed = steps.with_columns((until_s - pl.col("after_s")).alias("stayed_s"))
        return stayed.select("step_no", "route", "after_s", "stayed_s", "events", "errors")

    def _repr_html_(self) -> str:
        start = format_time(int(self.events["time_us"][0]))
        named = (self.facts[name] for name in ("device_type", "browser_name", "os_name"))
        client = ", ".join(str(name) for name in named if name)
        head = paragraph(
            f"Session {self.session}: {self.events.height:,} events in {format_duration(self.duration_s)}, from {start}"
            + (f", on {client}." if client else "."),
            kind="lead",
        )
        return str(head + self._strip() + self._table())

    def _strip(self) -> Markup:
        parts = [
            tone(f"{row['route']} ({format_duration(row['stayed_s'])})", "bad" if row["errors"] else "")
            for row in self.steps().iter_rows(named=True)
        ]
        return paragraph(Markup(" &rarr; ").join(parts)) if parts else paragraph("It showed no page.")

    def _table(self) -> Markup:
        shown = self.events.filter(pl.col("event_kind") != "vital")
        rows = [
            [
                text(f"{row['after_s']:,.1f} s"),
                text(f"{row['think_s']:,.1f} s" if row["think_s"] is not None else None),
                tone(row["event_kind"], "bad" if row["event_kind"] == "error" else ""),
                text(row["url_path"]),
                text(describe_event(row)),
                number(row["duration_ms"], digits=0, unit="ms"),
            ]
            for row in shown.head(MAX_SHOWN).iter_rows(named=True)
        ]
        more = shown.height - MAX_SHOWN
        vitals = self.events.height - shown.height
        note = (f"The first {MAX_SHOWN}; {more:,} more are in the frame. " if more > 0 else "") + (
            f"{vitals:,} reports of web vitals are left out." if vitals else ""
        )
        return table(["After", "Thought", "Event", "Page", "What", "Took"], rows, align="rrlllr", caption=note)


def describe_event(row: dict[str, Any]) -> str | None:
    """Say in a few words what an event was."""
    if row["event_kind"] == "action":
        named = row["target_name"] or row["target_test_id"] or row["target_selector"]
        return " ".join(str(word) for word in (row["action_type"], row["target_role"], named) if word) or None
    if row["event_kind"] == "error":
        return ": ".join(str(word) for word in (row["error_type"], row["exception_message"]) if word) or None
    if row["event_kind"] == "request":
        asked = (row["http_request_method"], row["request_path"], row["http_response_status_code"])
        return " ".join(str(word) for word in asked if word is not None) or None
    if row["event_kind"] == "custom":
        return str(row["event_name"]) if row["event_name"] else None
    return str(row["page_title"]) if row["page_title"] else None


def read_session(
    view: LakeView, session: str, *, gap_min: float = 30.0, routes: pl.DataFrame | None = None
) -> SessionView:
    """Read every event of one session.

    Parameters
    ----------
    view : LakeView
    session : str
        Its name as results give it (``03-1763740800123456-9ae``), or its id as the source gave it, or as reports show
        that.
    gap_min : float
        Minutes without an event that end a session. Of an id that a gap has cut, the piece with most events is shown.
    routes : polars.DataFrame, optional
        ``url_path, route``; learned from the days of the session where left out.

    Raises
    ------
    NoDataError
        If there is no such session.
    """
    named = _NAME.fullmatch(session)
    events = (
        _by_name(view, bucket=int(named[1]), start_us=int(named[2])) if named else _by_id(view, session)
    )  # fmt: skip
    if events is None:
        raise NoDataError(
            f"There is no session `{session}`.",
            hint="take the name of a session from `prodintel journeys`, or the id the source gave it.",
        )
    if routes is None:
        times = collect(
            events.select(nw.col("time_us").min().alias("first"), nw.col("time_us").max().alias("last")),
            schema={"first": pl.Int64(), "last": pl.Int64()},
            sort_by=["first"],
        )
        routes = _routes_around(view, *times.row(0))
    with routes_on_engine(routes, view.engine) as learned:
        tagged = build_session_events(events, gap_min=gap_min, routes=learned)
        order = ["session_key", "time_us", "view_no", "event_kind", "view_id", "event_name", "target_test_id"]
        rows = collect(tagged, schema=SESSION_EVENTS_SCHEMA, sort_by=order)
    pieces = {str(key): piece for (key,), piece in rows.group_by("session_key", maintain_order=True)}
    if named:
        found = [piece for piece in pieces.values() if _name_of(piece) == session]
        if not found:
            raise NoDataError(
                f"No session of the name `{session}` begins at that time with a gap of {gap_min:g} min.",
                hint="use the gap that the results were made with.",
            )
        return _session_view(view, session, found[0])
    longest = max(pieces.values(), key=lambda piece: piece.height)
    return _session_view(view, _name_of(longest), longest)


def _by_name(view: LakeView, *, bucket: int, start_us: int) -> nw.LazyFrame[Any] | None:
    window = Window(start_us, start_us + MAX_SESSION_US)
    events = view.workspace.scan(RUM_EVENTS.name, window=window, engine=view.engine, bucket=bucket)
    first = events.filter(nw.col("time_us") == start_us).select("visitor_id").unique()
    visitors = collect(first, schema={"visitor_id": pl.String()}, sort_by=["visitor_id"])["visitor_id"].to_list()
    return events.filter(nw.col("visitor_id").is_in(visitors)) if visitors else None


def _by_id(view: LakeView, session: str) -> nw.LazyFrame[Any] | None:
    """Find a session by the id the source gave it, or by the stand-in of that id."""
    events = view.workspace.scan(RUM_EVENTS.name, engine=view.engine)
    key = {"session_id": pl.String()}
    known = events.filter(nw.col("session_id") == session).select("session_id").unique()
    if collect(known, schema=key, sort_by=list(key)).height:
        return events.filter(nw.col("session_id") == session)
    every = collect(events.select("session_id").unique().drop_nulls(), schema=key, sort_by=list(key))
    shown = view.private.frame(every)["session_id"]
    meant = every["session_id"].filter(shown == session).to_list()
    return events.filter(nw.col("session_id").is_in(meant)) if meant else None


def _routes_around(view: LakeView, first_us: int, last_us: int) -> pl.DataFrame:
    day_us = 86_400 * US_PER_S
    window = Window(first_us - first_us % day_us, last_us - last_us % day_us + day_us)
    events = view.workspace.scan(RUM_EVENTS.name, window=window, engine=view.engine)
    return learn_routes(collect(build_paths(events), schema=PATHS_SCHEMA, sort_by=["url_path"]))


def _name_of(piece: pl.DataFrame) -> str:
    bucket, start_us, visitor, session = piece.select("user_bucket", "time_us", "visitor_id", "session_id").row(0)
    return name_session(bucket, start_us, visitor, session)


def _session_view(view: LakeView, name: str, piece: pl.DataFrame) -> SessionView:
    start_us = int(piece["time_us"][0])
    done = pl.when(pl.col("event_kind").is_in(_OF_USER)).then("time_us")
    timed = piece.with_columns(
        ((pl.col("time_us") - start_us) / US_PER_S).alias("after_s"),
        ((done - done.forward_fill().shift(1)) / US_PER_S).alias("think_s"),
    )
    shown = view.private.frame(timed.drop("session_key"))
    facts: dict[str, object] = {}
    for column in _FACTS:
        known = shown[column].drop_nulls()
        facts[column] = known[0] if len(known) else None
    return SessionView(name, facts, shown)
