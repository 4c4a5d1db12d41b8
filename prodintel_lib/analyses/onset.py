"""When it began and ended, from the data: the incident's own times are evidence, not truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl

from prodintel_lib.analyses.statistics import AbnormalInterval, find_abnormal_interval
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import number, table, text
from prodintel_lib.windows import US_PER_S, Window, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.signals import SignalOnsets
    from prodintel_lib.workspace import RouteSlo

Basis = Literal["requests", "signals", "reported"]

BUCKETS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
MIN_REQUESTS_PER_BUCKET: Final = 10.0
MAX_BUCKETS: Final = 720
SIGNIFICANCE: Final = 0.001
SLOW_MADS: Final = 6.0
SLOW_RATIO: Final = 3.0
INSTANT_MS: Final = 100.0
MAX_BASELINE_S: Final = 3600
SIGNAL_BUCKET_S: Final = 60


@dataclass(frozen=True, slots=True)
class Onset:
    """The abnormal interval, and the healthy time before it.

    Attributes
    ----------
    window : Window
        From the first bad request of the abnormal interval to just after the start of its last; of signals, from the
        first that got worse to the last point at which one still was.
    baseline : Window
        The time before the onset that stands for healthy, at most an hour.
    how : {"observed", "inferred"}
        ``inferred`` where no interval stands out and the incident's own times had to serve.
    bucket_s : int
        The width of the buckets that were scanned.
    routes : polars.DataFrame
        One row a route that was abnormal, earliest onset first: ``route, onset_us, end_us, requests, bad,
        bad_outside, requests_outside, log_likelihood_ratio, p_value``.
    evidence : str
        One sentence.
    basis : {"requests", "signals", "reported"}
        What the window was read from: bad requests, metrics and logs that got worse, or the incident's own times.
    """

    window: Window
    baseline: Window
    how: Literal["observed", "inferred"]
    bucket_s: int
    routes: pl.DataFrame
    evidence: str
    basis: Basis

    def _repr_html_(self) -> str:
        rows = [
            [
                text(row["route"]),
                text(format_time(row["onset_us"])),
                number(row["bad"]),
                number(row["requests"]),
                number(row["bad_outside"]),
                number(row["requests_outside"]),
                number(row["log_likelihood_ratio"], digits=0),
            ]
            for row in self.routes.iter_rows(named=True)
        ]
        headers = ["Route", "Onset (UTC)", "Bad", "of requests", "Bad outside", "of requests", "Log likelihood ratio"]
        return str(table(headers, rows, align="llrrrrr", caption=self.evidence))


def mark_bad_requests(requests: pl.DataFrame, *, slos: Sequence[RouteSlo] = ()) -> pl.DataFrame:
    """Say of each entry request whether a user would call it bad: failed, or far slower than its route is.

    Parameters
    ----------
    requests : polars.DataFrame
        One row an entry request (rollups.requests): ``route, duration_ms, failed`` are needed.
    slos : sequence of RouteSlo
        An SLO's latency is the limit for its route. Without one the limit is robust: the median of the route's
        log duration plus six scaled median absolute deviations, at least three times the median, and at least 100 ms:
        what is faster feels instant whatever it was before (Miller 1968, doi:10.1145/1476589.1476628).

    Returns
    -------
    polars.DataFrame
        The rows with ``slow_over_ms`` and ``bad`` added.
    """
    promised = pl.DataFrame(
        [(slo.route, float(slo.latency_ms)) for slo in slos if slo.latency_ms is not None],
        schema={"route": pl.String, "promised_ms": pl.Float64},
        orient="row",
    )
    log_duration = pl.col("duration_ms").clip(lower_bound=0.001).log()
    centre = log_duration.median()
    spread = 1.4826 * (log_duration - centre).abs().median()
    limits = (
        requests.group_by("route")
        .agg(
            pl.max_horizontal(centre + SLOW_MADS * spread, centre + float(np.log(SLOW_RATIO)))
            .exp()
            .clip(lower_bound=INSTANT_MS)
            .alias("robust_ms"),
        )
        .join(promised, on="route", how="left")
        .select("route", pl.coalesce("promised_ms", "robust_ms").alias("slow_over_ms"))
    )
    slow = pl.col("duration_ms") > pl.col("slow_over_ms")
    return requests.join(limits, on="route", how="left", maintain_order="left").with_columns(
        (pl.col("failed") | slow).alias("bad")
    )


def choose_bucket_s(requests: int, duration_s: float) -> int:
    """Return the finest bucket that holds about ten requests and keeps the scan under 720 buckets."""
    for bucket_s in BUCKETS_S:
        buckets = duration_s / bucket_s
        if requests / max(buckets, 1) >= MIN_REQUESTS_PER_BUCKET and buckets <= MAX_BUCKETS:
            return bucket_s
    return BUCKETS_S[-1]


def find_onset(requests: pl.DataFrame, *, span: Window, reported: Window) -> Onset:
    """Find the interval in which requests went bad.

    Every entry route, and all of them together, is scanned for the interval whose share of bad requests is raised the
    most. The routes whose interval is significant and overlaps the strongest one make the incident's window.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests with ``time_us, route, bad``.
    span : Window
        The time that was read.
    reported : Window
        The incident's own times; they serve where the data show nothing.

    Raises
    ------
    NoDataError
        If nothing was recorded before the onset.

    Notes
    -----
    See statistics.find_abnormal_interval for the method. The p value is multiplied by the number of series scanned.
    """
    bucket_s = choose_bucket_s(requests.height, span.duration_s)
    series = _scan_routes(requests, span=span, bucket_s=bucket_s)
    if series.is_empty():
        return _onset_as_reported(requests, span=span, reported=reported, bucket_s=bucket_s)
    strongest = series.sort("log_likelihood_ratio", descending=True).row(0, named=True)
    together = series.filter(
        (pl.col("onset_us") < strongest["end_us"]) & (pl.col("end_us") > strongest["onset_us"]),
    ).sort("onset_us", "route")
    window = Window(int(together["onset_us"].min()), int(together["end_us"].max()))  # type: ignore[arg-type]
    routes = together.filter(pl.col("route") != ALL_ROUTES)
    return Onset(
        window=window,
        baseline=_baseline_before(window.start_us, span=span, bucket_s=bucket_s),
        how="observed",
        bucket_s=bucket_s,
        routes=routes,
        evidence=(
            f"Change in the share of bad requests, {bucket_s} s buckets: {strongest['bad']:,} of "
            f"{strongest['requests']:,} inside against {strongest['bad_outside']:,} of "
            f"{strongest['requests_outside']:,} outside ({strongest['route']}; "
            f"p < {max(strongest['p_value'], 1e-12):.0e})."
        ),
        basis="requests",
    )


ALL_ROUTES: Final = "all routes"


def _scan_routes(requests: pl.DataFrame, *, span: Window, bucket_s: int) -> pl.DataFrame:
    buckets = int(np.ceil(span.duration_s / bucket_s))
    bucketed = requests.with_columns(
        ((pl.col("time_us") - span.start_us) // (bucket_s * US_PER_S)).alias("bucket")
    ).select("route", "time_us", "bad", "bucket")
    frames = {ALL_ROUTES: bucketed}
    frames |= {
        str(key[0]): frame for key, frame in bucketed.filter(pl.col("bad").any().over("route")).group_by("route")
    }
    rows = []
    for route, frame in frames.items():
        counts = frame.group_by("bucket").agg(pl.len().alias("n"), pl.col("bad").sum().alias("hits"))
        totals, hits = np.zeros(buckets, dtype=np.int64), np.zeros(buckets, dtype=np.int64)
        totals[counts["bucket"].to_numpy()] = counts["n"].to_numpy()
        hits[counts["bucket"].to_numpy()] = counts["hits"].to_numpy()
        found = find_abnormal_interval(hits, totals)
        if found and found.p_value * len(frames) < SIGNIFICANCE:
            rows.append(_route_row(route, frame, found))
    return pl.DataFrame(rows, schema=_ROUTE_SCHEMA, orient="row")


_ROUTE_SCHEMA: Final = {
    "route": pl.String,
    "onset_us": pl.Int64,
    "end_us": pl.Int64,
    "requests": pl.Int64,
    "bad": pl.Int64,
    "bad_outside": pl.Int64,
    "requests_outside": pl.Int64,
    "log_likelihood_ratio": pl.Float64,
    "p_value": pl.Float64,
}


def _route_row(route: str, frame: pl.DataFrame, found: AbnormalInterval) -> tuple[object, ...]:
    times = frame.filter(pl.col("bad") & pl.col("bucket").is_between(found.first, found.last))["time_us"]
    return (
        route,
        times.min(),
        int(times.max()) + 1,  # type: ignore[arg-type]
        found.inside.n,
        found.inside.hits,
        found.outside.hits,
        found.outside.n,
        found.log_likelihood_ratio,
        found.p_value,
    )


def _baseline_before(onset_us: int, *, span: Window, bucket_s: int) -> Window:
    """Return the time before the onset, less one bucket in which it may already have begun."""
    end = onset_us - bucket_s * US_PER_S
    start = max(span.start_us, end - MAX_BASELINE_S * US_PER_S)
    if end <= start:
        raise NoDataError(
            f"Nothing was recorded before the onset at {format_time(onset_us)}, so there is no baseline.",
            hint="add telemetry from before the incident to the sources.",
        )
    return Window(start, end)


def worse_within(signals: SignalOnsets, window: Window) -> pl.DataFrame:
    """Return the signals that got worse within a window, earliest first."""
    return signals.worse.filter(pl.col("onset_us").is_between(window.start_us, window.end_us, closed="left"))


def choose_signal(worse: pl.DataFrame, service: str) -> dict[str, Any]:
    """Choose the signal that stands for the incident: of the service that was reported, one that users feel.

    Parameters
    ----------
    worse : polars.DataFrame
        Signals that got worse (signals.SignalOnsets.worse), at least one.
    service : str
        The incident's; may be empty.
    """
    ranked = worse.with_row_index("order").sort(
        pl.col("service_name") != service, ~pl.col("kind").is_in(_FELT), -pl.col("effect").abs(), "order"
    )
    return ranked.drop("order").row(0, named=True)


# What users feel comes before what only machines do.
_FELT: Final = ("errors", "latency", "log_errors", "log_new")


def _onset_as_reported(requests: pl.DataFrame, *, span: Window, reported: Window, bucket_s: int) -> Onset:
    bad = int(requests["bad"].sum())
    return Onset(
        window=reported,
        baseline=_baseline_before(reported.start_us, span=span, bucket_s=min(bucket_s, SIGNAL_BUCKET_S)),
        how="inferred",
        bucket_s=bucket_s,
        routes=pl.DataFrame(schema=_ROUTE_SCHEMA),
        evidence=(
            f"No interval stands out among {requests.height:,} requests ({bad:,} bad); "
            "the times are the incident's own."
            if requests.height
            else "No entry request was recorded; the times are the incident's own."
        ),
        basis="reported",
    )


def onset_of_signals(signals: SignalOnsets, *, span: Window, service: str) -> Onset | None:
    """Take the onset from metrics and logs where requests do not show one.

    The signals that were worse at the same time as the one that stands for the incident make its window.

    Parameters
    ----------
    signals : SignalOnsets
    span : Window
        The time that was read.
    service : str
        The one that was reported; may be empty.

    Returns
    -------
    Onset or None
        None where nothing got worse.
    """
    worse = signals.worse
    if worse.is_empty():
        return None
    chosen = choose_signal(worse, service)
    together = worse.filter((pl.col("onset_us") <= chosen["last_us"]) & (pl.col("last_us") >= chosen["onset_us"]))
    first = together.row(0, named=True)
    return Onset(
        window=Window(first["onset_us"], int(str(together["last_us"].max())) + 1),
        baseline=_baseline_before(first["onset_us"], span=span, bucket_s=SIGNAL_BUCKET_S),
        how="observed",
        bucket_s=SIGNAL_BUCKET_S,
        routes=pl.DataFrame(schema=_ROUTE_SCHEMA),
        evidence=(
            f"{worse.height} of {signals.series_tested} series of metrics, logs and spans got worse, "
            f"{first['signal']} of {first['service_name'] or 'no named service'} first "
            f"(n {first['before_n']:,} points before, {first['during_n']:,} since; "
            f"q < {max(first['q_value'], 1e-12):.0e})."
        ),
        basis="signals",
    )
