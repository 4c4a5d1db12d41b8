"""What the analyses report as causes, each in the one form that is matched with the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from benchmarks.journeys_truth.truth import Reported
from prodintel_lib.analyses.experience import measure_experience
from prodintel_lib.analyses.experiments import LOWERS
from prodintel_lib.analyses.experiments import RAISES as RAISES_CONVERSION
from prodintel_lib.analyses.journeys import analyse_journeys
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.telemetry import open_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.analyses.experiments import Experiments
    from prodintel_lib.analyses.frontend_errors import FrontEndErrors
    from prodintel_lib.analyses.journeys import DropOffs
    from prodintel_lib.analyses.journeys.machines import Machines
    from prodintel_lib.windows import Window
    from prodintel_lib.workspace import Workspace

RAISES: Final = "raises drop-off"
# A defect that is thrown, or a validation that is one.
BUG: Final = "bug"


def report_causes(workspace: Workspace, window: Window) -> list[Reported]:
    """Run the analyses on a workspace's lake, and list all that they name as causes."""
    view, conversions = open_view(workspace), workspace.config.journeys.conversions
    gap_min = workspace.config.journeys.session_gap_min
    passes = open_passes(view, window=window, conversions=conversions, gap_min=gap_min)
    journeys = analyse_journeys(view, window=window, conversions=conversions, gap_min=gap_min, passes=passes)
    experience = measure_experience(view, window=window, conversions=conversions, gap_min=gap_min, passes=passes)
    effects = effects_of(journeys.experiments) if journeys.experiments else ()
    return [
        *drop_offs_of(journeys.drop_offs),
        *errors_of(experience.errors),
        *effects,
        *machines_of(journeys.machines),
    ]


def drop_offs_of(drop_offs: DropOffs) -> Iterator[Reported]:
    """Yield the reasons that are said to make people leave a page."""
    for row in drop_offs.reasons.filter(pl.col("verdict") == RAISES).iter_rows(named=True):
        figure = (
            f"{row['risk_difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}), {row['exposed']:,} exposed, "
            f"q {row['q_value']:.1e}"
        )
        yield Reported("drop_off", route=row["route"], reason=row["reason"], figure=figure)


def errors_of(errors: FrontEndErrors) -> Iterator[Reported]:
    """Yield the patterns that are said to be bugs, to cost conversions, or to keep to some place."""
    for row in errors.patterns.filter(~pl.col("is_rare")).iter_rows(named=True):
        said = f"{row['error_type']}: {row['example'] or row['message']}"
        if row["class"] == BUG:
            yield Reported("error", message=said, figure=row["reason"])
        if row["lost_conversions"] is not None:
            figure = f"{row['difference']:+.3f} ({row['difference_low']:+.3f} to {row['difference_high']:+.3f})"
            yield Reported("impact", message=said, figure=figure)
        if row["place"]:
            yield Reported("place", message=said, attributes=_place(errors, row), figure=row["place"])


def effects_of(experiments: Experiments) -> Iterator[Reported]:
    """Yield the variants that are said to convert more or less often than the one they are compared with."""
    told = experiments.variants.filter(pl.col("verdict").is_in([RAISES_CONVERSION, LOWERS]))
    for row in told.iter_rows(named=True):
        better = row["variant"] if row["verdict"] == RAISES_CONVERSION else row["base"]
        figure = f"{row['difference']:+.4f} ({row['difference_low']:+.4f} to {row['difference_high']:+.4f})"
        yield Reported("experiment", message=row["feature_flag_key"], attributes={"variant": better}, figure=figure)


def machines_of(machines: Machines) -> Iterator[Reported]:
    """Yield the visitors that are said to be machines though they do not say so."""
    for row in machines.frame.iter_rows(named=True):
        figure = f"{row['views']} views, every {row['gap_mean_s']:.1f} s, varying by {row['gap_variation']:.2f}"
        yield Reported("machine", message=row["visitor_id"], figure=figure)


def _place(errors: FrontEndErrors, row: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of the first cause that was localised, by canonical column."""
    found = errors.localisations.get(row["pattern_id"])
    if found is None or not found.causes:
        return {"said": row["place"]}
    named = {}
    for name, value in found.causes[0].attributes.items():
        if name == "country":
            named["geo_country_iso_code"] = value
        elif name == "browser_version":
            family, _, version = value.rpartition(" ")
            named |= {"browser_name": family, "browser_version": version}
        elif name == "user_is_new":
            named[name] = "true" if value == "new" else "false"
        else:
            named[name] = value
    return named
