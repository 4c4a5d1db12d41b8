"""The journeys from end to end, as the notebook calls them: read, analyse, build tests, write files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from prodintel_lib.analyses.experience import Experience, measure_experience, watch_experience
from prodintel_lib.analyses.journeys import JourneyFindings, SessionView, analyse_journeys, read_session
from prodintel_lib.analyses.journeys.drop_off import RAISES
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.analyses.rum_headline import raised_sentence, write_rum_headline
from prodintel_lib.analyses.telemetry import choose_window, open_view
from prodintel_lib.markup import number, paragraph, table, text
from prodintel_lib.renderers.markdown import plain
from prodintel_lib.renderers.ui_suite import render_ui_suite
from prodintel_lib.run_outputs import WrittenFiles, describe_run, write_run
from prodintel_lib.scenarios.ui_from_findings import UiTests, build_ui_tests
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.windows import Window, format_duration
from prodintel_lib.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.analyses.journeys.passes import Passes
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.headline import Headline
    from prodintel_lib.sources.report import IngestReport

RESULT_SCHEMA: Final = "prodintel/rum_journeys/1"
MAX_ROUTES: Final = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes
    ----------
    window : str
        ``START/END``, or a length such as ``7d`` that ends with the last day that has events.
    feature : str
        Only sessions that saw a page whose route holds this text; empty for all.
    conversions : tuple of str
        Event names and page routes; empty for those of prodintel.yaml.
    top : int
        How many journeys become tests.
    min_frequency : float
        Only journeys of at least this share of sessions become tests, 0 to 1.
    """

    window: str = "7d"
    feature: str = ""
    conversions: tuple[str, ...] = ()
    top: int = 5
    min_frequency: float = 0.0


def wish_of(*, window: str, feature: str, conversions: str, top: int, min_frequency: float) -> Wish:
    """Return the wish that a notebook's flat parameters tell; `conversions` are divided by commas.

    Examples
    --------
    >>> wish_of(window="7d", feature="", conversions="purchase, /thanks", top=3, min_frequency=0.01).conversions
    ('purchase', '/thanks')
    """
    named = tuple(part.strip() for part in conversions.split(",") if part.strip())
    return Wish(window, feature, named, top, min_frequency)


@dataclass(frozen=True, slots=True)
class LearnedRoutes:
    """The templates that were learned from paths: columns ``route, paths, views``."""

    frame: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(paragraph("No path held ids: every path is a route of its own, or the source names routes."))
        rows = [
            [text(row["route"]), number(row["paths"]), number(row["views"])]
            for row in self.frame.head(MAX_ROUTES).iter_rows(named=True)
        ]
        caption = f"{min(self.frame.height, MAX_ROUTES)} of {self.frame.height:,} templates learned from the data."
        return str(table(["Route", "Paths", "Page views"], rows, align="lrr", caption=caption))


@dataclass(frozen=True, slots=True)
class RumJourneys:
    """What users of a workspace did in a window, and the tests made of it.

    Attributes
    ----------
    workspace : Workspace
    findings : JourneyFindings
    experience : Experience
    session : SessionView or None
        The medoid of the most frequent journey; None where no journey is frequent enough.
    tests : UiTests
    accounting : IngestReport
    digest : str
        Of the rows that were looked at: equal input gives equal results.
    """

    workspace: Workspace
    findings: JourneyFindings
    experience: Experience
    session: SessionView | None
    tests: UiTests
    accounting: IngestReport
    digest: str

    @property
    def headline(self) -> Headline:
        """The answer first."""
        return write_rum_headline(self.findings, self.experience)

    @property
    def routes(self) -> LearnedRoutes:
        """What ids in paths became."""
        return LearnedRoutes(self.findings.routes)


def explore_journeys(workspace_path: str | Path, wish: Wish | None = None, *, engine: str = "polars") -> RumJourneys:
    """Find out what users of a workspace do, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    wish : Wish, optional
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the window or another wish is not usable.
    NoDataError
        If no event of a user was recorded in the window.
    """
    asked = wish or Wish()
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    window = choose_window_of_visits(view, asked.window)
    conversions = asked.conversions or workspace.config.journeys.conversions
    gap_min = workspace.config.journeys.session_gap_min
    passes = open_passes(view, window=window, conversions=conversions, gap_min=gap_min)
    # Each part of the lake is read once, for both.
    tallies = watch_experience(passes)
    findings = analyse_journeys(
        view,
        window=window,
        conversions=conversions,
        gap_min=gap_min,
        feature=asked.feature,
        top=max(10, 2 * asked.top),
        passes=passes,
    )
    experience = measure_experience(
        view, window=window, conversions=conversions, gap_min=gap_min, passes=passes, tallies=tallies
    )
    return RumJourneys(
        workspace=workspace,
        findings=findings,
        experience=experience,
        session=_first_session(passes, findings),
        tests=build_ui_tests(passes, findings, experience, top=asked.top, min_frequency=asked.min_frequency),
        accounting=account(workspace),
        digest=_digest(workspace, window, asked),
    )


def choose_window_of_visits(view: LakeView, asked: str) -> Window:
    """Return the window that was asked for; a length ends with the last day that has events of users.

    Raises
    ------
    NoDataError
        If there is no event at all.
    ParameterError
        If the text is no window.
    """
    return choose_window(
        view,
        asked,
        tables=(RUM_EVENTS.name,),
        of="events of users",
        hint="add a RUM export to `sources` in prodintel.yaml; docs/sources.md lists the formats.",
    )


def _first_session(passes: Passes, findings: JourneyFindings) -> SessionView | None:
    medoids = findings.exemplars.frame.filter(pl.col("rank") == 1)
    if medoids.is_empty():
        return None
    # Of the medoids the one with the most to see.
    name = medoids.sort("steps", "actions", "session", descending=[True, True, False])["session"][0]
    return read_session(passes.view, name, gap_min=passes.gap_min, routes=passes.routes)


def _digest(workspace: Workspace, window: Window, wish: Wish) -> str:
    """Digest what was read and asked: the files that hold events of the window, and the wish."""
    read = sorted(file.name for file in workspace.lake.manifest().files(RUM_EVENTS.name, window=window))
    said = orjson.dumps([read, window.start_us, window.end_us, wish.feature, list(wish.conversions)])
    return hashlib.sha256(said).hexdigest()


def write_outputs(journeys: RumJourneys, folder: str | Path) -> WrittenFiles:
    """Write the result, the summary and the tests.

    Parameters
    ----------
    journeys : RumJourneys
    folder : str or Path
        ``""`` stands for ``../reports/rum_journeys/<workspace>.live``: a live notebook leaves the last run alone.
    """
    return write_run(
        folder,
        notebook="rum_journeys",
        workspace=journeys.workspace,
        result=describe_result(journeys),
        texts={"summary.md": write_summary(journeys)},
        suites={"tests/": render_ui_suite(journeys.tests.suite) if journeys.tests.suite else ()},
        folders={"tests/": "the tests in Python, TypeScript and Gherkin"},
    )


def describe_result(journeys: RumJourneys) -> dict[str, Any]:
    """Return everything found as plain JSON values, for ``result.json``."""
    findings, experience = journeys.findings, journeys.experience
    counts = findings.counts
    kicker = f"journeys · {findings.window.label()}"
    described = describe_run(
        RESULT_SCHEMA,
        journeys.workspace,
        headline=journeys.headline,
        kicker=kicker,
        digest=journeys.digest,
        accounting=journeys.accounting,
    )
    return described | {
        "window": {"start_us": findings.window.start_us, "end_us": findings.window.end_us},
        "conversions": list(findings.conversions),
        "session_gap_min": findings.gap_min,
        "feature": findings.feature,
        "counts": {
            name: getattr(counts, name)
            for name in ("events", "machine_events", "sessions", "visitors", "views", "actions", "errors",
                         "without_views", "converted", "duration_mean_s", "duration_median_s")
        } | {"breakdown": counts.breakdown.to_dicts()},
        "undeclared_machines": {
            "visitors": findings.machines.frame.height,
            "events": findings.machines.events,
            "why": findings.machines.sentence(),
        },
        "conversion_change": findings.conversion.sentence() if findings.conversion else None,
        "experiments": findings.experiments.variants.to_dicts() if findings.experiments else [],
        "experiment_checks": findings.experiments.checks.to_dicts() if findings.experiments else [],
        "journeys": findings.journeys.frame.to_dicts(),
        "flow": findings.flow.graph.to_dicts(),
        "drop_offs": findings.drop_offs.steps.to_dicts(),
        "drop_off_reasons": findings.drop_offs.reasons.to_dicts(),
        "after_drop": findings.after_drop.went.to_dicts(),
        "returns": findings.after_drop.returns.to_dicts(),
        "exemplars": findings.exemplars.frame.to_dicts(),
        "routes": findings.routes.to_dicts(),
        "vitals": experience.vitals.cells.to_dicts(),
        "front_end_errors": experience.errors.patterns.to_dicts(),
        "features": experience.features.features.to_dicts(),
        "scenarios": [scenario.id for scenario in journeys.tests.scenarios],
        "without_test": [{"what": what, "why": why} for what, why in journeys.tests.left_out],
    }  # fmt: skip


def write_summary(journeys: RumJourneys) -> str:
    """Write the first screen as Markdown; what came from production is escaped."""
    findings, headline = journeys.findings, journeys.headline
    maker = journeys.workspace.config.generated_by
    made_up = [f"Made-up data: generated by `{plain(maker)}`, nobody did it.", ""] if maker else []
    return "\n".join(
        [
            f"# {plain(headline.title)}",
            "",
            *made_up,
            f"**{plain(headline.sentence)}**",
            "",
            f"{plain(findings.window.label())}; a session ends after {findings.gap_min:g} min without an event.",
            "",
            "Journeys (share of sessions with 95 % interval; median duration; conversion):",
            "",
            *_journey_lines(findings),
            "",
            "What raises drop-off (against matched sessions):",
            "",
            *_reason_lines(findings),
            "",
            f"Tests: {len(journeys.tests.scenarios)} made, {len(journeys.tests.left_out)} could not be.",
            "",
        ]
    )


def _journey_lines(findings: JourneyFindings) -> Iterator[str]:
    rows = findings.journeys.frame.head(10)
    if rows.is_empty():
        yield "No path was taken by enough sessions."
    for row in rows.iter_rows(named=True):
        converted = f", {100 * row['conversion']:.1f} % converted" if row["conversion"] is not None else ""
        yield (
            f"- {plain(row['path'])}: {100 * row['share']:.1f} % ({100 * row['share_low']:.1f} to "
            f"{100 * row['share_high']:.1f}) of {findings.journeys.sessions:,}; "
            f"{format_duration(row['duration_median_s'])}{converted}"
        )


def _reason_lines(findings: JourneyFindings) -> Iterator[str]:
    rows = findings.drop_offs.reasons.filter(pl.col("verdict") == RAISES)
    if rows.is_empty():
        yield f"None of {findings.drop_offs.comparisons:,} comparisons."
    for row in rows.iter_rows(named=True):
        yield f"- {plain(raised_sentence(row))}"
