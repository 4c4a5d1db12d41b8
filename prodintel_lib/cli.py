"""The command line: one verb a job. Each verb imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

import click

from prodintel_lib import __version__
from prodintel_lib.errors import ParameterError, ProdintelError
from prodintel_lib.terminal import printable

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DEMO_WORKSPACE: Final = REPOSITORY / "demo" / "workspace"


class FriendlyGroup(click.Group):
    """A group whose commands end in a message and an exit code instead of a traceback, and that guesses near names."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; 2 is the user's mistake, 1 a failure, 130 an interruption."""
        try:
            return super().invoke(ctx)
        except ProdintelError as error:
            _complain(f"prodintel: {error}")
            sys.exit(error.exit_code)
        except OSError as error:
            # Who closed the pipe (`| head`) is no failure, and click knows what to do.
            if error.errno == errno.EPIPE:
                raise
            _complain(f"prodintel: the system refused: {error}.\nHint: make room or give the right there.")
            sys.exit(2)
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


def _complain(message: str) -> None:
    """Write to stderr what went wrong; names of production in it cannot steer the terminal."""
    click.echo("\n".join(printable(line) for line in message.split("\n")), err=True)


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


def chosen_workspace(path: Path | None) -> Path:
    """Return the workspace asked for, the one of the environment, or the demo's."""
    named = os.environ.get("PRODINTEL_WORKSPACE")
    return path or (Path(named) if named else DEMO_WORKSPACE)


@main.command()
@click.argument("incident_id", metavar="INCIDENT")
@WORKSPACE_OPTION
@REPORTS_OPTION
@PARAMS_OPTION
def replay(incident_id: str, workspace_path: Path | None, reports_path: Path, params_path: Path | None) -> None:
    """Replay an incident: a report that explains it, and tests that fail the way it did."""
    from prodintel_lib.replay_command import replay_incident  # noqa: PLC0415
    from prodintel_lib.report_run import Places  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        replay_incident(
            incident_id,
            workspace_path=chosen_workspace(workspace_path),
            places=Places(REPOSITORY / "notebooks", reports_path),
            terminal=terminal,
            params_path=params_path,
        )


WINDOW_OPTION = click.option(
    "--window", default="7d", show_default=True, help="START/END, or a length that ends with the last day of the data."
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
@click.option("--days", type=click.IntRange(min=1), help="The same as --window with that many days.")
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
    from prodintel_lib.report_run import Places  # noqa: PLC0415
    from prodintel_lib.rum_journeys import Wish  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_journeys(
            Wish(f"{days}d" if days else window, feature, conversions, top, min_frequency),
            workspace_path=chosen_workspace(workspace_path),
            places=Places(REPOSITORY / "notebooks", reports_path),
            terminal=terminal,
            params_path=params_path,
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


@main.command()
@click.argument("runs_paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--faulty", metavar="URL", help="The system that fails as in the incident.")
@click.option("--fixed", metavar="URL", help="The system in which the fault is mended.")
@click.option("--faulty-toxiproxy", metavar="URL", default="", help="The fault layer of the faulty system.")
@click.option("--fixed-toxiproxy", metavar="URL", default="", help="The fault layer of the fixed system.")
@click.option("--against", metavar="URL", help="The one system there is: how it fares now, and what remains unknown.")
@click.option("--toxiproxy", metavar="URL", default="", help="The fault layer of the system named by --against.")
@click.option("--demo", "on_demo", is_flag=True, help="Start both builds of the demo for the run's incident.")
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1, 1000), help="Runs in each setting.")
@click.option(
    "--time-scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Scales the delays of the conditions; deadlines stay.",
)
@click.option(
    "--timeout",
    "timeout_s",
    default=900.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that one round of the suite may take.",
)
@click.option("--one-at-a-time", is_flag=True, help="Use the two systems one after the other.")
@click.option("--allow-writes", is_flag=True, help="Let tests write to a system beyond loopback.")
@click.option(
    "--table",
    "table_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --demo: where to write the table of all runs, as Markdown.",
)
def certify(
    runs_paths: tuple[Path, ...],
    faulty: str | None,
    fixed: str | None,
    faulty_toxiproxy: str,
    fixed_toxiproxy: str,
    against: str | None,
    toxiproxy: str,
    on_demo: bool,
    runs: int,
    time_scale: float,
    timeout_s: float,
    one_at_a_time: bool,
    allow_writes: bool,
    table_path: Path | None,
) -> None:
    """Run a replay's tests many times, faulty and fixed, and certify those that tell the two apart."""
    from prodintel_lib import certify_command  # noqa: PLC0415
    from prodintel_lib.certify import Effort, SystemUnderTest  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    if [bool(faulty and fixed), bool(against), on_demo].count(True) != 1 or bool(faulty) != bool(fixed):
        raise ParameterError(
            "Certifying needs --faulty and --fixed, or --against, or --demo; and only one of the three.",
            hint="--faulty URL --fixed URL where both systems run; --against URL where there is one.",
        )
    if len(runs_paths) > 1 and not on_demo:
        raise ParameterError("Several runs need --demo.", hint="certify one run at a time.")
    effort = Effort(runs, time_scale, timeout_s, not one_at_a_time, allow_writes)
    with Terminal() as terminal:
        if on_demo:
            lines = certify_command.certify_bank(
                runs_paths, repository=REPOSITORY, effort=effort, terminal=terminal, table_path=table_path
            )
            found = [line.certificate for line in lines]
        elif against:
            system = SystemUnderTest(against, toxiproxy)
            found = [
                certify_command.certify_run_against(runs_paths[0], system=system, effort=effort, terminal=terminal)
            ]
        else:
            found = [
                certify_command.certify_run(
                    runs_paths[0],
                    faulty=SystemUnderTest(str(faulty), faulty_toxiproxy),
                    fixed=SystemUnderTest(str(fixed), fixed_toxiproxy),
                    effort=effort,
                    terminal=terminal,
                )
            ]
    sys.exit(max(certify_command.exit_code(certificate) for certificate in found))


@main.command()
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--faulty", metavar="URL", help="The system that fails as in the incident.")
@click.option("--toxiproxy", metavar="URL", default="", help="The fault layer of the faulty system.")
@click.option("--fixed", metavar="URL", help="A system in which the fault is mended, if there is one.")
@click.option("--fixed-toxiproxy", metavar="URL", default="", help="The fault layer of the fixed system.")
@click.option("--demo", "on_demo", is_flag=True, help="Start both builds of the demo for the run's incident.")
@click.option("--scenario", "scenario_id", metavar="ID", default="", help="Default: the first that shows its symptom.")
@click.option(
    "--confidence",
    default=0.95,
    show_default=True,
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    help="With which each candidate is judged; more of it takes more runs.",
)
@click.option("--max-runs", default=200, show_default=True, type=click.IntRange(min=10), help="Ends the search.")
@click.option(
    "--max-minutes", default=30.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Ends it, too."
)
@click.option(
    "--time-scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Scales the delays of the conditions; deadlines stay.",
)
@click.option("--allow-writes", is_flag=True, help="Let requests write to a system beyond loopback.")
def minimise(
    run_path: Path,
    faulty: str | None,
    toxiproxy: str,
    fixed: str | None,
    fixed_toxiproxy: str,
    on_demo: bool,
    scenario_id: str,
    confidence: float,
    max_runs: int,
    max_minutes: float,
    time_scale: float,
    allow_writes: bool,
) -> None:
    """Find the smallest scenario of a run that still shows the symptom, and what of it mattered."""
    from prodintel_lib import minimise_command  # noqa: PLC0415
    from prodintel_lib.certify import SystemUnderTest  # noqa: PLC0415
    from prodintel_lib.minimise.bench import Bounds  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    if bool(faulty) == on_demo:
        raise ParameterError(
            "Minimising needs --faulty or --demo, and only one of them.", hint="--faulty URL where the fault is."
        )
    bounds = Bounds(max_runs=max_runs, max_minutes=max_minutes)
    wish = minimise_command.Wish(scenario_id, confidence, bounds, time_scale, allow_writes)
    with Terminal() as terminal:
        if on_demo:
            minimal = minimise_command.minimise_run_on_demo(
                run_path, repository=REPOSITORY, wish=wish, terminal=terminal
            )
        else:
            minimal = minimise_command.minimise_run(
                run_path,
                faulty=SystemUnderTest(str(faulty), toxiproxy),
                fixed=SystemUnderTest(fixed, fixed_toxiproxy) if fixed else None,
                wish=wish,
                terminal=terminal,
            )
    sys.exit(0 if minimal.is_confirmed else 1)


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
