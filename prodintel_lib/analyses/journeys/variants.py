"""Journeys: the ways sessions take through the site, how many take each, how long they take and what comes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import figure_text, number, paragraph, percent, table, text
from prodintel_lib.rollups.histograms import bin_of, quantile
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.journeys.passes import Part

MAX_STEPS: Final = 12
ARROW: Final = " > "
VARIANT_KEYS: Final = ("path", "steps")
JOURNEYS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "journey_id": pl.String(),
    "path": pl.String(),
    "steps": pl.Int64(),
    "sessions": pl.Int64(),
    "share": pl.Float64(),
    "share_low": pl.Float64(),
    "share_high": pl.Float64(),
    "duration_median_s": pl.Float64(),
    "duration_mean_s": pl.Float64(),
    "converted": pl.Int64(),
    "conversion": pl.Float64(),
    "conversion_low": pl.Float64(),
    "conversion_high": pl.Float64(),
    "is_rare": pl.Boolean(),
}
# Fewer sessions than this are listed as rare, and nothing is concluded from them.
RARE_SESSIONS: Final = 30
LEAST_SESSIONS: Final = 3
_SMALL_SHARE: Final = 200


@dataclass(frozen=True, slots=True)
class Journeys:
    """The most frequent journeys, and what the rest amounts to.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of JOURNEYS_SCHEMA, most sessions first. ``path`` holds the routes of the first twelve steps (page views
        of one route in a row are one step) and ``steps`` how many there were: sessions with the same path and number of
        steps are one journey. ``share`` is of all sessions that saw a page, with Wilson's 95 % interval; the median
        duration is within 1 %. Conversions are null where none is named. ``is_rare``: fewer than 30 sessions.
    sessions : int
        Sessions that saw a page (and the feature, where one was asked for): the denominator.
    variants : int
        How many journeys there are in all.
    other_variants, other_sessions, other_converted : int
        Those that `frame` does not list, because they are below `top` or have fewer than `min_sessions` sessions.
    top, min_sessions : int
        `frame` lists the `top` most frequent, and half as many of those with the most conversions: the ways that lead
        somewhere are long, so each of them is taken by few.
    """

    frame: pl.DataFrame
    sessions: int
    variants: int
    other_variants: int
    other_sessions: int
    other_converted: int | None
    top: int
    min_sessions: int

    def _repr_html_(self) -> str:
        if not self.sessions:
            return str(paragraph("No session saw a page in the window, so there is no journey."))
        rows = [
            [
                figure_text(
                    row["path"] + (f"{ARROW}…" if row["steps"] > MAX_STEPS else ""),
                    note="rare" if row["is_rare"] else "",
                ),
                number(row["steps"]),
                number(row["sessions"]),
                figure_text(
                    percent(row["share"]), note=f"{100 * row['share_low']:.1f}-{100 * row['share_high']:.1f} %"
                ),
                text(format_duration(row["duration_median_s"])),
                text(format_duration(row["duration_mean_s"])),
                percent(row["conversion"]),
            ]
            for row in self.frame.iter_rows(named=True)
        ]
        rows.append(
            [
                text(f"other ({self.other_variants:,} journeys)"),
                text(None),
                number(self.other_sessions),
                percent(self.other_sessions / self.sessions),
                text(None),
                text(None),
                percent(None if self.other_converted is None else self.other_converted / max(1, self.other_sessions)),
            ]
        )
        headers = ["Journey", "Steps", "Sessions", "Share", "Median", "Mean", "Converted"]
        note = (
            f"Of {self.sessions:,} sessions. Listed: the {self.top} most frequent, and the {self.top // 2} with the "
            f"most conversions, of those with at least {self.min_sessions} sessions. Rare: fewer than {RARE_SESSIONS}."
        )
        return str(table(headers, rows, align="lrrrrrr", caption=note))


def paths_of(part: Part) -> pl.DataFrame:
    """Return ``session_no, path, steps`` of the sessions that saw a page."""
    joined = (
        part.steps.filter(pl.col("step_no") <= MAX_STEPS)
        .group_by("session_no", maintain_order=True)
        .agg(pl.col("route").str.join(ARROW).alias("path"))
    )
    return joined.with_columns(part.sessions["steps"].gather(joined["session_no"]).alias("steps"))


def tally_variants(part: Part) -> pl.DataFrame:
    """Count the sessions of each journey by bins of their duration; the counts of parts can be added up."""
    paths = paths_of(part)
    session = paths["session_no"]
    known = paths.with_columns(
        part.sessions["duration_s"].gather(session).alias("duration_s"),
        part.sessions["converted"].gather(session).cast(pl.Int64).fill_null(0).alias("converted"),
    )
    binned: pl.DataFrame = nw.from_native(known).with_columns(bin_of("duration_s").alias("bin")).to_native()
    return binned.group_by(*VARIANT_KEYS, "bin").agg(
        pl.len().cast(pl.Int64).alias("sessions"), pl.col("converted").sum(), pl.col("duration_s").sum()
    )


def rank_journeys(
    tallies: Iterable[pl.DataFrame], *, top: int, min_sessions: int | None, has_conversions: bool
) -> Journeys:
    """Add the tallies up, and keep the journeys that are frequent, and those that lead to the most conversions.

    Without `min_sessions` a journey needs a two-hundredth of the sessions, but no fewer than 3 and no more than 30.
    """
    counts = pl.concat(list(tallies))
    by_variant = (
        counts.group_by(*VARIANT_KEYS)
        .agg(pl.col("sessions", "converted", "duration_s").sum())
        .sort("sessions", *VARIANT_KEYS, descending=[True, False, False])
    )
    sessions = int(by_variant["sessions"].sum())
    if min_sessions is None:
        min_sessions = min(RARE_SESSIONS, max(LEAST_SESSIONS, -(-sessions // _SMALL_SHARE)))
    listed = _listed(by_variant.filter(pl.col("sessions") >= min_sessions), top)
    converted = int(by_variant["converted"].sum()) - int(listed["converted"].sum())
    bins = counts.join(listed.select(VARIANT_KEYS), on=VARIANT_KEYS, how="semi")
    medians = quantile(bins, 0.5, by=VARIANT_KEYS, count="sessions")
    return Journeys(
        frame=_frame(
            listed.join(medians, on=VARIANT_KEYS, how="left", maintain_order="left"), sessions, has_conversions
        ),
        sessions=sessions,
        variants=by_variant.height,
        other_variants=by_variant.height - listed.height,
        other_sessions=sessions - int(listed["sessions"].sum()),
        other_converted=converted if has_conversions else None,
        top=top,
        min_sessions=min_sessions,
    )


def _listed(frequent: pl.DataFrame, top: int) -> pl.DataFrame:
    first = frequent.head(top)
    led = frequent.filter(pl.col("converted") > 0).sort("converted", *VARIANT_KEYS, descending=[True, False, False])
    more = led.join(first, on=VARIANT_KEYS, how="anti", maintain_order="left").head(top // 2)
    return pl.concat([first, more]).sort("sessions", *VARIANT_KEYS, descending=[True, False, False])


def _frame(listed: pl.DataFrame, sessions: int, has_conversions: bool) -> pl.DataFrame:  # noqa: FBT001 - private
    rows = []
    for row in listed.iter_rows(named=True):
        share = Proportion.of(row["sessions"], sessions)
        conversion = Proportion.of(row["converted"], row["sessions"])
        outcome = (row["converted"], conversion.share, conversion.low, conversion.high)
        rows.append(
            (
                journey_id(row["path"], row["steps"]),
                row["path"],
                row["steps"],
                row["sessions"],
                share.share,
                share.low,
                share.high,
                row["value"],
                row["duration_s"] / row["sessions"],
                *(outcome if has_conversions else (None,) * 4),
                row["sessions"] < RARE_SESSIONS,
            )
        )
    return pl.DataFrame(rows, schema=JOURNEYS_SCHEMA, orient="row")


def journey_id(path: str, steps: int) -> str:
    """Return the name of a journey: the same in every run.

    Examples
    --------
    >>> journey_id("/ > /cart", 2)
    'j-f0d88dbc'
    """
    return f"j-{hashlib.sha256(f'{path}|{steps}'.encode()).hexdigest()[:8]}"
