"""Records an incident: runs the shop, its customers, a deployment and a fault, and writes what was seen of it."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo.collector import Collector
from demo.errors import ShopError
from demo.estate import Estate, Rollout
from demo.incidents.model import Release
from demo.recording.alerting import AlertWatch
from demo.recording.files import write_recording
from demo.traffic.driver import drive
from demo.traffic.plans import plan_sessions

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable, Coroutine

    from demo.incidents.model import Incident, Operation
    from demo.traffic.driver import Answer

EVALUATE_EVERY_S: Final = 2.0
AFTER_RESOLUTION_S: Final = 10.0
LONGEST_RECOVERY_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase as it happened, seconds since the epoch."""

    name: str
    start_s: float
    end_s: float


@dataclass(slots=True)
class Recording:
    """What happened while it was recorded."""

    incident: Incident
    seed: int
    pace: float
    watch: AlertWatch
    phases: list[Phase] = field(default_factory=list)
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    answers: int = 0
    bad_answers: int = 0

    def add(self, answer: Answer) -> None:
        """Take note of an answer."""
        self.answers += 1
        self.bad_answers += self.watch.add(answer)


def record_incident(
    incident: Incident,
    *,
    workspace: Path,
    seed: int,
    pace: float,
    stop: threading.Event,
    say: Callable[[str], None],
) -> Path:
    """Record an incident into ``WORKSPACE/INCIDENT-ID`` and ``WORKSPACE/recordings/INCIDENT-ID.json``.

    Parameters
    ----------
    incident : Incident
    workspace : Path
    seed : int
        Of the traffic; the shop itself takes the time it takes.
    pace : float
        Share of each phase's length, for a quick look.
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
        If a process died, or nobody was alerted: then there is no incident to tell of.
    """
    acknowledge_after_s = random.Random(seed).uniform(35, 60)  # noqa: S311 - a person's delay
    watch = AlertWatch(acknowledge_after_s=acknowledge_after_s, rule=incident.alert.rule)
    recording = Recording(incident, seed, pace, watch)
    with tempfile.TemporaryDirectory(prefix="recording-") as temporary:
        telemetry, data = Path(temporary) / "telemetry", Path(temporary) / "data"
        data.mkdir()
        with (
            Collector(telemetry, days_earlier=incident.days_earlier) as collector,
            Estate(data, releases=[incident.previous], collector_url=collector.url) as estate,
        ):
            asyncio.run(_Run(recording, estate, collector, stop, say).run())
        if not recording.watch.is_resolved:
            raise ShopError(
                f"The alert of {incident.incident_id} did not come and go: nothing was written.",
                hint="record at full pace on a machine that is not busy.",
            )
        return write_recording(recording, telemetry, workspace)


@asynccontextmanager
async def _meanwhile(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let something go on besides; it is ended with what it goes on beside, and its failure is not hidden."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Run:
    """The phases of a recording, in order."""

    def __init__(
        self,
        recording: Recording,
        estate: Estate,
        collector: Collector,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._recording = recording
        self._incident = recording.incident
        self._estate = estate
        self._collector = collector
        self._stop = stop
        self._say = say
        self._traffic: asyncio.Task[None] | None = None

    async def run(self) -> None:
        phases = self._incident.phases
        self._traffic = traffic = asyncio.create_task(self._drive())
        try:
            await self._phase("warm_up", phases.warm_up_s)
            self._collector.start_writing()
            async with _meanwhile(self._let_life_go_on()):
                await self._phase("before", phases.before_s)
            await self._change("change", self._incident.faulty, self._incident.switch)
            if phases.baseline_s:
                await self._phase("baseline", phases.baseline_s)
            await asyncio.to_thread(self._estate.apply, self._incident.condition)
            async with _meanwhile(self._operate()), _meanwhile(self._surge()):
                await self._phase("condition", phases.condition_s)
            await asyncio.to_thread(self._estate.lift)
            if self._incident.rolled_back:
                await self._change("rollback", self._incident.previous, self._incident.switch_back)
            await self._phase("recovery", phases.recovery_s, until=self._is_over)
        finally:
            traffic.cancel()
            with suppress(asyncio.CancelledError):
                await traffic

    async def _let_life_go_on(self) -> None:
        """Let the deployments happen that have nothing to do with the incident."""
        began_s = time.monotonic()
        for decoy in self._incident.decoys:
            if decoy.kind == "deployment":
                await asyncio.sleep(max(0.0, began_s + decoy.after_s * self._recording.pace - time.monotonic()))
                await self._deploy(decoy.name, Release(decoy.service, decoy.name, None, decoy.note))

    async def _operate(self) -> None:
        """Do the incident's operation again and again."""
        operation = self._incident.operation
        while operation:
            await asyncio.to_thread(self._estate.operate, operation)
            await asyncio.sleep(operation.every_s)

    async def _surge(self) -> None:
        """Let those come who come besides."""
        if self._incident.surge:
            length_s = self._incident.phases.condition_s * self._recording.pace
            # Another seed: they are other people than those who are here already.
            seed = self._recording.seed + 1
            plans = plan_sessions(self._incident.surge, duration_s=length_s, seed=seed)
            await drive(self._estate.base_url, plans, seed=seed, on_answer=self._recording.add)

    async def _drive(self) -> None:
        phases = self._incident.phases
        longest_s = (
            phases.warm_up_s
            + phases.before_s
            + phases.baseline_s
            + phases.condition_s
            + max(phases.recovery_s, LONGEST_RECOVERY_S)
            + 60
        )
        plans = plan_sessions(self._incident.traffic, duration_s=longest_s, seed=self._recording.seed)
        await drive(self._estate.base_url, plans, seed=self._recording.seed, on_answer=self._recording.add)

    async def _phase(self, name: str, length_s: float, *, until: Callable[[float], bool] | None = None) -> None:
        """Let time pass while the alert is watched; `until` may ask for more than the length."""
        length_s *= self._recording.pace
        start_s = time.time()
        self._say(f"{name}: {length_s:.0f} s")
        while (now_s := time.time()) - start_s < length_s or (until and not until(now_s - start_s)):
            if self._stop.is_set():
                raise ShopError("The recording was stopped; nothing was written.")
            self._estate.require_alive()
            if self._traffic and self._traffic.done():
                raise ShopError("The customers are gone before the end.") from self._traffic.exception()
            self._recording.watch.evaluate(now_s)
            await asyncio.sleep(min(EVALUATE_EVERY_S, length_s / 4))
        self._recording.phases.append(Phase(name, start_s, time.time()))
        self._say(f"  {self._recording.answers} answers, {self._recording.bad_answers} bad")

    async def _change(self, name: str, release: Release, switch: Operation | None) -> None:
        """Let the incident's change happen, or be undone."""
        if self._incident.change is None:
            return
        if switch is None:
            await self._deploy(name, release)
            return
        self._say(f"switch: {switch.method} {switch.path}")
        start_s = time.time()
        await asyncio.to_thread(self._estate.operate, switch)
        end_s = time.time()
        self._took_place(name, start_s, Rollout(int(start_s * 1e6), int(end_s * 1e6), int(end_s * 1e6)))

    async def _deploy(self, name: str, release: Release) -> None:
        self._say(f"deploy: {release.service} {release.version}")
        start_s = time.time()
        self._took_place(name, start_s, await asyncio.to_thread(self._estate.deploy, release))

    def _took_place(self, name: str, start_s: float, rollout: Rollout) -> None:
        self._recording.rollouts[name] = rollout
        self._recording.phases.append(Phase(name, start_s, time.time()))

    def _is_over(self, elapsed_s: float) -> bool:
        watch = self._recording.watch
        if elapsed_s > LONGEST_RECOVERY_S:
            return True
        return watch.is_resolved and time.time() - watch.events[-1].time_s > AFTER_RESOLUTION_S
