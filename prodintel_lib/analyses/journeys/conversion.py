"""Whether conversion fell within the window, and for whom: the second half against the first, by attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.localisation import Localisation, localise
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.markup import Markup, paragraph
from prodintel_lib.windows import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.journeys.passes import Part
    from prodintel_lib.windows import Window

DIMENSIONS: Final = (
    "device_type", "browser_name", "browser_version", "os_name", "geo_country_iso_code", "geo_region_iso_code",
    "service_version", "user_is_new",
)  # fmt: skip
COUNTS: Final = ("sessions", "converted")
# Fewer conversions than this before, and a fall to none would be no surprise.
MIN_CONVERSIONS: Final = 30


@dataclass(frozen=True, slots=True)
class ConversionChange:
    """Conversion in the second half of the window against the first.

    Attributes
    ----------
    middle_us : int
        Where the halves meet.
    before, after : Proportion
        Sessions that converted, by when they began.
    localisation : Localisation or None
        The smallest attribute combinations that explain a fall; None where too few converted to look for one.
    """

    middle_us: int
    before: Proportion
    after: Proportion
    localisation: Localisation | None

    def sentence(self) -> str:
        """Say what changed, for whom."""
        halves = f"Conversion was {self.before} before {format_time(self.middle_us)} and {self.after} after it."
        if self.localisation is None:
            return f"{halves} That is too few to say for whom it fell."
        return f"{halves} {self.localisation.summary}"

    def _repr_html_(self) -> str:
        causes = self.localisation is not None and self.localisation.causes
        details = Markup(self.localisation._repr_html_()) if self.localisation and causes else Markup("")
        return str(paragraph(self.sentence()) + details)


def tally_conversions(part: Part, *, middle_us: int) -> pl.DataFrame:
    """Count the sessions of a part by half and attributes; the counts of parts add up."""
    major = pl.col("browser_name") + " " + pl.col("browser_version").str.extract(r"^([0-9]+)", 1)
    named = part.sessions.with_columns(
        major.alias("browser_version"),
        pl.when("user_is_new").then(pl.lit("new")).when(~pl.col("user_is_new")).then(pl.lit("returning"))
        .otherwise(None).alias("user_is_new"),
        (pl.col("start_us") >= middle_us).alias("is_after"),
    )  # fmt: skip
    return named.group_by("is_after", *DIMENSIONS).agg(
        pl.len().cast(pl.Int64).alias("sessions"), pl.col("converted").sum().cast(pl.Int64)
    )


def middle_of(window: Window) -> int:
    """Return the time that halves a window."""
    return (window.start_us + window.end_us) // 2


def compare_conversion(tallies: Iterable[pl.DataFrame], *, window: Window) -> ConversionChange:
    """Compare the halves of a window, and find for whom conversion fell."""
    counts = pl.concat(list(tallies)).group_by("is_after", *DIMENSIONS).agg(pl.col("sessions", "converted").sum())
    halves = {
        bool(is_after): Proportion.of(int(half["converted"].sum()), int(half["sessions"].sum()))
        for (is_after,), half in counts.group_by("is_after")
    }
    before, after = (halves.get(is_after, Proportion.of(0, 0)) for is_after in (False, True))
    found = None
    if before.hits >= MIN_CONVERSIONS and after.n:
        cells = counts.select(
            *DIMENSIONS,
            *(pl.when("is_after").then(name).otherwise(0).alias(name) for name in COUNTS),
            *(
                pl.when("is_after").then(0).otherwise(name).alias(f"{name}_before")
                for name in ("sessions", "converted")
            ),
        ).sort(DIMENSIONS)
        found = localise(
            cells,
            dimensions=DIMENSIONS,
            bad="converted",
            total="sessions",
            baseline_bad="converted_before",
            baseline_total="sessions_before",
            worse="lower",
        )
    return ConversionChange(middle_of(window), before, after, found)
