"""Front-end errors counted, bucket by bucket: small tables that add up, whatever the size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import PATTERNS_SCHEMA, VALIDATION, name_patterns
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

STRATUM: Final = ("device_type", "entry_route", "region", "browser_name")
"""What sessions are matched on where those with an error are compared with those without. Of the browser, since errors
that keep to one would else be charged with one another's effects."""

_SUMS: Final = ("errors", "sessions", "users", "converted", "hits", "exposed", "exposed_converted")


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
    hit_strata : polars.DataFrame
        ``pattern_id, route``, STRATUM, ``exposed, exposed_converted``: sessions that met a pattern before they
        converted, if they did.
    strata : polars.DataFrame
        ``route``, STRATUM, ``sessions, converted``.
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
    hit_strata: pl.DataFrame
    strata: pl.DataFrame
    hit_hours: pl.DataFrame
    hours: pl.DataFrame
    sessions: int
    users: int
    has_conversions: bool

    def __add__(self, other: ErrorTally) -> ErrorTally:
        return ErrorTally(
            patterns=_merge_patterns(self.patterns, other.patterns),
            pages=_added(self.pages, other.pages),
            hits=_added(self.hits, other.hits),
            visits=_added(self.visits, other.visits),
            hit_strata=_added(self.hit_strata, other.hit_strata),
            strata=_added(self.strata, other.strata),
            hit_hours=_added(self.hit_hours, other.hit_hours),
            hours=_added(self.hours, other.hours),
            sessions=self.sessions + other.sessions,
            users=self.users + other.users,
            has_conversions=self.has_conversions or other.has_conversions,
        )


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
    clients = _clients(sessions)
    named, patterns = _name(errors, private)
    met = _with_anywhere(named.join(clients, on="session_key"))
    been = _with_anywhere(visits.join(clients, on="session_key"))
    met_once = met.group_by("pattern_id", "route", "session_key", *CLIENT, "entry_route", "converted").agg(
        pl.col("before_conversion").any()
    )
    been_once = been.unique(["route", "session_key"])
    exposed = met_once.filter(pl.col("before_conversion"))
    of_session, converted = pl.len().cast(pl.Int64), pl.col("converted").sum().cast(pl.Int64)
    return ErrorTally(
        patterns=_count_patterns(named.join(clients.select("session_key", "visitor_id"), on="session_key"), patterns),
        pages=_count_pages(met),
        hits=_in_order(met_once.group_by("pattern_id", "route", *CLIENT).agg(of_session.alias("sessions"))),
        visits=_in_order(been_once.group_by("route", *CLIENT).agg(of_session.alias("sessions"))),
        hit_strata=_in_order(
            exposed.group_by("pattern_id", "route", *STRATUM).agg(
                of_session.alias("exposed"), converted.alias("exposed_converted")
            )
        ),
        strata=_in_order(
            been_once.group_by("route", *STRATUM).agg(of_session.alias("sessions"), converted.alias("converted"))
        ),
        hit_hours=_count_hours(pl.concat([met, _any_defect(met, patterns)])),
        hours=_in_order(
            been.group_by("route", "hour_local", "region").agg(
                pl.col("session_key").n_unique().cast(pl.Int64).alias("sessions")
            )
        ),
        sessions=sessions.height,
        users=sessions["visitor_id"].n_unique(),
        has_conversions=bool(conversions),
    )


def add_tallies(parts: Iterable[ErrorTally]) -> ErrorTally:
    """Add up the tallies of parts of the data that have no visitor in common; there must be one at least."""
    return reduce(lambda left, right: left + right, parts)


def _clients(sessions: pl.DataFrame) -> pl.DataFrame:
    """Return one row a session: who it was, where it began, whether it converted, and CLIENT, empty where unknown."""
    short = pl.col("browser_version").str.extract(r"^([0-9]+(?:\.[0-9]+)?)", 1)
    return sessions.select(
        "session_key",
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
        pl.col("session_key").n_unique().cast(pl.Int64).alias("sessions"),
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
        pl.col("errors").sum(), pl.col("session_key").n_unique().cast(pl.Int64).alias("sessions")
    )
    return _in_order(counted)


def _any_defect(met: pl.DataFrame, patterns: pl.DataFrame) -> pl.DataFrame:
    defects = patterns.filter(pl.col("kind") != VALIDATION)["pattern_id"]
    anywhere = met.filter((pl.col("route") == ANYWHERE) & pl.col("pattern_id").is_in(defects.implode()))
    return anywhere.with_columns(pl.lit(ANY_DEFECT).alias("pattern_id"))


def _count_hours(met: pl.DataFrame) -> pl.DataFrame:
    counted = met.group_by("pattern_id", "route", "hour_local", "region").agg(
        pl.col("errors").sum(), pl.col("session_key").n_unique().cast(pl.Int64).alias("hits")
    )
    return _in_order(counted)


def _with_anywhere(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, rows.with_columns(pl.lit(ANYWHERE).alias("route"))])


def _merge_patterns(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    both = pl.concat([left, right])
    counts = both.group_by("pattern_id").agg(
        pl.col("errors", "sessions", "users").sum(), pl.col("first_us").min(), pl.col("last_us").max()
    )
    return _one_each(both.select(PATTERNS_SCHEMA.keys())).join(counts, on="pattern_id").sort("pattern_id")


def _added(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    sums = [name for name in left.columns if name in _SUMS]
    return _in_order(pl.concat([left, right]).group_by(_keys(left)).agg(pl.col(sums).sum()))


def _in_order(counts: pl.DataFrame) -> pl.DataFrame:
    """Sort by what is counted, so that the same data gives the same rows in whatever parts it came."""
    return counts.sort(_keys(counts))


def _keys(counts: pl.DataFrame) -> list[str]:
    return [name for name in counts.columns if name not in _SUMS]
