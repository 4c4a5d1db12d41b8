"""Verbs of what is abnormal, and of how production is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prodintel_lib.cli.group import main
from prodintel_lib.cli.options import (
    DAYS_OPTION,
    PARAMS_OPTION,
    REPORTS_OPTION,
    REPOSITORY,
    WORKSPACE_OPTION,
    chosen_workspace,
)

if TYPE_CHECKING:
    from pathlib import Path

RECENT_OPTION = click.option(
    "--window",
    default="24h",
    show_default=True,
    help="START/END, or a length that ends with the last day of the data.",
)
HISTORY_OPTION = click.option(
    "--history",
    "history_days",
    default=28.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How many days before the window are learned from, as far as they were recorded.",
)
EVENT_OPTION = click.option(
    "--event",
    "events",
    multiple=True,
    metavar='"START/END NAME"',
    help="A named event or holiday, neither learned from nor judged. May be given again.",
)


@main.command()
@WORKSPACE_OPTION
@RECENT_OPTION
@DAYS_OPTION
@click.option(
    "--threshold", default="", help="What an alarm takes: 3-sigma, 1e-4, or a score; default: the detector's own."
)
@click.option("--detector", default="combined", show_default=True, help="How points are judged; docs/anomalies.md.")
@HISTORY_OPTION
@click.option(
    "--quiet-hours",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="That long after an event in a series, only a worse one is another.",
)
@EVENT_OPTION
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(0, 100), help="Of how many anomalies guards are built."
)
@REPORTS_OPTION
@PARAMS_OPTION
def anomalies(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    threshold: str,
    detector: str,
    history_days: float,
    quiet_hours: float,
    events: tuple[str, ...],
    top: int,
    reports_path: Path,
    params_path: Path | None,
) -> None:
    """Report what is abnormal, how sure that is, whom it hits and what to do, and make guards of it."""
    from prodintel_lib.anomalies import AnomalyWish  # noqa: PLC0415
    from prodintel_lib.anomalies_command import report_anomalies  # noqa: PLC0415
    from prodintel_lib.report_run import Places, Reporting  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_anomalies(
            AnomalyWish(f"{days}d" if days else window, threshold, detector, history_days, quiet_hours, events, top),
            Reporting(
                chosen_workspace(workspace_path), Places(REPOSITORY / "notebooks", reports_path), terminal, params_path
            ),
        )


@main.command()
@WORKSPACE_OPTION
@RECENT_OPTION
@DAYS_OPTION
@HISTORY_OPTION
@EVENT_OPTION
@REPORTS_OPTION
@PARAMS_OPTION
def health(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    history_days: float,
    events: tuple[str, ...],
    reports_path: Path,
    params_path: Path | None,
) -> None:
    """Report how production is: golden signals, promises and a status board as HTML, Markdown and JSON."""
    from prodintel_lib.health_command import report_health  # noqa: PLC0415
    from prodintel_lib.production_health import HealthWish  # noqa: PLC0415
    from prodintel_lib.report_run import Places, Reporting  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_health(
            HealthWish(f"{days}d" if days else window, history_days, events),
            Reporting(
                chosen_workspace(workspace_path), Places(REPOSITORY / "notebooks", reports_path), terminal, params_path
            ),
        )


@main.command()
@WORKSPACE_OPTION
@RECENT_OPTION
@DAYS_OPTION
@HISTORY_OPTION
def slo(workspace_path: Path | None, window: str, days: int | None, history_days: float) -> None:
    """Show what is promised, what of the error budgets is left, how fast it burns, and what is foreseen."""
    from prodintel_lib.health_command import show_promises  # noqa: PLC0415
    from prodintel_lib.production_health import HealthWish  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        show_promises(
            HealthWish(f"{days}d" if days else window, history_days),
            workspace_path=chosen_workspace(workspace_path),
            terminal=terminal,
        )
