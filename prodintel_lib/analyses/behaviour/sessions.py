"""Sessions as arrays: what was asked for, in which order, and how long between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.errors import MissingColumnsError, NoDataError
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

STEP_COLUMNS: Final = ("session_key", "step_no", "time_us", "endpoint")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class SessionLog:
    """Sessions one after another.

    Attributes
    ----------
    endpoints : tuple of str
        By code, in alphabetical order.
    codes : array of int, shape (steps,)
        What each step asked for; steps of a session stand together, in their order.
    offsets : array of int, shape (sessions + 1,)
        Where each session begins, and the number of steps.
    starts_us : array of int, shape (sessions,)
        Of the first step, µs since the epoch, UTC.
    gaps_s : array of float, shape (steps,)
        From the start of the step before to the start of this one; 0 at the first step of a session.
    """

    endpoints: tuple[str, ...]
    codes: Ints
    offsets: Ints
    starts_us: Ints
    gaps_s: Floats

    @property
    def size(self) -> int:
        """Number of sessions."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """Steps of each session."""
        return np.diff(self.offsets)

    @property
    def session_of(self) -> Ints:
        """Which session each step is of."""
        return np.repeat(np.arange(self.size), self.lengths)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Whether a step begins its session."""
        flags = np.zeros(len(self.codes), dtype=np.bool_)
        flags[self.offsets[:-1]] = True
        return flags

    def take(self, chosen: Ints) -> SessionLog:
        """Return the chosen sessions, in the order given; the codes keep their meaning."""
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.arange(int(offsets[-1])) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        return SessionLog(self.endpoints, self.codes[rows], offsets, self.starts_us[chosen], self.gaps_s[rows])


def read_sessions(steps: pl.DataFrame) -> SessionLog:
    """Lay the steps of sessions out as arrays.

    Parameters
    ----------
    steps : polars.DataFrame
        ``session_key, step_no, time_us, endpoint``, in any order, of sessions that have ended or were cut.

    Raises
    ------
    MissingColumnsError
        Where a column is not there.
    NoDataError
        Where there is no step.

    Notes
    -----
    Gaps are made of ``time_us``, so that they mean the same whatever wrote the frame: from start to start, which is
    what the server meets. Who replays them waits a gap less the time the answer took.
    """
    missing = set(STEP_COLUMNS) - set(steps.columns)
    if missing:
        raise MissingColumnsError.in_table("load_steps", missing=missing, available=steps.columns)
    if steps.is_empty():
        raise NoDataError(
            "Behaviour needs sessions with a step at least; there are 0 steps.",
            hint="take a window in which requests carry a session or a visitor.",
        )
    ordered = steps.select(STEP_COLUMNS).sort("session_key", "step_no", "time_us")
    ordered = ordered.with_columns(pl.col("endpoint").fill_null(UNKNOWN))
    names = ordered["endpoint"].unique().sort()
    codes = ordered["endpoint"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    begins = (ordered["session_key"] != ordered["session_key"].shift(1)).fill_null(value=True).to_numpy()
    times_us = ordered["time_us"].to_numpy()
    gaps_s = np.diff(times_us, prepend=times_us[:1]) / US_PER_S
    gaps_s[begins] = 0.0
    offsets = np.append(np.flatnonzero(begins), len(codes)).astype(np.int64)
    return SessionLog(tuple(names.to_list()), codes, offsets, times_us[begins], np.maximum(gaps_s, 0.0))
