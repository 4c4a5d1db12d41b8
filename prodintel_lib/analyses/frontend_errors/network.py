"""How often the request behind an error fails for those whom the error hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import name_patterns
from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.regions import region_label
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.engines import collect
from prodintel_lib.rollups.rum_errors import ERROR_TEXTS
from prodintel_lib.rollups.rum_requests import (
    NETWORK_EVENTS_KEYS,
    NETWORK_EVENTS_SCHEMA,
    REQUEST_OUTCOMES_KEYS,
    REQUEST_OUTCOMES_SCHEMA,
    build_network_events,
    build_request_outcomes,
)
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from prodintel_lib.analyses.frontend_errors.model import FrontEndErrors
    from prodintel_lib.analyses.journeys.passes import Passes, Slice

MIN_REQUESTS: Final = 30
"""Of fewer requests no share is told."""

WITHIN_US: Final = 10 * US_PER_S
"""A failed request within this time of an error may be behind it."""

MIN_SHARE: Final = 0.2
"""The share of a pattern's errors that must have a request fail near by for it to be the one behind the pattern."""


def find_requests_behind(passes: Passes, patterns: Collection[str]) -> dict[str, str]:
    """Find the request whose failures go with each of some patterns of the network.

    Parameters
    ----------
    passes : Passes
    patterns : collection of str
        Their ids.

    Returns
    -------
    dict of pattern_id to str
        The request that failed nearest to most of the pattern's errors, as rollups.rum_requests names it; without
        patterns of which fewer than MIN_SHARE of the errors go with any one request.
    """
    if not patterns:
        return {}
    counts = RunningSum(("pattern_id", "request"))
    for which in passes.slices:
        counts.add(_requests_near(passes, which))
    asked = (
        counts.total()
        .filter(pl.col("pattern_id").is_in(list(patterns)))
        .with_columns(pl.col("errors").sum().over("pattern_id").alias("all"))
    )
    behind = asked.filter((pl.col("request") != "") & (pl.col("errors") >= MIN_SHARE * pl.col("all")))
    most = behind.sort("errors", "request", descending=[False, True])
    return dict(most.select("pattern_id", "request").iter_rows())


def _requests_near(passes: Passes, which: Slice) -> pl.DataFrame:
    """Count the errors of a slice by pattern and the failed request next to them, empty where there is none."""
    rows = collect(
        build_network_events(passes.scan(which)), schema=NETWORK_EVENTS_SCHEMA, sort_by=NETWORK_EVENTS_KEYS
    ).sort("time_us")  # fmt: skip
    errors = rows.filter(pl.col("request") == "").drop("request")
    texts = errors.select(ERROR_TEXTS).unique(maintain_order=True)
    named = texts.with_columns(name_patterns(passes.view.private.frame(texts))["pattern_id"])
    failures = rows.filter(pl.col("request") != "").select("visitor_id", "time_us", "request")
    near = errors.join_asof(
        failures, on="time_us", by="visitor_id", strategy="nearest", tolerance=WITHIN_US, check_sortedness=False
    )
    return (
        near.join(named, on=list(ERROR_TEXTS))
        .group_by("pattern_id", pl.col("request").fill_null(""))
        .agg(pl.len().cast(pl.Int64).alias("errors"))
    )


def measure_failures(passes: Passes, errors: FrontEndErrors, requests: Mapping[str, str]) -> dict[str, Proportion]:
    """Measure how often requests fail on the clients, and in the local hours, that error patterns keep to.

    Parameters
    ----------
    passes : Passes
    errors : FrontEndErrors
        Where each pattern keeps to; of one that keeps to nothing, all clients and hours are looked at.
    requests : mapping of pattern_id to str
        The request behind each pattern, as rollups.rum_requests names it.

    Returns
    -------
    dict of pattern_id to Proportion
        Requests that failed; patterns of whose request there were fewer than MIN_REQUESTS are left out.
    """
    if not requests:
        return {}
    wanted = sorted(set(requests.values()))
    counts = RunningSum(REQUEST_OUTCOMES_KEYS)
    for which in passes.slices:
        built = build_request_outcomes(passes.scan(which), requests=wanted)
        counts.add(collect(built, schema=REQUEST_OUTCOMES_SCHEMA, sort_by=REQUEST_OUTCOMES_KEYS))
    outcomes = _with_clients(counts.total())
    shares = {}
    for pattern_id, request in requests.items():
        there = outcomes.filter(pl.col("request") == request, *_place_of(errors, pattern_id))
        n = int(there["requests"].sum())
        if n >= MIN_REQUESTS:
            shares[pattern_id] = Proportion.of(int(there["failed"].sum()), n)
    return shares


def _with_clients(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Name clients as tally.CLIENT does."""
    short = pl.col("browser_version").str.extract(r"^([0-9]+(?:\.[0-9]+)?)", 1)
    return outcomes.with_columns(
        pl.col("geo_country_iso_code").alias("country"),
        region_label().alias("region"),
        (pl.col("browser_name") + " " + short).fill_null("").alias("browser_version"),
    )


def _place_of(errors: FrontEndErrors, pattern_id: str) -> list[pl.Expr]:
    """Return what must hold of the clients and hours that a pattern keeps to."""
    found, hours = errors.localisations.get(pattern_id), errors.time_of_day.get(pattern_id)
    causes = found.causes if found is not None and errors.pattern(pattern_id)["place"] else ()
    held = [
        pl.any_horizontal(
            pl.all_horizontal(pl.col(name) == value for name, value in cause.attributes.items()) for cause in causes
        )
    ] if causes else []  # fmt: skip
    if hours is None or not hours.is_peaked or hours.peak_from is None or hours.peak_to is None:
        return held
    hour, first, end = pl.col("hour_local"), hours.peak_from, hours.peak_to
    in_peak = (hour >= first) & (hour < end) if first < end else (hour >= first) | ((hour >= 0) & (hour < end))
    return [*held, in_peak]
