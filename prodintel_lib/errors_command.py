"""`prodintel errors` and `error`: what goes wrong as a report with tests, and one pattern on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.telemetry import choose_window, open_view
from prodintel_lib.error_correlation import (
    TABLES_OF_ERRORS,
    ErrorWish,
    correlate_patterns,
    find_patterns,
    read_changes,
)
from prodintel_lib.error_correlation.stretches import read_stretches
from prodintel_lib.error_correlation.suites import build_pattern_tests
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.report_run import Reported, Reporting, from_here, report_window, say_files, say_headline
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import format_time
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.terminal import Terminal

NOTEBOOK: Final = "error_correlation"
MAX_SHOWN: Final = 8


def report_errors(wish: ErrorWish, reporting: Reporting) -> Path:
    """Report the errors of a window and leave the run in ``<reports>/error_correlation/<first day>_<last day>``.

    Parameters
    ----------
    wish : ErrorWish
    reporting : Reporting

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    ProdintelError
        If the window or the workspace is not usable, there is nothing to look at, or a cell fails.
    """
    reported = report_window(
        NOTEBOOK,
        {
            "window": wish.window,
            "min_occurrences": wish.min_occurrences,
            "top": wish.top,
            "remember": wish.remember,
        },
        reporting=reporting,
        choose=lambda view: choose_window(view, wish.window, tables=TABLES_OF_ERRORS),
    )
    _summarise(reported, reporting.terminal)
    return reported.folder


def _summarise(reported: Reported, terminal: Terminal) -> None:
    result = reported.result
    say_headline(result, terminal)
    seen = [row for row in result["patterns"] if row["occurrences"]]
    for row in seen[:MAX_SHOWN]:
        terminal.say(f"    {row['priority']}  {row['pattern_id']}  {_in_a_line(row)}")
    if len(seen) > MAX_SHOWN:
        terminal.say(f"        and {len(seen) - MAX_SHOWN:,} more in result.json")
    made = sum(len(suite["scenarios"]) for suite in result["tests"]) + len(result["browser_tests"])
    untested = len(result["without_test"])
    terminal.say(f"  Tests: {made} made; {untested} patterns could not be tested. {reported.accounting}")
    look = f"  See    prodintel error {seen[0]['pattern_id']} --window {_spoken(result['window'])}" if seen else ""
    folder = result["tests"][0]["folder"] if result["tests"] else ""
    say_files(reported, terminal, between=(look,) if look else (), run=folder)


def _in_a_line(row: dict[str, Any]) -> str:
    what = row["template"] or row["example"]
    kind = f"{row['error_type']}: " if row["error_type"] and not what.startswith(row["error_type"]) else ""
    told = (
        f"{row['class']}, {row['category']}, {row['recurrence']}; {row['service_name'] or 'no service'}: {kind}{what}"
    )
    return f"{row['occurrences']:,} times, {row['people']:,} clients; {told}"[:200]


def _spoken(window: dict[str, int]) -> str:
    first, last = (format_time(window[name]).replace(" ", "T") for name in ("start_us", "end_us"))
    return f"{first[:16]}/{last[:16]}"


def show_pattern(
    pattern_id: str, wish: ErrorWish, *, workspace_path: Path, terminal: Terminal, folder: Path | None = None
) -> int:
    """Write down what is known of one pattern, and make its tests.

    Parameters
    ----------
    pattern_id : str
    wish : ErrorWish
    workspace_path : Path
    terminal : Terminal
    folder : Path, optional
        Where its tests are written; they are only named without it.

    Returns
    -------
    int
        How many tests there are.

    Raises
    ------
    ParameterError
        If the window has no such pattern.
    """
    workspace = open_workspace(workspace_path)
    ingest(workspace, progress=terminal.reading)
    view = open_view(workspace)
    terminal.step(0, 3, "finding patterns")
    patterns = find_patterns(view, wish)
    row = patterns.row(pattern_id)
    terminal.step(1, 3, "looking what goes with it")
    correlations, _ = correlate_patterns(view, patterns, read_changes(view, patterns.window))
    terminal.step(2, 3, "building its test")
    tests = build_pattern_tests(
        read_stretches(view, patterns, [pattern_id]),
        patterns,
        [pattern_id],
        authorization=Authorization.of(workspace),
    )
    terminal.step(3, 3, "done")
    for line in describe_pattern(patterns, row):
        terminal.say(line)
    own = correlations.pairs.filter((pl.col("first") == pattern_id) | (pl.col("second") == pattern_id))
    terminal.say()
    terminal.say("Goes with" if own.height else f"Goes with nothing that was measured. {correlations.caption}")
    for pair in own.head(MAX_SHOWN).iter_rows(named=True):
        other = pair["second_label"] if pair["first"] == pattern_id else pair["first_label"]
        terminal.say(f"  {other} ({pair['evidence']}, {pair['verdict']})")
    terminal.say()
    terminal.say("Tests" if tests.suites else f"No test: {tests.left_out[0][1] if tests.left_out else 'of a browser'}.")
    for suite in tests.suites:
        for scenario in suite.scenarios:
            terminal.say(f"  {scenario.priority}  {scenario.title}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_files(render_suite(suite.suite), folder)
            terminal.say(f"  Run    pytest {from_here(folder.resolve())} --base-url http://127.0.0.1:8080")
    return sum(len(suite.scenarios) for suite in tests.suites)


def describe_pattern(patterns: ErrorPatterns, row: dict[str, Any]) -> list[str]:
    """Return what is known of a pattern as lines for a terminal."""
    own = patterns.contexts.filter(pl.col("pattern_id") == row["pattern_id"])
    places = [
        f"  {context['attribute']:<9} {context['value']}: {100 * context['share']:.0f} %"
        + (f" (of all traffic {100 * context['share_of_all']:.0f} %)" if context["share_of_all"] is not None else "")
        for context in own.head(2 * MAX_SHOWN).iter_rows(named=True)
    ]
    return [
        f"{row['pattern_id']}  {row['priority']}  {patterns.label(row['pattern_id'])}",
        "",
        f"  {row['class']}: {row['class_reason']}",
        f"  {row['category']}: {row['category_reason']}",
        f"  {row['priority']}: {row['priority_reason']}",
        _when(patterns, row),
        f"  {row['trend']}: {row['trend_reason']}",
        f"  {row['recurrence']}: {row['recurrence_reason']}",
        _whom(row),
        f"  for example: {row['example']}",
        *(["", "Where it was seen", *places] if places else []),
    ]


def _when(patterns: ErrorPatterns, row: dict[str, Any]) -> str:
    times = (
        f", first {format_time(row['first_us'])}, last {format_time(row['last_us'])}"
        if row["first_us"] is not None
        else ""
    )
    return f"  {row['occurrences']:,} times in {patterns.window.label()}{times}"


def _whom(row: dict[str, Any]) -> str:
    met = f"  met by {row['people']:,} clients in {row['sessions']:,} sessions and {row['traces']:,} traces"
    return met + (f"; {row['bot_rows']:,} of the errors are bots'" if row["bot_rows"] else "")
