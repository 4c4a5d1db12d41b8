"""Sessions that stand for a journey: those nearest to its middle in duration, think times and actions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.journeys.running import detached
from prodintel_lib.analyses.journeys.variants import MAX_STEPS, digests_of
from prodintel_lib.markup import number, paragraph, table, text
from prodintel_lib.windows import format_duration, format_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.analyses.journeys.passes import Part, Passes
    from prodintel_lib.analyses.journeys.variants import Journeys

MAX_CANDIDATES: Final = 500
ENOUGH_CANDIDATES: Final = 25
# Of a journey that few took, this part of them is enough: to see all, every part would have to be gone through again.
SMALL_PART: Final = 4
NAME_BITS: Final = 12
EXEMPLARS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "journey_id": pl.String(),
    "rank": pl.Int64(),
    "session": pl.String(),
    "start_us": pl.Int64(),
    "duration_s": pl.Float64(),
    "steps": pl.Int64(),
    "actions": pl.Int64(),
    "errors": pl.Int64(),
    "converted": pl.Boolean(),
    "device_type": pl.String(),
    "distance": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Exemplars:
    """A few typical sessions of each journey.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of EXEMPLARS_SCHEMA, by journey in the order of Journeys.frame and by rank; rank 1 is the medoid.
        Sessions without an error come first, since a test is made from them. ``session`` is what
        one_session.read_session takes; it says nothing of the person. ``distance`` is the mean difference from the
        journey's medians over duration, actions and the time spent in each step, on a logarithmic scale: 0.7 is a
        factor of two.
    """

    frame: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(paragraph("No journey is frequent enough to choose a session for it."))
        rows = [
            [
                text(row["journey_id"]),
                text(row["session"]),
                text(format_time(row["start_us"])),
                text(format_duration(row["duration_s"])),
                number(row["steps"]),
                number(row["actions"]),
                number(row["errors"]),
                text(row["device_type"]),
            ]
            for row in self.frame.filter(pl.col("rank") == 1).iter_rows(named=True)
        ]
        headers = ["Journey", "Session", "Began", "Took", "Steps", "Actions", "Errors", "Device"]
        return str(table(headers, rows, align="lllrrrrl", caption="The medoid of each journey."))


def name_session(user_bucket: int, start_us: int, visitor_id: str, session_id: str | None) -> str:
    """Return a name of a session that is short, the same in every run, and says nothing of the person.

    Bucket and time lead to it in the lake; twelve bits of a checksum tell those apart that began in the same instant.

    Examples
    --------
    >>> name_session(3, 1763740800123456, "visitor", None)
    '03-1763740800123456-9ae'
    """
    check = zlib.crc32(f"{visitor_id}|{session_id or ''}".encode()) & ((1 << NAME_BITS) - 1)
    return f"{user_bucket:02}-{start_us}-{check:03x}"


def choose_exemplars(passes: Passes, journeys: Journeys, *, count: int = 3) -> Exemplars:
    """Choose sessions for each journey.

    Parameters
    ----------
    passes : Passes
        Only as many parts are asked for as it takes to have 25 candidates for each journey (or a quarter of all it
        has).
    journeys : Journeys
    count : int
        How many sessions a journey.
    """
    digests = pl.Series("digest", journeys.digests, dtype=pl.UInt64)
    listed = journeys.frame.select("journey_id", "sessions", digests)
    frames: list[pl.DataFrame] = []
    held = dict.fromkeys(listed["journey_id"], 0)
    wanted = {
        name: min(ENOUGH_CANDIDATES, max(min(count, n), n // SMALL_PART))
        for name, n in listed.select("journey_id", "sessions").iter_rows()
    }
    for which in passes.slices:
        candidates = detached(_candidates(passes.part(which), listed))
        frames.append(candidates)
        for name, n in candidates.group_by("journey_id").len().iter_rows():
            held[name] += n
        if all(held[name] >= enough for name, enough in wanted.items()):
            break
    every = pl.concat(frames)
    chosen = [
        _nearest(every.filter(pl.col("journey_id") == name).sort("start_us", "session").head(MAX_CANDIDATES), count)
        for name in listed["journey_id"]
    ]
    return Exemplars(pl.concat([pl.DataFrame(schema=EXEMPLARS_SCHEMA), *chosen]))


def _candidates(part: Part, listed: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions of a part that took one of the journeys, with the seconds spent in each step."""
    taken = digests_of(part).join(listed.select("journey_id", "digest"), on="digest", how="inner")
    # A journey of millions needs no more candidates than one of hundreds; which are kept depends on nothing but them.
    few = (
        part.sessions.select(
            "session_no", "visitor_id", "session_id", "user_bucket", "start_us", "duration_s", "actions", "errors",
            "converted", "device_type",
        )
        .join(taken, on="session_no", how="inner")
        .sort("start_us", "visitor_id", "session_id")
        .group_by("journey_id", maintain_order=True)
        .head(MAX_CANDIDATES)
    )  # fmt: skip
    dwell = (
        part.steps.filter(pl.col("step_no") <= MAX_STEPS)
        .join(few.select("session_no"), on="session_no", how="semi")
        .sort("session_no", "step_no")
        .group_by("session_no")
        .agg(pl.col("dwell_s"))
    )
    names = [
        name_session(*row)
        for row in few.select("user_bucket", "start_us", "visitor_id", "session_id").iter_rows()
    ]  # fmt: skip
    named = few.with_columns(pl.Series("session", names, dtype=pl.String)).drop("visitor_id", "session_id")
    return named.join(dwell, on="session_no", how="left").drop("session_no", "digest")


def _nearest(candidates: pl.DataFrame, count: int) -> pl.DataFrame:
    if candidates.is_empty():
        return pl.DataFrame(schema=EXEMPLARS_SCHEMA)
    distances = _distances(candidates)
    ranked = (
        candidates.with_columns(pl.Series("distance", distances), (pl.col("errors") > 0).alias("_has_errors"))
        .sort("_has_errors", "distance", "start_us", "session")
        .head(count)
    )
    ranks = pl.Series("rank", range(1, ranked.height + 1), dtype=pl.Int64)
    return ranked.with_columns(ranks).select(*EXEMPLARS_SCHEMA)


def _distances(candidates: pl.DataFrame) -> NDArray[np.float64]:
    """Return each session's mean distance from the medians, on a logarithmic scale, rounded to be the same anywhere."""
    features = np.column_stack(
        [
            candidates["duration_s"].to_numpy(),
            candidates["actions"].to_numpy().astype(np.float64),
            np.array(candidates["dwell_s"].to_list(), dtype=np.float64),
        ]
    )
    scaled = np.log1p(np.maximum(features, 0.0))
    return np.asarray(np.abs(scaled - np.median(scaled, axis=0)).mean(axis=1).round(9), dtype=np.float64)
