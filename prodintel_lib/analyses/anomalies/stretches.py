"""Where a recording broke off and another began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.anomalies.model import SeriesMatrix
    from prodintel_lib.windows import Window

MIN_PAUSE_POINTS: Final = 12
PAUSE_TO_STRETCH: Final = 2.0
"""An outage of hours in weeks of data is a gap; a night between two runs of an hour parts them."""


def find_stretches(series: SeriesMatrix, *, events: Sequence[Window] = ()) -> tuple[slice, ...]:
    """Return the columns of each recording, in order, without the pauses between them.

    A pause is a time in which no series has a value, whether or not the grid has points there. One longer than twelve
    steps that lasts more than twice as long as the stretch before it ends that stretch, and the next begins at its end:
    what was recorded for minutes a day ago says little about the level of today. Times within `events` count as
    recorded.

    Notes
    -----
    Whether a stretch begins at a point is known at that point: later ones change nothing before them.
    """
    recorded = np.asarray((~np.isnan(series.values)).any(axis=0))
    for event in events:
        recorded |= (series.time_us >= event.start_us) & (series.time_us < event.end_us)
    known = np.flatnonzero(recorded)
    if not len(known):
        return (slice(0, len(recorded)),)
    times, step_us = series.time_us[known], series.step_us
    pauses_us = np.diff(times) - step_us
    begin, stretches = 0, []
    for at in np.flatnonzero(pauses_us > MIN_PAUSE_POINTS * step_us).tolist():
        if pauses_us[at] > PAUSE_TO_STRETCH * (times[at] + step_us - times[begin]):
            stretches.append(slice(int(known[begin]), int(known[at]) + 1))
            begin = at + 1
    return (*stretches, slice(int(known[begin]), int(known[-1]) + 1))
