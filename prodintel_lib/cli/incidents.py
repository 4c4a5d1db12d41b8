"""Verbs of an incident: replay it, prove, certify and minimise its tests."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from prodintel_lib.cli.group import main
from prodintel_lib.cli.options import PARAMS_OPTION, REPORTS_OPTION, REPOSITORY, WORKSPACE_OPTION, chosen_workspace
from prodintel_lib.errors import ParameterError


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
