"""Which features visitors use, what they do next, and how the use of each changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import mask_message
from prodintel_lib.analyses.matched import compare_matched
from prodintel_lib.analyses.regions import region_label
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.engines import collect
from prodintel_lib.markup import DASH, Markup, Tone, figure_text, number, paragraph, percent, table, text, tone
from prodintel_lib.rollups.rum_features import FEATURE_USE_KEYS, FEATURE_USE_SCHEMA, build_feature_use
from prodintel_lib.windows import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import narwhals as nw

    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.windows import Window

Priority = Literal["critical", "high", "medium", "low"]

MIN_SESSIONS: Final = 30
MAX_SHOWN: Final = 15
CRITICAL_SHARE: Final = 0.5
HIGH_SHARE: Final = 0.1
MEDIUM_SHARE: Final = 0.01
_KEYS: Final = ("kind", "feature")
_STRATUM: Final = ("device_type", "entry_route", "region")
_COUNTS: Final = ("sessions", "users", "interactions", "next_steps", "early", "late", "converted")
_TONES: Final[dict[str, Tone]] = {"critical": "bad", "high": "warn", "medium": "", "low": "soft"}


@dataclass(frozen=True, slots=True)
class FeatureTally:
    """Counts of what was used; those of disjoint visitors add up.

    Attributes
    ----------
    uses : polars.DataFrame
        ``kind, feature, sessions, users, interactions, next_steps, early, late, converted, last_us``; ``early`` and
        ``late``: sessions of the first and the second half of the window.
    use_strata : polars.DataFrame
        ``kind, feature``, device, entry page and region, ``exposed, exposed_hits``: sessions that used it before they
        converted, and those of them that did.
    strata : polars.DataFrame
        Device, entry page and region, ``sessions, converted``.
    sessions, users, early, late, converted : int
        All there were.
    has_conversions : bool
    """

    uses: pl.DataFrame
    use_strata: pl.DataFrame
    strata: pl.DataFrame
    sessions: int
    users: int
    early: int
    late: int
    converted: int
    has_conversions: bool

    def __add__(self, other: FeatureTally) -> FeatureTally:
        return FeatureTally(
            uses=_add_uses([self.uses, other.uses]),
            use_strata=_add(self.use_strata, other.use_strata, by=[*_KEYS, *_STRATUM]),
            strata=_add(self.strata, other.strata, by=list(_STRATUM)),
            sessions=self.sessions + other.sessions,
            users=self.users + other.users,
            early=self.early + other.early,
            late=self.late + other.late,
            converted=self.converted + other.converted,
            has_conversions=self.has_conversions or other.has_conversions,
        )


@dataclass(frozen=True, slots=True)
class Features:
    """What visitors used in a window, most used first.

    Attributes
    ----------
    features : polars.DataFrame
        One row a feature:

        - ``kind`` (page, action, event), ``feature``; ``priority`` (critical, high, medium, low), ``reason``;
          ``is_rare``: fewer than MIN_SESSIONS sessions
        - ``sessions, users, interactions``; ``share, low, high``: of all sessions; ``last_us``: when it was last used
        - ``next_steps``, ``clickthrough``: sessions that went on to another page after it, and their share
        - ``early, late``: sessions in the first and the second half of the window; ``trend, trend_low, trend_high``:
          share of the sessions of the second half that used it less that of the first, with its 95 % interval
        - ``converted``: sessions with it that converted; ``converted_with, converted_without, difference,
          difference_low, difference_high, matched_with, matched_without``: of sessions alike in device, entry page and
          region, those that used it before they converted against those that did not; null where that says nothing
    sessions, users, converted : int
        All there were.
    window : Window
    has_conversions : bool
    """

    features: pl.DataFrame
    sessions: int
    users: int
    converted: int
    window: Window
    has_conversions: bool

    def _repr_html_(self) -> str:
        if self.features.is_empty():
            return str(paragraph(f"No named feature was used in {self.sessions:,} sessions."))
        rows = [_row(row) for row in self.features.head(MAX_SHOWN).iter_rows(named=True)]
        headers = ["Feature", "Priority", "Sessions", "Uses", "Went on", "Trend, points (95 % CI)",
                   "Conversion, points (95 % CI)", "Last used (UTC)"]  # fmt: skip
        caption = (
            f"{len(rows)} of {self.features.height:,} features in {self.sessions:,} sessions of {self.users:,} users. "
            "Trend: second half of the window less the first. Conversion: with it less without, among sessions alike "
            "in device, entry page and region, use before the conversion only; whoever wants to buy uses more, so a "
            "difference proves no effect."
        )
        return str(table(headers, rows, align="llrrrrrl", caption=caption))


def _row(row: dict[str, Any]) -> list[Markup]:
    return [
        figure_text(row["feature"], note=row["kind"]),
        tone(row["priority"], _TONES[row["priority"]]),
        figure_text(number(row["sessions"]), note=percent(row["share"])),
        number(row["interactions"]),
        percent(row["clickthrough"]),
        _points(row["trend"], row["trend_low"], row["trend_high"]),
        _points(row["difference"], row["difference_low"], row["difference_high"]),
        text(f"{to_datetime(row['last_us']):%Y-%m-%d %H:%M}"),
    ]


def _points(value: float | None, low: float | None, high: float | None) -> Markup:
    if value is None or low is None or high is None:
        return DASH
    return text(f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")


def tally_features(
    session_events: nw.LazyFrame[Any],
    sessions: pl.DataFrame,
    *,
    window: Window,
    conversions: Sequence[str],
    private: Pseudonymiser,
) -> FeatureTally:
    """Count the features used in one part of the data: by a bucket of visitors, or by all.

    Parameters
    ----------
    session_events : narwhals.LazyFrame
        As rollups.rum_sessions.build_session_events makes it; whole visitors.
    sessions : polars.DataFrame
        Its sessions, as rollups.rum_sessions.build_sessions makes them.
    window : Window
        Its middle divides early from late sessions.
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for.
    private : Pseudonymiser
        Names of features pass it. What varies in the name of an action (numbers, values) is masked.
    """
    used = collect(
        build_feature_use(session_events, conversions=conversions), schema=FEATURE_USE_SCHEMA, sort_by=FEATURE_USE_KEYS
    )
    numbers = sessions.select("session_key", pl.int_range(pl.len(), dtype=pl.Int64).alias("session_no"))
    numbered = used.join(numbers, on="session_key", maintain_order="left")
    return count_features(numbered, sessions, window=window, has_conversions=bool(conversions), private=private)


def count_features(
    used: pl.DataFrame, sessions: pl.DataFrame, *, window: Window, has_conversions: bool, private: Pseudonymiser
) -> FeatureTally:
    """Count the features used in one part of the data.

    Parameters
    ----------
    used : polars.DataFrame
        Columns of rollups.rum_features.FEATURE_USE_SCHEMA with ``session_no`` for the key: the row of the session.
        ``feature`` may be Categorical.
    sessions : polars.DataFrame
        Columns of rollups.rum_sessions.SESSIONS_SCHEMA.
    window : Window
        Its middle divides early from late sessions.
    has_conversions : bool
        Whether a conversion is named at all.
    private : Pseudonymiser
        Names of features pass it. What varies in the name of an action (numbers, values) is masked.
    """
    whole = sessions.select(
        pl.col("visitor_id").cast(pl.Categorical(pl.Categories.random())).to_physical().alias("visitor"),
        "steps",
        (pl.col("start_us") < (window.start_us + window.end_us) // 2).alias("is_early"),
        pl.col("converted").fill_null(value=False),
        region_label(),
        *(pl.col(name).fill_null("") for name in ("device_type", "entry_route")),
    )
    strata = whole.select(_STRATUM).unique(maintain_order=True).with_row_index("stratum")
    whole = whole.join(strata, on=list(_STRATUM), how="left", maintain_order="left").drop(_STRATUM)
    names, uses = _named(used, private)
    met = uses.hstack(whole.select(pl.all().gather(uses["session_no"])))
    exposed = met.filter("before_conversion").group_by("name", "stratum").agg(
        pl.len().cast(pl.Int64).alias("exposed"), pl.col("converted").sum().cast(pl.Int64).alias("exposed_hits")
    )  # fmt: skip
    every = whole.group_by("stratum").agg(
        pl.len().cast(pl.Int64).alias("sessions"), pl.col("converted").sum().cast(pl.Int64)
    )
    early = int(whole["is_early"].sum())
    use_strata = exposed.join(names, on="name").join(strata, on="stratum")
    return FeatureTally(
        uses=_count_uses(met, names),
        use_strata=use_strata.select(*_KEYS, *_STRATUM, "exposed", "exposed_hits"),
        strata=every.join(strata, on="stratum").select(*_STRATUM, "sessions", "converted"),
        sessions=whole.height,
        users=whole["visitor"].n_unique(),
        early=early,
        late=whole.height - early,
        converted=int(whole["converted"].sum()),
        has_conversions=has_conversions,
    )


def add_tallies(parts: Iterable[FeatureTally]) -> FeatureTally:
    """Add up the tallies of parts of the data that have no visitor in common; there must be one at least."""
    return reduce(lambda left, right: left + right, parts)


def _named(used: pl.DataFrame, private: Pseudonymiser) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Replace what is personal in names and mask what varies in those of actions.

    Returns the names (``name, kind, feature``), and the uses with the number of their ``name``: one row a session and
    name.
    """
    found = used.select("kind", "feature").unique()
    known = found.select("kind", pl.col("feature").cast(pl.String)).with_row_index("found")
    said = private.frame(known.select(pl.col("feature").alias("said")), columns={"said": "text"})["said"]
    is_action = pl.col("kind") == "action"
    masked = known.with_columns(said).with_columns(
        pl.when(is_action).then(mask_message(pl.col("said"))).otherwise(pl.col("said")).alias("said")
    )
    names = masked.select("kind", pl.col("said").alias("feature")).unique().sort(_KEYS).with_row_index("name")
    name = masked.join(names, left_on=["kind", "said"], right_on=_KEYS, how="left", maintain_order="left")["name"]
    numbered = used.join(found.with_columns(name), on=list(_KEYS), how="left", maintain_order="left").drop(_KEYS)
    if names.height == known.height:
        return names, numbered
    merged = numbered.group_by("session_no", "name").agg(
        pl.col("interactions").sum(),
        pl.col("first_us", "first_step").min(),
        pl.col("last_us").max(),
        pl.col("before_conversion").any(),
    )
    return names, merged


def _count_uses(met: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    counted = met.group_by("name").agg(
        pl.len().alias("sessions"),
        pl.col("visitor").n_unique().alias("users"),
        pl.col("interactions").sum(),
        (pl.col("steps") > pl.col("first_step")).sum().alias("next_steps"),
        pl.col("is_early").sum().alias("early"),
        (~pl.col("is_early")).sum().alias("late"),
        pl.col("converted").sum(),
        pl.col("last_us").max(),
    )
    named = counted.join(names, on="name").select(*_KEYS, pl.col(_COUNTS).cast(pl.Int64), "last_us")
    return _add_uses([named])


def _add_uses(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts).group_by(*_KEYS).agg(pl.col(_COUNTS).sum(), pl.col("last_us").max()).sort(*_KEYS)


def _add(left: pl.DataFrame, right: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    return pl.concat([left, right]).group_by(*by).agg(pl.exclude(*by).sum()).sort(*by)


def rank_features(tally: FeatureTally, *, window: Window, private: Pseudonymiser) -> Features:
    """Rank features by how much depends on them.

    Parameters
    ----------
    tally : FeatureTally
        Of the whole window.
    window : Window
    private : Pseudonymiser
        Entry pages may be named by a person's data.

    Notes
    -----
    The interval of a trend is Newcombe's for the difference of two shares (1998, method 10, see matched.py); the
    difference in conversion is Mantel-Haenszel's over strata (matched.compare_matched).
    """
    strata = tally.use_strata.join(tally.strata, on=list(_STRATUM)).with_columns(
        (pl.col("sessions") - pl.col("exposed")).alias("unexposed"),
        (pl.col("converted") - pl.col("exposed_hits")).alias("unexposed_hits"),
    )
    impact = compare_matched(strata, by=_KEYS).select(
        *_KEYS,
        pl.col("exposed_share").alias("converted_with"),
        pl.col("unexposed_share").alias("converted_without"),
        "difference",
        pl.col("low").alias("difference_low"),
        pl.col("high").alias("difference_high"),
        pl.col("matched_exposed").alias("matched_with"),
        pl.col("matched_unexposed").alias("matched_without"),
    )
    if not tally.has_conversions:
        impact = impact.clear()
    judged = pl.DataFrame([_judge(row, tally) for row in tally.uses.iter_rows(named=True)], schema=_JUDGED)
    frame = (
        tally.uses.join(judged, on=_KEYS)
        .join(impact, on=_KEYS, how="left")
        .with_columns((pl.col("next_steps") / pl.col("sessions")).alias("clickthrough"))
        .sort("sessions", "interactions", *_KEYS, descending=[True, True, False, False])
        .select(_FEATURES)
    )
    return Features(private.frame(frame), tally.sessions, tally.users, tally.converted, window, tally.has_conversions)


def _judge(row: dict[str, Any], tally: FeatureTally) -> dict[str, object]:
    share = Proportion.of(row["sessions"], tally.sessions)
    trend, low, high = _trend(Proportion.of(row["early"], tally.early), Proportion.of(row["late"], tally.late))
    priority, reason = _prioritise(row["sessions"], row["converted"], tally)
    return {
        "kind": row["kind"],
        "feature": row["feature"],
        "priority": priority,
        "reason": reason,
        "is_rare": row["sessions"] < MIN_SESSIONS,
        "share": share.share,
        "low": share.low,
        "high": share.high,
        "trend": trend,
        "trend_low": low,
        "trend_high": high,
    }


def _trend(early: Proportion, late: Proportion) -> tuple[float | None, float | None, float | None]:
    if not early.n or not late.n:
        return None, None, None
    change = late.share - early.share
    below = math.hypot(late.share - late.low, early.high - early.share)
    above = math.hypot(late.high - late.share, early.share - early.low)
    return change, change - below, change + above


def _prioritise(sessions: int, converted: int, tally: FeatureTally) -> tuple[Priority, str]:
    """Say how much depends on a feature: how many visits, and how many of those that reach their aim."""
    if sessions < MIN_SESSIONS:
        return "low", f"rare: {sessions:,} sessions"
    share = sessions / tally.sessions
    if tally.converted >= MIN_SESSIONS:
        reached = converted / tally.converted
        part = f"in {100 * reached:.0f} % of {tally.converted:,} sessions that converted"
        if reached >= CRITICAL_SHARE:
            return "critical", part
        if reached >= HIGH_SHARE:
            return "high", part
    if share >= HIGH_SHARE:
        return "high", f"in {100 * share:.0f} % of sessions"
    return ("medium" if share >= MEDIUM_SHARE else "low"), f"in {100 * share:.1f} % of sessions"


_JUDGED: Final = {
    "kind": pl.String,
    "feature": pl.String,
    "priority": pl.String,
    "reason": pl.String,
    "is_rare": pl.Boolean,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "trend": pl.Float64,
    "trend_low": pl.Float64,
    "trend_high": pl.Float64,
}
_FEATURES: Final = (
    "kind", "feature", "priority", "reason", "is_rare", "sessions", "share", "low", "high", "users", "interactions",
    "next_steps", "clickthrough", "early", "late", "trend", "trend_low", "trend_high", "converted", "converted_with",
    "converted_without", "difference", "difference_low", "difference_high", "matched_with", "matched_without",
    "last_us",
)  # fmt: skip
