"""Errors and logs from end to end, as the notebook calls it: find patterns, correlate, build tests, write files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from prodintel_lib.analyses.correlation import Correlations, build_signal_series, build_trace_evidence, correlate
from prodintel_lib.analyses.error_patterns import (
    MAY_BE_BUGS,
    count_finer,
    find_error_patterns,
    find_one_release,
    label_of,
    read_stack_records,
)
from prodintel_lib.analyses.log_templates import Catalogue
from prodintel_lib.analyses.stack_traces import find_hot_spots, group_stacks
from prodintel_lib.analyses.telemetry import LakeView, choose_window, open_view
from prodintel_lib.engines import collect
from prodintel_lib.error_correlation.browser import build_browser_tests
from prodintel_lib.error_correlation.headline import write_headline
from prodintel_lib.error_correlation.pairs import PairTests, cover_pairs
from prodintel_lib.error_correlation.places import locate_errors
from prodintel_lib.error_correlation.stretches import read_stretches
from prodintel_lib.error_correlation.suites import build_pattern_tests
from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.lake_notes import PATTERNS, read_note, write_note
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.tables import CHANGES
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns import ErrorPatterns, OneRelease
    from prodintel_lib.analyses.stack_traces import HotSpots, StackGroups
    from prodintel_lib.error_correlation.places import ErrorPlaces
    from prodintel_lib.error_correlation.suites import PatternTests
    from prodintel_lib.headline import Headline
    from prodintel_lib.scenarios.ui_from_findings import UiTests
    from prodintel_lib.sources.report import IngestReport
    from prodintel_lib.workspace import Workspace

TABLES_OF_ERRORS: Final = ("logs", "spans", "rum_events")
CHANGES_BACK_S: Final = 24 * 3600
# What goes together within minutes does not show in wide buckets; long windows keep them, or there were too many.
FINE_S: Final = 60
FINE_UP_TO_S: Final = 2 * 86_400


@dataclass(frozen=True, slots=True)
class ErrorWish:
    """What is asked for.

    Attributes
    ----------
    window : str
        ``START/END``, or a length such as ``7d`` that ends with the last day that has rows. As long a time before it
        is what it is compared with.
    min_occurrences : int
        Patterns with fewer errors, in the window and before, are counted and not shown.
    top : int
        How many patterns become tests.
    remember : bool
        Whether the patterns that were found are kept beside the lake, so that the next run knows them.
    """

    window: str = "7d"
    min_occurrences: int = 1
    top: int = 10
    remember: bool = False


@dataclass(frozen=True, slots=True)
class ErrorCorrelation:
    """The errors of a window, what goes together with them, and the tests made of them.

    Attributes
    ----------
    workspace : Workspace
    patterns : ErrorPatterns
    changes : polars.DataFrame
        Canonical rows of the window and of the day before it.
    stacks : StackGroups
    hot_spots : HotSpots
    places : ErrorPlaces
        Which combinations of attributes explain the patterns that become tests.
    correlations : Correlations
    tests : PatternTests
        Those that send recorded requests again.
    browser : UiTests
        Those of front-end patterns.
    pairs : PairTests
        Which test brings about the first of a pair, and asserts that the second does not follow.
    accounting : IngestReport
    digest : str
        Of the rows that were looked at, and of what was asked.
    """

    workspace: Workspace
    patterns: ErrorPatterns
    changes: pl.DataFrame
    stacks: StackGroups
    hot_spots: HotSpots
    places: ErrorPlaces
    correlations: Correlations
    tests: PatternTests
    browser: UiTests
    pairs: PairTests
    accounting: IngestReport
    digest: str

    @property
    def one_release(self) -> OneRelease:
        """The errors that were met on one release of a service alone."""
        return find_one_release(self.patterns, self.changes)

    @property
    def headline(self) -> Headline:
        """The answer first."""
        return write_headline(self.patterns, self.correlations, self.tests, self.browser)


def explore_errors(
    workspace_path: str | Path, wish: ErrorWish | None = None, *, engine: str = "polars"
) -> ErrorCorrelation:
    """Find out what goes wrong in a workspace, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    wish : ErrorWish, optional
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the window or another wish is not usable.
    NoDataError
        If no log, span or event of a user was recorded in the window.
    """
    asked = wish or ErrorWish()
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    patterns = find_patterns(view, asked)
    records = read_stack_records(view, patterns.window)
    stacks = group_stacks(records)
    changes = read_changes(view, patterns.window)
    correlations, families = correlate_patterns(view, patterns, changes)
    chosen = choose_patterns(patterns, asked.top)
    stretches = read_stretches(view, patterns, chosen)
    tests = build_pattern_tests(stretches, patterns, chosen, authorization=Authorization.of(workspace))
    return ErrorCorrelation(
        workspace=workspace,
        patterns=patterns,
        changes=changes,
        stacks=stacks,
        hot_spots=find_hot_spots(records, stacks),
        places=locate_errors(stretches, patterns),
        correlations=correlations,
        tests=tests,
        browser=build_browser_tests(view, patterns.window, most=asked.top),
        pairs=cover_pairs(correlations.pairs, tests, families=families),
        accounting=account(workspace),
        digest=_digest(workspace, patterns, asked),
    )


def find_patterns(view: LakeView, wish: ErrorWish) -> ErrorPatterns:
    """Find the error patterns of the window that was asked for, against as long a time before it.

    Raises
    ------
    ParameterError
        If the window is not usable.
    NoDataError
        If nothing was recorded.
    """
    if wish.min_occurrences < 1 or wish.top < 0:
        raise ParameterError(
            f"`min_occurrences` is at least 1 and `top` at least 0; got {wish.min_occurrences} and {wish.top}.",
            hint="leave them out for the defaults.",
        )
    window = choose_window(view, wish.window, tables=TABLES_OF_ERRORS)
    patterns = find_error_patterns(
        view,
        window=window,
        baseline=Window(2 * window.start_us - window.end_us, window.start_us),
        min_occurrences=wish.min_occurrences,
        catalogue=_known(view) if wish.remember else None,
    )
    if wish.remember:
        write_note(view.workspace.lake, PATTERNS, orjson.dumps(patterns.templates.catalogue.to_json()))
    return patterns


def _known(view: LakeView) -> Catalogue | None:
    """Return the patterns that earlier runs found, None where there was none.

    Raises
    ------
    SourceFormatError
        If what was kept cannot be read.
    """
    kept = read_note(view.workspace.lake, PATTERNS)
    if kept is None:
        return None
    try:
        return Catalogue.from_json(orjson.loads(kept))
    except orjson.JSONDecodeError as error:
        raise SourceFormatError(
            f"The patterns kept in {view.workspace.lake.folder} cannot be read: {error}.",
            hint=f"remove notes/{PATTERNS} there; patterns are then learned anew.",
        ) from error


def choose_patterns(patterns: ErrorPatterns, top: int) -> list[str]:
    """Choose the patterns that become tests by sending requests again: the first that may be bugs, roots before others.

    A pattern that follows from another one of the same requests is tested with it.
    """
    candidates = patterns.frame.filter(
        (pl.col("occurrences") > 0) & (pl.col("origin") != "browser") & pl.col("class").is_in(MAY_BE_BUGS)
    )
    roots = candidates.filter(pl.col("follows") == "")
    return roots.head(top)["pattern_id"].to_list()


def read_changes(view: LakeView, window: Window) -> pl.DataFrame:
    """Read the changes of a window and of the day before it, canonical rows."""
    before = Window(window.start_us - CHANGES_BACK_S * US_PER_S, window.end_us)
    rows = view.workspace.scan(CHANGES.name, window=before)
    return view.private.frame(collect(rows, schema=CHANGES.schema, sort_by=("time_us", *CHANGES.identity)))


def correlate_patterns(
    view: LakeView, patterns: ErrorPatterns, changes: pl.DataFrame
) -> tuple[Correlations, dict[str, str]]:
    """Look what goes together with the patterns, and which change they began with.

    What follows from another error of the same requests goes together with it for that reason: only roots are compared.

    Returns
    -------
    (Correlations, dict)
        And of the signals of calls which dependency and caller they are of.
    """
    window = patterns.window
    roots = patterns.frame.filter((pl.col("follows") == "") & (pl.col("occurrences") > 0))
    labels = pl.Series("label", [label_of(row) for row in roots.iter_rows(named=True)], dtype=pl.String)
    # What an error began with shows only beside the time before.
    whole = Window(patterns.baseline.start_us, window.end_us)
    bucket_s, buckets, traffic = patterns.bucket_s, patterns.buckets, patterns.traffic
    if bucket_s > FINE_S and window.duration_s <= FINE_UP_TO_S:
        bucket_s = FINE_S
        buckets, traffic = count_finer(patterns, roots["pattern_id"].to_list(), bucket_s=bucket_s)
    series = build_signal_series(
        view,
        whole,
        bucket_s,
        patterns=roots.with_columns(labels),
        buckets=buckets.join(roots, on="pattern_id", how="semi"),
        traffic=traffic,
    )
    if series.is_empty():
        return Correlations.of_nothing(bucket_s), {}
    families = dict(series.select("signal", "family").unique().iter_rows())
    found = correlate(
        series,
        evidence=build_trace_evidence(
            view,
            window,
            members=patterns.members.join(roots, on="pattern_id", how="semi"),
            traces=roots.select("pattern_id", "traces"),
        ),
        changes=changes,
        contexts=patterns.contexts,
        focus=("pattern",),
    )
    return found, families


def _digest(workspace: Workspace, patterns: ErrorPatterns, wish: ErrorWish) -> str:
    """Digest what was read and asked: the files of the days that were looked at, and the wish."""
    manifest = workspace.lake.manifest()
    looked_at = Window(patterns.baseline.start_us, patterns.window.end_us)
    read = sorted(file.name for name in TABLES_OF_ERRORS for file in manifest.files(name, window=looked_at))
    asked = [patterns.window.start_us, patterns.window.end_us, wish.min_occurrences, wish.top]
    return hashlib.sha256(orjson.dumps([read, *asked])).hexdigest()
