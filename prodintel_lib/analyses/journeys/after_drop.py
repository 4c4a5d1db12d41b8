"""What became of those who dropped off: where they had gone from each page, and whether they came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import figure_text, number, paragraph, percent, table, text
from prodintel_lib.rollups.histograms import bin_of, quantile
from prodintel_lib.windows import US_PER_S, format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.journeys.passes import Part

_US_PER_HOUR: Final = 3600 * US_PER_S
RETURN_KEYS: Final = ("exit_route", "entry_route", "bin")
RETURNS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "exit_route": pl.String(),
    "dropped": pl.Int64(),
    "came_back": pl.Int64(),
    "share": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "hours_median": pl.Float64(),
    "converted_then": pl.Int64(),
}
MAX_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class AfterDrop:
    """Where users went instead, and how they came back.

    Attributes
    ----------
    went : polars.DataFrame
        ``from_route, to_route`` (null: they left the site), ``sessions, share``: what sessions that did not convert did
        next at each page, by page most first; ``share`` is of all times they stood there.
    returns : polars.DataFrame
        Columns of RETURNS_SCHEMA, most dropped first: of the sessions that dropped off at a page, how many visitors
        came back within the window (with Wilson's 95 % interval), after how many hours (median, within 1 %), and how
        many converted in that next session. Who dropped late in the window had little time to come back: it is a lower
        bound.
    entries : polars.DataFrame
        ``exit_route, entry_route, came_back, converted_then``: at which page they came back.
    """

    went: pl.DataFrame
    returns: pl.DataFrame
    entries: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.returns.is_empty():
            return str(paragraph("No session dropped off."))
        firsts = {
            exit_route: (entry, n)
            for exit_route, entry, n in self.entries.unique("exit_route", keep="first", maintain_order=True)
            .select("exit_route", "entry_route", "came_back")
            .iter_rows()
        }
        rows = [
            [
                text(row["exit_route"]),
                number(row["dropped"]),
                figure_text(percent(row["share"]), n=row["dropped"], note=f"{row['came_back']:,} came back"),
                text(format_duration(row["hours_median"] * 3600) if row["hours_median"] is not None else None),
                text("{} ({:,})".format(*firsts[row["exit_route"]]) if row["exit_route"] in firsts else None),
                number(row["converted_then"]),
            ]
            for row in self.returns.head(MAX_SHOWN).iter_rows(named=True)
        ]
        headers = ["Dropped off at", "Sessions", "Came back", "After (median)", "Mostly at", "Converted then"]
        return str(table(headers, rows, align="lrrrlr", caption="Within the window: a lower bound for late sessions."))


def tally_returns(part: Part) -> pl.DataFrame:
    """Count the sessions that dropped off by page, and by page and delay of the visitor's next session."""
    ordered = part.sessions.select(
        "visitor_id", "start_us", "end_us", "session_no", "entry_route", "exit_route", "converted"
    ).sort("visitor_id", "start_us", "session_no")
    same = (pl.col("visitor_id") == pl.col("visitor_id").shift(-1)).fill_null(value=False)
    followed = ordered.with_columns(
        pl.when(same).then(pl.col("start_us").shift(-1)).alias("_next_us"),
        pl.when(same).then(pl.col("entry_route").shift(-1)).alias("_entry"),
        (same & pl.col("converted").shift(-1).fill_null(value=False)).alias("_then"),
    )
    dropped = followed.filter(
        ~pl.col("converted").fill_null(value=False), pl.col("exit_route").is_not_null()
    ).with_columns(
        # Sessions of two tabs overlap: the next one then begins at once, and not before.
        ((pl.col("_next_us") - pl.col("end_us")).clip(lower_bound=0) / _US_PER_HOUR).alias("_hours"),
    )
    binned: pl.DataFrame = nw.from_native(dropped).with_columns(bin_of("_hours").alias("bin")).to_native()
    return binned.group_by("exit_route", pl.col("_entry").alias("entry_route"), "bin").agg(
        pl.len().cast(pl.Int64).alias("dropped"),
        pl.col("_next_us").is_not_null().sum().cast(pl.Int64).alias("came_back"),
        pl.col("_then").sum().cast(pl.Int64).alias("converted_then"),
    )


def follow_drop_offs(edges: pl.DataFrame, returns: pl.DataFrame) -> AfterDrop:
    """Make the picture of the parts' tallies.

    Parameters
    ----------
    edges : polars.DataFrame
        The tallies of flow.tally_edges, added up.
    returns : polars.DataFrame
        Those of tally_returns, added up.
    """
    unconverted = edges.filter(~pl.col("converted")).group_by("from_route", "to_route").agg(pl.col("sessions").sum())
    went = unconverted.with_columns(
        (pl.col("sessions") / pl.col("sessions").sum().over("from_route")).alias("share"),
        pl.col("sessions").sum().over("from_route").alias("_all"),
    ).sort(-pl.col("_all"), "from_route", -pl.col("sessions"), "to_route")
    by_page = returns.group_by("exit_route").agg(pl.col("dropped", "came_back", "converted_then").sum())
    back = returns.filter(pl.col("bin").is_not_null())
    hours = quantile(back, 0.5, by=["exit_route"], count="came_back").select("exit_route", "value")
    ranked = by_page.join(hours, on="exit_route", how="left").sort(-pl.col("dropped"), "exit_route")
    rows = []
    for exit_route, dropped, came_back, then, value in ranked.iter_rows():
        share = Proportion.of(came_back, dropped)
        rows.append((exit_route, dropped, came_back, share.share, share.low, share.high, value, then))
    entries = (
        back.group_by("exit_route", "entry_route")
        .agg(pl.col("came_back", "converted_then").sum())
        .sort("exit_route", -pl.col("came_back"), "entry_route")
    )
    return AfterDrop(went.drop("_all"), pl.DataFrame(rows, schema=RETURNS_SCHEMA, orient="row"), entries)
