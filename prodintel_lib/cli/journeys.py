"""Verbs of what users do."""

from __future__ import annotations

from pathlib import Path

import click

from prodintel_lib.cli.group import main
from prodintel_lib.cli.options import (
    DAYS_OPTION,
    PARAMS_OPTION,
    REPORTS_OPTION,
    REPOSITORY,
    WINDOW_OPTION,
    WORKSPACE_OPTION,
    chosen_workspace,
)

FEATURE_OPTION = click.option("--feature", default="", help="Only sessions that saw a page whose route holds this.")
CONVERSION_OPTION = click.option(
    "--conversion",
    "conversions",
    multiple=True,
    help="A route or an event that means success; default: those of prodintel.yaml. May be given again.",
)
TOP_OPTION = click.option(
    "--top", default=5, show_default=True, type=click.IntRange(1, 50), help="How many journeys become tests."
)
FREQUENCY_OPTION = click.option(
    "--min-frequency",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Only journeys of at least this share of sessions become tests.",
)


@main.command()
@WORKSPACE_OPTION
@WINDOW_OPTION
@DAYS_OPTION
@FEATURE_OPTION
@CONVERSION_OPTION
@TOP_OPTION
@FREQUENCY_OPTION
@REPORTS_OPTION
@PARAMS_OPTION
def journeys(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    feature: str,
    conversions: tuple[str, ...],
    top: int,
    min_frequency: float,
    reports_path: Path,
    params_path: Path | None,
) -> None:
    """Report what users do, where they drop off and why, and make browser tests of it."""
    from prodintel_lib.journeys_command import report_journeys  # noqa: PLC0415
    from prodintel_lib.report_run import Places, Reporting  # noqa: PLC0415
    from prodintel_lib.rum_journeys import Wish  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_journeys(
            Wish(f"{days}d" if days else window, feature, conversions, top, min_frequency),
            Reporting(
                chosen_workspace(workspace_path), Places(REPOSITORY / "notebooks", reports_path), terminal, params_path
            ),
        )


@main.command("journey-tests")
@WORKSPACE_OPTION
@WINDOW_OPTION
@FEATURE_OPTION
@CONVERSION_OPTION
@TOP_OPTION
@FREQUENCY_OPTION
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports/journey_tests"),
    show_default=True,
    help="Where the tests are written.",
)
def journey_tests(
    workspace_path: Path | None,
    window: str,
    feature: str,
    conversions: tuple[str, ...],
    top: int,
    min_frequency: float,
    folder: Path,
) -> None:
    """Write Playwright tests (Python, TypeScript, Gherkin) of the top journeys and of front-end errors."""
    from prodintel_lib.journeys_command import write_journey_tests  # noqa: PLC0415
    from prodintel_lib.rum_journeys import Wish  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        write_journey_tests(
            Wish(window, feature, conversions, top, min_frequency),
            workspace_path=chosen_workspace(workspace_path),
            folder=folder,
            terminal=terminal,
        )


@main.command()
@click.argument("session_id", metavar="SESSION")
@WORKSPACE_OPTION
def session(session_id: str, workspace_path: Path | None) -> None:
    """Show one session, event by event: by its name in a report, or by the id its source gave it."""
    from prodintel_lib.journeys_command import show_session  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        show_session(session_id, workspace_path=chosen_workspace(workspace_path), terminal=terminal)
