"""The command line: one verb a job. Each verb imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from prodintel_lib import __version__
from prodintel_lib.errors import ParameterError, ProdintelError

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DEMO_WORKSPACE: Final = REPOSITORY / "demo" / "workspace"


class FriendlyGroup(click.Group):
    """A group whose commands end in a message and an exit code instead of a traceback, and that guesses near names."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; 2 is the user's mistake, 1 a failure, 130 an interruption."""
        try:
            return super().invoke(ctx)
        except ProdintelError as error:
            click.echo(f"prodintel: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("prodintel: stopped.", err=True)
            sys.exit(130)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb where one is mistyped."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise ParameterError.unknown("command", args[0], known=self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=FriendlyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prodintel")
def main() -> None:
    """Production evidence in; understanding and tests that reproduce it out."""


WORKSPACE_OPTION = click.option(
    "--workspace",
    "workspace_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder with prodintel.yaml. Default: $PRODINTEL_WORKSPACE, else the demo workspace.",
)


def chosen_workspace(path: Path | None) -> Path:
    """Return the workspace asked for, the one of the environment, or the demo's."""
    named = os.environ.get("PRODINTEL_WORKSPACE")
    return path or (Path(named) if named else DEMO_WORKSPACE)


@main.command()
@click.argument("incident_id", metavar="INCIDENT")
@WORKSPACE_OPTION
@click.option(
    "--reports",
    "reports_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where runs are written.",
)
@click.option(
    "--params",
    "params_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of flat keys for the notebook's other parameters, such as params/incident_replay/demo.yaml.",
)
def replay(incident_id: str, workspace_path: Path | None, reports_path: Path, params_path: Path | None) -> None:
    """Replay an incident: a report that explains it, and tests that fail the way it did."""
    from prodintel_lib.replay_command import replay_incident  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        replay_incident(
            incident_id,
            workspace_path=chosen_workspace(workspace_path),
            reports_path=reports_path,
            notebooks_path=REPOSITORY / "notebooks",
            terminal=terminal,
            params_path=params_path,
        )


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


@main.command()
@click.argument("incident_id", metavar="INCIDENT")
@WORKSPACE_OPTION
@click.option(
    "--time-scale",
    default=0.2,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Scales the delays of the conditions; deadlines stay.",
)
def prove(incident_id: str, workspace_path: Path | None, time_scale: float) -> None:
    """Run an incident's tests on the demo: faulty with its conditions, fixed with them, faulty without."""
    from prodintel_lib.prove_command import prove_incident  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        proof = prove_incident(
            incident_id,
            workspace_path=chosen_workspace(workspace_path),
            repository=REPOSITORY,
            time_scale=time_scale,
            terminal=terminal,
        )
    sys.exit(0 if all(test.holds for test in proof.tests) else 1)


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
    """Start, drive and record the demo shop: up, record, incidents (only in a checkout)."""
    if not (REPOSITORY / "demo" / "__main__.py").is_file():
        raise ParameterError(
            "The demo shop is part of the repository, and this is an installed package.",
            hint="clone the repository and run `prodintel demo` there.",
        )
    # In place of this process, so that signals reach the demo itself and it can stop its services cleanly.
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [sys.executable, "-m", "demo", *arguments])  # noqa: S606
