"""How many sessions and requests are under way at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.errors import MissingColumnsError, NoDataError
from prodintel_lib.markup import facts, number
from prodintel_lib.windows import US_PER_S, format_duration, format_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodintel_lib.headline import Tile

    Times = NDArray[np.int64]

COLUMNS: Final = ("session_key", "time_us", "duration_ms")
_US_PER_MS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Level:
    """How many were under way at once, over the time in which any session was.

    Attributes
    ----------
    mean : float
        Over time.
    p95 : int
        What it was at or under in 95 % of the time.
    most : int
    most_us : int
        When it first was that many.
    n : int
        Sessions, or requests.
    """

    mean: float
    p95: int
    most: int
    most_us: int
    n: int


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Sessions open and requests under way.

    Attributes
    ----------
    open_s : float
        Seconds in which at least one session was open: what means and shares are over.
    sessions : Level
        From a session's first request to the end of its last one.
    requests : Level or None
        None where no source says how long an answer took.
    unknown : int
        Requests whose duration is not known; they count as over at once.
    """

    open_s: float
    sessions: Level
    requests: Level | None
    unknown: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def _repr_html_(self) -> str:
        first = self.sessions
        tiles: list[Tile] = [
            ("Sessions at once", number(first.mean), f"mean over {format_duration(self.open_s)}, n {first.n:,}", ""),
            ("At most", number(first.most), f"{format_time(first.most_us)}; 95 %: up to {first.p95:,}", ""),
        ]
        if self.requests is None:
            return str(facts([*tiles, ("Requests under way", "not known", "durations were not recorded", "soft")]))
        under, left = self.requests, f", {self.unknown:,} without a duration" if self.unknown else ""
        tiles += [
            ("Requests under way", number(under.mean), f"mean, n {under.n:,}{left}", ""),
            ("At most", number(under.most), f"{format_time(under.most_us)}; 95 %: up to {under.p95:,}", ""),
        ]
        return str(facts(tiles))


def measure_concurrency(steps: pl.DataFrame) -> Concurrency:
    """Measure how many sessions and requests were under way at once.

    Parameters
    ----------
    steps : polars.DataFrame
        ``session_key, time_us, duration_ms`` (rollups.load_steps).

    Raises
    ------
    MissingColumnsError
        If a column is missing.
    NoDataError
        If there is no step.

    Notes
    -----
    Exact: beginnings and ends are swept in order, an end before a beginning of the same moment. Means are over the time
    in which a session was open, so that gaps in the record do not thin them. The mean of requests under way is their
    rate times their mean duration (Little 1961, doi:10.1287/opre.9.3.383).
    """
    if missing := set(COLUMNS) - set(steps.columns):
        raise MissingColumnsError.in_table("load_steps", missing=missing, available=steps.columns)
    if steps.is_empty():
        raise NoDataError("Concurrency needs a request at least; there are 0.", hint="choose a longer window.")
    took_us = (pl.col("duration_ms").fill_null(0.0) * _US_PER_MS).round().cast(pl.Int64)
    ended = steps.select("session_key", "time_us", end_us=pl.col("time_us") + took_us)
    sessions = ended.group_by("session_key").agg(pl.col("time_us").min(), pl.col("end_us").max())
    spans = sessions["time_us"].to_numpy(), sessions["end_us"].to_numpy()
    times, levels = _sweep(*spans)
    open_us = int(np.diff(times)[levels[:-1] > 0].sum())
    unknown = int(steps["duration_ms"].null_count())
    requests = None
    if unknown < steps.height:
        requests = _level(*_sweep(ended["time_us"].to_numpy(), ended["end_us"].to_numpy()), open_us, steps.height)
    return Concurrency(open_us / US_PER_S, _level(times, levels, open_us, sessions.height), requests, unknown)


def _sweep(starts_us: Times, ends_us: Times) -> tuple[Times, Times]:
    """Return the moments of change in order, and how many are under way from each on."""
    times = np.concatenate([starts_us, ends_us])
    changes = np.repeat(np.array([1, -1]), len(starts_us))
    # In one moment: ends, then beginnings, then ends of what began in it.
    turn = np.concatenate([np.ones(len(starts_us)), np.where(ends_us == starts_us, 2, 0)])
    order = np.lexsort((turn, times))
    return times[order], np.cumsum(changes[order])


def _level(times_us: Times, levels: Times, open_us: int, n: int) -> Level:
    lasted_us = np.diff(times_us, append=times_us[-1:])
    most = int(levels.argmax())
    by_level = np.bincount(levels, weights=lasted_us)
    # Time in which a session was open and nothing of this was under way counts as none under way.
    by_level[0] = max(0.0, open_us - by_level[1:].sum())
    total_us = by_level.sum()
    reached = np.cumsum(by_level) >= 0.95 * total_us
    mean = float((by_level * np.arange(len(by_level))).sum() / total_us) if total_us else float(levels[most])
    p95 = int(reached.argmax()) if total_us else int(levels[most])
    return Level(mean=mean, p95=p95, most=int(levels[most]), most_us=int(times_us[most]), n=n)
