"""Verbs of errors and logs."""

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

MIN_OPTION = click.option(
    "--min-occurrences",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Patterns with fewer errors, in the window and before, are counted and not shown.",
)


@main.command()
@WORKSPACE_OPTION
@WINDOW_OPTION
@DAYS_OPTION
@MIN_OPTION
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(0, 100), help="How many patterns become tests."
)
@REPORTS_OPTION
@PARAMS_OPTION
def errors(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    min_occurrences: int,
    top: int,
    reports_path: Path,
    params_path: Path | None,
) -> None:
    """Report which errors are bugs, whom they hit and what goes with them, and make tests of them."""
    from prodintel_lib.error_correlation import ErrorWish  # noqa: PLC0415
    from prodintel_lib.errors_command import report_errors  # noqa: PLC0415
    from prodintel_lib.report_run import Places, Reporting  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_errors(
            ErrorWish(f"{days}d" if days else window, min_occurrences, top, remember=True),
            Reporting(
                chosen_workspace(workspace_path), Places(REPOSITORY / "notebooks", reports_path), terminal, params_path
            ),
        )


@main.command("error")
@click.argument("pattern_id", metavar="PATTERN")
@WORKSPACE_OPTION
@WINDOW_OPTION
@DAYS_OPTION
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its tests are written; none are without it.",
)
def error(pattern_id: str, workspace_path: Path | None, window: str, days: int | None, folder: Path | None) -> None:
    """Show one error pattern: what it says, whom it hits, where it keeps to, what goes with it, and its test."""
    from prodintel_lib.error_correlation import ErrorWish  # noqa: PLC0415
    from prodintel_lib.errors_command import show_pattern  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        show_pattern(
            pattern_id,
            ErrorWish(f"{days}d" if days else window),
            workspace_path=chosen_workspace(workspace_path),
            terminal=terminal,
            folder=folder,
        )
