"""The verb that makes scheduled checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prodintel_lib.cli.group import main
from prodintel_lib.cli.options import REPORTS_OPTION, WORKSPACE_OPTION, chosen_workspace

if TYPE_CHECKING:
    from pathlib import Path


@main.command()
@WORKSPACE_OPTION
@click.option(
    "--window",
    default="28d",
    show_default=True,
    help="What is learned from: START/END, or a length that ends with the last day of the data.",
)
@REPORTS_OPTION
def monitors(workspace_path: Path | None, window: str, reports_path: Path) -> None:
    """Make scheduled checks of critical endpoints: available, fast, answers as they should be."""
    from prodintel_lib.monitors_command import write_monitors  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        write_monitors(chosen_workspace(workspace_path), window=window, reports=reports_path, terminal=terminal)
