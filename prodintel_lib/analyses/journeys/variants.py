"""Journeys: the ways sessions take through the site, how many take each, how long they take and what comes of it.

While they are counted a journey is a number: a digest, 64 bits wide, of its routes and of how many steps there were.
Most journeys were taken by one session and nobody else, so what is kept of each is small: the digest, its counts and
the codes of its routes. Text is made of those that are listed. That any two of n journeys share a digest has a chance
of n² / 2⁶⁵: of a million, three in a hundred million.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import numpy as np
import polars as pl

from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import figure_text, number, paragraph, percent, table, text
from prodintel_lib.rollups.histograms import bin_of, quantile
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
# A route's text is held once for all parts, and a code of 32 bits wherever the route is.
ROUTE: Final = pl.Categorical(pl.Categories("routes", namespace="prodintel.journeys"))
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


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
    digests : tuple of int
        The journeys of `frame`, in its order, as digests_of names them.
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
    digests: tuple[int, ...]
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


class VariantCounts:
    """How many sessions took each journey, added up part by part."""

    def __init__(self) -> None:
        self._journeys = RunningSum(("digest",), same=("steps", "routes"))
        self._bins = RunningSum(("digest", "bin"))

    def add(self, part: Part) -> None:
        """Add the sessions of a part that saw a page."""
        taken = digests_of(part)
        numbers = taken["session_no"]
        known = taken.with_columns(
            part.sessions["duration_s"].gather(numbers),
            part.sessions["converted"].gather(numbers).cast(pl.UInt32).fill_null(0),
        )
        binned: pl.DataFrame = nw.from_native(known).with_columns(bin_of("duration_s").alias("bin")).to_native()
        sessions = pl.len().cast(pl.UInt32).alias("sessions")
        self._bins.add(binned.group_by("digest", pl.col("bin").cast(pl.Int16)).agg(sessions))
        counts = known.group_by("digest").agg(
            sessions, pl.col("converted", "duration_s").sum(), pl.col("steps", "session_no").first()
        )
        routes = routes_of(part, counts["session_no"])
        self._journeys.add(counts.join(routes, on="session_no", how="inner").drop("session_no"))

    def journeys(self) -> pl.DataFrame:
        """Return ``digest, sessions, converted, duration_s, steps, routes`` (the first twelve), a row a journey."""
        return self._journeys.total()

    def bins(self) -> pl.DataFrame:
        """Return ``digest, bin, sessions``: of each journey the sessions by bins of their duration."""
        return self._bins.total()


def digests_of(part: Part) -> pl.DataFrame:
    """Return ``session_no, digest, steps`` of the sessions that saw a page, in their order.

    Notes
    -----
    A. L. Zobrist, "A new hashing method with application for game playing" (1970): a position is known by the numbers,
    drawn at random, of each piece on its square, here of each route at its step. The numbers are not drawn but mixed
    from the hash of the route and the step, and they are added where he takes the exclusive or.
    """
    early = part.steps.filter(pl.col("step_no") <= MAX_STEPS)
    number = early["session_no"].to_numpy()
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    places = _mixed(early["route"].hash().to_numpy() + early["step_no"].to_numpy().astype(np.uint64) * _GOLDEN)
    taken = pl.Series("session_no", number[starts])
    steps = part.sessions["steps"].gather(taken)
    digest = _mixed(np.add.reduceat(places, starts) + steps.to_numpy().astype(np.uint64))
    return pl.DataFrame([taken, pl.Series("digest", digest), steps.alias("steps")])


def routes_of(part: Part, numbers: pl.Series) -> pl.DataFrame:
    """Return ``session_no, routes``: the routes of the first twelve steps of some sessions."""
    wanted = np.zeros(part.sessions.height, dtype=np.bool_)
    wanted[numbers.to_numpy()] = True
    rows = part.steps.filter(pl.Series(wanted[part.steps["session_no"].to_numpy()]))
    early = rows.filter(pl.col("step_no") <= MAX_STEPS)
    return early.group_by("session_no", maintain_order=True).agg(pl.col("route").cast(ROUTE).alias("routes"))


def with_paths(journeys: pl.DataFrame) -> pl.DataFrame:
    """Write ``path`` for ``routes``; an arrow inside a route loses its spaces, or two journeys could read the same."""
    routes = pl.col("routes").cast(pl.List(pl.String))
    told = routes.list.eval(pl.element().str.replace_all(ARROW, ARROW.strip(), literal=True))
    return journeys.with_columns(told.list.join(ARROW).alias("path")).drop("routes")


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of numbers (Steele, Lea and Flood, SplitMix, 2014, doi:10.1145/2660193.2660195)."""
    for shift, factor in _MIX:
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values


def rank_journeys(
    counts: VariantCounts, *, top: int, min_sessions: int | None, has_conversions: bool
) -> Journeys:  # fmt: skip
    """Keep the journeys that are frequent, and those that lead to the most conversions.

    Without `min_sessions` a journey needs a two-hundredth of the sessions, but no fewer than 3 and no more than 30.
    """
    every = counts.journeys().cast({"sessions": pl.Int64, "converted": pl.Int64})
    sessions = int(every["sessions"].sum())
    if min_sessions is None:
        min_sessions = min(RARE_SESSIONS, max(LEAST_SESSIONS, -(-sessions // _SMALL_SHARE)))
    listed = _listed(with_paths(_eligible(every.filter(pl.col("sessions") >= min_sessions), top)), top)
    bins = counts.bins().join(listed.select("digest"), on="digest", how="semi").cast({"bin": pl.Int64})
    medians = quantile(bins, 0.5, by=["digest"], count="sessions")
    converted = int(every["converted"].sum()) - int(listed["converted"].sum())
    return Journeys(
        frame=_frame(listed.join(medians, on="digest", how="left", maintain_order="left"), sessions, has_conversions),
        digests=tuple(listed["digest"]),
        sessions=sessions,
        variants=every.height,
        other_variants=every.height - listed.height,
        other_sessions=sessions - int(listed["sessions"].sum()),
        other_converted=converted if has_conversions else None,
        top=top,
        min_sessions=min_sessions,
    )


def _eligible(frequent: pl.DataFrame, top: int) -> pl.DataFrame:
    """Leave out what cannot be listed, whatever the order of those with equal counts: that is by their text."""
    sessions, converted = pl.col("sessions"), pl.col("converted")
    # Of those that lead to most conversions `top` at most are listed already, as the most frequent.
    led = converted.filter(converted > 0).top_k(top + top // 2).min()
    return frequent.filter((sessions >= sessions.top_k(top).min()) | (converted >= led))


def _listed(eligible: pl.DataFrame, top: int) -> pl.DataFrame:
    first = _ranked(eligible, "sessions").head(top)
    led = _ranked(eligible.filter(pl.col("converted") > 0), "converted")
    more = led.join(first, on="digest", how="anti", maintain_order="left").head(top // 2)
    return _ranked(pl.concat([first, more]), "sessions")


def _ranked(journeys: pl.DataFrame, count: str) -> pl.DataFrame:
    return journeys.sort(count, *VARIANT_KEYS, descending=[True, False, False])


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
