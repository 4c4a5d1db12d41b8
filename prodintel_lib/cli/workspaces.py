"""Verbs of a workspace, and of what runs beside one: the fault layer and the demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from prodintel_lib.cli.group import FriendlyGroup, main
from prodintel_lib.cli.options import REPOSITORY, WORKSPACE_OPTION, chosen_workspace
from prodintel_lib.errors import ParameterError


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def init(folder: Path) -> None:
    """Recognise the exports in a folder by their content, and write a commented prodintel.yaml."""
    from prodintel_lib.init_command import init_workspace  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        init_workspace(folder, terminal=terminal)


@main.command()
@WORKSPACE_OPTION
def ingest(workspace_path: Path | None) -> None:
    """Read what is new among a workspace's sources, and show the row accounting."""
    from prodintel_lib.sources.ingest import ingest as run_ingest  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415
    from prodintel_lib.workspace import open_workspace  # noqa: PLC0415

    workspace = open_workspace(chosen_workspace(workspace_path))
    with Terminal() as terminal:
        report = run_ingest(workspace, progress=terminal.reading)
    terminal.show_accounting(report)


@main.group(cls=FriendlyGroup)
def faults() -> None:
    """Recreate conditions: an embedded proxy that speaks Toxiproxy's HTTP API."""


@faults.command()
@click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A proxies.json as Toxiproxy reads it.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the API listens.")
@click.option("--port", default=8474, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def serve(config_path: Path, host: str, port: int) -> None:
    """Serve the fault layer until stopped."""
    from prodintel_lib.faults.config import load_proxies  # noqa: PLC0415
    from prodintel_lib.faults.server import run_server  # noqa: PLC0415

    run_server(load_proxies(config_path), host, port, lambda url: click.echo(f"Toxiproxy API at {url}"))


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def demo(arguments: tuple[str, ...]) -> None:
    """Start, drive and record the demo shop: up, record, incidents, rum (only in a checkout)."""
    if not (REPOSITORY / "demo" / "__main__.py").is_file():
        raise ParameterError(
            "The demo shop is part of the repository, and this is an installed package.",
            hint="clone the repository and run `prodintel demo` there.",
        )
    # In place of this process, so that signals reach the demo itself and it can stop its services cleanly.
    os.environ["PRODINTEL_CALLED_FROM"] = str(Path.cwd())
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [sys.executable, "-m", "demo", *arguments])  # noqa: S606
