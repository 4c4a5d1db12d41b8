"""From counts to findings: whom each pattern hits, when, what it costs, what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.homes import at_home, find_homes, visits_of
from prodintel_lib.analyses.frontend_errors.hours import HourPattern, find_hour_pattern
from prodintel_lib.analyses.frontend_errors.impact import measure_impact
from prodintel_lib.analyses.frontend_errors.judgement import Facts, classify, prioritise
from prodintel_lib.analyses.frontend_errors.model import FrontEndErrors
from prodintel_lib.analyses.frontend_errors.places import compare_everywhere, find_places, localise_patterns
from prodintel_lib.analyses.frontend_errors.tally import ANY_DEFECT, ANYWHERE, ErrorTally
from prodintel_lib.analyses.statistics import Proportion, adjust_for_many

if TYPE_CHECKING:
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

MIN_SESSIONS: Final = 30
MAX_LOCALISED: Final = 12
_UNKNOWN_HOUR: Final = -1
_RANK: Final = {"high": 0, "medium": 1, "low": 2}


def assess_errors(
    tally: ErrorTally, *, private: Pseudonymiser, min_sessions: int = MIN_SESSIONS, max_localised: int = MAX_LOCALISED
) -> FrontEndErrors:
    """Say of each pattern of front-end errors whom it hits, when, what it costs, what it is, and how urgent.

    Parameters
    ----------
    tally : ErrorTally
        Of the whole window: tally.tally_errors, added up over its parts.
    private : Pseudonymiser
        Pages may be named by a person's data.
    min_sessions : int
        Patterns met in fewer sessions are rare: shown, not ranked, and not said to keep to a place.
    max_localised : int
        For how many patterns, those with the most sessions first, combinations of attributes are searched.

    Returns
    -------
    FrontEndErrors

    Notes
    -----
    How often a pattern is met is of the sessions that were on its page: who never came there could not meet it. What it
    costs in conversion is the difference, at the page view on which sessions first met it, to sessions that were on
    the same page after as many views and had not met it (impact.measure_impact); a loss is one whose interval is below
    0 and whose q value, over all patterns that are not rare, is at most MAX_Q. Within a page view, who stays longer
    still has more time to meet it: that hides losses, and makes none up.
    """
    homes = find_homes(tally)
    parts = compare_everywhere(tally, homes, min_sessions)
    hours = _hours(tally, homes)
    impact = measure_impact(tally.risks, homes)
    located = localise_patterns(tally, homes, min_sessions=min_sessions, most=max_localised)
    times = {
        key: _hour_pattern(hours.filter(pl.col("pattern_id") == key))
        for key in homes.filter(pl.col("sessions") >= min_sessions)["pattern_id"]
    }
    facts = homes.join(_corrected(impact, homes, min_sessions), on="pattern_id", how="left").join(
        find_places(homes, parts, located), on="pattern_id", how="left"
    )
    patterns = _judged(facts, min_sessions, has_conversions=tally.has_conversions).join(
        _spoken(times), on="pattern_id", how="left"
    )
    keep = {"pattern_id": "keep", "time_of_day": "keep"}
    return FrontEndErrors(
        patterns=private.frame(_ranked(patterns), columns=keep),
        parts=parts,
        pages=private.frame(tally.pages.filter(pl.col("route") != ANYWHERE), columns=keep),
        hours=hours,
        time_of_day=times,
        localisations=located,
        sessions=tally.sessions,
        users=tally.users,
        min_sessions=min_sessions,
        has_conversions=tally.has_conversions,
    )


def _hours(tally: ErrorTally, homes: pl.DataFrame) -> pl.DataFrame:
    everything = homes.select("pattern_id", "home").vstack(
        pl.DataFrame({"pattern_id": [ANY_DEFECT], "home": [ANYWHERE]})
    )
    keys = ["pattern_id", "hour_local", "region"]
    hits = at_home(tally.hit_hours, everything).select(*keys, "errors", "hits")
    return (
        visits_of(tally.hours, everything)
        .join(hits, on=keys, how="left")
        .select(*keys, pl.col("errors", "hits").fill_null(0), "sessions")
        .sort(keys)
    )


def _hour_pattern(hours: pl.DataFrame) -> HourPattern:
    known = hours.filter(pl.col("hour_local") != _UNKNOWN_HOUR)
    return find_hour_pattern(known, unknown=int(hours["hits"].sum()) - int(known["hits"].sum()))


def _corrected(impact: pl.DataFrame, homes: pl.DataFrame, min_sessions: int) -> pl.DataFrame:
    """Add ``impact_q``: the comparisons of patterns that are not rare are corrected for one another."""
    ranked = homes.filter(pl.col("sessions") >= min_sessions).select("pattern_id")
    tested = impact.join(ranked, on="pattern_id", how="semi", maintain_order="left").drop_nulls("p_value")
    q_values = pl.Series(adjust_for_many(tested["p_value"].to_list()), dtype=pl.Float64)
    corrected = tested.select("pattern_id", q_values.alias("impact_q"))
    return impact.join(corrected, on="pattern_id", how="left", maintain_order="left")


def _spoken(times: dict[str, HourPattern]) -> pl.DataFrame:
    """Return ``pattern_id, time_of_day, time_q``: the tests of many patterns are corrected for one another."""
    tested = {key: time.p_value for key, time in times.items() if time.p_value is not None}
    q_values = dict(zip(tested, adjust_for_many(list(tested.values())), strict=True))
    rows = [(key, str(time), q_values.get(key)) for key, time in times.items()]
    schema = {"pattern_id": pl.String, "time_of_day": pl.String, "time_q": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _judged(facts: pl.DataFrame, min_sessions: int, *, has_conversions: bool) -> pl.DataFrame:
    rows = []
    for row in facts.iter_rows(named=True):
        difference = row["difference"] if has_conversions else None
        share = Proportion.of(row["met"], row["visits"])
        known = Facts(
            kind=row["kind"],
            error_type=row["error_type"],
            frame=row["frame"],
            errors=row["errors"],
            users=row["users"],
            sessions=row["sessions"],
            session_share_low=share.low,
            is_rare=row["sessions"] < min_sessions,
            place=row["place"] or "",
            difference=difference,
            low=row["low"] if has_conversions else None,
            high=row["high"] if has_conversions else None,
            q_value=row["impact_q"] if has_conversions else None,
            exposed=row["exposed"] or 0,
        )
        kind, reason = classify(known)
        priority, priority_reason = prioritise(kind, known)
        rows.append((row["pattern_id"], kind, reason, priority, priority_reason, known.is_rare, share.share, share.low,
                     share.high, known.lost_conversions))  # fmt: skip
    judged = pl.DataFrame(rows, schema=_JUDGED, orient="row")
    impact = {"exposed_share": "converted_with", "unexposed_share": "converted_without", "low": "difference_low",
              "high": "difference_high", "matched_exposed": "matched_with", "matched_unexposed": "matched_without",
              "unmatched_exposed": "unmatched"}  # fmt: skip
    of_conversions = (
        "converted_with",
        "converted_without",
        "difference",
        "difference_low",
        "difference_high",
        "impact_q",
    )
    measured = facts.rename(impact).with_columns(
        pl.when(has_conversions).then(pl.col(name)).alias(name) for name in of_conversions
    )
    return measured.join(judged, on="pattern_id").rename({"home": "page"})


_JUDGED: Final = {
    "pattern_id": pl.String,
    "class": pl.String,
    "reason": pl.String,
    "priority": pl.String,
    "priority_reason": pl.String,
    "is_rare": pl.Boolean,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "lost_conversions": pl.Float64,
}


def _ranked(patterns: pl.DataFrame) -> pl.DataFrame:
    ratio = (pl.col("errors") / pl.col("users")).alias("errors_per_user")
    rank = pl.col("priority").replace_strict(_RANK, return_dtype=pl.Int64)
    lost = pl.col("lost_conversions").fill_null(0.0)
    return patterns.with_columns(ratio, pl.col("time_of_day").fill_null("too few to say")).sort(
        "is_rare", rank, lost, "sessions", "pattern_id", descending=[False, False, True, True, False]
    ).select(_PATTERNS)  # fmt: skip


_PATTERNS: Final = (
    "pattern_id", "class", "reason", "priority", "priority_reason", "is_rare", "kind", "error_type", "message", "frame",
    "field", "example", "errors", "users", "sessions", "errors_per_user", "page", "visits", "share", "low", "high",
    "place", "first_us", "last_us", "converted_with", "converted_without", "difference", "difference_low",
    "difference_high", "impact_q", "matched_on", "matched_with", "matched_without", "unmatched", "lost_conversions",
    "time_of_day", "time_q",
)  # fmt: skip
