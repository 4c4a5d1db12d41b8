"""`prodintel health` and `slo`: how production is as a report with its board, and the promises on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.anomalies import choose_observed_window
from prodintel_lib.anomalies_command import show_anomalies
from prodintel_lib.production_health import HealthWish, measure_promises
from prodintel_lib.report_run import Reporting, from_here, report_window, say_files, say_headline
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.terminal import Terminal

NOTEBOOK: Final = "production_health"
MAX_ROWS: Final = 8
MAX_CHARS: Final = 200


def report_health(wish: HealthWish, reporting: Reporting) -> Path:
    """Report how production is and leave the run in ``<reports>/production_health/<first day>_<last day>``.

    Parameters
    ----------
    wish : HealthWish
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
        {"window": wish.window, "history_days": wish.history_days, "events": list(wish.events)},
        reporting=reporting,
        choose=lambda view: choose_observed_window(view, wish.window),
    )
    result, terminal = reported.result, reporting.terminal
    say_headline(result, terminal)
    for row in result["board"][:MAX_ROWS]:
        terminal.say(f"    {row['status']:<8}  {row['signal']:<11} {row['about']}: {row['reason']}"[:MAX_CHARS])
    if len(result["board"]) > MAX_ROWS:
        terminal.say(f"        and {len(result['board']) - MAX_ROWS:,} more on the board")
    show_anomalies(result["anomalies"], terminal)
    terminal.say(f"  {reported.accounting}")
    board = from_here(reported.folder) / "board.html"
    say_files(reported, terminal, between=(f"  Board  {board}, board.md, board.json",))
    return reported.folder


def show_promises(wish: HealthWish, *, workspace_path: Path, terminal: Terminal) -> None:
    """Write what is promised, what was kept and what is left of the budgets on the terminal.

    Parameters
    ----------
    wish : HealthWish
    workspace_path : Path
    terminal : Terminal

    Raises
    ------
    ProdintelError
        If the window or the workspace is not usable, or nothing was recorded.
    """
    workspace = open_workspace(workspace_path)
    ingest(workspace, progress=terminal.reading)
    terminal.step(0, 1, "measuring what was promised")
    for line in measure_promises(open_view(workspace), wish).lines():
        terminal.say(line)
