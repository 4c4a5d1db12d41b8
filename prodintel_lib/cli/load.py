"""Verbs of load: its patterns, a load test of it, and how close a run came to production."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prodintel_lib.cli.group import main
from prodintel_lib.cli.options import (
    DAYS_OPTION,
    PARAMS_OPTION,
    REPORTS_OPTION,
    REPOSITORY,
    WORKSPACE_OPTION,
    chosen_workspace,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MONTH_OPTION = click.option(
    "--window",
    default="30d",
    show_default=True,
    help="START/END, or a length that ends with the last day of the data.",
)
SOURCE_OPTION = click.option(
    "--source",
    default="",
    help="Where requests are read from: spans, or rum (browsers and access logs). Default: the one with more of them.",
)
CONVERSION_OPTION = click.option(
    "--conversion",
    "conversions",
    multiple=True,
    metavar='"METHOD ROUTE"',
    help="An endpoint that only buyers reach, such as `POST /api/orders`. May be given again.",
)
CURVE_OPTION = click.option(
    "--day",
    default="busiest",
    show_default=True,
    help="Whose curve the load test follows: busiest, whole (all of the window), or a date.",
)
SEED_OPTION = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of every choice by chance."
)


def _production_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what production is looked at."""
    for option in (
        REPORTS_OPTION,
        SEED_OPTION,
        CURVE_OPTION,
        CONVERSION_OPTION,
        click.option(
            "--event",
            "events",
            multiple=True,
            metavar='"START/END NAME"',
            help="A named event, by the business's clock. May be given again. Default: those of prodintel.yaml.",
        ),
        click.option(
            "--time-zone", default="", help="Of the business, such as Europe/Berlin. Default: that of prodintel.yaml."
        ),
        SOURCE_OPTION,
        DAYS_OPTION,
        MONTH_OPTION,
        WORKSPACE_OPTION,
    ):
        command = option(command)
    return command


@main.command()
@_production_options
@PARAMS_OPTION
def load(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    source: str,
    time_zone: str,
    events: tuple[str, ...],
    conversions: tuple[str, ...],
    day: str,
    seed: int,
    reports_path: Path,
    params_path: Path | None,
) -> None:
    """Report when how much comes, from whom, and what still fits, and make a load test of it."""
    from prodintel_lib.load_command import report_load  # noqa: PLC0415
    from prodintel_lib.load_patterns import LoadWish  # noqa: PLC0415
    from prodintel_lib.report_run import Places, Reporting  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        report_load(
            LoadWish(f"{days}d" if days else window, source, time_zone, events, conversions, day, seed),
            Reporting(
                chosen_workspace(workspace_path), Places(REPOSITORY / "notebooks", reports_path), terminal, params_path
            ),
        )


@main.command("load-test")
@_production_options
@click.option("--scale", default=1.0, show_default=True, help="Times as many sessions a second.")
@click.option(
    "--compress",
    default="1",
    show_default=True,
    metavar="24h=10m",
    help="How many times faster the curve goes by; the rate stays, so fewer sessions come in all.",
)
@click.option("--start", default="", metavar="18:00", help="The hour of the business's clock at which runs begin.")
@click.option("--length", default="", metavar="6h", help="How much of the curve is run. Default: all of it.")
@click.option(
    "--as-in",
    default="",
    metavar="EVENT",
    help="Multiply by what a named event had, or by a number: --as-in black-friday, --as-in 2.5.",
)
def load_test(
    workspace_path: Path | None,
    window: str,
    days: int | None,
    source: str,
    time_zone: str,
    events: tuple[str, ...],
    conversions: tuple[str, ...],
    day: str,
    seed: int,
    reports_path: Path,
    scale: float,
    compress: str,
    start: str,
    length: str,
    as_in: str,
) -> None:
    """Write a load test of production's load for Locust and k6."""
    from prodintel_lib.load_command import write_load_test  # noqa: PLC0415
    from prodintel_lib.load_patterns import LoadWish  # noqa: PLC0415
    from prodintel_lib.load_patterns.shape import LoadShape  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        write_load_test(
            LoadWish(f"{days}d" if days else window, source, time_zone, events, conversions, day, seed),
            LoadShape(scale, compress, start, length, as_in, seed),
            workspace_path=chosen_workspace(workspace_path),
            reports_path=reports_path,
            terminal=terminal,
        )


@main.command("load-score")
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.argument("recording", type=click.Path(path_type=Path, exists=True))
@click.option("--window", default="", help="START/END of the recording. Default: the time the load test was made of.")
@SOURCE_OPTION
@click.option("--bucket", "bucket_s", type=click.FloatRange(min=0, min_open=True), help="Seconds of production's time.")
@click.option("--json", "as_json", is_flag=True, help="Write the scores as JSON.")
def load_score(run: Path, recording: Path, window: str, source: str, bucket_s: float | None, *, as_json: bool) -> None:
    """Score what a load test sent (RUN) against what production did (RECORDING).

    RUN is the folder a run left; RECORDING a workspace. Either may be a CSV or Parquet file of session, endpoint, t.
    Exit code 0: as close as production is to itself; 1: not; 2: it cannot be told.
    """
    from prodintel_lib.load_patterns.exploration import source_named  # noqa: PLC0415
    from prodintel_lib.load_score_command import ScoreWish, show_score  # noqa: PLC0415
    from prodintel_lib.terminal import Terminal  # noqa: PLC0415

    with Terminal() as terminal:
        wish = ScoreWish(window, source_named(source), bucket_s, as_json)
        sys.exit(show_score(run, recording, wish, terminal=terminal))
