"""The analysis of journeys: one pass over the visitors of a window, and everything that is counted on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.experiments import (
    EXPERIMENT_KEYS,
    Experiments,
    Shown,
    compare_variants,
    find_shown,
    tally_experiments,
)
from prodintel_lib.analyses.journeys.after_drop import RETURN_KEYS, AfterDrop, follow_drop_offs, tally_returns
from prodintel_lib.analyses.journeys.conversion import (
    DIMENSIONS,
    ConversionChange,
    compare_conversion,
    middle_of,
    tally_conversions,
)
from prodintel_lib.analyses.journeys.counts import CLIENT_KEYS, SessionCounts, count_sessions, tally_sessions
from prodintel_lib.analyses.journeys.drop_off import DropOffs, explain_drop_offs
from prodintel_lib.analyses.journeys.exemplars import Exemplars, choose_exemplars
from prodintel_lib.analyses.journeys.exposures import EXPOSURE_KEYS, choose_windows, tally_dwell, tally_exposures
from prodintel_lib.analyses.journeys.flow import EDGE_KEYS, GRAPH_KEYS, Flow, tally_edges, tally_graph, trace_flow
from prodintel_lib.analyses.journeys.passes import Part, Passes, open_passes
from prodintel_lib.analyses.journeys.running import RunningSum
from prodintel_lib.analyses.journeys.variants import Journeys, VariantCounts, rank_journeys
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.tables import RUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.journeys.machines import Machines
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.windows import Window

# Names that this module made: to search them for personal data would find patterns in checksums.
_KEPT: Final = {"journey_id": "keep", "session": "keep", "reason": "keep", "verdict": "keep", "explained_by": "keep"}


@dataclass(frozen=True, slots=True)
class JourneyFindings:
    """What users did in a window, where they dropped off and why.

    Attributes
    ----------
    window : Window
    conversions : tuple of str
        Event names and page routes that mean a visitor did what the site is for.
    gap_min : float
        Minutes without an event that end a session.
    feature : str
        Journeys, flow, drop-offs and what followed are of sessions that saw a page with this text in its route; empty:
        of all.
    counts : SessionCounts
        Of all sessions, whatever the feature.
    journeys : Journeys
    flow : Flow
    drop_offs : DropOffs
    after_drop : AfterDrop
    exemplars : Exemplars
    routes : polars.DataFrame
        ``route, paths, views``: the templates that were learned, most viewed first.
    machines : Machines
        Visitors that are left out of all else because they have the rhythm of a machine.
    conversion : ConversionChange or None
        Whether it fell within the window, and for whom; None where no conversion is named. Of all sessions.
    experiments : Experiments or None
        Conversion by what visitors were shown; None where no conversion is named. Of all sessions.
    """

    window: Window
    conversions: tuple[str, ...]
    gap_min: float
    feature: str
    counts: SessionCounts
    journeys: Journeys
    flow: Flow
    drop_offs: DropOffs
    after_drop: AfterDrop
    exemplars: Exemplars
    routes: pl.DataFrame
    machines: Machines
    conversion: ConversionChange | None = None
    experiments: Experiments | None = None


def analyse_journeys(
    view: LakeView,
    *,
    window: Window,
    conversions: Sequence[str] = (),
    gap_min: float = 30.0,
    top: int = 10,
    min_sessions: int | None = None,
    feature: str = "",
    passes: Passes | None = None,
) -> JourneyFindings:
    """Find out what users do, where they drop off, and why.

    Parameters
    ----------
    view : LakeView
        Its lake holds ``rum_events``.
    window : Window
    conversions : sequence of str
        Event names and page routes; without them every session's end is a drop-off.
    gap_min : float
        Minutes without an event that end a session.
    top, min_sessions : int
        See variants.rank_journeys.
    feature : str
        Only sessions that saw a page whose route holds this text.
    passes : Passes, optional
        Of the same view, window, conversions and gap, where they are open already: the routes are then learned once.

    Raises
    ------
    NoDataError
        If no event of a person was recorded in the window, or no session saw the feature.
    ParameterError
        If `gap_min`, `top` or `min_sessions` is not positive.
    """
    for name, value in (("gap_min", gap_min), ("top", top), ("min_sessions", min_sessions)):
        if value is not None and value <= 0:
            raise ParameterError(f"`{name}` must be positive; it is {value}.", hint=f"leave `{name}` out.")
    events, machine_events = _count_events(view, window)
    passes = passes or open_passes(view, window=window, conversions=conversions, gap_min=gap_min)
    windows = choose_windows([tally_dwell(passes.part(passes.slices[0]))])
    shown = find_shown(view, window) if conversions else None
    tallies = _Tallies.of(passes, windows, shown, feature=feature)
    counts = count_sessions(
        {name: tally.total() for name, tally in tallies.counts.items()},
        events=events,
        machine_events=machine_events + passes.machines.events,
        has_conversions=bool(conversions),
    )
    _require_sessions(counts, tallies, feature=feature, window=window)
    edges = tallies.edges.total()
    journeys = rank_journeys(
        tallies.variants, top=top, min_sessions=min_sessions, has_conversions=bool(conversions)
    )  # fmt: skip
    findings = JourneyFindings(
        window=window,
        conversions=tuple(conversions),
        gap_min=gap_min,
        feature=feature,
        counts=counts,
        journeys=journeys,
        flow=trace_flow(edges, tallies.graph.total()),
        drop_offs=explain_drop_offs(tallies.exposures.total(), windows),
        after_drop=follow_drop_offs(edges, tallies.returns.total()),
        exemplars=choose_exemplars(passes, journeys),
        routes=_learned(passes),
        machines=passes.machines,
        conversion=_conversion(tallies, view.private, window) if conversions else None,
        experiments=compare_variants([tallies.experiments.total()], shown, private=view.private) if shown else None,
    )
    return _without_people(findings, view.private)


class _Tallies:
    """What is kept of the parts: small tables, added up as they come."""

    def __init__(self) -> None:
        self.counts = {"totals": RunningSum(()), "durations": RunningSum(["bin"]), "clients": RunningSum(CLIENT_KEYS)}
        self.conversions = RunningSum(("is_after", *DIMENSIONS))
        self.variants = VariantCounts()
        self.edges, self.graph = RunningSum(EDGE_KEYS), RunningSum(GRAPH_KEYS)
        self.exposures, self.returns = RunningSum(EXPOSURE_KEYS), RunningSum(RETURN_KEYS)
        self.experiments = RunningSum(EXPERIMENT_KEYS)

    @classmethod
    def of(cls, passes: Passes, windows: pl.DataFrame, shown: Shown | None, *, feature: str) -> _Tallies:
        tallies = cls()
        for which in passes.slices:
            # Nothing here may hold a part while the next one is read.
            tallies._add(passes.part(which), windows, shown, feature=feature, middle_us=middle_of(passes.window))
        return tallies

    def _add(self, whole: Part, windows: pl.DataFrame, shown: Shown | None, *, feature: str, middle_us: int) -> None:
        if shown:
            self.experiments.add(tally_experiments(whole, shown))
        for name, tally in tally_sessions(whole).items():
            self.counts[name].add(tally)
        self.conversions.add(tally_conversions(whole, middle_us=middle_us))
        part = _with_feature(whole, feature)
        self.variants.add(part)
        self.edges.add(tally_edges(part))
        self.graph.add(tally_graph(part))
        self.exposures.add(tally_exposures(part, windows))
        self.returns.add(tally_returns(part))


def _with_feature(part: Part, feature: str) -> Part:
    """Keep the sessions that saw a page whose route holds a text; their numbers stay those of the whole part."""
    if not feature:
        return part
    saw = pl.col("route").str.to_lowercase().str.contains(feature.lower(), literal=True)
    numbers = part.steps.filter(saw).select("session_no").unique()
    kept = part.sessions.join(numbers, on="session_no", how="semi", maintain_order="left").with_row_index("_new")
    renumbered = part.steps.join(
        kept.select("session_no", pl.col("_new").cast(pl.Int64)), on="session_no", how="inner", maintain_order="left"
    )
    return Part(
        kept.with_columns(pl.col("_new").cast(pl.Int64).alias("session_no")).drop("_new"),
        renumbered.with_columns(pl.col("_new").alias("session_no")).drop("_new"),
    )


def _conversion(tallies: _Tallies, private: Pseudonymiser, window: Window) -> ConversionChange:
    return compare_conversion([private.frame(tallies.conversions.total())], window=window)


def _count_events(view: LakeView, window: Window) -> tuple[int, int]:
    events = view.workspace.scan(RUM_EVENTS.name, window=window, engine=view.engine)
    machine = (~nw.col("user_agent_synthetic_type").is_null()).cast(nw.Int64)
    counted = events.select(machine.alias("machine")).select(nw.len().alias("events"), nw.col("machine").sum())
    schema = {"events": pl.Int64(), "machine": pl.Int64()}
    total, machines = collect(counted, schema=schema, sort_by=["events"]).row(0)
    return int(total), int(machines or 0)


def _require_sessions(counts: SessionCounts, tallies: _Tallies, *, feature: str, window: Window) -> None:
    if not counts.sessions:
        machines = f" ({counts.machine_events:,} events are of machines)" if counts.machine_events else ""
        raise NoDataError(
            f"No event of a user was recorded in {window.label()}{machines}.",
            hint="choose a window that the exports of the browsers' events cover, or add such a source.",
        )
    if feature and tallies.variants.journeys().is_empty():
        raise NoDataError(
            f"None of the {counts.sessions:,} sessions saw a page whose route holds `{feature}`.",
            hint="take a part of a route as the journeys show it.",
        )


def _learned(passes: Passes) -> pl.DataFrame:
    known = passes.paths.join(passes.routes, on="url_path", how="inner")
    return (
        known.filter(pl.col("route") != pl.col("url_path"))
        .group_by("route")
        .agg(pl.len().cast(pl.Int64).alias("paths"), pl.col("views").sum())
        .sort(-pl.col("views"), "route")
    )


def _without_people(findings: JourneyFindings, private: Pseudonymiser) -> JourneyFindings:
    """Replace what is personal or secret in the routes: a path may hold a name, an address or a token."""

    def clean(frame: pl.DataFrame) -> pl.DataFrame:
        return private.frame(frame, columns=_KEPT)

    flow, after = findings.flow, findings.after_drop
    return replace(
        findings,
        counts=replace(findings.counts, breakdown=clean(findings.counts.breakdown)),
        journeys=replace(findings.journeys, frame=clean(findings.journeys.frame)),
        flow=Flow(clean(flow.steps), clean(flow.edges), clean(flow.graph)),
        drop_offs=replace(
            findings.drop_offs, steps=clean(findings.drop_offs.steps), reasons=clean(findings.drop_offs.reasons)
        ),
        after_drop=AfterDrop(clean(after.went), clean(after.returns), clean(after.entries)),
        exemplars=Exemplars(clean(findings.exemplars.frame)),
        routes=clean(findings.routes),
    )
