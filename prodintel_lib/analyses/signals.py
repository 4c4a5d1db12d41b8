"""Every series that speaks of a service: what it speaks of, which way is worse, and which of them changed when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from prodintel_lib.analyses.changepoints import Change, find_change
from prodintel_lib.analyses.statistics import adjust_for_many
from prodintel_lib.errors import MissingColumnsError, NoDataError
from prodintel_lib.markup import number, table, text
from prodintel_lib.windows import Window, format_time

SignalKind = Literal[
    "latency", "errors", "traffic", "saturation", "cache", "queue", "memory", "cpu", "log_errors", "log_new", "other"
]

SIGNALS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "time_us": pl.Int64(),
    "service_name": pl.String(),
    "signal": pl.String(),
    "kind": pl.String(),
    "value": pl.Float64(),
    "n": pl.Int64(),
}
ONSETS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "service_name": pl.String(),
    "signal": pl.String(),
    "kind": pl.String(),
    "shape": pl.String(),
    "onset_us": pl.Int64(),
    "last_us": pl.Int64(),
    "before": pl.Float64(),
    "during": pl.Float64(),
    "before_n": pl.Int64(),
    "during_n": pl.Int64(),
    "effect": pl.Float64(),
    "is_worse": pl.Boolean(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
}
FALSE_DISCOVERY_RATE: Final = 0.01
MIN_EFFECT: Final = 3.0
MATERIAL_CHANGE: Final = 0.2
OWN_TIME_SIGNAL: Final = "own time per span, ms"
COUNTED: Final = ("log_errors", "log_new")

# The first word found in a metric's name decides; the order is that of how much a word says. They are the words of
# OpenTelemetry's conventions and of the four golden signals; a name without any is `other` and is judged as well.
_KIND_WORDS: Final[tuple[tuple[SignalKind, tuple[str, ...]], ...]] = (
    ("cache", ("cache", "hit_ratio", "hit_rate")),
    ("errors", ("error", "fail", "fault", "exception", "panic", "timeout", "reject", "5xx", "4xx", "oom", "restart",
                "success", "availab", "unauthorized", "denied", "invalid", "drop")),
    ("queue", ("queue", "backlog", "lag", "pending", "oldest")),
    ("cpu", ("cpu", "throttl")),
    ("memory", ("memory", "heap", "rss", "gc_")),
    ("saturation", ("connection", "pool", "in_use", "utili", "saturat", "thread", "disk", "load")),
    ("latency", ("latency", "duration", "response_time", "delay", "wait", "elapsed")),
    ("traffic", ("request", "rps", "qps", "throughput", "per_sec", "per_min", "workload", "ops", "bytes", "rate",
                 "packets")),
)  # fmt: skip
_WORSE_DOWN: Final = ("success", "availab", "hit", "healthy", "uptime")
_WORSE_UP: Final = ("latency", "errors", "queue", "saturation", "cpu", "memory", "log_errors", "log_new")


@dataclass(frozen=True, slots=True)
class SignalOnsets:
    """Which signals changed, earliest first.

    Attributes
    ----------
    window : Window
        The time that was asked about.
    onsets : polars.DataFrame
        Columns of ONSETS_SCHEMA. ``shape`` is step, ramp, appearance or stop; ``effect`` the shift in usual deviations
        of one point; ``is_worse`` whether the change is for the worse, null where the signal does not say (traffic,
        names without a known word); ``q_value`` the p value after Benjamini and Hochberg.
    series_tested, series_too_short : int
        How many series could be judged, and how many had too few points or never moved.
    rows_read : int
    series : polars.DataFrame or None
        The series themselves (columns of SIGNALS_SCHEMA).
    """

    window: Window
    onsets: pl.DataFrame
    series_tested: int
    series_too_short: int
    rows_read: int
    series: pl.DataFrame | None = None

    @property
    def worse(self) -> pl.DataFrame:
        """The changes that are for the worse, earliest first."""
        return self.onsets.filter(pl.col("is_worse"))

    @property
    def first_us(self) -> int | None:
        """The earliest onset among the changes for the worse; None where nothing got worse."""
        return int(self.worse["onset_us"][0]) if self.worse.height else None

    @property
    def by_service(self) -> pl.DataFrame:
        """One row a service with a change for the worse, earliest first: ``service_name, onset_us, signals``."""
        return (
            self.worse.group_by("service_name")
            .agg(pl.col("onset_us").min(), pl.len().cast(pl.Int64).alias("signals"))
            .sort("onset_us", "service_name")
        )

    def _repr_html_(self) -> str:
        rows = [
            [
                text(row["service_name"] or None),
                text(row["signal"]),
                text(row["shape"]),
                text(format_time(row["onset_us"])),
                number(row["before"], digits=3),
                number(row["during"], digits=3),
                number(row["before_n"]),
                number(row["during_n"]),
            ]
            for row in self.onsets.iter_rows(named=True)
        ]
        headers = ["Service", "Signal", "Change", "Onset (UTC)", "Before", "During", "n before", "n during"]
        caption = (
            f"{self.onsets.height} of {self.series_tested} series changed (false discovery rate "
            f"{FALSE_DISCOVERY_RATE:.0%}); {self.series_too_short} more had too few points or never moved."
        )
        return str(table(headers, rows, align="llllrrrr", caption=caption))


def kind_of_signal(name: str) -> SignalKind:
    """Say what a metric speaks of, from the words in its name; ``other`` where none is known.

    Examples
    --------
    >>> kind_of_signal("http.server.request.duration"), kind_of_signal("jvm.memory.used"), kind_of_signal("frobs")
    ('latency', 'memory', 'other')
    """
    words = name.lower().replace(".", "_")
    return next((kind for kind, known in _KIND_WORDS if any(word in words for word in known)), "other")


def worse_direction(kind: str, name: str) -> int:
    """Return 1 where more is worse, -1 where less is, 0 where it depends."""
    if kind not in COUNTED and any(word in name.lower() for word in _WORSE_DOWN):
        return -1
    return 1 if kind in _WORSE_UP else 0


def find_signal_onsets(signals: pl.DataFrame, *, window: Window) -> SignalOnsets:
    """Find the signals that changed, each against its own past, with the false discoveries among them controlled.

    Parameters
    ----------
    signals : polars.DataFrame
        Columns of SIGNALS_SCHEMA (signal_series.build_signals).
    window : Window
        The incident as reported. A change may have begun long before, but must last into it; what comes after the
        window is not looked at. Without an end, give the time until which data were read.

    Raises
    ------
    MissingColumnsError
        If a column is not there.
    NoDataError
        If there is no row at all.

    Notes
    -----
    changepoints.find_change judges a series. P values are adjusted over all series by Benjamini and Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x. What is then left must also be large: at least three usual deviations of a
    point, and a fifth of the larger level (of what is missing to the whole, for a share of successes).
    """
    missing = [name for name in SIGNALS_SCHEMA if name not in signals.columns]
    if missing:
        raise MissingColumnsError.in_table("signals", missing=missing, available=signals.columns)
    if signals.is_empty():
        raise NoDataError(
            f"There is no metric, log or span around {window.label()}.",
            hint="add telemetry of that time to the sources.",
        )
    found: list[tuple[tuple[str, str, str], Change]] = []
    series = signals.group_by("service_name", "signal", "kind", maintain_order=True)
    tested = short = 0
    for key, frame in series:
        kind = str(key[2])
        change = find_change(
            frame["time_us"].to_numpy(), frame["value"].to_numpy(), window=window, is_count=kind in COUNTED
        )
        tested, short = tested + (change is not None), short + (change is None)
        if change is not None:
            found.append(((str(key[0]), str(key[1]), kind), change))
    q_values = adjust_for_many([change.p_value for _, change in found])
    rows = [
        _onset_row(key, change, q_value)
        for (key, change), q_value in zip(found, q_values, strict=True)
        if q_value <= FALSE_DISCOVERY_RATE and _is_large(key, change)
    ]
    frame = pl.DataFrame(rows, schema=ONSETS_SCHEMA, orient="row").sort("onset_us", "service_name", "signal")
    return SignalOnsets(window, frame, tested, short, signals.height, signals)


def _is_large(key: tuple[str, str, str], change: Change) -> bool:
    if abs(change.effect) < MIN_EFFECT:
        return False
    moved = abs(change.during - change.before)
    levels = max(abs(change.before), abs(change.during))
    if worse_direction(key[2], key[1]) < 0 and levels <= 100:
        whole = 1.0 if levels <= 1 else 100.0
        levels = min(levels, max(whole - change.before, whole - change.during))
    return moved >= MATERIAL_CHANGE * levels


def _onset_row(key: tuple[str, str, str], change: Change, q_value: float) -> tuple[object, ...]:
    direction = worse_direction(key[2], key[1])
    is_worse = change.effect * direction > 0 if direction else None
    return (
        *key, change.shape, change.onset_us, change.last_us, change.before, change.during, change.before_n,
        change.during_n, change.effect, is_worse, change.p_value, q_value,
    )  # fmt: skip
