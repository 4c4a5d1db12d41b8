"""The guards beside it as a Locust run: requests arrive at production's rate, and the exit code is the judgement.

`locust -f locustfile.py --headless --host http://127.0.0.1:8080`. Exit code 0: every guard that was asked for is
healthy; 1: one is not, or nobody could tell.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import gevent
from locust import User, events, task
from locust.clients import HttpSession
from locust.runners import LocalRunner

from prodintel_lib.renderers.templates.guard_data import GUARDS, REQUESTS
from prodintel_lib.renderers.templates.guard_plan import (
    DEFAULT_URL,
    GRACE_MS,
    PREPARATION_MS,
    Tally,
    check_target,
    limit_ms,
    what_is_wrong,
    writes,
)
from prodintel_lib.renderers.templates.replay_requests import MISSING, SetUpError, at_pointer, fill

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

PREPARED_AT_ONCE = 8
SETUP = 2  # what Locust itself ends with where its options are wrong

Data = dict[str, Any]

CHOSEN: list[Data] = []
JUDGED: dict[str, tuple[str, str]] = {}


class SecretValues(dict[str, str]):
    """Values for what was masked in the recording: SECRET_<NAME>, or a visible placeholder."""

    def __missing__(self, name: str) -> str:
        """Look in the environment."""
        return os.environ.get(f"SECRET_{name.upper()}", f"placeholder-for-{name}")


class Customer:
    """One customer: a session with its own cookies, the values that answers gave it, and what it is there for."""

    def __init__(self, environment: Environment, exchange: Data) -> None:
        self._session = HttpSession(environment.host, environment.events.request, None)
        self._session.trust_env = False
        self._values: dict[str, Any] = {}
        self.exchange = exchange
        self.lost = ""
        self.reason = ""

    def prepare(self, patience_ms: float) -> None:
        """Go to the point before the request of interest."""
        for name in self.exchange["prepare"]:
            request = REQUESTS[name]
            status, _, document = self.ask(name, patience_ms)
            if isinstance(status, str) or not 200 <= status < 300:
                failed = "server_error" if status not in range(500) else "unexpected_status"
                self.lost = status if isinstance(status, str) else failed
                self.reason = f"{request['method']} {request['route']} got {status}"
                return
            for extract in request.get("extracts", []):
                if (found := at_pointer(document, extract["pointer"])) is not MISSING:
                    self._values[extract["name"]] = found

    def ask(self, name: str, patience_ms: float) -> tuple[int | str, float, Any]:
        """Return the status or what was in its place, the milliseconds it took, and the document."""
        request = REQUESTS[name]
        try:
            path, headers, body = fill(request, self._values, SecretValues())
        except SetUpError:
            return "unexpected_status", 0.0, None
        response, started = None, time.perf_counter()
        with gevent.Timeout(patience_ms / 1000, exception=False):
            response = self._session.request(
                request["method"],
                path,
                name=f"{request['method']} {request['route']}",
                headers={key.decode(): value.decode() for key, value in headers.items()},
                data=None if body is None else json.dumps(body).encode(),
                allow_redirects=False,
            )
        elapsed_ms = (time.perf_counter() - started) * 1000
        if response is None:
            return "no_answer_in_time", patience_ms, None
        if not response.status_code:
            return "unreachable", elapsed_ms, None
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = MISSING
        return response.status_code, elapsed_ms, document


class Guards(User):
    """The one user that runs the guards one after another; their customers are its own greenlets."""

    fixed_count = 1

    @task
    def run_guards(self) -> None:
        """Run every guard that was asked for, then end the run."""
        for guard in CHOSEN:
            JUDGED[guard["id"]] = self._judged(guard)
        if self.environment.runner:
            self.environment.runner.quit()

    def _judged(self, guard: Data) -> tuple[str, str]:
        factor = vars(self.environment.parsed_options)["latency_factor"]
        tally = Tally(guard)
        while not tally.conclusion()[0]:
            customers = [Customer(self.environment, exchange) for exchange in tally.exchanges()]
            patience_ms = limit_ms(guard, factor) if guard["whole"] else PREPARATION_MS
            for first in range(0, len(customers), PREPARED_AT_ONCE):
                some = customers[first : first + PREPARED_AT_ONCE]
                gevent.joinall([gevent.spawn(each.prepare, patience_ms) for each in some], raise_error=True)
            for customer in customers:
                if customer.lost and guard["whole"]:
                    tally.add(customer.lost)
                elif customer.lost:
                    tally.lost = customer.reason
            ready = [customer for customer in customers if not customer.lost]
            sent = [
                gevent.spawn_later(place / guard["rate_per_s"], self._judge, guard, customer, factor)
                for place, customer in enumerate(ready)
            ]
            gevent.joinall(sent, raise_error=True)
            for greenlet in sent:
                tally.add(greenlet.value)
        return tally.conclusion()

    @staticmethod
    def _judge(guard: Data, customer: Customer, factor: float) -> str:
        patience_ms = limit_ms(guard, factor) + GRACE_MS
        status, elapsed_ms, _ = customer.ask(customer.exchange["request"], patience_ms)
        return status if isinstance(status, str) else what_is_wrong(guard, status, elapsed_ms, factor)


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Add the options of the guards."""
    parser.add_argument("--allow-writes", action="store_true", help="let guards write to a system beyond loopback")
    parser.add_argument("--latency-factor", type=float, default=1.0, help="times every limit, for slower machines")
    parser.add_argument("--guard", action="append", default=[], help="the id of a guard to run (default: all)")


@events.init.add_listener
def check_options(environment: Environment, **_: object) -> None:
    """Refuse what cannot be run as it was asked for, before anything is sent."""
    options = vars(environment.parsed_options)
    known, asked = {guard["id"]: guard for guard in GUARDS}, options["guard"]
    CHOSEN[:] = [guard for name, guard in known.items() if name in asked or not asked]
    why = f"no such guard: {', '.join(unknown)}" if (unknown := sorted({*asked} - {*known})) else ""
    try:
        environment.host, loopback = check_target(environment.host or DEFAULT_URL)
    except ValueError as error:
        loopback, why = False, str(error)
    if not options["latency_factor"] > 0:
        why = "--latency-factor is a positive number, for instance 2."
    if not (loopback or options["allow_writes"]) and any(writes(guard, REQUESTS) for guard in CHOSEN):
        why = why or f"{environment.host} is beyond loopback and these guards write: add --allow-writes."
    if environment.runner is not None and not isinstance(environment.runner, LocalRunner):
        why = "guards judge one run: start Locust without --master and --worker."
    if why:
        sys.stderr.write(f"guards: {why}\n")
        sys.exit(SETUP)


@events.quitting.add_listener
def judge(environment: Environment, **_: object) -> None:
    """Say what came of every guard, and let the exit code say it too: what was not judged is not healthy."""
    environment.process_exit_code = 0 if CHOSEN else 1
    for guard in CHOSEN:
        symptom, told = JUDGED.get(guard["id"], ("setup", "was not run to its end"))
        sys.stderr.write(f"guard {guard['id']}: {symptom}: {told}\n")
        if symptom != "healthy":
            environment.process_exit_code = 1
