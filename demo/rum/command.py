"""``python -m demo rum``: a generated workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from demo.rum.causes import CAUSES, planted_causes
from demo.rum.plan import DEFAULT_START, MAX_DAYS, MAX_SESSIONS, Plan, choose_causes
from prodintel_lib.errors import ParameterError

# Set by `prodintel demo`, which changes to the repository: where paths of the command line are meant from.
CALLED_FROM: Final = "PRODINTEL_CALLED_FROM"


@click.command("rum")
@click.option("--sessions", type=click.IntRange(1, MAX_SESSIONS), default=847_392, show_default=True, help="Of people.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=7, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--start", default=DEFAULT_START, show_default=True, help="The first day, UTC.")
@click.option(
    "--without",
    multiple=True,
    metavar="CAUSE",
    help=f"Leave a cause out; may be given again. Causes: {', '.join(CAUSES)}.",
)
@click.option("--some", is_flag=True, help="Plant a choice of the causes, made by the seed.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("rum-workspace"), show_default=True, help="A new folder."
)
def generate_rum(
    sessions: int, days: int, seed: int, start: str, without: tuple[str, ...], *, some: bool, output: Path
) -> None:
    """Generate a workspace of users' sessions with planted causes, and their truth beside it."""
    if some and without:
        raise ParameterError("--some and --without exclude each other.", hint="leave one of them out.")
    causes = choose_causes(seed) if some else planted_causes(without=without)
    plan = Plan(sessions, days, seed, start, causes)
    folder = Path(os.environ.get(CALLED_FROM, "."), output).resolve()
    from demo.rum.workspace import generate  # noqa: PLC0415 - the other commands need not wait for it

    truth = generate(plan, folder, say=lambda line: click.echo(line, err=True))
    counts = truth["counts"]
    click.echo(
        f"{counts['sessions']:,} sessions, {counts['page_views']:,} page views, {counts['events']:,} events, "
        f"conversion {truth['conversion']:.2%}"
    )
    click.echo(f"Workspace: {folder} (generated; its reports say so)")
    click.echo(f"Truth:     {folder / 'truth.yaml'}")
