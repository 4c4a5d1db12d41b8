"""Whom it hit: users, sessions, requests, routes, versions, and what the failing requests have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.statistics import Proportion, cohens_h
from prodintel_lib.markup import Markup, number, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

MAX_VALUES: Final = 30
MIN_COVERAGE: Final = 0.5
MIN_ROWS: Final = 30


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Who and what was affected in the window.

    Attributes
    ----------
    users, sessions, requests : Proportion
        Affected among active; a user or a session is affected by one bad request. Users and sessions count only
        where the source names them (n is 0 where it does not).
    routes, versions : polars.DataFrame
        ``route`` or ``service_version``, ``requests, bad, share, low, high, baseline_share, baseline_requests``;
        most bad requests first.
    attributes : polars.DataFrame
        For each attribute with 2 to 30 values: ``attribute, value, requests, bad, share, low, high, other_share,
        effect``, largest effect (Cohen's h against all other values) first; values seen fewer than 30 times are left
        out.
    """

    window: Window
    users: Proportion
    sessions: Proportion
    requests: Proportion
    routes: pl.DataFrame
    versions: pl.DataFrame
    attributes: pl.DataFrame

    def _repr_html_(self) -> str:
        whom = [
            [text(name), number(part.hits), number(part.n), percent(part.share), _interval(part.low, part.high)]
            for name, part in (("users", self.users), ("sessions", self.sessions), ("requests", self.requests))
            if part.n
        ]
        routes = [
            [
                text(row["route"]),
                number(row["bad"]),
                number(row["requests"]),
                percent(row["share"]),
                _interval(row["low"], row["high"]),
                percent(row["baseline_share"]),
                number(row["baseline_requests"]),
            ]
            for row in self.routes.filter(pl.col("bad") > 0).iter_rows(named=True)
        ]
        return str(
            table(["Who", "Affected", "Active", "Share", "95 % CI"], whom, align="lrrrr")
            + table(
                ["Route", "Bad", "Requests", "Share", "95 % CI", "Share before", "n before"], routes, align="lrrrrrr"
            )
        )


def measure_blast_radius(requests: pl.DataFrame, *, window: Window, baseline: Window) -> BlastRadius:
    """Count who was affected in the window.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests with ``time_us, route, service_version, bad, session_id, user_id, trace_id`` and the flat
        columns of ``context``.
    window, baseline : Window
    """
    during = within(requests, window)
    before = within(requests, baseline)
    return BlastRadius(
        window=window,
        users=_affected(during, "user_id"),
        sessions=_affected(during, "session_id"),
        requests=Proportion.of(int(during["bad"].sum()), during.height),
        routes=_shares(during, before, "route"),
        versions=_shares(during, before, "service_version"),
        attributes=contrast_attributes(during),
    )


def contrast_attributes(requests: pl.DataFrame) -> pl.DataFrame:
    """Compare the share of bad requests of each attribute value with that of all other values.

    Parameters
    ----------
    requests : polars.DataFrame
        ``bad`` and any number of text columns whose names begin with ``context_``.
    """
    total, bad = requests.height, int(requests["bad"].sum()) if requests.height else 0
    rows = []
    for column in requests.columns:
        if not column.startswith("context_"):
            continue
        counts = (
            requests.group_by(column).agg(pl.len().alias("n"), pl.col("bad").sum().alias("hits")).drop_nulls(column)
        )
        if not 2 <= counts.height <= MAX_VALUES or counts["n"].sum() < MIN_COVERAGE * total:
            continue
        for value, n, hits in counts.filter(pl.col("n") >= MIN_ROWS).iter_rows():
            if n == total:
                continue
            part, other = Proportion.of(hits, n), (bad - hits) / (total - n)
            effect = cohens_h(part.share, other)
            name = column.removeprefix("context_")
            rows.append((name, str(value), n, hits, part.share, part.low, part.high, other, effect))
    return pl.DataFrame(rows, schema=_ATTRIBUTE_SCHEMA, orient="row").sort(
        pl.col("effect").abs(), "attribute", "value", descending=[True, False, False]
    )


_ATTRIBUTE_SCHEMA: Final = {
    "attribute": pl.String,
    "value": pl.String,
    "requests": pl.Int64,
    "bad": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "other_share": pl.Float64,
    "effect": pl.Float64,
}


def _affected(requests: pl.DataFrame, key: str) -> Proportion:
    hit = requests.drop_nulls(key).group_by(key).agg(pl.col("bad").any())
    return Proportion.of(int(hit["bad"].sum()), hit.height)


def _shares(during: pl.DataFrame, before: pl.DataFrame, key: str) -> pl.DataFrame:
    counts = during.group_by(key).agg(pl.len().alias("requests"), pl.col("bad").sum().cast(pl.Int64))
    past = before.group_by(key).agg(
        pl.col("bad").mean().alias("baseline_share"), pl.len().cast(pl.Int64).alias("baseline_requests")
    )
    parts = [Proportion.of(hits, n) for n, hits in counts.select("requests", "bad").iter_rows()]
    return (
        counts.with_columns(
            pl.col("requests").cast(pl.Int64),
            pl.Series("share", [part.share for part in parts], dtype=pl.Float64),
            pl.Series("low", [part.low for part in parts], dtype=pl.Float64),
            pl.Series("high", [part.high for part in parts], dtype=pl.Float64),
        )
        .join(past, on=key, how="left")
        .with_columns(pl.col("baseline_requests").fill_null(0))
        .sort("bad", key, descending=[True, False])
    )


def _interval(low: float, high: float) -> Markup:
    return text(f"{100 * low:.1f}-{100 * high:.1f} %")
