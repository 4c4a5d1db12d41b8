"""What is known of the errors of a window: the result of find_error_patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import DASH, Markup, Tone, figure_text, number, paragraph, percent, table, text, tone
from prodintel_lib.windows import format_duration, to_datetime

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns.passes import ErrorPasses
    from prodintel_lib.analyses.log_templates import Templates
    from prodintel_lib.windows import Window

MAX_SHOWN: Final = 15
MAX_GONE: Final = 5
MAX_VALUES: Final = 3
MIN_LABEL_CHARS: Final = 40
_CLAUSE: Final = re.compile(r"[,;.(]? ")
LABEL_CHARS: Final = 100
_PRIORITY_TONES: Final[dict[str, Tone]] = {"P1": "bad", "P2": "bad", "P3": "warn", "P4": "soft"}
_CLASS_TONES: Final[dict[str, Tone]] = {"bug": "bad", "unclear": "warn", "expected": "soft", "user mistake": "soft"}
_TREND_TONES: Final[dict[str, Tone]] = {"new": "bad", "rising": "bad", "falling": "good", "gone": "good"}
FRAME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "origin": pl.String(),
    "level": pl.String(),
    "service_name": pl.String(),
    "error_type": pl.String(),
    "template": pl.String(),
    "template_id": pl.String(),
    "top_frame": pl.String(),
    "http_status": pl.Int64(),
    "occurrences": pl.Int64(),
    "baseline_occurrences": pl.Int64(),
    "exposure_unit": pl.String(),
    "exposure": pl.Int64(),
    "baseline_exposure": pl.Int64(),
    "traces": pl.Int64(),
    "users": pl.Int64(),
    "sessions": pl.Int64(),
    "clients": pl.Int64(),
    "people": pl.Int64(),
    "bot_rows": pl.Int64(),
    "is_exact": pl.Boolean(),
    "trace_share": pl.Float64(),
    "first_share": pl.Float64(),
    "follows": pl.String(),
    "reached": pl.Int64(),
    "reached_n": pl.Int64(),
    "mended": pl.Int64(),
    "mended_n": pl.Int64(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "rate_ratio": pl.Float64(),
    "ratio_low": pl.Float64(),
    "ratio_high": pl.Float64(),
    "dispersion": pl.Float64(),
    "trend": pl.String(),
    "trend_reason": pl.String(),
    "trend_q": pl.Float64(),
    "recurrence": pl.String(),
    "recurrence_reason": pl.String(),
    "class": pl.String(),
    "class_reason": pl.String(),
    "category": pl.String(),
    "category_reason": pl.String(),
    "priority": pl.String(),
    "priority_reason": pl.String(),
    "place": pl.String(),
    "example": pl.String(),
}


@dataclass(frozen=True, slots=True)
class ErrorPatterns:
    """Patterns of errors, those to look at first on top.

    Attributes
    ----------
    window, baseline : Window
        What was asked, and the time it is compared with.
    bucket_s : int
        Width of the buckets.
    min_occurrences : int
        Patterns with fewer, in the window and before, are left out; `left_out` says how many.
    frame : polars.DataFrame
        FRAME_SCHEMA, a row a pattern. Besides what the names say:

        - ``exposure, baseline_exposure``: traffic of its service in ``exposure_unit``, window and baseline
        - ``traces, users, sessions, clients``: distinct ones of the window; ``people`` are the clients that are not
          bots; ``is_exact`` is false where one of them is an estimate (distinct.RELATIVE_ERROR)
        - ``trace_share``: of its occurrences that name a trace; ``first_share``: of these, in how many nothing failed
          before it
        - ``follows``: the pattern that it follows from in its traces (cascades.with_roots), empty for a root
        - ``reached`` of ``reached_n`` sampled requests failed for whoever asked; in ``mended`` of ``mended_n`` the same
          session's next try went well
        - ``rate_ratio, ratio_low, ratio_high``: rate in the window over the rate before (trend.compare_rates)
        - ``recurrence``: ``first seen``, ``recurring`` or ``gone``; its reason says how far back was looked
    buckets : polars.DataFrame
        ``pattern_id, bucket_us, rows``: window and baseline, without empty buckets.
    members : polars.DataFrame
        ``pattern_id, trace_id, sample_key, time_us, session_id, route``: members.Members.
    contexts : polars.DataFrame
        contexts.CONTEXTS_SCHEMA.
    traffic : polars.DataFrame
        ``unit, service_name, bucket_us, rows, bot_rows``, window and baseline.
    events, baseline_events : int
        Errors of the window and the baseline, those of patterns that are left out included.
    left_out : int
    templates : Templates
        Of the messages; its catalogue is what the next run is given.
    numbers, keys, passes
        To find the errors of a pattern again (analysis.find_pattern_traces); `keys` holds texts as they were recorded.
    """

    window: Window
    baseline: Window
    bucket_s: int
    min_occurrences: int
    frame: pl.DataFrame
    buckets: pl.DataFrame
    members: pl.DataFrame
    contexts: pl.DataFrame
    traffic: pl.DataFrame
    events: int
    baseline_events: int
    left_out: int
    templates: Templates = field(repr=False)
    numbers: pl.DataFrame = field(repr=False)
    keys: pl.DataFrame = field(repr=False)
    passes: ErrorPasses = field(repr=False)

    def row(self, pattern_id: str) -> dict[str, Any]:
        """Return what is known of one pattern.

        Raises
        ------
        ParameterError
            If there is none of that id.
        """
        found = self.frame.filter(pl.col("pattern_id") == pattern_id)
        if found.is_empty():
            raise ParameterError.unknown("pattern", pattern_id, known=self.frame["pattern_id"].to_list())
        return found.row(0, named=True)

    def label(self, pattern_id: str) -> str:
        """Return what a pattern is called: its class and what it says."""
        return label_of(self.row(pattern_id))

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            before = f"; {self.left_out:,} patterns had fewer than {self.min_occurrences}" if self.left_out else ""
            return str(paragraph(f"No error was recorded in {self.window.label()}{before}."))
        more = Markup("<details><summary>{}</summary>{}{}{}</details>").format(
            f"{self._shown().height} patterns in detail", self._whom(), self._when(), self._where()
        )
        return str(self._what() + more + self._gone())

    def _shown(self) -> pl.DataFrame:
        return self.frame.filter(pl.col("occurrences") > 0).head(MAX_SHOWN)

    def _what(self) -> Markup:
        rows = [
            [
                Markup("{}{}").format(
                    tone(row["priority"], _PRIORITY_TONES[row["priority"]]), _quiet(row["priority_reason"])
                ),
                Markup("{}{}").format(text(label_of(row)), _quiet(self._named(row))),
                Markup("{}{}").format(tone(row["class"], _CLASS_TONES[row["class"]]), _quiet(row["class_reason"])),
                figure_text(number(row["occurrences"]), note=f"{row['baseline_occurrences']:,} before"),
                figure_text(number(row["people"] if row["clients"] else None), note=_bots(row)),
                text(row["recurrence"]),
            ]
            for row in self._shown().iter_rows(named=True)
        ]
        seen = self.frame.filter(pl.col("occurrences") > 0).height
        caption = (
            f"{self.events:,} errors and warnings in {self.window.label()}, {seen:,} patterns."
            + (f" {seen - len(rows):,} more are in result.json." if seen > len(rows) else "")
            + (f" {self.left_out:,} were met fewer than {self.min_occurrences:,} times." if self.left_out else "")
        )
        headers = ["Priority", "Error", "Class", "Times", "Clients", "Known"]
        return table(headers, rows, align="lllrrl", caption=caption)

    def _named(self, row: dict[str, Any]) -> str:
        parts = [row["pattern_id"], row["service_name"] or "no service", row["category"]]
        return " · ".join([*parts, f"follows {row['follows']}"] if row["follows"] else parts)

    def _gone(self) -> Markup:
        gone = self.frame.filter(pl.col("occurrences") == 0)
        if gone.is_empty():
            return Markup("")
        rows = [
            [
                Markup("{}{}").format(text(label_of(row)), _quiet(self._named(row))),
                number(row["baseline_occurrences"]),
                text(row["trend_reason"]),
            ]
            for row in gone.sort("baseline_occurrences", "pattern_id", descending=[True, False])
            .head(MAX_GONE)
            .iter_rows(named=True)
        ]
        caption = f"{gone.height:,} patterns of the {format_duration(self.baseline.duration_s)} before were not met."
        return table(["Gone", "Times before", "Rate, by traffic"], rows, align="lrl", caption=caption)

    def _whom(self) -> Markup:
        rows = [
            [
                text(row["pattern_id"]),
                number(row["people"] if row["clients"] else None),
                number(row["clients"] - row["people"] if row["clients"] else None),
                number(row["bot_rows"]),
                *(number(row[name] or None) for name in ("users", "sessions", "traces")),
                _of(row["occurrences"], row["exposure"], row["exposure_unit"]),
                _of(row["reached"], row["reached_n"], "sampled"),
                _of(row["mended"], row["mended_n"], "that tried again"),
            ]
            for row in self._shown().iter_rows(named=True)
        ]
        estimated = self.frame.height - int(self.frame["is_exact"].sum())
        caption = (
            "A client is the user, else the session, else the address; bots are apart. A dash: not recorded. Failed "
            "for the asker, next try: of a sample of at most 50 requests a pattern."
            + (f" Of {estimated:,} patterns a count is an estimate (standard error 2.2 %)." if estimated else "")
        )
        headers = ["Pattern", "Clients", "Bots", "Errors of bots", "Users", "Sessions", "Traces", "Of traffic",
                   "Failed for the asker", "Next try went well"]  # fmt: skip
        return table(headers, rows, align="lrrrrrrrrr", caption=caption)

    def _when(self) -> Markup:
        rows = [
            [
                text(row["pattern_id"]),
                tone(row["trend"], _TREND_TONES.get(row["trend"], "soft")),
                number(row["occurrences"]),
                number(row["baseline_occurrences"]),
                text(row["trend_reason"]),
                text(row["recurrence_reason"]),
                text(f"{to_datetime(row['first_us']):%Y-%m-%d %H:%M:%S}"),
                text(f"{to_datetime(row['last_us']):%Y-%m-%d %H:%M:%S}"),
            ]
            for row in self._shown().iter_rows(named=True)
        ]
        caption = (
            f"Against the {format_duration(self.baseline.duration_s)} before, by the traffic of the service; bursts "
            "widen the interval."
        )
        headers = ["Pattern", "Trend", "In the window", "Before", "Rate, by traffic", "Known", "First (UTC)",
                   "Last (UTC)"]  # fmt: skip
        return table(headers, rows, align="llrrllll", caption=caption)

    def _where(self) -> Markup:
        names = [name for name in ("route", "release", "browser", "region", "logger") if self._has(name)]
        if not names:
            return Markup("")
        rows = [[text(key), *(text(self._largest(key, name)) for name in names)] for key in self._shown()["pattern_id"]]
        caption = "Share of the pattern's errors, and in brackets of all traffic of its service, where that is known."
        return table(["Pattern", *(name.capitalize() for name in names)], rows, caption=caption)

    def _has(self, attribute: str) -> bool:
        return not self.contexts.filter(pl.col("attribute") == attribute).is_empty()

    def _largest(self, pattern_id: str, attribute: str) -> str | None:
        own = self.contexts.filter((pl.col("pattern_id") == pattern_id) & (pl.col("attribute") == attribute))
        said = [
            f"{row['value']} {100 * row['share']:.0f} %"
            + (f" ({100 * row['share_of_all']:.0f} %)" if row["share_of_all"] is not None else "")
            for row in own.head(MAX_VALUES).iter_rows(named=True)
        ]
        return ", ".join(said) or None


def label_of(row: dict[str, Any]) -> str:
    """Return what a pattern is called: its class, where it is thrown and what it says; what is long is cut at a clause.

    Examples
    --------
    >>> label_of({"template": "disk full", "error_type": "OSError", "top_frame": "save store.py", "example": ""})
    'OSError in save store.py: disk full'
    """
    said = row["template"] or row["example"]
    kind = row["error_type"]
    thrown = f"{kind} in {row['top_frame']}" if kind and row["top_frame"] else kind
    whole = f"{thrown}: {said}" if thrown and not said.startswith(thrown) else said or thrown or "no text"
    if len(whole) <= LABEL_CHARS:
        return whole
    clauses = [found.start() for found in _CLAUSE.finditer(whole, MIN_LABEL_CHARS, LABEL_CHARS)]
    return whole[: clauses[-1] if clauses else LABEL_CHARS - 1].rstrip() + "…"


def short_name_of(row: dict[str, Any]) -> str:
    """Return what is thrown where, without what it says; what it is called where that is not known.

    Examples
    --------
    >>> short_name_of({"template": "full", "error_type": "OSError", "top_frame": "save store.py", "example": ""})
    'OSError in save store.py'
    """
    kind, frame = row["error_type"], row["top_frame"]
    return f"{kind} in {frame}" if kind and frame else label_of(row)


def _quiet(note: object) -> Markup:
    return Markup("<br><small>{}</small>").format(text(note))


def _bots(row: dict[str, Any]) -> str:
    return f"and {row['bot_rows']:,} errors of bots" if row["bot_rows"] else ""


def _of(hits: int, n: int, unit: str) -> Markup:
    return figure_text(percent(hits / n), n=n, note=unit) if n else DASH
