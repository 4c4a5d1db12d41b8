"""`prodintel anomalies`: what is abnormal as a report with guards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.anomalies import AnomalyWish, choose_observed_window
from prodintel_lib.report_run import Reporting, report_window, say_files, say_headline
from prodintel_lib.windows import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.terminal import Terminal

NOTEBOOK: Final = "anomalies"
MAX_SHOWN: Final = 6


def report_anomalies(wish: AnomalyWish, reporting: Reporting) -> Path:
    """Report what is abnormal in a window and leave the run in ``<reports>/anomalies/<first day>_<last day>``.

    Parameters
    ----------
    wish : AnomalyWish
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
            "threshold": wish.threshold,
            "detector": wish.detector,
            "history_days": wish.history_days,
            "quiet_hours": wish.quiet_hours,
            "events": list(wish.events),
            "top": wish.top,
        },
        reporting=reporting,
        choose=lambda view: choose_observed_window(view, wish.window),
    )
    result, terminal = reported.result, reporting.terminal
    say_headline(result, terminal)
    show_anomalies(result["anomalies"], terminal)
    made = f"{len(result['guards'])} made, {len(result['without_guard'])} could not be"
    terminal.say(f"  Guards: {made}. {reported.accounting}")
    say_files(reported, terminal, run="tests" if result["guards"] else "")
    return reported.folder


def show_anomalies(found: list[dict[str, Any]], terminal: Terminal) -> None:
    """Write the first anomalies, a line each, with what to do."""
    for one in found[:MAX_SHOWN]:
        terminal.say(f"    {one['severity']:<8}  {one['id']}  {format_time(one['start_us'])}  {one['title']}")
        terminal.say(f"              {one['recommendation']}")
    if len(found) > MAX_SHOWN:
        terminal.say(f"        and {len(found) - MAX_SHOWN:,} more in result.json")
