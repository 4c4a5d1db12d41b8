"""Records the shop while nothing is wrong: no fault, no release, no condition. What is found in it is a false alarm."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from demo.collector import Collector
from demo.errors import ShopError
from demo.estate import Estate
from demo.incidents.model import Traffic
from demo.recording.files import PACKAGES, compress, show_time, write_json
from demo.recording.recorder import Phase
from demo.traffic.driver import drive
from demo.traffic.plans import plan_sessions

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from demo.traffic.driver import Answer

WATCH_EVERY_S: Final = 1.0
WARM_UP_S: Final = 20.0
AFTERWARDS_S: Final = 60.0
"""Visits go on beyond the end, so that the recording does not show the shop emptying."""
TRAFFIC: Final = Traffic(
    sessions_per_s=1.2,
    kinds={
        "quick_buyer": 4.0,
        "regular": 2.0,
        "browser": 2.0,
        "searcher": 1.5,
        "bouncer": 1.2,
        "coupon_buyer": 1.0,
        "stock_checker": 0.6,
        "chooser": 0.4,
    },
)
"""The kinds that the incidents' own traffic is made of, without those that come for an incident's sake."""
SETTLE_S: Final = 3.0
_REAL: Final = (
    "every request, span, log record and metric: six processes ran and customers' requests were sent to them",
    "that nothing was wrong: no fault was applied, nothing was deployed or changed, no process was operated upon",
)
_STAGED: Final = (
    "who the customers are: drawn from a seed",
    "the card processor: a stand-in",
    "folders in stack traces, and the addresses of clients: replaced and removed by the collector",
)


@dataclass(slots=True)
class HealthyRecording:
    """What happened while a healthy shop was recorded.

    Attributes
    ----------
    name : str
        Of the folder.
    seed : int
        Of the traffic.
    length_s : float
        How long is recorded, after the warm-up.
    days_earlier : int
        By how many days it is moved back.
    load_averages : list of float
        Of the machine, once a second: others' work makes answers slow, as it does in production.
    """

    name: str
    seed: int
    length_s: float
    days_earlier: int
    phases: list[Phase] = field(default_factory=list)
    answers: int = 0
    bad_answers: int = 0
    load_averages: list[float] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Take note of an answer."""
        self.answers += 1
        self.bad_answers += answer.is_failure


def record_healthy(
    recording: HealthyRecording, *, workspace: Path, stop: threading.Event, say: Callable[[str], None]
) -> Path:
    """Record the healthy shop into ``WORKSPACE/NAME`` and ``WORKSPACE/recordings/NAME.json``.

    Parameters
    ----------
    recording : HealthyRecording
        What to record; what happened is noted in it.
    workspace : Path
    stop : threading.Event
        Ends it early; nothing is written then.
    say : callable
        Is told of the progress.

    Returns
    -------
    Path
        The folder of the evidence. An earlier recording is replaced when the new one is complete.

    Raises
    ------
    ShopError
        If a process died or it was stopped.
    """
    with tempfile.TemporaryDirectory(prefix="recording-") as temporary:
        telemetry, data = Path(temporary) / "telemetry", Path(temporary) / "data"
        data.mkdir()
        with (
            Collector(telemetry, days_earlier=recording.days_earlier) as collector,
            Estate(data, collector_url=collector.url) as estate,
        ):
            asyncio.run(_run(recording, estate, collector, stop, say))
        return _write(recording, telemetry, workspace)


async def _run(
    recording: HealthyRecording,
    estate: Estate,
    collector: Collector,
    stop: threading.Event,
    say: Callable[[str], None],
) -> None:
    plans = plan_sessions(TRAFFIC, duration_s=WARM_UP_S + recording.length_s + AFTERWARDS_S, seed=recording.seed)
    traffic = asyncio.create_task(drive(estate.base_url, plans, seed=recording.seed, on_answer=recording.add))
    try:
        await _phase(recording, "warm_up", WARM_UP_S, estate, traffic, stop)
        collector.start_writing()
        say(f"healthy: {recording.length_s:.0f} s")
        await _phase(recording, "healthy", recording.length_s, estate, traffic, stop)
        say(f"  {recording.answers} answers, {recording.bad_answers} bad")
    finally:
        traffic.cancel()
        with suppress(asyncio.CancelledError):
            await traffic
        # What is under way is answered before the processes stop, or the record would end with failures of our making.
        await asyncio.sleep(SETTLE_S)


async def _phase(
    recording: HealthyRecording,
    name: str,
    length_s: float,
    estate: Estate,
    traffic: asyncio.Task[None],
    stop: threading.Event,
) -> None:
    start_s = time.time()
    while (left_s := start_s + length_s - time.time()) > 0:
        if stop.is_set():
            raise ShopError("The recording was stopped; nothing was written.")
        estate.require_alive()
        if traffic.done():
            raise ShopError("The customers are gone before the end.") from traffic.exception()
        if name == "healthy":
            recording.load_averages.append(os.getloadavg()[0])
        await asyncio.sleep(min(WATCH_EVERY_S, left_s))
    recording.phases.append(Phase(name, start_s, time.time()))


def _write(recording: HealthyRecording, telemetry: Path, workspace: Path) -> Path:
    target, fresh = workspace / recording.name, workspace / f".{recording.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for source in sorted(telemetry.glob("*.jsonl")):
        compress(source, fresh / f"{source.name}.zst")
    about = workspace / "recordings" / f"{recording.name}.json"
    about.parent.mkdir(exist_ok=True)
    write_json(about, describe(recording, fresh))
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)
    return target


def describe(recording: HealthyRecording, folder: Path) -> dict[str, Any]:
    """Return how a recording was made: ``recordings/NAME.json``.

    Parameters
    ----------
    recording : HealthyRecording
        Complete.
    folder : Path
        The files of its evidence.
    """
    earlier_s = recording.days_earlier * 86_400.0
    load = recording.load_averages
    return {
        "name": recording.name,
        "command": (
            f"python -m demo record-healthy {recording.name} --seed {recording.seed} "
            f"--length {recording.length_s:g} --days-earlier {recording.days_earlier}"
        ),
        "seed": recording.seed,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "phases": [
            {
                "name": phase.name,
                "start": show_time(phase.start_s - earlier_s),
                "end": show_time(phase.end_s - earlier_s),
            }
            for phase in recording.phases
        ],
        "load_average": {
            "processors": os.cpu_count(),
            "least": round(min(load), 2),
            "median": round(statistics.median(load), 2),
            "most": round(max(load), 2),
        },
        "answers": recording.answers,
        "bad_answers": recording.bad_answers,
        "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "real": list(_REAL),
        "staged": [*_STAGED, f"the date: every time was moved back by {recording.days_earlier} days"],
    }
