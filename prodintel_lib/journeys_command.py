"""`prodintel journeys`, `journey-tests` and `session`: what users do as a report, as tests, and one visit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.journeys.drop_off import RAISES
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.errors import NoDataError
from prodintel_lib.report_run import Reported, Reporting, from_here, name_days, report_window, say_files, say_headline
from prodintel_lib.rum_journeys import Wish, choose_window_of_visits, explore_journeys
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import format_duration, format_time
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.terminal import Terminal
    from prodintel_lib.windows import Window

NOTEBOOK: Final = "rum_journeys"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")
_MAX_FEATURE: Final = 24


def report_journeys(wish: Wish, reporting: Reporting) -> Path:
    """Report the journeys of a window and leave the run in ``<reports>/rum_journeys/<first day>_<last day>``.

    Parameters
    ----------
    wish : Wish
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
            "feature": wish.feature,
            "conversions": ",".join(wish.conversions),
            "top": wish.top,
            "min_frequency": wish.min_frequency,
        },
        reporting=reporting,
        choose=lambda view: choose_window_of_visits(view, wish.window),
        name=lambda window: name_run(window, wish.feature),
    )
    _summarise(reported, reporting.terminal)
    return reported.folder


def name_run(window: Window, feature: str) -> str:
    """Name a run by its days, and by the feature where one was asked for.

    Examples
    --------
    >>> from prodintel_lib.windows import Window
    >>> name_run(Window.parse("2025-09-29T00:00/2025-10-06T00:00"), "/Checkout")
    '2025-09-29_2025-10-05_Checkout'
    """
    named = _UNSAFE.sub("-", feature).strip("-")[:_MAX_FEATURE]
    return name_days(window) + (f"_{named}" if named else "")


def write_journey_tests(wish: Wish, *, workspace_path: Path, folder: Path, terminal: Terminal) -> int:
    """Write the tests of the top journeys and error patterns without the report.

    Parameters
    ----------
    wish : Wish
    workspace_path : Path
    folder : Path
        Where the tests go.
    terminal : Terminal

    Returns
    -------
    int
        How many tests were made.

    Raises
    ------
    NoDataError
        If none could be made, with the reasons.
    """
    from prodintel_lib.renderers import write_files  # noqa: PLC0415
    from prodintel_lib.renderers.ui_suite import render_ui_suite  # noqa: PLC0415

    workspace = open_workspace(workspace_path)
    ingest(workspace, progress=terminal.reading)
    terminal.step(0, 1, "following sessions")
    tests = explore_journeys(workspace_path, wish).tests
    terminal.step(1, 1, "tests written")
    if tests.suite is None:
        reasons = "; ".join(f"{what}: {why}" for what, why in tests.left_out) or "no journey is frequent enough"
        raise NoDataError(f"No test could be made: {reasons}.", hint="look at a longer --window.")
    folder.mkdir(parents=True, exist_ok=True)
    write_files(render_ui_suite(tests.suite), folder)
    for scenario in tests.scenarios:
        terminal.say(f"  {scenario.priority}  {scenario.id}: {scenario.seen}")
    for what, why in tests.left_out:
        terminal.say(f"  none for {what}: {why}")
    here = from_here(folder.resolve())
    terminal.say()
    terminal.say(f"  Run    pytest {here / 'python'} --base-url http://127.0.0.1:8080")
    terminal.say(f"  Or     cd {here / 'typescript'} && npm install && npx playwright test")
    return len(tests.scenarios)


def show_session(session: str, *, workspace_path: Path, terminal: Terminal) -> None:
    """Write one session, event by event.

    Raises
    ------
    NoDataError
        If there is no such session.
    """
    from prodintel_lib.analyses.journeys import read_session  # noqa: PLC0415
    from prodintel_lib.analyses.journeys.one_session import describe_event  # noqa: PLC0415

    workspace = open_workspace(workspace_path)
    ingest(workspace, progress=terminal.reading)
    found = read_session(open_view(workspace), session, gap_min=workspace.config.journeys.session_gap_min)
    named = (found.facts[name] for name in ("device_type", "browser_name", "os_name"))
    client = ", ".join(str(name) for name in named if name)
    terminal.say(
        f"Session {found.session}: {found.events.height:,} events in {format_duration(found.duration_s)}, "
        f"from {format_time(int(found.events['time_us'][0]))}" + (f", on {client}." if client else ".")
    )
    terminal.say()
    terminal.say(f"{'after':>9}  {'thought':>8}  {'event':<8} {'page':<28} what")
    for row in found.events.iter_rows(named=True):
        thought = f"{row['think_s']:,.1f} s" if row["think_s"] is not None else ""
        page = str(row["route"] or row["url_path"] or "")
        terminal.say(
            f"{row['after_s']:>7,.1f} s  {thought:>8}  {row['event_kind']:<8} {page:<28} {describe_event(row) or ''}"
        )


def _summarise(reported: Reported, terminal: Terminal) -> None:
    result = reported.result
    say_headline(result, terminal)
    for row in result["journeys"][:5]:
        converted = f", {100 * row['conversion']:.1f} % converted" if row["conversion"] is not None else ""
        terminal.say(f"    {100 * row['share']:5.1f} %  {row['path']}{converted} (n {row['sessions']:,})")
    raised = [row for row in result["drop_off_reasons"] if row["verdict"] == RAISES]
    for row in raised[:5]:
        terminal.say(
            f"  {row['reason']} on {row['route']}: {100 * row['risk_difference']:+.1f} points of drop-off "
            f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f}, n {row['exposed']:,})"
        )
    made = f"{len(result['scenarios'])} made, {len(result['without_test'])} could not be"
    terminal.say(f"  Tests: {made}. {reported.accounting}")
    say_files(reported, terminal, run="tests/python" if result["scenarios"] else "")
