"""The places that fail most: by service, package, file and function, release by release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.errors import MissingColumnsError
from prodintel_lib.markup import Markup, Tone, figure_text, number, paragraph, percent, table, text, tone
from prodintel_lib.windows import to_datetime

if TYPE_CHECKING:
    from prodintel_lib.analyses.stack_traces.groups import StackGroups

LEVELS: Final = ("service", "package", "file", "function")
NEW: Final = "new"
KNOWN: Final = "known"
FIRST: Final = "first release seen"
TOO_FEW: Final = "too few to say"
MAX_SHOWN: Final = 15
MISSED_BY_CHANCE: Final = 0.05
MIN_OCCURRENCES: Final = 5
_NEWS_TONES: Final[dict[str, Tone]] = {NEW: "bad", TOO_FEW: "warn", KNOWN: "", FIRST: "soft"}
_NEEDED: Final = ("stacktrace", "service_name", "service_version")
FRAME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "level": pl.String(),
    "service_name": pl.String(),
    "component": pl.String(),
    "is_in_app": pl.Boolean(),
    "service_version": pl.String(),
    "occurrences": pl.Int64(),
    "of": pl.Int64(),
    "share": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "users": pl.Int64(),
    "stack_ids": pl.List(pl.String()),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "news": pl.String(),
    "of_before": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class HotSpots:
    """Where errors with a stack trace come from.

    Attributes
    ----------
    frame : polars.DataFrame
        One row a level, component and release, by level, the most occurrences first:

        - ``level``: service, package, file, function; ``component``: its name within ``service_name``, of the topmost
          frame of one's own; of a library's where the traces hold none of one's own and ``is_in_app`` is false
        - ``service_version``: empty where the records do not say
        - ``occurrences``: records charged to it; ``of``: what they are a share of: the release's records with a trace,
          or its requests where `is_of_requests`; ``share, low, high``: with its 95 % interval
        - ``users``: distinct; null where the records name none
        - ``stack_ids``: its groups
        - ``first_us, last_us``: null without times
        - ``news``: ``new`` if no earlier release of the service had it, though so many as theirs (``of_before``) would
          have shown it; ``known``; ``too few to say``; ``first release seen``
    rows, traced : int
        Records there were, and those with a stack trace.
    is_of_requests : bool
    """

    frame: pl.DataFrame
    rows: int
    traced: int
    is_of_requests: bool

    def at(self, level: str) -> pl.DataFrame:
        """Return the rows of one of LEVELS."""
        return self.frame.filter(pl.col("level") == level)

    def _repr_html_(self) -> str:
        shown = self.at("function")
        if shown.is_empty():
            return str(paragraph(f"None of {self.rows:,} records holds a stack trace: no hot spot is known."))
        rows = [self._row(row) for row in shown.head(MAX_SHOWN).iter_rows(named=True)]
        whole = "requests" if self.is_of_requests else "errors with a stack trace"
        caption = (
            f"{len(rows)} of {shown.height:,} functions and releases; {self.traced:,} of {self.rows:,} records hold a "
            f"stack trace. Shares are of the release's {whole}, with Wilson's 95 % interval; errors come in bursts, so "
            "it is rather too narrow."
        )
        headers = ["Service", "Function", "Release", "Errors", "Share (95 % CI)", "Users", "First (UTC)", "News"]
        return str(table(headers, rows, align="lllrrrll", caption=caption))

    def _row(self, row: dict[str, Any]) -> list[Markup]:
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        first = f"{to_datetime(row['first_us']):%Y-%m-%d %H:%M}" if row["first_us"] is not None else None
        return [
            text(row["service_name"] or "(unnamed)"),
            figure_text(
                row["component"] or "(no name)",
                note=("" if row["is_in_app"] else "of a library, ") + ", ".join(row["stack_ids"][:3]),
            ),
            text(row["service_version"] or "(unknown)"),
            number(row["occurrences"]),
            figure_text(f"{percent(row['share'])} ({interval})", n=row["of"]),
            number(row["users"]),
            text(first),
            figure_text(
                tone(row["news"], _NEWS_TONES[row["news"]]), n=row["of_before"] if row["news"] != FIRST else None
            ),
        ]


def find_hot_spots(records: pl.DataFrame, groups: StackGroups, *, exposure: pl.DataFrame | None = None) -> HotSpots:
    """Find the components that errors come from, release by release.

    Parameters
    ----------
    records : polars.DataFrame
        What was grouped: ``stacktrace, service_name, service_version``; where there are any ``error_type, rows,
        user_id`` and ``time_us`` (or ``first_us, last_us``).
    groups : StackGroups
        Of the same records.
    exposure : polars.DataFrame, optional
        ``service_name, service_version, requests`` and, where known, ``first_us``: shares are then of requests.

    Raises
    ------
    MissingColumnsError
        If a column that is needed is missing.

    Notes
    -----
    A component is new with a release if earlier ones had none of it and, at the lower end of its interval now, would
    have had none by chance in at most MISSED_BY_CHANCE of all cases: ``(1 - low) ** of_before``; fewer than
    MIN_OCCURRENCES are too few. Releases are ordered by the first record of each (or ``first_us`` of the exposure), and
    without times by name. A record counts once, with its topmost own frame.
    """
    _require(records, exposure)
    if records.is_empty():
        return HotSpots(pl.DataFrame(schema=FRAME_SCHEMA), 0, 0, exposure is not None)
    charged = _charge(records, groups)
    totals = _totals(charged, exposure)
    levels = [_count(charged.with_columns(pl.col(level).alias("component")), level) for level in LEVELS]
    frame = _judge(pl.concat(levels).join(totals, on=["service_name", "service_version"]))
    traced = int(charged["rows"].sum())
    every = int(records["rows"].sum()) if "rows" in records.columns else records.height
    return HotSpots(frame, every, traced, exposure is not None)


def _require(records: pl.DataFrame, exposure: pl.DataFrame | None) -> None:
    missing = [name for name in _NEEDED if name not in records.columns]
    if missing:
        raise MissingColumnsError.in_table("records of errors", missing=missing, available=records.columns)
    if exposure is not None and "requests" not in exposure.columns:
        raise MissingColumnsError.in_table("exposure", missing=["requests"], available=exposure.columns)


def _charge(records: pl.DataFrame, groups: StackGroups) -> pl.DataFrame:
    """Return the records that hold a trace with service, package, file and function of their topmost own frame."""
    have = set(records.columns)
    keys = [name for name in ("stacktrace", "error_type") if name in have]
    told = groups.assignments.select(*keys, "stack_id", "is_in_app", "package", "file", "function").unique(
        subset=keys, keep="first"
    )
    none = pl.lit(None, dtype=pl.Int64)
    first = pl.col("time_us") if "time_us" in have else pl.col("first_us") if "first_us" in have else none
    last = pl.col("time_us") if "time_us" in have else pl.col("last_us") if "last_us" in have else none
    return (
        records.lazy()
        .select(
            *keys,
            pl.col("service_name").fill_null(""),
            pl.col("service_version").fill_null(""),
            (pl.col("rows") if "rows" in have else pl.lit(1)).cast(pl.Int64).alias("rows"),
            (pl.col("user_id") if "user_id" in have else pl.lit(None, dtype=pl.String())).alias("user_id"),
            first.alias("first_us"),
            last.alias("last_us"),
        )
        .join(told.lazy(), on=keys, how="inner", nulls_equal=True)
        .filter(pl.col("stack_id").is_not_null())
        .drop(keys)
        .with_columns(pl.col("service_name").alias("service"), pl.col("package", "file", "function").fill_null(""))
        .collect()
    )


def _totals(charged: pl.DataFrame, exposure: pl.DataFrame | None) -> pl.DataFrame:
    """Return of each release: what shares are of, its place in the order of releases, and the sum over those before."""
    keys = ["service_name", "service_version"]
    seen = charged.group_by(keys).agg(pl.col("rows").sum().alias("of"), pl.col("first_us").min().alias("since_us"))
    if exposure is not None:
        # A release without an error counts as well: it is what a new error is compared with.
        since = pl.col("first_us").min() if "first_us" in exposure.columns else pl.lit(None, dtype=pl.Int64)
        asked = exposure.with_columns(pl.col(keys).fill_null("")).group_by(keys).agg(
            pl.col("requests").cast(pl.Int64).sum(), since.alias("served_us")
        )  # fmt: skip
        seen = seen.join(asked, on=keys, how="full", coalesce=True).select(
            *keys,
            # Retries and logs make more errors than requests.
            pl.max_horizontal("requests", "of").alias("of"),
            pl.coalesce("served_us", "since_us").alias("since_us"),
        )
    ordered = seen.sort("service_name", "since_us", "service_version", nulls_last=True)
    return ordered.with_columns(
        pl.int_range(pl.len()).over("service_name").alias("place"),
        (pl.col("of").cum_sum().over("service_name") - pl.col("of")).alias("of_before"),
    ).drop("since_us")


def _count(charged: pl.DataFrame, level: str) -> pl.DataFrame:
    users = pl.col("user_id").drop_nulls().n_unique().cast(pl.Int64)
    return charged.group_by("service_name", "component", "service_version").agg(
        pl.lit(level).alias("level"),
        pl.col("is_in_app").any(),
        pl.col("rows").sum().alias("occurrences"),
        pl.when(pl.col("user_id").is_null().all()).then(None).otherwise(users).alias("users"),
        pl.col("stack_id").unique().sort().alias("stack_ids"),
        pl.col("first_us").min(),
        pl.col("last_us").max(),
    )


def _judge(counted: pl.DataFrame) -> pl.DataFrame:
    pairs = counted.select("occurrences", "of").iter_rows()
    intervals = [(share.share, share.low, share.high) for share in (Proportion.of(hits, n) for hits, n in pairs)]
    schema = {name: pl.Float64() for name in ("share", "low", "high")}
    whole = counted.hstack(pl.DataFrame(intervals, schema=schema, orient="row"))
    missed = (1 - pl.col("low")).pow(pl.col("of_before"))
    first_place = pl.col("place").min().over("level", "service_name", "component")
    news = (
        pl.when(pl.col("place") == 0)
        .then(pl.lit(FIRST))
        .when(first_place < pl.col("place"))
        .then(pl.lit(KNOWN))
        .when((missed <= MISSED_BY_CHANCE) & (pl.col("occurrences") >= MIN_OCCURRENCES))
        .then(pl.lit(NEW))
        .otherwise(pl.lit(TOO_FEW))
    )
    return (
        whole.with_columns(news.alias("news"))
        .sort(
            pl.col("level").replace_strict(list(LEVELS), list(range(len(LEVELS)))),
            *("occurrences", "service_name", "component", "service_version"),
            descending=[False, True, False, False, False],
        )
        .select(pl.col(name).cast(kind) for name, kind in FRAME_SCHEMA.items())
    )
