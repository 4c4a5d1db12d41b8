"""Who shares a run out among the processes that send it, gathers what they report, and says what came of it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gevent
from locust import log
from locust.runners import MasterRunner

from prodintel_lib.renderers.templates.load_options import OptionError, run_of
from prodintel_lib.renderers.templates.load_plan import Behaviour
from prodintel_lib.renderers.templates.load_record import Record, sentence, told
from prodintel_lib.renderers.templates.replay_requests import plain

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.rpc import Message
    from locust.runners import Runner

LOOK_S = 0.1
LOST_AFTER_S = 10.0  # a worker may miss some heartbeats and come back
STOPPED = "it was stopped before its sessions had ended."

Data = dict[str, Any]


class Conductor:
    """One run after another; in a headless Locust there is one.

    A process is told its share (``load_plan``), says that it is ready, is told to go, and reports until it is done.
    """

    def __init__(self, environment: Environment, model: Data, digest: str) -> None:
        self._environment, self._model, self._digest = environment, model, digest
        self._runner = cast("Runner", environment.runner)
        self._record: Record | None = None
        self._planned: list[tuple[int, float]] = []
        self._members: list[str] = []
        self._ready: set[int] = set()
        self._done: set[int] = set()
        self._judged: Data = {}
        self._is_over = False
        self._conducting: gevent.Greenlet | None = None

    def begin(self) -> None:
        """Begin a run, as the options say now."""
        self._judged, self._record, self._is_over = {}, None, False
        self._ready, self._done = set(), set()
        try:
            self._run = run_of(self._options, self._environment.host, self._model)
            self._record = Record(self._model, self._run, Path(self._run.out))
        except (OSError, OptionError) as error:
            say(f"FAILED: not run: {plain(str(error))}")
            gevent.spawn(self._leave)
            return
        self._conducting = gevent.spawn(self._conduct)
        self._conducting.link_exception(self._died)

    def hear(self, msg: Message, **_: object) -> None:
        """Take what a process says."""
        said = msg.data
        if msg.type == "load_ready":
            self._ready.add(said["number"])
        elif self._record is not None and not self._judged:
            # Locust would log what is thrown here, and go on without what was reported.
            try:
                self._keep(self._record, said)
            except (OSError, LookupError, TypeError, ValueError) as error:
                self._fail(f"a report was lost: {type(error).__name__}: {plain(str(error))}", "load_conducting.py")

    def _keep(self, record: Record, said: Data) -> None:
        if said["done"]:
            self._done.add(said["number"])
        for what, where in said["errors"]:
            record.fail(what, where)
        record.cut_short += said["cut_short"]
        record.begin([(number, at_s) for number, at_s in said["begun"]])
        record.take(said["rows"])

    def stopped(self) -> None:
        """Judge what there is where Locust goes on without the run; else it is judged when Locust ends."""
        if self._is_over or self._options["headless"]:
            return
        if self._conducting is not None:
            self._conducting.kill()
        self._finish(STOPPED)

    def exit_code(self) -> int:
        """Return what the process ends with."""
        self._finish(STOPPED)
        return int(self._judged.get("failed", True))

    def _conduct(self) -> None:
        runner, setting = self._runner, self._run.setting
        self._members = [""]
        if isinstance(runner, MasterRunner):
            self._members = sorted((one.id for one in runner.clients.ready), key=runner.get_worker_index)
        order = {"target": self._run.target, "setting": asdict(setting), "digest": self._digest}
        for number, member in enumerate(self._members):
            share = {**order, "number": number, "of": len(self._members)}
            runner.send_message("load_plan", share, client_id=member or None)
        plan = gevent.get_hub().threadpool.apply(Behaviour(self._model).planned, (self._model["curve"], setting))
        self._planned = plan
        self._await(self._ready)
        say(
            f"{len(plan):,} sessions begin within {setting.run_s:,.0f} s at {self._run.target}, and then go on until "
            f"each has ended (seed {setting.seed})."
        )
        for member in self._members:
            runner.send_message("load_go", {}, client_id=member or None)
        self._await(self._done)
        self._is_over = True
        if not self._options["headless"]:
            # Before it is judged: who sees the judgement may start the next run, which this would end.
            runner.stop()
        self._finish("")
        if self._options["headless"]:
            runner.quit()

    @property
    def _options(self) -> Data:
        """What Locust's options are now: in its web page they can be changed."""
        return vars(self._environment.parsed_options)

    def _leave(self) -> None:
        """End Locust, or the run alone where there is a page to start the next one on."""
        if self._options["headless"]:
            self._runner.quit()
        else:
            self._runner.stop()

    def _await(self, said: set[int]) -> None:
        """Wait until every process has said so, or is done, or lost."""
        missing_s = [0.0] * len(self._members)
        while True:
            left = set(range(len(self._members))) - said - self._done
            for number in left:
                missing_s[number] = 0.0 if self._is_there(self._members[number]) else missing_s[number] + LOOK_S
            lost = {number for number in left if missing_s[number] > LOST_AFTER_S}
            if left <= lost:
                break
            gevent.sleep(LOOK_S)
        for number in sorted(lost):
            self._done.add(number)
            self._fail(f"a worker was lost, with share {number + 1} of {len(self._members)} of the sessions", "Locust")

    def _is_there(self, member: str) -> bool:
        runner = self._runner
        if not isinstance(runner, MasterRunner):
            return True
        return member in runner.clients and runner.clients[member].state != "missing"

    def _fail(self, what: str, where: str) -> None:
        if self._record is not None:
            self._record.fail(what, where)

    def _died(self, greenlet: gevent.Greenlet) -> None:
        self._fail(f"{type(greenlet.exception).__name__}: {plain(str(greenlet.exception))}", "load_conducting.py")
        # First, for a judgement that cannot be written must not keep Locust from ending.
        gevent.spawn(self._leave)
        self._finish(STOPPED)

    def _finish(self, stopped: str) -> None:
        if self._judged or self._record is None:
            return
        for each in self._runner.exceptions.values():
            self._fail(plain(each["msg"]), "a user of Locust")
        if log.unhandled_greenlet_exception:
            self._fail("an error was thrown within Locust", "see its log")
        self._judged = self._record.close(self._planned, stopped)
        thresholds = self._judged["thresholds"]
        say(sentence(self._judged))
        for each in sorted(thresholds, key=lambda one: one["held"] is True):
            if each["n"]:
                say(told(each))
        if unasked := sum(not each["n"] for each in thresholds):
            say(f"{unasked} of {len(thresholds)} thresholds were not judged: their endpoints were not asked for.")
        say(f"the record is in {self._run.out}")


def say(text: str) -> None:
    """Write a line to the terminal."""
    sys.stderr.write(f"load test: {text}\n")
