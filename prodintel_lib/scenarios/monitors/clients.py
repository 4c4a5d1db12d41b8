"""Which visitors' clients a journey is walked with: a fault may show in one browser or one country alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.journeys.exemplars import name_session
from prodintel_lib.analyses.journeys.variants import digests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.analyses.journeys.passes import Part

DIMENSIONS: Final = ("browser_name", "geo_country_iso_code", "device_type")
LEAST_SHARE: Final = 0.05
"""Of the sessions: a browser, a country or a device that fewer have is not looked for."""

SESSIONS_EACH: Final = 5
_TYPICAL: Final = ("_rank", "_distance", "start_us", "visitor_id", "session_id")


def choose_clients(part: Part, *, most: int, has_conversions: bool) -> list[pl.DataFrame]:
    """Choose clients that stand for most visitors: at each step the one that adds most.

    Parameters
    ----------
    part : Part
        Sessions of some visitors, for all of them.
    most : int
        At most so many clients.
    has_conversions : bool
        Whether it is known what the site is for: only sessions that did it are then taken.

    Returns
    -------
    list of polars.DataFrame
        For each client chosen its sessions, the most typical first: ``session, browser_name, geo_country_iso_code,
        device_type, alike`` (how many sessions of `part` took the same journey).

    Notes
    -----
    The greedy algorithm for maximum coverage (Nemhauser, Wolsey and Fisher 1978, doi:10.1007/BF01588971), whose
    choice covers at least 63 % of what the best one does. What a client covers is the share of sessions with its
    browser, plus that of its country, plus that of its device.
    """
    uncovered = _shares(part.sessions)
    candidates = _candidates(part, has_conversions=has_conversions)
    groups = dict(candidates.group_by(*DIMENSIONS, maintain_order=True))
    chosen: list[pl.DataFrame] = []
    while len(chosen) < most:
        gains = {key: sum(uncovered.get(each, 0.0) for each in _values(key)) for key in groups}
        key = max(gains, key=lambda key: (gains[key], groups[key].height, str(key)), default=None)
        if key is None or not gains[key]:
            break
        for each in _values(key):
            uncovered.pop(each, None)
        chosen.append(_named(groups.pop(key)))
    return chosen


def _values(key: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    return zip(DIMENSIONS, key, strict=True)


def _shares(sessions: pl.DataFrame) -> dict[tuple[str, Any], float]:
    """Return the share of sessions of each value that enough of them have."""
    shares = {}
    for name in DIMENSIONS:
        for value, n in sessions.drop_nulls(name).group_by(name).len().sort(name).iter_rows():
            if value and n >= LEAST_SHARE * sessions.height:
                shares[name, value] = n / sessions.height
    return shares


def _candidates(part: Part, *, has_conversions: bool) -> pl.DataFrame:
    """Return the sessions that went well, those on the most walked journeys and of usual length first."""
    rows = part.sessions.join(digests_of(part).select("session_no", "digest"), on="session_no", how="inner")
    rows = rows.with_columns(pl.len().cast(pl.Int64).over("digest").alias("alike"))
    wanted = pl.col("converted") if has_conversions else pl.col("alike") == pl.col("alike").max()
    well = rows.filter((pl.col("errors") == 0) & (pl.col("steps") > 1) & wanted)
    length = pl.col("duration_s").log1p()
    return well.with_columns(
        (-pl.col("alike")).alias("_rank"),
        (length - length.median().over("digest")).abs().round(9).alias("_distance"),
    ).sort(*_TYPICAL, nulls_last=True)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    few = rows.head(SESSIONS_EACH)
    keys = few.select("user_bucket", "start_us", "visitor_id", "session_id").iter_rows()
    names = pl.Series("session", [name_session(*key) for key in keys], dtype=pl.String)
    return few.select(names, *DIMENSIONS, "alike")
