"""How much was there to look at: sessions, visitors, page views, and the clients they came with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import DASH, facts, figure_text, number, percent, table, text
from prodintel_lib.rollups.histograms import bin_of, quantile
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.journeys.passes import Part

ATTRIBUTES: Final = {
    "device_type": "device",
    "browser_name": "browser",
    "browser_version": "browser version",
    "os_name": "operating system",
    "geo_country_iso_code": "country",
    "geo_region_iso_code": "region",
    "network_type": "network",
}
CLIENT_KEYS: Final = ("attribute", "value")
UNKNOWN: Final = "unknown"
MAX_SHOWN: Final = 6
TOTALS: Final = (
    "sessions", "visitors", "views", "actions", "errors", "converted", "without_views", "duration_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """What was seen in the window.

    Attributes
    ----------
    events : int
        All events, those of machines included.
    machine_events : int
        Of them, those of bots and tests: counted, and left out of all else.
    sessions, visitors, views, actions, errors : int
        Of people; ``errors`` without those of form validation.
    without_views : int
        Sessions that showed no page: they are in no journey.
    converted : int or None
        Sessions that converted; None where no conversion is named.
    duration_mean_s, duration_median_s : float or None
        Of sessions, from first to last event; the median to 1 %.
    breakdown : polars.DataFrame
        ``attribute, value, sessions, share, views, converted, conversion, low, high``; in each attribute most sessions
        first. ``low, high`` are the 95 % interval of the conversion.
    """

    events: int
    machine_events: int
    sessions: int
    visitors: int
    views: int
    actions: int
    errors: int
    without_views: int
    converted: int | None
    duration_mean_s: float | None
    duration_median_s: float | None
    breakdown: pl.DataFrame

    @property
    def conversion(self) -> Proportion | None:
        """Sessions that converted among all."""
        return None if self.converted is None else Proportion.of(self.converted, self.sessions)

    def _repr_html_(self) -> str:
        converted = self.conversion
        tiles = facts(
            [
                ("sessions", number(self.sessions), f"of {self.visitors:,} visitors", ""),
                ("page views", number(self.views), f"{self.without_views:,} sessions without one", ""),
                ("events", number(self.events), f"{self.machine_events:,} of machines, left out", ""),
                (
                    "median session",
                    format_duration(self.duration_median_s) if self.duration_median_s is not None else DASH,
                    f"mean {format_duration(self.duration_mean_s)}" if self.duration_mean_s is not None else "",
                    "",
                ),
                (
                    "converted",
                    percent(converted.share) if converted and converted.n else DASH,
                    str(converted) if converted else "no conversion is named",
                    "",
                ),
            ]
        )
        rows = [
            [
                text(row["attribute"]),
                text(row["value"]),
                number(row["sessions"]),
                percent(row["share"]),
                figure_text(percent(row["conversion"]), n=row["sessions"]) if converted else DASH,
            ]
            for (_,), part in self.breakdown.group_by("attribute", maintain_order=True)
            for row in part.head(MAX_SHOWN).iter_rows(named=True)
        ]
        headers = ["Attribute", "Value", "Sessions", "Share", "Conversion"]
        return str(tiles + table(headers, rows, align="llrrr"))


def tally_sessions(part: Part) -> dict[str, pl.DataFrame]:
    """Count a part: ``totals``, ``durations`` (by bin) and ``clients``; all of them can be added up."""
    sessions = part.sessions
    totals = sessions.select(
        pl.len().cast(pl.Int64).alias("sessions"),
        pl.col("visitor_id").n_unique().cast(pl.Int64).alias("visitors"),
        pl.col("views", "actions", "errors").sum(),
        pl.col("converted").sum().cast(pl.Int64),
        (pl.col("views") == 0).sum().cast(pl.Int64).alias("without_views"),
        pl.col("duration_s").sum(),
    )
    binned = nw.from_native(sessions.select("duration_s")).select(bin_of("duration_s").alias("bin")).to_native()
    return {
        "totals": totals,
        "durations": binned.group_by("bin").agg(pl.len().cast(pl.Int64).alias("count")),
        "clients": pl.concat(_clients(sessions, name) for name in ATTRIBUTES),
    }


def _clients(sessions: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        sessions.group_by(_value(name).fill_null(UNKNOWN).alias("value"))
        .agg(
            pl.len().cast(pl.Int64).alias("sessions"),
            pl.col("views").sum(),
            pl.col("converted").sum().cast(pl.Int64),
        )
        .with_columns(pl.lit(ATTRIBUTES[name]).alias("attribute"))
    )


def _value(name: str) -> pl.Expr:
    """Return what is counted of an attribute: of a browser's version, its name and the first number."""
    if name != "browser_version":
        return pl.col(name)
    return pl.col("browser_name") + " " + pl.col(name).str.extract(r"^([0-9]+)", 1)


def count_sessions(
    tallies: Mapping[str, pl.DataFrame], *, events: int, machine_events: int, has_conversions: bool
) -> SessionCounts:
    """Make the counts of the parts' tallies, each of them added up."""
    totals = tallies["totals"].row(0, named=True)
    sessions = totals["sessions"]
    median = quantile(tallies["durations"], 0.5)["value"]
    return SessionCounts(
        events=events,
        machine_events=machine_events,
        converted=totals["converted"] if has_conversions else None,
        duration_mean_s=totals["duration_s"] / sessions if sessions else None,
        duration_median_s=float(median[0]) if len(median) else None,
        breakdown=_breakdown(tallies["clients"], sessions, has_conversions=has_conversions),
        **{name: totals[name] for name in ("sessions", "visitors", "views", "actions", "errors", "without_views")},
    )


def _breakdown(clients: pl.DataFrame, sessions: int, *, has_conversions: bool) -> pl.DataFrame:
    # An attribute nobody reported is no attribute.
    told = clients.filter((pl.col("value") != UNKNOWN).any().over("attribute"))
    order = pl.col("attribute").replace_strict({name: place for place, name in enumerate(ATTRIBUTES.values())})
    ranked = told.sort(order, -pl.col("sessions"), "value")
    parts = [Proportion.of(hits, n) for hits, n in ranked.select("converted", "sessions").iter_rows()]
    figures = {name: [getattr(part, name) for part in parts] for name in ("share", "low", "high")}
    nothing = [None] * len(parts)
    return ranked.select(
        "attribute",
        "value",
        "sessions",
        (pl.col("sessions") / max(1, sessions)).alias("share"),
        "views",
        pl.col("converted") if has_conversions else pl.lit(None, dtype=pl.Int64).alias("converted"),
        *(
            pl.Series(shown, figures[name] if has_conversions else nothing, dtype=pl.Float64)
            for shown, name in (("conversion", "share"), ("low", "low"), ("high", "high"))
        ),
    )
