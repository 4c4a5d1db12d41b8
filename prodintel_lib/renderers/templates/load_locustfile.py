"""Production's load as a Locust run: sessions begin as they did there, and the exit code is the judgement.

`locust -f locustfile.py --headless --host http://127.0.0.1:8080 --compress 24h=10m`. Exit code 0: every threshold was
held and the load was sent as planned; 1: not so, or nobody could tell; 2: an option cannot be followed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import gevent
from locust import User, events, task
from locust.runners import MasterRunner, WorkerRunner

from prodintel_lib.renderers.templates.load_conducting import Conductor
from prodintel_lib.renderers.templates.load_options import OptionError, read_model, run_of
from prodintel_lib.renderers.templates.load_sending import Sender

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment
    from locust.rpc import Message
    from locust.runners import Runner

OPTIONS = 2  # what Locust itself ends with where its options are wrong
A_DAY_S = 86_400

Data = dict[str, Any]

SENDERS: list[Sender] = []
CONDUCTORS: list[Conductor] = []


def refuse(why: object) -> None:
    """End before anything is sent."""
    sys.stderr.write(f"load test: {why}\n")
    sys.exit(OPTIONS)


try:
    MODEL, DIGEST = read_model(Path(__file__).with_name("load_model.json"))
except (OSError, OptionError) as error:
    refuse(error)


class Arrivals(User):
    """What Locust counts as its user; sessions are greenlets of their own, for nobody waits for anybody."""

    fixed_count = 1

    @task
    def wait(self) -> None:
        """Leave it to the sender."""
        gevent.sleep(A_DAY_S)


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Add the options of the load test; what is left out is as the model has it."""
    defaults = MODEL["defaults"]
    days = defaults["length_s"] / A_DAY_S
    told = {
        "--scale": f"times as many sessions a second (default: {defaults['scale']:g})",
        "--compress": f"how many times faster the curve goes by: 144, or 24h=10m (default: {defaults['compress']:g})",
        "--start": f"the hour at which it begins, by the clock of {MODEL['curve']['time_zone']}, for instance 08:30",
        "--length": f"how much of the curve is run, for instance 24h (default: {days:g} days)",
        "--event": "the name of an event, or how many times the traffic it has",
        "--seed": f"the same seed plans the same sessions (default: {defaults['seed']})",
        "--latency-factor": "times every limit of a latency, for slower machines (default: 1)",
    }
    for name, words in told.items():
        parser.add_argument(name, type=str, default="", help=words.replace("%", "%%"))
    parser.add_argument("--allow-writes", action="store_true", help="let the load write to a system beyond loopback")
    parser.add_argument("--out", type=str, default="load_run", help="folder of the run's record (default: load_run)")


@events.init.add_listener
def set_up(environment: Environment, runner: Runner, **_: object) -> None:
    """Refuse what cannot be run as it was asked for, before anything is sent; agree on what is said to whom."""
    if not isinstance(runner, WorkerRunner):
        try:
            environment.host = run_of(vars(environment.parsed_options), environment.host, MODEL).target
        except OptionError as error:
            refuse(error)
        CONDUCTORS.append(conductor := Conductor(environment, MODEL, DIGEST))
        runner.register_message("load_ready", conductor.hear)
        runner.register_message("load_report", conductor.hear)
    if not isinstance(runner, MasterRunner):
        runner.register_message("load_plan", prepare)
        runner.register_message("load_go", go)


def prepare(environment: Environment, msg: Message, **_: object) -> None:
    """Take a share of a run."""
    SENDERS[:] = [Sender(environment, MODEL, DIGEST, msg.data)]
    SENDERS[0].prepare()


def go(**_: object) -> None:
    """Begin to send."""
    SENDERS[0].go()


@events.test_start.add_listener
def begin(**_: object) -> None:
    """Share the run out."""
    for conductor in CONDUCTORS:
        conductor.begin()


@events.test_stop.add_listener
def end(**_: object) -> None:
    """Stop sending; what was not sent is missed."""
    for sender in SENDERS:
        sender.stop()
    for conductor in CONDUCTORS:
        conductor.stopped()


@events.quitting.add_listener
def judge(environment: Environment, **_: object) -> None:
    """Let the exit code say what came of the run: what was not judged is not held."""
    # A judgement that throws leaves it at 1.
    environment.process_exit_code = int(bool(CONDUCTORS) or any(sender.has_failed for sender in SENDERS))
    for conductor in CONDUCTORS:
        environment.process_exit_code = conductor.exit_code()
