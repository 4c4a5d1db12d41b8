"""Options that several verbs have, and where things are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DEMO_WORKSPACE: Final = REPOSITORY / "demo" / "workspace"

WORKSPACE_OPTION = click.option(
    "--workspace",
    "workspace_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder with prodintel.yaml. Default: $PRODINTEL_WORKSPACE, else the demo workspace.",
)
REPORTS_OPTION = click.option(
    "--reports",
    "reports_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where runs are written.",
)
PARAMS_OPTION = click.option(
    "--params",
    "params_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of flat keys for the notebook's other parameters, such as params/incident_replay/demo.yaml.",
)
WINDOW_OPTION = click.option(
    "--window", default="7d", show_default=True, help="START/END, or a length that ends with the last day of the data."
)
DAYS_OPTION = click.option("--days", type=click.IntRange(min=1), help="The same as --window with that many days.")


def chosen_workspace(path: Path | None) -> Path:
    """Return the workspace asked for, the one of the environment, or the demo's."""
    named = os.environ.get("PRODINTEL_WORKSPACE")
    return path or (Path(named) if named else DEMO_WORKSPACE)
