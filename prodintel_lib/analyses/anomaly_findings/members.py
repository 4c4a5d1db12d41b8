"""Episodes as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from prodintel_lib.analyses.anomaly_findings.model import MEMBERS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.anomaly_findings.episodes import Episode

_OF_ABOUT = ("key", "grain", "service_name", "route", "region", "release", "metric_name")


def members_frame(episodes: Iterable[Episode]) -> pl.DataFrame:
    """Return a row an episode, in their order, with the columns of MEMBERS_SCHEMA."""
    rows = [
        {
            **{name: one.about[name] for name in _OF_ABOUT},
            "signal": one.signal,
            "start_us": one.start_us,
            "last_us": one.last_us,
            "detected_us": one.detected_us,
            "value": one.value,
            "expected": one.expected,
            "score": one.score,
            "points": len(one.hot_us),
            "is_worse": one.is_worse,
        }
        for one in episodes
    ]
    return pl.DataFrame(rows, schema=MEMBERS_SCHEMA, orient="row")
