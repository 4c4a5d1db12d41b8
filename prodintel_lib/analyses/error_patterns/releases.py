"""Which errors were met on one release of a service alone, and how long after it was deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.error_patterns.model import label_of
from prodintel_lib.markup import figure_text, number, paragraph, percent, table, text
from prodintel_lib.windows import US_PER_S, format_duration, format_time

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns.model import ErrorPatterns

MIN_OCCURRENCES: Final = 5
MAY_BE_BUGS: Final = ("bug", "unclear")
DEPLOYED: Final = ("deployment", "release")
ONE_RELEASE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "label": pl.String(),
    "service_name": pl.String(),
    "release": pl.String(),
    "rows": pl.Int64(),
    "traffic": pl.Int64(),
    "share_of_traffic": pl.Float64(),
    "deployed_us": pl.Int64(),
    "first_us": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class OneRelease:
    """Errors that keep to one release although others had traffic.

    Attributes
    ----------
    frame : polars.DataFrame
        ONE_RELEASE_SCHEMA: ``rows`` errors in ``traffic`` requests of the release, which are ``share_of_traffic`` of
        its service's; ``deployed_us`` is null where no change tells it.
    """

    frame: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(paragraph("No error keeps to one release of a service that has several."))
        rows = [
            [
                text(row["label"]),
                text(f"{row['service_name']} {row['release']}"),
                figure_text(number(row["rows"]), note=f"of {row['rows']:,}"),
                figure_text(percent(row["share_of_traffic"]), n=row["traffic"]),
                text(format_time(row["deployed_us"]) if row["deployed_us"] is not None else None),
                text(_after(row["deployed_us"], row["first_us"])),
            ]
            for row in self.frame.iter_rows(named=True)
        ]
        headers = ["Error", "Met only on", "Errors there", "Of its service's traffic", "Deployed (UTC)", "First met"]
        caption = "One stretch of errors on one release may be chance: it says where to look first, and no more."
        return str(table(headers, rows, align="llrrll", caption=caption))


def _after(deployed_us: int | None, first_us: int) -> str:
    if deployed_us is None:
        return format_time(first_us)
    return f"{format_duration((first_us - deployed_us) / US_PER_S)} after it"


def find_one_release(patterns: ErrorPatterns, changes: pl.DataFrame) -> OneRelease:
    """Find the errors that were met on one release alone.

    Parameters
    ----------
    patterns : ErrorPatterns
        Looked at are roots that may be bugs, with at least five occurrences and none in the baseline, of services with
        traffic on other releases.
    changes : polars.DataFrame
        The canonical table: the latest deployment of that version before the first error is named.
    """
    roots = patterns.frame.filter(
        (pl.col("occurrences") >= MIN_OCCURRENCES)
        & (pl.col("baseline_occurrences") == 0)
        & (pl.col("follows") == "")
        & pl.col("class").is_in(MAY_BE_BUGS)
    )
    only = patterns.contexts.filter(
        (pl.col("attribute") == "release") & (pl.col("share") == 1.0) & (pl.col("share_of_all") < 1.0)
    ).select("pattern_id", pl.col("value").alias("release"), "rows", "traffic", pl.col("share_of_all"))
    labels = pl.Series("label", [label_of(row) for row in roots.iter_rows(named=True)], dtype=pl.String)
    met = roots.with_columns(labels).join(only, on="pattern_id", how="inner", maintain_order="left")
    deployed = changes.filter(pl.col("change_kind").is_in(DEPLOYED)).select(
        "service_name", pl.col("service_version").alias("release"), pl.col("time_us").alias("deployed_us")
    )
    latest = (
        met.select("pattern_id", "service_name", "release", "first_us")
        .join(deployed, on=["service_name", "release"])
        .filter(pl.col("deployed_us") <= pl.col("first_us"))
        .group_by("pattern_id")
        .agg(pl.col("deployed_us").max())
    )
    named = met.join(latest, on="pattern_id", how="left", maintain_order="left")
    return OneRelease(named.select(pl.col("share_of_all").alias("share_of_traffic"), *(
        name for name in ONE_RELEASE_SCHEMA if name != "share_of_traffic"
    )).select(*ONE_RELEASE_SCHEMA))  # fmt: skip
