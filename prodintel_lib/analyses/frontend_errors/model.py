"""What is known of front-end errors: the result of assess_errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.hours import DAY_HOURS
from prodintel_lib.analyses.frontend_errors.tally import ANY_DEFECT
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import DASH, Markup, Tone, figure_text, number, paragraph, percent, table, text, tone
from prodintel_lib.windows import to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.frontend_errors.hours import HourPattern
    from prodintel_lib.analyses.localisation import Localisation

MAX_SHOWN: Final = 12
MAX_PARTS: Final = 3
BLOCK_HOURS: Final = 3
_CLASS_TONES: Final[dict[str, Tone]] = {"bug": "bad", "unclear": "warn", "user mistake": "soft"}
_PRIORITY_TONES: Final[dict[str, Tone]] = {"high": "bad", "medium": "warn", "low": "soft"}


@dataclass(frozen=True, slots=True)
class FrontEndErrors:
    """Patterns of errors in users' browsers.

    Attributes
    ----------
    patterns : polars.DataFrame
        One row a pattern, what matters most first, rare ones last:

        - ``pattern_id, kind, error_type, message, frame, field, example``: as patterns.name_patterns says
        - ``class`` (bug, user mistake, unclear) with its ``reason``; ``priority`` (high, medium, low) with
          ``priority_reason``; ``is_rare``: fewer than `min_sessions` sessions, and so not ranked
        - ``errors, users, sessions, errors_per_user``; a user is a visitor: a browser as its source knows it
        - ``page``: where it is met, ``*`` if all over the site; ``visits``: sessions that were there;
          ``share, low, high``: of them that met it
        - ``first_us, last_us``
        - ``converted_with, converted_without``: shares of matched sessions; ``difference, difference_low,
          difference_high`` of them; ``impact_q``: corrected for the number of patterns, null for rare ones;
          ``matched_with, matched_without``: sessions compared, alike in ``matched_on``; ``unmatched``: with it, and
          nobody like them; ``lost_conversions``: difference times all sessions that met it on its page before they
          converted; null where no loss is certain
        - ``time_of_day``: in words; ``time_q``: of the test that every local hour is alike, corrected for the number
          of patterns
        - ``place``: where it keeps to, in words; empty if nowhere
    parts : polars.DataFrame
        concentration.PARTS_SCHEMA: how often each browser, version, region, release ... meets each pattern.
    pages : polars.DataFrame
        ``pattern_id, route, errors, sessions``.
    hours : polars.DataFrame
        ``pattern_id, hour_local, region, errors, hits, sessions``: on the pattern's page; ANY_DEFECT is any error that
        is not form validation, anywhere. Hour -1: the local time is not known.
    time_of_day : mapping of str to HourPattern
    localisations : mapping of str to Localisation
        By pattern, for those with the most sessions.
    sessions, users : int
        All there were.
    min_sessions : int
    has_conversions : bool
    """

    patterns: pl.DataFrame
    parts: pl.DataFrame
    pages: pl.DataFrame
    hours: pl.DataFrame
    time_of_day: Mapping[str, HourPattern]
    localisations: Mapping[str, Localisation]
    sessions: int
    users: int
    min_sessions: int
    has_conversions: bool

    def pattern(self, pattern_id: str) -> dict[str, Any]:
        """Return the row of a pattern.

        Raises
        ------
        ParameterError
            If there is none of that id.
        """
        found = self.patterns.filter(pl.col("pattern_id") == pattern_id)
        if found.is_empty():
            raise ParameterError.unknown("error pattern", pattern_id, known=self.patterns["pattern_id"])
        return found.row(0, named=True)

    def named(self, pattern_id: str) -> str:
        """Return a pattern in words: class, message and where it was thrown."""
        if pattern_id == ANY_DEFECT:
            return "any error but those of form validation"
        row = self.pattern(pattern_id)
        said = ": ".join(part for part in (row["error_type"], row["message"]) if part) or "an error without a message"
        return f"{said} [{row['frame']}]" if row["frame"] else said

    def _repr_html_(self) -> str:
        if self.patterns.is_empty():
            return str(paragraph(f"No error was recorded in the browsers of {self.sessions:,} sessions."))
        return str(self._summary_table() + self._where_table() + self._hours_table() + self._impact_table())

    def _shown(self) -> pl.DataFrame:
        return self.patterns.head(MAX_SHOWN)

    def _summary_table(self) -> Markup:
        rows = [
            [
                figure_text(self.named(row["pattern_id"]), note=row["pattern_id"]),
                figure_text(tone(row["class"], _CLASS_TONES[row["class"]]), note=row["reason"]),
                figure_text(tone(row["priority"], _PRIORITY_TONES[row["priority"]]), note=row["priority_reason"]),
                number(row["errors"]),
                number(row["users"]),
                number(row["sessions"]),
                number(row["errors_per_user"], digits=2),
            ]
            for row in self._shown().iter_rows(named=True)
        ]
        headers = ["Pattern", "Class", "Priority", "Errors", "Users", "Sessions", "Per user"]
        rare = self.patterns["is_rare"].sum()
        caption = (
            f"{len(rows)} of {self.patterns.height:,} patterns in {self.sessions:,} sessions of {self.users:,} users; "
            f"{rare:,} with fewer than {self.min_sessions} sessions are rare: last, and not ranked."
        )
        return table(headers, rows, align="lllrrrr", caption=caption)

    def _where_table(self) -> Markup:
        rows = []
        for row in self._shown().iter_rows(named=True):
            of_pattern = self.parts.filter(pl.col("pattern_id") == row["pattern_id"])
            pages = self.pages.filter(pl.col("pattern_id") == row["pattern_id"]).sort(
                "sessions", "route", descending=[True, False]
            )
            rows.append(
                [
                    text(row["pattern_id"]),
                    text(", ".join(_or_unknown(route) for route in pages["route"].head(MAX_PARTS))),
                    text(f"{percent(row['share'], digits=2)} of {row['visits']:,}"),
                    *(text(_largest(of_pattern, name)) for name in ("browser_name", "region", "service_version")),
                    text(row["time_of_day"]),
                    text(f"{to_datetime(row['first_us']):%Y-%m-%d %H:%M}"),
                    text(f"{to_datetime(row['last_us']):%Y-%m-%d %H:%M}"),
                ]
            )
        headers = ["Pattern", "Pages", "Of the sessions there", "Browsers", "Regions", "Releases", "Local time of day",
                   "First (UTC)", "Last (UTC)"]  # fmt: skip
        caption = "Browsers, regions, releases: their share of the sessions with it, and of all sessions on its page."
        return table(headers, rows, align="llrllllll", caption=caption)

    def _hours_table(self) -> Markup:
        """Show the share of sessions that met a pattern by parts of the local day."""
        parts = self.hours.filter(pl.col("hour_local") >= 0).group_by(
            "pattern_id", (pl.col("hour_local") // BLOCK_HOURS).alias("block")
        ).agg(pl.col("hits", "sessions").sum())  # fmt: skip
        if parts.is_empty():
            return paragraph("No browser said how far its clock is from UTC: the local time of errors is not known.")
        blocks = range(DAY_HOURS // BLOCK_HOURS)
        rows = []
        for key in (ANY_DEFECT, *self._shown()["pattern_id"]):
            of_pattern = parts.filter(pl.col("pattern_id") == key)
            counts = {block: (hits, n) for block, hits, n in of_pattern.select("block", "hits", "sessions").iter_rows()}
            cells = [_share(*counts.get(block, (0, 0))) for block in blocks]
            rows.append([text("any but validation" if key == ANY_DEFECT else key), *cells])
        headers = ["Pattern", *(f"{block * BLOCK_HOURS:02} to {(block + 1) * BLOCK_HOURS:02} h" for block in blocks)]
        caption = "Share of the sessions on its page that met it, by local time."
        return table(headers, rows, align="l" + "r" * len(blocks), caption=caption)

    def _impact_table(self) -> Markup:
        if not self.has_conversions:
            return paragraph("prodintel.yaml names no conversion (`journeys: conversions`): no impact is measured.")
        rows = [
            [
                text(row["pattern_id"]),
                percent(row["converted_with"]),
                percent(row["converted_without"]),
                _points(row),
                number(row["matched_with"]),
                number(row["matched_without"]),
                number(row["unmatched"]),
                number(row["lost_conversions"], digits=0),
            ]
            for row in self._shown().iter_rows(named=True)
        ]
        headers = ["Pattern", "Converted with it", "Without", "Difference, points (95 % CI)", "n with", "n without",
                   "Not matched", "Conversions lost"]  # fmt: skip
        caption = (
            "Sessions that met it, and sessions on the same page, after as many page views, that had not met it then: "
            "alike in device, region and, where there are such, browser and whether they are new. An error after the "
            "conversion does not count. Other things may still set them apart: a difference does not prove a cause."
        )
        return table(headers, rows, align="lrrrrrrr", caption=caption)


def _share(hits: int, sessions: int) -> Markup:
    return figure_text(percent(hits / sessions, digits=2), n=sessions) if sessions else DASH


def _points(row: dict[str, Any]) -> Markup:
    if row["difference"] is None:
        return DASH
    low, high = 100 * row["difference_low"], 100 * row["difference_high"]
    kind: Tone = "bad" if row["lost_conversions"] is not None else "soft"
    return tone(f"{100 * row['difference']:+.1f} ({low:+.1f} to {high:+.1f})", kind)


def _largest(parts: pl.DataFrame, dimension: str) -> str | None:
    of_dimension = parts.filter((pl.col("dimension") == dimension) & (pl.col("hits") > 0)).head(MAX_PARTS)
    said = [
        f"{row['value']} {100 * row['hit_share']:.0f} % of {100 * row['traffic_share']:.0f} %"
        for row in of_dimension.iter_rows(named=True)
    ]
    return ", ".join(said) or None


def _or_unknown(route: str) -> str:
    return route or "(unknown page)"
