"""Whom it hit: users, sessions, requests, routes, versions, and what the failing requests have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.statistics import Proportion, cliffs_delta, cohens_h
from prodintel_lib.markup import Markup, four_digits, number, paragraph, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.windows import Window

MAX_VALUES: Final = 30
MIN_COVERAGE: Final = 0.5
MIN_ROWS: Final = 30
SMALL_EFFECT: Final = 0.2
MAX_CONTRASTS: Final = 6


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Who and what was affected in the window.

    Attributes
    ----------
    users, sessions, requests : Proportion
        Affected among active; a user or a session is affected by one bad request. Users and sessions count only
        where the source names them (n is 0 where it does not).
    routes : polars.DataFrame
        ``route, requests, bad, share, low, high, baseline_share, baseline_requests``; most bad requests first.
    versions : polars.DataFrame
        The same for ``version``: requests that passed through each service's version, where a service that called
        something had more than one.
    attributes : polars.DataFrame
        For each attribute with 2 to 30 values: ``attribute, value, requests, bad, share, low, high, other_share,
        effect``, largest effect (Cohen's h against all other values) first; values seen fewer than 30 times are left
        out.
    numbers : polars.DataFrame
        For each numeric attribute: ``attribute, bad_median, good_median, bad_n, good_n, effect`` (Cliff's delta),
        largest effect first.
    """

    window: Window
    users: Proportion
    sessions: Proportion
    requests: Proportion
    routes: pl.DataFrame
    versions: pl.DataFrame
    attributes: pl.DataFrame
    numbers: pl.DataFrame

    def _repr_html_(self) -> str:
        whom = [
            [text(name), number(part.hits), number(part.n), percent(part.share), _interval(part.low, part.high)]
            for name, part in (("users", self.users), ("sessions", self.sessions), ("requests", self.requests))
            if part.n
        ]
        if not whom:
            return str(paragraph("No request was recorded in the window, so nobody can be counted."))
        return str(
            table(["Who", "Affected", "Active", "Share", "95 % CI"], whom, align="lrrrr")
            + _share_table("Route", "route", self.routes.filter(pl.col("bad") > 0))
            + _share_table("Requests through", "version", self.versions)
            + self._contrasts()
        )

    def _contrasts(self) -> Markup:
        """Say what sets the bad requests apart, or that nothing does."""
        words = self.attributes.filter(pl.col("effect").abs() >= SMALL_EFFECT).head(MAX_CONTRASTS)
        figures = self.numbers.filter(pl.col("effect").abs() >= SMALL_EFFECT).head(MAX_CONTRASTS)
        measured = self.attributes["attribute"].n_unique() + self.numbers.height
        if words.is_empty() and figures.is_empty():
            return paragraph(
                f"No attribute sets the bad requests apart ({measured} compared, none with a small effect)."
            )
        rows = [
            [
                text(f"{row['attribute']} = {row['value']}"),
                text(f"{percent(row['share'])} bad (n {row['requests']:,})"),
                text(f"{percent(row['other_share'])} of all others"),
                text(f"{row['effect']:+.2f} h"),
            ]
            for row in words.iter_rows(named=True)
        ] + [
            [
                text(row["attribute"]),
                text(f"median {four_digits(row['bad_median'])} (bad, n {row['bad_n']:,})"),
                text(f"median {four_digits(row['good_median'])} (good, n {row['good_n']:,})"),
                text(f"{row['effect']:+.2f} δ"),
            ]
            for row in figures.iter_rows(named=True)
        ]
        return table(["Attribute", "Here", "Elsewhere", "Effect"], rows, align="lrrr", caption=f"{measured} compared.")


def measure_blast_radius(
    requests: pl.DataFrame, *, window: Window, baseline: Window, calls: pl.DataFrame | None = None
) -> BlastRadius:
    """Count who was affected in the window.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests with ``time_us, route, service_version, bad, session_id, user_id, trace_id`` and the flat
        columns ``context_*`` and ``number_*``.
    window, baseline : Window
    calls : polars.DataFrame, optional
        Calls of dependencies: ``trace_id, caller, caller_version``; they tell which version a request passed through.
    """
    during = within(requests, window)
    before = within(requests, baseline)
    return BlastRadius(
        window=window,
        users=_affected(during, "user_id"),
        sessions=_affected(during, "session_id"),
        requests=Proportion.of(int(during["bad"].sum()), during.height),
        routes=_shares(during, before, "route"),
        versions=_version_shares(during, before, calls),
        attributes=contrast_attributes(during),
        numbers=contrast_numbers(during),
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


def contrast_numbers(requests: pl.DataFrame) -> pl.DataFrame:
    """Compare numeric attributes of bad requests with those of good ones.

    Parameters
    ----------
    requests : polars.DataFrame
        ``bad`` and any number of columns whose names begin with ``number_``.
    """
    rows = []
    for column in (name for name in requests.columns if name.startswith("number_")):
        bad = requests.filter(pl.col("bad"))[column].drop_nulls()
        good = requests.filter(~pl.col("bad"))[column].drop_nulls()
        if len(bad) >= MIN_ROWS and len(good) >= MIN_ROWS:
            effect = cliffs_delta(bad.to_numpy(), good.to_numpy())
            rows.append((column.removeprefix("number_"), bad.median(), good.median(), len(bad), len(good), effect))
    return pl.DataFrame(rows, schema=_NUMBER_SCHEMA, orient="row").sort(
        pl.col("effect").abs(), "attribute", descending=[True, False]
    )


_NUMBER_SCHEMA: Final = {
    "attribute": pl.String,
    "bad_median": pl.Float64,
    "good_median": pl.Float64,
    "bad_n": pl.Int64,
    "good_n": pl.Int64,
    "effect": pl.Float64,
}


def _version_shares(during: pl.DataFrame, before: pl.DataFrame, calls: pl.DataFrame | None) -> pl.DataFrame:
    """Count the requests that passed through each version of the services that had more than one."""
    if calls is None:
        return _shares(
            during.clear().with_columns(version=pl.lit("")), before.with_columns(version=pl.lit("")), "version"
        )
    passed = (
        calls.drop_nulls("caller_version")
        .filter(pl.col("caller_version").n_unique().over("caller") > 1)
        .select("trace_id", pl.concat_str("caller", "caller_version", separator=" ").alias("version"))
        .unique()
    )
    return _shares(during.join(passed, on="trace_id"), before.join(passed, on="trace_id"), "version")


def _share_table(title: str, key: str, frame: pl.DataFrame) -> Markup:
    if frame.is_empty():
        return Markup("")
    rows = [
        [
            text(row[key]),
            number(row["bad"]),
            number(row["requests"]),
            percent(row["share"]),
            _interval(row["low"], row["high"]),
            percent(row["baseline_share"]),
            number(row["baseline_requests"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    headers = [title, "Bad", "Requests", "Share", "95 % CI", "Share before", "n before"]
    return table(headers, rows, align="lrrrrrr")


def _affected(requests: pl.DataFrame, key: str) -> Proportion:
    hit = requests.drop_nulls(key).group_by(key).agg(pl.col("bad").any())
    return Proportion.of(int(hit["bad"].sum()), hit.height)


def _shares(during: pl.DataFrame, before: pl.DataFrame, key: str) -> pl.DataFrame:
    counts = during.group_by(key).agg(pl.len().cast(pl.Int64).alias("requests"), pl.col("bad").sum().cast(pl.Int64))
    past = before.group_by(key).agg(
        pl.col("bad").mean().alias("baseline_share"), pl.len().cast(pl.Int64).alias("baseline_requests")
    )
    both = counts.join(past, on=key, how="full", coalesce=True).with_columns(
        pl.col("requests", "bad", "baseline_requests").fill_null(0)
    )
    parts = [Proportion.of(hits, n) for n, hits in both.select("requests", "bad").iter_rows()]
    shares = [
        pl.Series(name, [getattr(part, name) for part in parts], dtype=pl.Float64) for name in ("share", "low", "high")
    ]
    columns = [key, "requests", "bad", "share", "low", "high", "baseline_share", "baseline_requests"]
    return both.with_columns(shares).select(columns).sort("bad", key, descending=[True, False])


def _interval(low: float, high: float) -> Markup:
    return text(f"{100 * low:.1f}-{100 * high:.1f} %")
