"""The events of people in order, in one sort and on Polars alone: what one machine does fastest.

Once the rows of a visitor stand together in order of time, every question of what came before is a look at the row
above. The portable version (rum_sessions.py) asks it with windows over partitions, at several times the cost. Only
numbers are sorted: texts stay where they were read, and are looked up for the few rows that are asked for them. What is
made of the rows is in rum_sorted_sessions.py and rum_sorted_uses.py; all of it has the results of the portable version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.rollups.rum_expressions import is_conversion, is_defect, is_failed_request, is_validation, is_view
from prodintel_lib.rollups.rum_sessions import OF_SESSION
from prodintel_lib.rollups.rum_steps import VITALS
from prodintel_lib.rollups.rum_vitals import VITALS as EVERY_VITAL
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MINUTE_US: Final = 60 * US_PER_S
CLIENT: Final = (*OF_SESSION, "user_is_new")
"""What is recorded of a client with every event, and mostly is the same in all events of a session."""

# Only the order of two views at one moment changes a result; this is what orders them in the portable version.
_TIES: Final = ("view_id", "event_name", "url_path", "route")
_FLAGS: Final = (
    "is_view", "is_action", "is_click", "is_custom", "is_conversion", "errors", "validation_errors", "failed_requests",
    "has_vitals",
)  # fmt: skip
_RECORDED: Final = (
    "time_us", "visitor_id", "session_id", "user_bucket", "view_id", "event_name", "url_path", "http_route",
    "duration_ms", "target_role", "target_name", "target_test_id", "target_selector", *VITALS, *CLIENT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SortedEvents:
    """The events of people in order: by visitor, the source's session, and time.

    Attributes
    ----------
    rows : polars.DataFrame
        - ``row``: which of the `recorded` it is; ``time_us``
        - ``session_no``: 0, 1, ... in the order of the rows; ``is_first``: the first of its session
        - ``view_no, step_no``: as rum_sessions.build_session_events; ``begins_step``: the first view of a step
        - ``visitor`` and ``path``: numbers that are equal where the visitors, and the paths of the pages, are
        - ``route``: Categorical; null where not known
        - ``is_view, is_action, is_click, is_custom, is_conversion, errors, validation_errors, failed_requests``: what
          it is; ``has_vitals``: whether it reports one of rum_vitals.VITALS
    recorded : polars.DataFrame
        The events as the lake holds them, in its order.
    """

    rows: pl.DataFrame
    recorded: pl.DataFrame

    def look_up(self, rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """Return what was recorded of some of the rows."""
        return self.recorded.select(pl.col(*columns).gather(rows["row"]))


def sort_sessions(
    events: pl.LazyFrame,
    *,
    gap_min: float,
    routes: pl.DataFrame,
    conversions: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> SortedEvents:
    """Put the events of people in order, and say of each which session, view and step it belongs to.

    Parameters
    ----------
    events : polars.LazyFrame
        The canonical table ``rum_events``; whole visitors.
    gap_min, conversions
        As for rum_sessions.build_session_events and build_sessions.
    routes : polars.DataFrame
        ``url_path, route``.
    keep : sequence of str
        Columns of the table that will be looked up, besides those that sessions and steps need.

    Notes
    -----
    Whether two events name the same view is told by 64-bit hashes of its id.
    """
    read = _read(events, keep)
    path, route = _routes(read, routes)
    flagged = _with_conversions(read, route, conversions)
    ordered, visitor, is_first = _order(flagged, route)
    order = pl.Series("row", ordered, dtype=pl.UInt32)
    time_us, is_shown, codes = (
        column.gather(order).to_numpy()
        for column in (read["time_us"], read["is_view"], route.fill_null("").to_physical())
    )
    is_first[1:] |= np.diff(time_us) >= round(gap_min * _MINUTE_US)
    session_no = np.cumsum(is_first) - 1
    begins_step = _begins_step(session_no, is_shown, codes)
    rows = pl.DataFrame(
        {
            "row": order,
            "time_us": time_us,
            "visitor": visitor,
            "session_no": session_no,
            "view_no": _count_within(is_shown, is_first, session_no),
            "step_no": _count_within(begins_step, is_first, session_no),
            "is_first": is_first,
            "begins_step": begins_step,
            "path": path.gather(order),
            "route": route.gather(order),
        }
    ).with_columns(flagged.select(pl.col(_FLAGS).gather(order)))
    return SortedEvents(_with_late_events(rows, read["view_id"]), flagged.drop(_FLAGS))


def _read(events: pl.LazyFrame, keep: Sequence[str]) -> pl.DataFrame:
    """Read what is needed of the events of people, with flags for words."""
    click = (nw.col("event_kind") == nw.lit("action")) & (nw.col("action_type") == nw.lit("click"))
    flags = {
        "is_view": is_view(),
        "is_action": nw.col("event_kind") == nw.lit("action"),
        "is_click": click.fill_null(value=False),
        "is_custom": nw.col("event_kind") == nw.lit("custom"),
        "errors": is_defect(),
        "validation_errors": is_validation(),
        "failed_requests": is_failed_request(),
        "has_vitals": nw.any_horizontal(*(~nw.col(name).is_null() for name in EVERY_VITAL), ignore_nulls=False),
    }
    people: nw.LazyFrame[Any] = nw.from_native(events).filter(nw.col("user_agent_synthetic_type").is_null())
    columns = dict.fromkeys((*_RECORDED, *keep))
    read: pl.LazyFrame = people.select(*columns, **flags).to_native()
    return read.collect()


def _routes(read: pl.DataFrame, routes: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Return a number for the path of each row, and its route: the source's own, else the learned one, else the path.

    A site has few paths: each is looked up once.
    """
    paths = read["url_path"].cast(_own_codes())
    known = paths.unique().drop_nulls()
    learned = pl.DataFrame({"path": known.to_physical(), "url_path": known.cast(pl.String)}).join(
        routes, on="url_path", how="left"
    )
    dtype = _own_codes()
    by_path = learned.sort("path").select(pl.coalesce("route", "url_path").cast(dtype)).to_series()
    path = paths.to_physical()
    route = by_path.gather(path)
    if read["http_route"].null_count() < read.height:
        route = pl.select(pl.coalesce(read["http_route"].cast(dtype), route)).to_series()
    return path, route


def _own_codes() -> pl.Categorical:
    """Return a type whose codes are 0, 1, ... for the values that come, and and which goes with the last of them."""
    return pl.Categorical(pl.Categories.random())


def _with_conversions(read: pl.DataFrame, route: pl.Series, conversions: Sequence[str]) -> pl.DataFrame:
    kind = pl.when("is_view").then(pl.lit("view")).alias("event_kind")
    said = nw.from_native(read.select("event_name", "url_path", kind, route.alias("route")))
    found: pl.DataFrame = said.select(
        is_conversion(conversions).fill_null(value=False).alias("is_conversion")
    ).to_native()
    return read.with_columns(found)


def _order(read: pl.DataFrame, route: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.bool_]]:
    """Return the order of the rows; in it, the number of each visitor, and where the source's sessions begin."""
    visitor, session = (
        ids.cast(_own_codes()).to_physical().to_numpy().astype(np.uint64)
        for ids in (read["visitor_id"], read["session_id"].fill_null(""))
    )
    source = visitor << np.uint64(32) | session
    # Of what happens at one moment the page comes first.
    moment = (read["time_us"].to_numpy() << 1) | ~read["is_view"].to_numpy()
    order = np.lexsort((moment, source))
    source, moment = source[order], moment[order]
    is_same = np.zeros(len(order), dtype=np.bool_)
    is_same[1:] = (source[1:] == source[:-1]) & (moment[1:] == moment[:-1])
    _order_ties(order, is_same & (moment & 1 == 0), read, route)
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = source[1:] != source[:-1]
    return order, (source >> np.uint64(32)).astype(np.uint32), is_new


def _order_ties(order: NDArray[np.int64], is_tie: NDArray[np.bool_], read: pl.DataFrame, route: pl.Series) -> None:
    """Put views of one moment in their order; `is_tie`: a view of the same visitor and moment as the row above."""
    if not is_tie.any():
        return
    is_tied = is_tie.copy()
    is_tied[:-1] |= is_tie[1:]
    places = np.flatnonzero(is_tied)
    run = np.cumsum(~is_tie)[places]
    tied = read.with_columns(route.cast(pl.String).alias("route")).select(pl.col(_TIES).gather(order[places]))
    ranked = tied.with_columns(pl.Series("_run", run), pl.Series("_row", order[places])).sort("_run", *_TIES)
    order[places] = ranked["_row"].to_numpy()


def _begins_step(
    session_no: NDArray[np.int64], is_shown: NDArray[np.bool_], codes: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Say which views show another route than the view before them in the session."""
    views = np.flatnonzero(is_shown)
    of_view, shown = session_no[views], codes[views]
    is_other = np.ones(len(views), dtype=np.bool_)
    is_other[1:] = (of_view[1:] != of_view[:-1]) | (shown[1:] != shown[:-1])
    begins = np.zeros(len(session_no), dtype=np.bool_)
    begins[views] = is_other
    return begins


def _count_within(
    flags: NDArray[np.bool_], is_first: NDArray[np.bool_], session_no: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the flags from the beginning of each session on."""
    counted = np.cumsum(flags)
    before: NDArray[np.int64] = (counted - flags)[is_first]
    return np.asarray(counted - before[session_no], dtype=np.int64)


def _with_late_events(rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Give events that name an earlier view the step of that view: vitals are known only when a page is left."""
    named = pl.select(pl.when(ids.is_not_null()).then(ids.hash())).to_series()
    marked = rows.select("session_no", "step_no", "is_view", named.gather(rows["row"]).alias("view"))
    # A view without an id is a view all the same, and no event names it.
    shown = pl.when("is_view").then(pl.col("view").fill_null(0)).forward_fill()
    is_elsewhere = (shown != pl.col("view")) | (pl.col("step_no") == 0)
    late = (
        marked.with_row_index("_row")
        .filter(~pl.col("is_view") & pl.col("view").is_not_null() & is_elsewhere.fill_null(value=True))
        .select("_row", "session_no", "view")
    )
    if late.is_empty():
        return rows
    steps = (
        marked.filter("is_view", pl.col("view").is_not_null())
        .join(late.select("session_no", "view").unique(), on=["session_no", "view"], how="semi")
        .group_by("session_no", "view")
        .agg(pl.col("step_no").min().alias("_by_id"))
    )
    moved = late.join(steps, on=["session_no", "view"], how="inner")
    numbers = rows["step_no"].to_numpy().copy()
    numbers[moved["_row"].to_numpy()] = moved["_by_id"].to_numpy()
    return rows.with_columns(pl.Series("step_no", numbers, dtype=pl.Int64))
