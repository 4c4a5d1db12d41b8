"""The places a pattern keeps to: values of one attribute, or combinations of several, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.concentration import (
    MIN_COVERAGE,
    MIN_RATIO,
    PARTS_SCHEMA,
    compare_sums,
    find_concentrations,
    sum_parts,
)
from prodintel_lib.analyses.frontend_errors.homes import at_home, visits_of
from prodintel_lib.analyses.frontend_errors.patterns import VALIDATION
from prodintel_lib.analyses.frontend_errors.tally import CLIENT
from prodintel_lib.analyses.localisation import Localisation, localise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.frontend_errors.tally import ErrorTally
    from prodintel_lib.analyses.localisation import Cause

# Newcomers fill in forms for the first time, and phones have small keys: that they are refused more often is no defect.
_TELLING_OF_VALIDATION: Final = ("os_name", "browser_name", "browser_version", "country", "region", "service_version")


def compare_everywhere(tally: ErrorTally, homes: pl.DataFrame, min_sessions: int) -> pl.DataFrame:
    """Compare the parts of the traffic pattern by pattern, each with the visits of the page it belongs to."""
    if homes.is_empty():
        return pl.DataFrame(schema=PARTS_SCHEMA)
    # Many patterns belong to one page: its visits are a large table, and summed up once.
    there = sum_parts(tally.visits.rename({"route": "home"}), by="home")
    visits = homes.select("pattern_id", "home").join(there, on="home").drop("home")
    compared = compare_sums(sum_parts(at_home(tally.hits, homes)), visits)
    rare = homes.filter(pl.col("sessions") < min_sessions)["pattern_id"].implode()
    return compared.with_columns(pl.col("is_raised") & ~pl.col("pattern_id").is_in(rare))


def localise_patterns(
    tally: ErrorTally, homes: pl.DataFrame, *, min_sessions: int, most: int
) -> dict[str, Localisation]:
    """Search for the combinations of attributes that explain the patterns with the most sessions."""
    chosen = homes.filter(pl.col("met") >= min_sessions).sort(
        "sessions", "pattern_id", descending=[True, False]
    ).head(most)  # fmt: skip
    found = {}
    for row in chosen.iter_rows(named=True):
        one = homes.filter(pl.col("pattern_id") == row["pattern_id"])
        visits = visits_of(tally.visits, one).drop("pattern_id", "home")
        hits = at_home(tally.hits, one).drop("pattern_id", "home").rename({"sessions": "bad"})
        cells = visits.join(hits, on=list(CLIENT), how="left").with_columns(
            pl.col("bad").fill_null(0), pl.col(CLIENT).replace("", None)
        )
        told = _TELLING_OF_VALIDATION if row["kind"] == VALIDATION else CLIENT
        dimensions = [name for name in told if cells[name].drop_nulls().n_unique() > 1]
        if "country" in dimensions and cells["country"].equals(cells["region"]):
            dimensions.remove("region")
        if dimensions:
            found[row["pattern_id"]] = localise(cells, dimensions=dimensions, bad="bad", total="sessions")
    return found


def find_places(homes: pl.DataFrame, parts: pl.DataFrame, located: dict[str, Localisation]) -> pl.DataFrame:
    """Say in words where each pattern keeps to; patterns that keep to no place are left out.

    A combination that localisation found says it best; without one, the attribute that holds most of it.
    """
    validations = homes.filter(pl.col("kind") == VALIDATION)["pattern_id"].implode()
    telling = ~pl.col("pattern_id").is_in(validations) | pl.col("dimension").is_in(_TELLING_OF_VALIDATION)
    kept = find_concentrations(parts.filter(telling))
    rows = {row["pattern_id"]: _words(row) for row in kept.iter_rows(named=True)}
    rows |= {key: _words_of_causes(found.causes) for key, found in located.items() if _is_place(found.causes)}
    return pl.DataFrame(list(rows.items()), schema={"pattern_id": pl.String, "place": pl.String}, orient="row")


def _is_place(causes: Sequence[Cause]) -> bool:
    """Whether causes hold enough of a pattern, and far enough above the rest, to say that it keeps to them."""
    held = sum(cause.coverage for cause in causes)
    return held >= MIN_COVERAGE and all(cause.low >= MIN_RATIO for cause in causes)


def _words_of_causes(causes: Sequence[Cause]) -> str:
    said = "; ".join(
        f"{_words_of_cause(cause)}: met by {100 * cause.rate:.1f} % of {cause.total:,} sessions, elsewhere by "
        f"{100 * cause.rate_elsewhere:.2f} %"
        for cause in causes
    )
    return f"{said}; that is {100 * sum(cause.coverage for cause in causes):.0f} % of it"


def _words_of_cause(cause: Cause) -> str:
    """Name a cause by the fewest attributes, and what the data cannot tell from it by as few."""
    equal = sorted((cause.attributes, *cause.also), key=len)
    fewest = [
        " and ".join(f"{plain_dimension(name)} {value}" for name, value in attributes.items())
        for attributes in equal
        if len(attributes) == len(equal[0])
    ]
    return fewest[0] + (f" (not to be told from {', '.join(fewest[1:])})" if len(fewest) > 1 else "")


def plain_dimension(dimension: str) -> str:
    """Return what people call an attribute of a session."""
    return _SPOKEN.get(dimension, dimension.replace("_", " ").removesuffix(" name"))


_SPOKEN: Final = {
    "entry_route": "entry page",
    "service_version": "release",
    "user_is_new": "visitor",
    "device_type": "device",
    "os_name": "system",
}


def _words(row: dict[str, Any]) -> str:
    times = f"{row['ratio']:.1f} times as often as elsewhere" if math.isfinite(row["ratio"]) else "nowhere else"
    return (
        f"{plain_dimension(row['dimension'])} {row['values']}: {100 * row['hit_share']:.0f} % of its sessions and "
        f"{100 * row['traffic_share']:.0f} % of the traffic, {times}"
    )
