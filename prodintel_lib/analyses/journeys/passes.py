"""Go through the lake part by part: a visitor is in one of them, so each can be counted on its own and forgotten."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.machines import Machines, find_machines
from prodintel_lib.analyses.journeys.routes import ROUTES_SCHEMA, learn_routes
from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.rum_paths import PATHS_SCHEMA, build_paths
from prodintel_lib.rollups.rum_sessions import SESSIONS_SCHEMA, build_session_events, build_sessions
from prodintel_lib.rollups.rum_sorted import sort_sessions
from prodintel_lib.rollups.rum_sorted_sessions import NUMBERED_STEPS_SCHEMA, sum_sessions, sum_steps
from prodintel_lib.rollups.rum_steps import STEPS_KEYS, STEPS_SCHEMA, build_steps
from prodintel_lib.tables import RUM_BUCKETS, RUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.rollups.rum_sorted import SortedEvents
    from prodintel_lib.windows import Window

# A part holds about so many events at most: what it takes in memory then does not grow with the lake.
ROWS_AT_ONCE: Final = 1_000_000
NATIVE_ENGINE: Final = "polars"


@dataclass(frozen=True, slots=True)
class Slice:
    """Which visitors are gone through together.

    Attributes
    ----------
    bucket : int or None
        None stands for all.
    piece, pieces : int
        Of the bucket's visitors, those whose hash modulo `pieces` is `piece`.
    """

    bucket: int | None = None
    piece: int = 0
    pieces: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """The sessions of some visitors, and their steps.

    Attributes
    ----------
    sessions : polars.DataFrame
        ``session_no`` and the columns of rum_sessions.SESSIONS_SCHEMA, in order of ``session_no``, which counts from 0.
    steps : polars.DataFrame
        Columns of rum_sorted_sessions.NUMBERED_STEPS_SCHEMA, in order of session and step.
    """

    sessions: pl.DataFrame
    steps: pl.DataFrame


class Watcher(Protocol):
    """Who looks at the events of every part while they are in order, so that the lake is read once."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of ``rum_events`` that are looked at."""

    def watch(self, which: Slice, events: SortedEvents, sessions: pl.DataFrame) -> None:
        """Look at a part; `sessions` as Part holds them. A part may come more than once."""


@dataclass(frozen=True, slots=True)
class Passes:
    """All visitors of a window, in parts of bounded size.

    Attributes
    ----------
    view : LakeView
    window : Window
    conversions : tuple of str
    gap_min : float
    routes : polars.DataFrame
        ``url_path, route``.
    paths : polars.DataFrame
        ``url_path, views, bad``: what the routes were learned from.
    slices : tuple of Slice
    machines : Machines
        Visitors that no part holds.
    """

    view: LakeView
    window: Window
    conversions: tuple[str, ...]
    gap_min: float
    routes: pl.DataFrame
    paths: pl.DataFrame
    slices: tuple[Slice, ...]
    machines: Machines
    _kept: dict[Slice, Part] = field(default_factory=dict, repr=False)
    _watchers: list[Watcher] = field(default_factory=list, repr=False)

    def add_watcher(self, watcher: Watcher) -> None:
        """Show a watcher every part that is sessionised from now on; on another engine than Polars it sees none."""
        self._watchers.append(watcher)

    def part(self, which: Slice) -> Part:
        """Sessionise the visitors of a slice."""
        if which in self._kept:
            return self._kept[which]
        part = self._sorted_part(which) if self.view.engine == NATIVE_ENGINE else self._portable_part(which)
        # The first is asked for again: what is learned from a sample is learned from it.
        if which == self.slices[0]:
            self._kept[which] = part
        return part

    def parts(self) -> Iterator[Part]:
        """Yield all parts, one after the other."""
        for which in self.slices:
            yield self.part(which)

    def scan(self, which: Slice) -> nw.LazyFrame[Any]:
        """Read the events of a slice lazily."""
        recorded = self.view.workspace.scan(
            RUM_EVENTS.name, window=self.window, engine=self.view.engine, bucket=which.bucket
        )
        events = self.machines.left_in(recorded)
        if which.pieces == 1:
            return events
        piece = pl.col("visitor_id").hash() % which.pieces == which.piece
        chosen: nw.LazyFrame[Any] = nw.from_native(events.to_native().filter(piece))
        return chosen

    def sort(self, which: Slice, *, keep: Sequence[str] = ()) -> tuple[SortedEvents, pl.DataFrame]:
        """Put the events of a slice in order, on Polars, and sum up their sessions.

        Parameters
        ----------
        which : Slice
        keep : sequence of str
            Columns of ``rum_events`` that will be looked up, besides those that sessions and steps need.
        """
        events = sort_sessions(
            self.scan(which).to_native(),
            gap_min=self.gap_min,
            routes=self.routes,
            conversions=self.conversions,
            keep=keep,
        )
        return events, sum_sessions(events, conversions=self.conversions)

    def _sorted_part(self, which: Slice) -> Part:
        watched = [name for watcher in self._watchers for name in watcher.columns]
        events, sessions = self.sort(which, keep=watched)
        for watcher in self._watchers:
            watcher.watch(which, events, sessions)
        return Part(sessions, sum_steps(events, sessions))

    def _portable_part(self, which: Slice) -> Part:
        with routes_on_engine(self.routes, self.view.engine) as routes:
            events = build_session_events(self.scan(which), gap_min=self.gap_min, routes=routes)
            sessions = collect(
                build_sessions(events, conversions=self.conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"]
            ).with_row_index("session_no")
            steps = collect(
                build_steps(events, conversions=self.conversions), schema=STEPS_SCHEMA, sort_by=STEPS_KEYS
            )  # fmt: skip
        numbers = sessions.select(pl.col("session_no").cast(pl.Int64), "session_key")
        numbered = steps.join(numbers, on="session_key", how="left", maintain_order="left")
        return Part(sessions.cast({"session_no": pl.Int64}), numbered.select(*NUMBERED_STEPS_SCHEMA))


def open_passes(view: LakeView, *, window: Window, conversions: Sequence[str], gap_min: float) -> Passes:
    """Learn the routes of a window's pages, and decide in how many parts its visitors are gone through."""
    events = view.workspace.scan(RUM_EVENTS.name, window=window, engine=view.engine)
    paths = collect(build_paths(events), schema=PATHS_SCHEMA, sort_by=["url_path"])
    rows = int(collect(events.select(nw.len().alias("rows")), schema={"rows": pl.Int64()}, sort_by=["rows"]).item())
    slices = choose_slices(rows, is_native=view.engine == NATIVE_ENGINE)
    machines = find_machines(view, window, gap_min=gap_min)
    return Passes(view, window, tuple(conversions), gap_min, learn_routes(paths), paths, slices, machines)


def choose_slices(rows: int, *, is_native: bool) -> tuple[Slice, ...]:
    """Divide so many events into parts of at most about ROWS_AT_ONCE.

    Another engine has its own ways to divide: it gets at most a bucket at a time.
    """
    if rows <= ROWS_AT_ONCE:
        return (Slice(),)
    pieces = -(-rows // (RUM_BUCKETS * ROWS_AT_ONCE)) if is_native else 1
    return tuple(Slice(bucket, piece, pieces) for bucket in range(RUM_BUCKETS) for piece in range(pieces))


def add_up(tallies: Iterable[pl.DataFrame], *, by: Sequence[str]) -> pl.DataFrame:
    """Add the tallies of parts: the columns that are not in `by` are sums."""
    whole = pl.concat(list(tallies))
    sums = [name for name in whole.columns if name not in by]
    return whole.group_by(*by).agg(pl.col(*sums).sum()).sort(*by, nulls_last=False)


@contextmanager
def routes_on_engine(routes: pl.DataFrame, engine: str) -> Iterator[nw.LazyFrame[Any]]:
    """Hand the learned routes to an engine: a file is what they all can read."""
    if engine == NATIVE_ENGINE:
        yield nw.from_native(routes.lazy())
        return
    with tempfile.TemporaryDirectory(prefix="prodintel-routes-") as folder:
        file = Path(folder, "routes.parquet")
        routes.write_parquet(file)
        yield scan_parquet([file], schema=ROUTES_SCHEMA, engine=engine)
