"""Who could have met an error at the moment somebody did, and whether they converted afterwards: counts that add up.

Whoever stays longer meets more errors and buys more often: to compare sessions that ever met an error with those that
never did makes errors look harmless. So time is divided at the moment of the first meeting: the session that meets an
error on its third page view is compared with sessions on a third page view of the same page that had not met it yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

BANDS: Final = (1, 2, 3, 4, 5, 6, 8, 11, 16, 26)
"""First numbers of the bands of page views that count as the same moment of a session."""

ALIKE: Final = ("device_type", "region", "browser_name", "user_is_new")
"""What sessions are matched on besides the page and the number of the view. Of the browser and of newcomers, since
errors that keep to one would else be charged with one another's effects."""

STRATUM: Final = ("route", "band", *ALIKE)
AT_RISK_SUMS: Final = ("views", "views_converted", "views_of_sessions", "views_there")
MET_SUMS: Final = ("exposed", "exposed_converted", "gone", "gone_converted")


@dataclass(frozen=True, slots=True)
class RiskTally:
    """Page views before a conversion, by what makes them comparable; those of disjoint sessions add up.

    Attributes
    ----------
    at_risk : polars.DataFrame
        STRATUM, and

        - ``views``; ``views_converted``: of sessions that converted afterwards
        - ``views_of_sessions, views_there``: summed over these views, how many such views their sessions have at all,
          and on the same page
    met : polars.DataFrame
        ``pattern_id``, STRATUM, and

        - ``exposed, exposed_converted``: views on which sessions met the pattern for the first time
        - ``gone, gone_converted``: views of sessions that had met it before: they are no longer at risk
    """

    at_risk: pl.DataFrame
    met: pl.DataFrame

    def __add__(self, other: RiskTally) -> RiskTally:
        return add_risks([self, other])


def add_risks(parts: Sequence[RiskTally]) -> RiskTally:
    """Add up the risk sets of parts that have no session in common; there must be one at least."""
    return RiskTally(
        _counted(pl.concat([part.at_risk for part in parts]), STRATUM, AT_RISK_SUMS),
        _counted(pl.concat([part.met for part in parts]), ("pattern_id", *STRATUM), MET_SUMS),
    )


def tally_risks(views: pl.DataFrame, met: pl.DataFrame, clients: pl.DataFrame) -> RiskTally:
    """Count the risk sets of some sessions.

    Parameters
    ----------
    views : polars.DataFrame
        Columns of rollups.rum_views.PAGE_VIEWS_SCHEMA.
    met : polars.DataFrame
        ``pattern_id, session_key, first_view_no, before_conversion``; a session may have several rows of a pattern. An
        error before the first view counts on that.
    clients : polars.DataFrame
        ``session_key, converted`` and ALIKE, a row a session.

    Notes
    -----
    In all three, ``session_key`` may be of any one type: it only joins them.
    """
    marked = clients.select("session_key", "converted", *ALIKE)
    kinds = marked.select(ALIKE).unique().with_row_index("kind")
    sessions = marked.with_row_index("session").join(kinds, on=list(ALIKE)).select(
        "session_key", "session", "kind", pl.col("converted").cast(pl.Int64)
    )  # fmt: skip
    rows = views.join(sessions, on="session_key").select(
        "session", "kind", "converted", "route", "view_no", _band().alias("band")
    )
    first = (
        met.filter("before_conversion")
        .group_by("pattern_id", "session_key")
        .agg(pl.col("first_view_no").min().clip(lower_bound=1))
        .join(sessions.select("session_key", "session"), on="session_key")
        .drop("session_key")
    )
    return RiskTally(_named(_count_at_risk(rows), kinds), _named(_count_met(rows, first), kinds, "pattern_id"))


def _band() -> pl.Expr:
    number = pl.col("view_no")
    return pl.lit(pl.Series(BANDS, dtype=pl.Int64)).gather(
        pl.lit(pl.Series(BANDS, dtype=pl.Int64)).search_sorted(number, side="right") - 1
    )


def _count_at_risk(rows: pl.DataFrame) -> pl.DataFrame:
    sized = rows.with_columns(
        pl.len().over("session").cast(pl.Int64).alias("all"),
        pl.len().over("session", "route").cast(pl.Int64).alias("there"),
    )
    return sized.group_by("kind", "route", "band").agg(
        pl.len().cast(pl.Int64).alias("views"),
        pl.col("converted").sum().alias("views_converted"),
        pl.col("all").sum().alias("views_of_sessions"),
        pl.col("there").sum().alias("views_there"),
    )


def _count_met(rows: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    since = first.join(rows, on="session").filter(pl.col("view_no") >= pl.col("first_view_no"))
    meets = pl.col("view_no") == pl.col("first_view_no")
    return since.group_by("pattern_id", "kind", "route", "band").agg(
        meets.sum().cast(pl.Int64).alias("exposed"),
        pl.col("converted").filter(meets).sum().alias("exposed_converted"),
        (~meets).sum().cast(pl.Int64).alias("gone"),
        pl.col("converted").filter(~meets).sum().alias("gone_converted"),
    )


def _named(counts: pl.DataFrame, kinds: pl.DataFrame, *before: str) -> pl.DataFrame:
    keys = (*before, *STRATUM)
    sums = [name for name in counts.columns if name not in {*keys, "kind"}]
    named = counts.with_columns(pl.col("route").cast(pl.String)).join(kinds, on="kind")
    return named.select(*keys, *sums).sort(keys)


def _counted(rows: pl.DataFrame, keys: tuple[str, ...], sums: tuple[str, ...]) -> pl.DataFrame:
    return rows.group_by(keys).agg(pl.col(sums).sum()).sort(keys)
