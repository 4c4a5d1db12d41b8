"""The workspace that is written: Parquet of events and exposures, the configuration that reads them, and the truth."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import yaml

from demo.rum.causes import BOT_CRAWL
from demo.rum.crawl import make_crawl
from demo.rum.events import make_events, session_frame
from demo.rum.experiments import make_exposures
from demo.rum.plan import US_PER_DAY, US_PER_S
from demo.rum.population import populate
from demo.rum.truth import Tally
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.rum.plan import Plan
    from demo.rum.population import Population

# So many sessions' events are in memory at a time: some hundreds of megabytes.
PART_SESSIONS: Final = 20_000
CONVERSIONS: Final = ("purchase",)
EVENTS_FOLDER: Final = "events"
EXPOSURES_FOLDER: Final = "exposures"
CONFIG_NAME: Final = "prodintel.yaml"
TRUTH_NAME: Final = "truth.yaml"


def generate(plan: Plan, folder: Path, *, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Write a workspace; the same plan makes the same bytes.

    Parameters
    ----------
    plan : Plan
    folder : Path
        It may not be there yet; it appears when it is complete.
    say : callable
        Takes a line a day of how far it has come.

    Returns
    -------
    dict
        The truth, as it is in ``truth.yaml``.

    Raises
    ------
    ParameterError
        If the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(f"`{folder}` is there already, and not empty.", hint="name a new folder by --output.")
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    for name in (EVENTS_FOLDER, EXPOSURES_FOLDER):
        (beside / name).mkdir(parents=True)
    truth = _write_all(plan, beside, say)
    if folder.exists():
        folder.rmdir()
    beside.replace(folder)
    return truth


def _write_all(plan: Plan, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    population = populate(plan)
    tally = Tally(plan)
    columns, exposed_columns = pl.Schema(), pl.Schema()
    for name, first, last in _parts(population, plan):
        views, events = make_events(population, first, last, plan)
        columns = events.schema
        _write_parquet(events, folder / EVENTS_FOLDER / f"{name}.parquet")
        tally.add(views, events, population, first, last)
        exposures = make_exposures(population, session_frame(population, first, last, plan), first)
        exposed_columns = exposures.schema
        _write_parquet(exposures, folder / EXPOSURES_FOLDER / f"{name}.parquet")
        say(f"{name}: {last:,} of {plan.sessions:,} sessions, {tally.counts['events']:,} events")
    crawl = make_crawl(plan, columns) if plan.has(BOT_CRAWL) else None
    if crawl:
        _write_parquet(crawl.events, folder / EVENTS_FOLDER / "crawl.parquet")
    truth = tally.document(crawl)
    _write_yaml(truth, folder / TRUTH_NAME, "What is true of these data, for whoever checks an analysis of them.")
    config = _config(plan, columns, exposed_columns)
    _write_yaml(config, folder / CONFIG_NAME, "Generated data: nobody's system recorded it.")
    return truth


def _parts(population: Population, plan: Plan) -> Iterator[tuple[str, int, int]]:
    """Divide the sessions by the day they begin on, and days that have many further."""
    days = (population.start_us - plan.start_us) // US_PER_DAY
    bounds = np.searchsorted(days, np.arange(plan.days + 1))
    for day in range(plan.days):
        first, end = int(bounds[day]), int(bounds[day + 1])
        label = datetime.fromtimestamp((plan.start_us + day * US_PER_DAY) // US_PER_S, UTC).date().isoformat()
        for number, start in enumerate(range(first, end, PART_SESSIONS)):
            yield f"{label}-{number:02}", start, min(start + PART_SESSIONS, end)


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", row_group_size=1 << 16)


def _config(plan: Plan, events: pl.Schema, exposures: pl.Schema) -> dict[str, Any]:
    return {
        "name": "generated-shop",
        "generated_by": plan.command,
        "sources": [
            {"path": f"{EVENTS_FOLDER}/*.parquet", "table": "rum_events", "columns": {name: name for name in events}},
            {
                "path": f"{EXPOSURES_FOLDER}/*.parquet",
                "table": "exposures",
                "columns": {name: name for name in exposures},
            },
        ],
        "journeys": {"conversions": list(CONVERSIONS)},
    }


def _write_yaml(document: dict[str, Any], path: Path, remark: str) -> None:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(f"# {remark}\n{text}", encoding="utf-8")
