"""What was different: every condition of the system during the incident against the healthy time before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from prodintel_lib.analyses.evidence import MIN_REQUESTS
from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.statistics import cliffs_delta, cohens_h
from prodintel_lib.markup import Markup, number, percent, table, tag, text, tone
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.windows import Window

How = Literal["observed", "inferred", "missing"]
Aspect = Literal[
    "dependency", "database", "connections", "queue", "cache", "cpu", "memory", "traffic", "concurrency", "metric"
]

NOTABLE_EFFECT: Final = 0.5
MATERIAL_CHANGE: Final = 0.2
MIN_POINTS: Final = 3
BUCKET_S: Final = 10
MAX_SILENCE_NATS: Final = 20.0
"""A silence of less chance than exp(-20), 2e-9, was not chance."""
NO_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One condition, healthy and during the incident.

    Attributes
    ----------
    aspect : str
        The kind of condition.
    subject : str
        Whose: ``payment -> card-processor``, ``payment``.
    measure : str
        What was measured, with its unit in ``unit`` (``share`` for shares from 0 to 1).
    baseline, incident : float or None
        None where nothing was measured.
    baseline_n, incident_n : int
        Calls, requests or samples behind each.
    effect : float or None
        Signed; from -1 to 1 (Cliff's delta) or in radians (Cohen's h), as ``effect_name`` says.
    how : {"observed", "inferred", "missing"}
    evidence : str
        Where it was read.
    limit : float or None
        The most it can be, where known: a pool's size.
    series : tuple of str, or None
        For metrics: name and series key.
    """

    aspect: Aspect
    subject: str
    measure: str
    unit: str
    baseline: float | None
    incident: float | None
    baseline_n: int
    incident_n: int
    effect: float | None
    effect_name: str
    how: How
    evidence: str
    limit: float | None = None
    series: tuple[str, str] | None = None

    @property
    def notable(self) -> bool:
        """Whether the effect is at least medium, and the value changed by at least a fifth.

        An effect size says how well two samples can be told apart; a slow drift of two per cent can be told apart
        perfectly and matters to nobody.
        """
        if self.effect is None or abs(self.effect) < NOTABLE_EFFECT or self.baseline is None or self.incident is None:
            return False
        change = abs(self.incident - self.baseline)
        return change >= MATERIAL_CHANGE * max(abs(self.baseline), abs(self.incident))


@dataclass(frozen=True, slots=True)
class Differences:
    """All conditions, largest effect first; missing ones last."""

    window: Window
    baseline: Window
    rows: tuple[Difference, ...]

    def of(self, aspect: Aspect) -> tuple[Difference, ...]:
        """Return the conditions of one kind, largest effect first."""
        return tuple(row for row in self.rows if row.aspect == aspect)

    def _repr_html_(self) -> str:
        shown = [row for row in self.rows if row.notable]
        missing = [row.subject for row in self.rows if row.how == "missing"]
        steady = len(self.rows) - len(shown) - len(missing)
        caption = (
            f"{len(shown)} conditions with at least a medium effect, largest first; "
            f"{steady} more were measured and did not change as much"
            + (f"; not measured: {', '.join(missing)}." if missing else ".")
        )
        rows = [
            [
                text(row.subject.replace(" ", NO_BREAK)),
                text(row.measure),
                _value(row.baseline, row),
                tone(_value(row.incident, row), "bad" if (row.effect or 0) > 0 else "warn"),
                number(row.baseline_n),
                number(row.incident_n),
                text(f"{row.effect:+.2f} {row.effect_name}" if row.effect is not None else None),
                tag(row.how),
            ]
            for row in shown
        ]
        headers = ["Condition of", "Measure", "Before", "Incident", "n before", "n incident", "Effect", "Known"]
        return str(table(headers, rows, align="llrrrrrl", caption=caption))


def compare_conditions(
    *,
    calls: pl.DataFrame,
    requests: pl.DataFrame,
    points: pl.DataFrame,
    in_flight: pl.DataFrame,
    window: Window,
    baseline: Window,
) -> Differences:
    """Compare every condition that was measured.

    Parameters
    ----------
    calls : polars.DataFrame
        One row a call of a dependency (rollups.calls): ``time_us, duration_ms, caller, dependency, call_kind, failed``.
    requests : polars.DataFrame
        Entry requests: ``time_us``.
    points : polars.DataFrame
        Metric points (rollups.metric_points): ``time_us, metric_name, metric_unit, service_name, series, value``;
        counters as rates.
    in_flight : polars.DataFrame
        Requests in flight by time (rollups.concurrency): ``time_us, in_flight``.
    window, baseline : Window
    """
    found = [
        *_compare_calls(calls, window, baseline),
        *_compare_points(points, window, baseline),
        *_compare_traffic(requests, in_flight, window, baseline),
    ]
    present = {row.aspect for row in found}
    found += [_missing(aspect, what) for aspect, what in _EXPECTED.items() if aspect not in present]
    ranked = sorted(found, key=lambda row: (row.how == "missing", -abs(row.effect or 0.0), row.subject, row.measure))
    return Differences(window, baseline, tuple(ranked))


_EXPECTED: Final[dict[Aspect, str]] = {
    "connections": "connection pools",
    "queue": "queue depth",
    "cache": "cache hit ratio",
    "cpu": "CPU",
    "memory": "memory",
    "database": "database calls",
    "dependency": "dependencies",
}


def _missing(aspect: Aspect, what: str) -> Difference:
    return Difference(aspect, what, "", "", None, None, 0, 0, None, "", "missing", f"no telemetry names {what}")


def _compare_calls(calls: pl.DataFrame, window: Window, baseline: Window) -> Iterable[Difference]:
    for (caller, dependency, kind), frame in calls.group_by("caller", "dependency", "call_kind", maintain_order=True):
        before, during = within(frame, baseline), within(frame, window)
        if during.is_empty() or before.height < MIN_POINTS:
            continue
        aspect: Aspect = "database" if kind == "database" else "dependency"
        subject = f"{caller} → {dependency}"
        p99_before = float(before["duration_ms"].quantile(0.99, "linear") or 0.0)
        slower = float((during["duration_ms"] > p99_before).mean() or 0.0)  # type: ignore[arg-type]
        usual = float((before["duration_ms"] > p99_before).mean() or 0.0)  # type: ignore[arg-type]
        yield Difference(
            aspect, subject, "p99 of calls", "ms", p99_before,
            float(during["duration_ms"].quantile(0.99, "linear") or 0.0), before.height, during.height,
            cohens_h(slower, usual), "h", "observed",
            f"{during.height:,} of {during.height:,} call spans; {100 * slower:.1f} % slower than the baseline's p99",
        )  # fmt: skip
        failed, failed_before = float(during["failed"].mean() or 0), float(before["failed"].mean() or 0)  # type: ignore[arg-type]
        yield Difference(
            aspect, subject, "calls that failed", "share", failed_before, failed, before.height, during.height,
            cohens_h(failed, failed_before), "h", "observed",
            f"{int(during['failed'].sum()):,} of {during.height:,} call spans with an error",
        )  # fmt: skip


def _compare_points(points: pl.DataFrame, window: Window, baseline: Window) -> Iterable[Difference]:
    limits = {
        row["service_name"]: row["value"]
        for row in points.filter(pl.col("metric_name").is_in(_POOL_LIMITS))
        .group_by("service_name").agg(pl.col("value").max()).iter_rows(named=True)
    }  # fmt: skip
    labels = _short_labels(points)
    for (name, service, series), frame in points.group_by("metric_name", "service_name", "series", maintain_order=True):
        before, during = within(frame, baseline)["value"], within(frame, window)["value"]
        if len(before) < MIN_POINTS or len(during) < MIN_POINTS or str(name) in _POOL_LIMITS:
            continue
        aspect = metric_aspect(str(name), str(series))
        delta = cliffs_delta(during.to_numpy(), before.to_numpy())
        unit = str(frame["metric_unit"][0] or "")
        limit = limits.get(service) if aspect == "connections" else None
        short = labels[str(name), str(service), str(series)]
        label = f"{name} ({short})" if short else str(name)
        yield Difference(
            aspect, str(service), f"mean {label}", unit, float(before.mean() or 0), float(during.mean() or 0),  # type: ignore[arg-type]
            len(before), len(during), delta, "δ", "observed", f"{label}, {len(during)} samples", limit,
            (str(name), str(series)),
        )  # fmt: skip


def _short_labels(points: pl.DataFrame) -> dict[tuple[str, str, str], str]:
    """Name each series by the attributes that tell it from the others of its metric and service."""
    labels: dict[tuple[str, str, str], str] = {}
    for (name, service), frame in points.group_by("metric_name", "service_name", maintain_order=True):
        every = {series: set(series.split(", ")) for series in frame["series"].unique().sort()}
        shared = set.intersection(*every.values())
        for series, parts in every.items():
            own = sorted(part.rpartition("=") for part in parts - shared)
            words = (f"{key.rpartition('.')[2]}={value}" for key, _, value in own)
            labels[str(name), str(service), series] = ", ".join(words)
    return labels


_POOL_LIMITS: Final = ("db.client.connection.max", "db.client.connections.max")
"""OpenTelemetry's names for the size of a pool (semantic conventions for database metrics, new and old)."""

_ASPECT_WORDS: Final[tuple[tuple[str, Aspect], ...]] = (
    ("connection", "connections"),
    ("queue", "queue"),
    ("backlog", "queue"),
    ("cache", "cache"),
    ("cpu", "cpu"),
    ("memory", "memory"),
)


def metric_aspect(name: str, series: str = "") -> Aspect:
    """Say which condition a metric speaks of, from the words OpenTelemetry's conventions put into its name."""
    words = name.lower()
    if "connection" in words and "idle" in series.lower():
        return "metric"
    return next((aspect for word, aspect in _ASPECT_WORDS if word in words), "metric")


def _compare_traffic(
    requests: pl.DataFrame, in_flight: pl.DataFrame, window: Window, baseline: Window
) -> Iterable[Difference]:
    if requests.height < MIN_REQUESTS:
        yield from (_missing("traffic", "traffic"), _missing("concurrency", "requests in flight"))
        return
    before = _per_10_s(requests, baseline)
    rates = [_without_gaps(before), _per_10_s(requests, window)]
    has_gaps = len(rates[0]) < len(before)
    yield Difference(
        "traffic", "entry requests", "requests per second", "1/s", _mean(rates[0]), _mean(rates[1]),
        within(requests, baseline).height, within(requests, window).height,
        cliffs_delta(rates[1].to_numpy(), rates[0].to_numpy()), "δ", "inferred" if has_gaps else "observed",
        "entry spans, counted by 10 s" + (", but for time before the onset that was not recorded" if has_gaps else ""),
    )  # fmt: skip
    flights = [within(in_flight, part)["in_flight"].cast(pl.Float64) for part in (baseline, window)]
    yield Difference(
        "concurrency", "entry requests", "peak in flight", "", _max(flights[0]), _max(flights[1]),
        len(flights[0]), len(flights[1]), cliffs_delta(flights[1].to_numpy(), flights[0].to_numpy()), "δ", "inferred",
        "overlap of entry spans",
    )  # fmt: skip


def _per_10_s(requests: pl.DataFrame, window: Window) -> pl.Series:
    """Count requests a second in whole buckets of ten seconds, empty buckets included."""
    width_us = BUCKET_S * US_PER_S
    buckets = max(1, (window.end_us - window.start_us) // width_us)
    index = (within(requests, window)["time_us"] - window.start_us) // width_us
    counts = index.filter(index < buckets).value_counts(name="n").rename({index.name: "bucket"})
    every = pl.DataFrame({"bucket": pl.int_range(buckets, eager=True)})
    filled = every.join(counts, on="bucket", how="left")["n"].fill_null(0)
    return filled.cast(pl.Float64) / BUCKET_S


def _without_gaps(rates: pl.Series) -> pl.Series:
    """Leave out silences too long for chance: healthy time without a request is time that was not recorded.

    At the median rate of the buckets that hold requests, a silence of k buckets has the chance exp(-k * rate).
    """
    usual = rates.filter(rates > 0).median()
    if usual is None:
        return rates.clear()
    expected = float(str(usual)) * BUCKET_S
    runs = pl.DataFrame({"rate": rates, "run": (rates > 0).rle_id()}).with_columns(pl.len().over("run").alias("length"))
    kept = runs.filter((pl.col("rate") > 0) | (pl.col("length") * expected <= MAX_SILENCE_NATS))
    return kept["rate"]


def _mean(values: pl.Series) -> float | None:
    return float(values.mean()) if len(values) else None  # type: ignore[arg-type]


def _max(values: pl.Series) -> float | None:
    return float(values.max()) if len(values) else None  # type: ignore[arg-type]


def _value(value: float | None, row: Difference) -> Markup:
    if row.unit == "share":
        return percent(value)
    shown = number(value, unit=row.unit if row.unit in {"ms", "1/s"} else "")
    return Markup("{} of {}").format(shown, number(row.limit)) if row.limit and value is not None else shown
