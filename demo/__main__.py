"""The demo's commands: ``python -m demo up | storefront | record | record-healthy | sessions | incidents``."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from demo.errors import ShopError
from demo.incidents import BANK, find_incident
from demo.rum.command import generate_rum
from prodintel_lib.errors import ProdintelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from demo.estate import Estate
    from demo.incidents.model import BuildName
    from demo.storefront.builds import BuildName as FrontEndBuild

WATCH_EVERY_S: Final = 0.25
WORKSPACE: Final = Path(__file__).resolve().parent / "workspace"
HEALTHY: Final = Path(__file__).resolve().parent / "healthy"
TRUTH: Final = Path(__file__).resolve().parent / "storefront" / "truth.yaml"


@click.group(help="A small shop that really runs, its incidents, and the recorder of their evidence.")
def commands() -> None:
    """Group the commands."""


@commands.command("incidents")
def list_incidents() -> None:
    """List the bank of incidents."""
    for incident in BANK.values():
        click.echo(f"{incident.incident_id}  {incident.title}")
        click.echo(f"  faulty {incident.faulty.service} {incident.faulty.version}: {incident.faulty.note}")
        click.echo(f"  fixed  {incident.fixed.service} {incident.fixed.version}: {incident.fixed.note}")
        for toxic in incident.condition:
            attributes = ", ".join(f"{name} {value}" for name, value in toxic.attributes.items())
            click.echo(f"  condition on {toxic.proxy}: {toxic.type} ({attributes})")
        if incident.trigger:
            click.echo(f"  condition: {incident.trigger}")


@commands.command("up")
@click.option("--incident", "incident_id", required=True, metavar="ID", help="Incident of the bank.")
@click.option("--build", type=click.Choice(["faulty", "fixed"]), required=True, help="Which build to run.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Gateway's port; 0: a free one.")
@click.option("--telemetry", type=click.Path(path_type=Path), help="Folder to write OTLP/JSON lines to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
def bring_up(incident_id: str, build: BuildName, port: int, telemetry: Path | None, *, as_json: bool) -> None:
    """Start the shop, and stop it on Ctrl-C or SIGTERM."""
    release = find_incident(incident_id).release(build)
    from demo.estate import Estate  # noqa: PLC0415 - `incidents` need not wait for it

    with _stop_requested() as stop, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-")))
        collector_url = _collect(stack, telemetry)
        estate = stack.enter_context(Estate(folder, releases=[release], port=port, collector_url=collector_url))
        _announce(estate, as_json=as_json)
        while not stop.wait(WATCH_EVERY_S):
            estate.require_alive()


@commands.command("storefront")
@click.option("--build", type=click.Choice(["faulty", "fixed"]), required=True, help="Which build to run.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Its port; 0: a free one.")
@click.option("--telemetry", type=click.Path(path_type=Path), help="File to append the browsers' OTLP/JSON lines to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
def open_storefront(build: FrontEndBuild, port: int, telemetry: Path | None, *, as_json: bool) -> None:
    """Start the front end by itself, and stop it on Ctrl-C or SIGTERM."""
    from demo.storefront import running  # noqa: PLC0415 - `incidents` need not wait for it

    with _stop_requested() as stop, running(build, port=port, telemetry=telemetry) as base_url:
        click.echo(json.dumps({"base_url": base_url}) if as_json else f"The front end is open:  {base_url}")
        sys.stdout.flush()
        stop.wait()


@commands.command("record")
@click.argument("incident_id", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path), default=WORKSPACE, help="Workspace to write into.")
@click.option("--seed", type=int, default=1234, show_default=True, help="Seed of the traffic.")
@click.option("--pace", type=click.FloatRange(0.01, 1), default=1.0, help="Share of each phase's length.")
def record(incident_id: str, out: Path, seed: int, pace: float) -> None:
    """Run the incident and write the evidence a team would have."""
    incident = find_incident(incident_id)
    from demo.recording.recorder import record_incident  # noqa: PLC0415 - `incidents` need not wait for it

    with _stop_requested() as stop:
        record_incident(incident, workspace=out, seed=seed, pace=pace, stop=stop, say=click.echo)


@commands.command("record-healthy")
@click.argument("name", metavar="NAME")
@click.option("--out", type=click.Path(path_type=Path), default=HEALTHY, help="Workspace to write into.")
@click.option("--seed", type=int, default=1234, show_default=True, help="Seed of the traffic.")
@click.option("--length", "length_s", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds.")
@click.option("--days-earlier", type=click.IntRange(0), default=0, show_default=True, help="Days to move it back by.")
def record_nothing_wrong(name: str, out: Path, seed: int, length_s: float, days_earlier: int) -> None:
    """Run the shop while nothing is wrong and write the evidence of it."""
    from demo.recording.healthy import HealthyRecording, record_healthy  # noqa: PLC0415 - `incidents` need not wait

    with _stop_requested() as stop:
        recording = HealthyRecording(name, seed, length_s, days_earlier)
        record_healthy(recording, workspace=out, stop=stop, say=click.echo)


commands.add_command(generate_rum)


@commands.command("sessions")
@click.option("--out", type=click.Path(path_type=Path), default=WORKSPACE, help="Workspace to write into.")
@click.option("--truth", type=click.Path(path_type=Path), default=TRUTH, help="File for what is true of them.")
@click.option("--count", type=click.IntRange(1), default=220, show_default=True, help="How many sessions.")
@click.option("--seed", type=int, default=1234, show_default=True, help="Seed of who comes and what for.")
@click.option("--pace", type=click.FloatRange(0, 1), default=0.03, show_default=True, help="Share of each pause.")
@click.option("--at-once", type=click.IntRange(1, 16), default=3, show_default=True, help="How many visit at a time.")
def record_sessions(out: Path, truth: Path, count: int, seed: int, pace: float, at_once: int) -> None:
    """Let people visit the front end by a real browser, and keep what it told of them."""
    try:
        from demo.storefront.visits.recorder import Recorder  # noqa: PLC0415 - it needs a browser's driver
    except ModuleNotFoundError as error:
        lacking = f"Recording sessions needs the Python package {error.name}."
        raise ShopError(lacking, hint="install the extra `test`.") from error

    with _stop_requested() as stop:
        recorder = Recorder(seed=seed, pace=pace, at_once=at_once, stop=stop, say=click.echo)
        recorder.record(count, workspace=out, truth=truth)


def main() -> None:
    """Run a command; errors of ours are printed without a traceback."""
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ProdintelError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)


def _collect(stack: ExitStack, telemetry: Path | None) -> str:
    if telemetry is None:
        return ""
    from demo.collector import Collector  # noqa: PLC0415 - only where it is wanted

    collector = stack.enter_context(Collector(telemetry))
    collector.start_writing()
    return collector.url


def _announce(estate: Estate, *, as_json: bool) -> None:
    if as_json:
        ready = {
            "base_url": estate.base_url,
            "toxiproxy_url": estate.toxiproxy_url,
            "pids": list(estate.pids.values()),
        }
        click.echo(json.dumps(ready))
    else:
        click.echo(f"The shop is open:  {estate.base_url}")
        click.echo(f"TOXIPROXY_URL:     {estate.toxiproxy_url}")
        click.echo("Ctrl-C stops it.")
    sys.stdout.flush()


@contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set, so that stopping always goes through the ordinary way out."""
    stop = threading.Event()

    def request(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
