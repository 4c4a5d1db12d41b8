"""Front-end errors counted, bucket by bucket: small tables that add up, whatever the size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import PATTERNS_SCHEMA, VALIDATION, name_patterns
from prodintel_lib.analyses.frontend_errors.risk_sets import RiskTally, add_risks, tally_risks
from prodintel_lib.analyses.regions import region_label
from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_errors import (
    ERROR_TEXTS,
    PAGE_VISITS_KEYS,
    PAGE_VISITS_SCHEMA,
    SESSION_ERRORS_KEYS,
    SESSION_ERRORS_SCHEMA,
    build_page_visits,
    build_session_errors,
)
from prodintel_lib.rollups.rum_views import PAGE_VIEWS_KEYS, PAGE_VIEWS_SCHEMA, build_page_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import narwhals as nw

    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

ANYWHERE: Final = "*"
"""The page of rows that count sessions wherever they were."""

ANY_DEFECT: Final = "*"
"""The pattern of rows that count sessions with any error but those of form validation."""

CLIENT: Final = (
    "device_type", "os_name", "browser_name", "browser_version", "country", "region", "service_version",
    "browser_language", "network_type", "user_is_new",
)  # fmt: skip
"""What is known of a session's client, and may be what an error keeps to. A version has its browser's name before it,
and two of its numbers."""

_SUMS: Final = ("errors", "sessions", "users", "hits")


@dataclass(frozen=True, slots=True)
class ErrorTally:
    """Counts of errors and of who could have met them; those of disjoint visitors add up.

    Attributes
    ----------
    patterns : polars.DataFrame
        PATTERNS_SCHEMA and ``errors, sessions, users, first_us, last_us``.
    pages : polars.DataFrame
        ``pattern_id, route, errors, sessions``.
    hits : polars.DataFrame
        ``pattern_id, route``, CLIENT, ``sessions``: sessions that met a pattern on a page, and ANYWHERE.
    visits : polars.DataFrame
        ``route``, CLIENT, ``sessions``: sessions that were on a page, and ANYWHERE.
    risks : RiskTally
        Who could have met a pattern when somebody did, and who converted afterwards.
    hit_hours : polars.DataFrame
        ``pattern_id, route, hour_local, region, errors, hits``: sessions by the local hours in which they met it, and
        ANY_DEFECT anywhere.
    hours : polars.DataFrame
        ``route, hour_local, region, sessions``: sessions by the local hours in which they were on a page.
    sessions, users : int
        All there were.
    has_conversions : bool
        Whether a conversion is named at all.
    """

    patterns: pl.DataFrame
    pages: pl.DataFrame
    hits: pl.DataFrame
    visits: pl.DataFrame
    risks: RiskTally
    hit_hours: pl.DataFrame
    hours: pl.DataFrame
    sessions: int
    users: int
    has_conversions: bool

    def __add__(self, other: ErrorTally) -> ErrorTally:
        return add_tallies([self, other])


@dataclass(frozen=True, slots=True)
class ErrorRows:
    """What errors are counted from, of one part of the data; ``session_no`` is the row of the session.

    Attributes
    ----------
    errors : polars.DataFrame
        Columns of rollups.rum_errors.SESSION_ERRORS_SCHEMA with ``session_no`` for the key.
    visits : polars.DataFrame
        Those of rum_errors.PAGE_VISITS_SCHEMA.
    views : polars.DataFrame
        Those of rum_views.PAGE_VIEWS_SCHEMA. In all three ``route`` may be Categorical.
    """

    errors: pl.DataFrame
    visits: pl.DataFrame
    views: pl.DataFrame


def tally_errors(
    session_events: nw.LazyFrame[Any],
    sessions: pl.DataFrame,
    *,
    conversions: Sequence[str],
    private: Pseudonymiser,
) -> ErrorTally:
    """Count the errors of one part of the data: of a bucket of visitors, or of all.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rollups.rum_sessions.build_session_events makes it; whole visitors.
    sessions : polars.DataFrame
        Its sessions, as rollups.rum_sessions.build_sessions makes them.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for.
    private : Pseudonymiser
        What errors say passes it before patterns are made.
    """
    errors = collect(
        build_session_errors(session_events, conversions=conversions),
        schema=SESSION_ERRORS_SCHEMA,
        sort_by=SESSION_ERRORS_KEYS,
    )
    visits = collect(build_page_visits(session_events), schema=PAGE_VISITS_SCHEMA, sort_by=PAGE_VISITS_KEYS)
    views = collect(
        build_page_views(session_events, conversions=conversions), schema=PAGE_VIEWS_SCHEMA, sort_by=PAGE_VIEWS_KEYS
    )
    rows = ErrorRows(*(number_sessions(frame, sessions) for frame in (errors, visits, views)))
    return count_errors(rows, sessions, has_conversions=bool(conversions), private=private)


def number_sessions(rows: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Replace the key of rows' sessions, ``session_key``, by the number of its row in `sessions`, ``session_no``."""
    numbers = sessions.select("session_key", pl.int_range(pl.len(), dtype=pl.Int64).alias("session_no"))
    return rows.join(numbers, on="session_key", maintain_order="left").drop("session_key")


def count_errors(
    rows: ErrorRows, sessions: pl.DataFrame, *, has_conversions: bool, private: Pseudonymiser
) -> ErrorTally:
    """Count the errors of one part of the data.

    Parameters
    ----------
    rows : ErrorRows
    sessions : polars.DataFrame
        Columns of rollups.rum_sessions.SESSIONS_SCHEMA: row 0 is what ``session_no`` 0 means.
    has_conversions : bool
        Whether a conversion is named at all.
    private : Pseudonymiser
        What errors say passes it before patterns are made.
    """
    clients = _clients(sessions)
    named, patterns = _name(rows.errors.with_columns(pl.col("route").cast(pl.String)), private)
    met = _with_anywhere(_facts(named, clients))
    met_once = met.unique(["pattern_id", "route", "session_no"])
    of_session = pl.len().cast(pl.Int64).alias("sessions")
    return ErrorTally(
        patterns=_count_patterns(_facts(named, clients), patterns),
        pages=_count_pages(met),
        hits=_in_order(met_once.group_by("pattern_id", "route", *CLIENT).agg(of_session)),
        visits=_count_visits(rows.visits, clients),
        risks=tally_risks(*(frame.rename({"session_no": "session_key"}) for frame in (rows.views, named, clients))),
        hit_hours=_count_hours(pl.concat([met, _any_defect(met, patterns)])),
        hours=_count_hours_there(rows.visits, clients),
        sessions=sessions.height,
        users=sessions["visitor_id"].n_unique(),
        has_conversions=has_conversions,
    )


def _facts(rows: pl.DataFrame, clients: pl.DataFrame) -> pl.DataFrame:
    """Add what is known of the rows' sessions."""
    return rows.hstack(clients.drop("session_no").select(pl.all().gather(rows["session_no"])))


def _count_visits(visits: pl.DataFrame, clients: pl.DataFrame) -> pl.DataFrame:
    """Count the sessions that were on each page, and of all, by CLIENT."""
    # Ten texts are compared once a session, not once a visit.
    kinds = clients.select(CLIENT).unique(maintain_order=True).with_row_index("kind")
    kind = clients.select(CLIENT).join(kinds, on=list(CLIENT), how="left", maintain_order="left")["kind"]
    on_page = visits.select("session_no", "route").unique()
    of_session = pl.len().cast(pl.Int64).alias("sessions")
    by_page = on_page.with_columns(kind.gather(on_page["session_no"])).group_by("route", "kind").agg(of_session)
    anywhere = kind.to_frame().group_by("kind").agg(of_session).with_columns(pl.lit(ANYWHERE).alias("route"))
    counted = pl.concat([by_page.with_columns(pl.col("route").cast(pl.String)), anywhere.select(by_page.columns)])
    return _in_order(counted.join(kinds, on="kind").select("route", *CLIENT, "sessions"))


def _count_hours_there(visits: pl.DataFrame, clients: pl.DataFrame) -> pl.DataFrame:
    """Count the sessions by the local hours in which they were on each page, and anywhere, and by region."""
    of_session = pl.len().cast(pl.Int64).alias("sessions")
    region = clients["region"]
    by_page = visits.with_columns(region.gather(visits["session_no"])).group_by("route", "hour_local", "region").agg(
        of_session
    )  # fmt: skip
    hours = visits.select("session_no", "hour_local").unique()
    anywhere = hours.with_columns(region.gather(hours["session_no"])).group_by("hour_local", "region").agg(of_session)
    everywhere = anywhere.select(pl.lit(ANYWHERE).alias("route"), "hour_local", "region", "sessions")
    return _in_order(pl.concat([by_page.with_columns(pl.col("route").cast(pl.String)), everywhere]))


def add_tallies(parts: Iterable[ErrorTally]) -> ErrorTally:
    """Add up the tallies of parts of the data that have no visitor in common; there must be one at least."""
    every = list(parts)
    summed = {
        name: _added([getattr(tally, name) for tally in every])
        for name in ("pages", "hits", "visits", "hit_hours", "hours")
    }
    return ErrorTally(
        patterns=_merge_patterns([tally.patterns for tally in every]),
        risks=add_risks([tally.risks for tally in every]),
        sessions=sum(tally.sessions for tally in every),
        users=sum(tally.users for tally in every),
        has_conversions=any(tally.has_conversions for tally in every),
        **summed,
    )


def _clients(sessions: pl.DataFrame) -> pl.DataFrame:
    """Return one row a session: who it was, where it began, whether it converted, and CLIENT, empty where unknown."""
    short = pl.col("browser_version").str.extract(r"^([0-9]+(?:\.[0-9]+)?)", 1)
    return sessions.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("session_no"),
        "visitor_id",
        pl.col("entry_route").fill_null(""),
        pl.col("converted").fill_null(value=False),
        pl.col("geo_country_iso_code").fill_null("").alias("country"),
        region_label().alias("region"),
        (pl.col("browser_name") + " " + short).fill_null("").alias("browser_version"),
        pl.when("user_is_new").then(pl.lit("new")).when(~pl.col("user_is_new")).then(pl.lit("returning"))
        .otherwise(pl.lit("")).alias("user_is_new"),
        *(pl.col(name).fill_null("") for name in
          ("device_type", "os_name", "browser_name", "service_version", "browser_language", "network_type")),
    )  # fmt: skip


def _name(errors: pl.DataFrame, private: Pseudonymiser) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the errors with their ``pattern_id``, and what each of the patterns is."""
    definitions = errors.select(ERROR_TEXTS).unique(maintain_order=True).with_row_index("definition")
    names = name_patterns(private.frame(definitions.drop("definition")))
    ids = definitions.with_columns(names["pattern_id"]).select(*ERROR_TEXTS, "pattern_id")
    named = errors.join(ids, on=list(ERROR_TEXTS), how="left", maintain_order="left").drop(ERROR_TEXTS)
    return named, names.select(PATTERNS_SCHEMA.keys())


def _count_patterns(named: pl.DataFrame, patterns: pl.DataFrame) -> pl.DataFrame:
    counts = named.group_by("pattern_id").agg(
        pl.col("errors").sum(),
        pl.col("session_no").n_unique().cast(pl.Int64).alias("sessions"),
        pl.col("visitor_id").n_unique().cast(pl.Int64).alias("users"),
        pl.col("first_us").min(),
        pl.col("last_us").max(),
    )
    return _one_each(patterns).join(counts, on="pattern_id").sort("pattern_id")


def _one_each(patterns: pl.DataFrame) -> pl.DataFrame:
    """Return one row a pattern; of the ways in which engines word it, the first by the alphabet stands for all."""
    texts = [name for name in PATTERNS_SCHEMA if name != "pattern_id"]
    return patterns.sort("pattern_id", *texts).unique("pattern_id", keep="first", maintain_order=True)


def _count_pages(met: pl.DataFrame) -> pl.DataFrame:
    counted = met.group_by("pattern_id", "route").agg(
        pl.col("errors").sum(), pl.col("session_no").n_unique().cast(pl.Int64).alias("sessions")
    )
    return _in_order(counted)


def _any_defect(met: pl.DataFrame, patterns: pl.DataFrame) -> pl.DataFrame:
    defects = patterns.filter(pl.col("kind") != VALIDATION)["pattern_id"]
    anywhere = met.filter((pl.col("route") == ANYWHERE) & pl.col("pattern_id").is_in(defects.implode()))
    return anywhere.with_columns(pl.lit(ANY_DEFECT).alias("pattern_id"))


def _count_hours(met: pl.DataFrame) -> pl.DataFrame:
    counted = met.group_by("pattern_id", "route", "hour_local", "region").agg(
        pl.col("errors").sum(), pl.col("session_no").n_unique().cast(pl.Int64).alias("hits")
    )
    return _in_order(counted)


def _with_anywhere(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, rows.with_columns(pl.lit(ANYWHERE).alias("route"))])


def _merge_patterns(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat(parts)
    counts = every.group_by("pattern_id").agg(
        pl.col("errors", "sessions", "users").sum(), pl.col("first_us").min(), pl.col("last_us").max()
    )
    return _one_each(every.select(PATTERNS_SCHEMA.keys())).join(counts, on="pattern_id").sort("pattern_id")


def _added(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat(parts)
    sums = [name for name in every.columns if name in _SUMS]
    return _in_order(every.group_by(_keys(every)).agg(pl.col(sums).sum()))


def _in_order(counts: pl.DataFrame) -> pl.DataFrame:
    """Sort by what is counted, so that the same data gives the same rows in whatever parts it came."""
    return counts.sort(_keys(counts))


def _keys(counts: pl.DataFrame) -> list[str]:
    return [name for name in counts.columns if name not in _SUMS]
