"""The sessions that one process sends, each a greenlet of its own with its own cookies."""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gevent
from gevent.pool import Group
from gevent.ssl import create_default_context
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import CatchResponseError

from prodintel_lib.renderers.templates.load_plan import SETUP, Behaviour, Setting, Stream
from prodintel_lib.renderers.templates.replay_requests import MISSING, SetUpError, at_pointer, fill, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from locust.contrib.fasthttp import FastResponse, ResponseContextManager
    from locust.env import Environment
    from locust.runners import Runner

LEAD_S = 1.0  # between the word to go and the run's beginning
REPORT_S = 1.0
ENCODINGS = "gzip, deflate"  # what can be unpacked for sure
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

Data = dict[str, Any]


class SecretValues(dict[str, str]):
    """Values for what was masked in the recording: SECRET_<NAME>, or a visible placeholder."""

    def __missing__(self, name: str) -> str:
        """Look in the environment."""
        return os.environ.get(f"SECRET_{name.upper()}", f"placeholder-for-{name}")


class Sender:
    """One process's share of a run: its sessions, and what has to be reported of them.

    `order` holds what the conductor asks for: the target, the setting, the digest of the model it speaks of, and which
    share of how many this is.
    """

    def __init__(self, environment: Environment, model: Data, digest: str, order: Data) -> None:
        self.model = model
        self.request_event = environment.events.request
        self.count: Callable[..., None] = environment.events.request.fire
        self._runner = cast("Runner", environment.runner)
        self.target = order["target"]
        self.rows: list[tuple[int, int, float, int | None, float, int]] = []
        self.begun: list[tuple[int, float]] = []
        self.cut_short = 0
        self.has_failed = False
        self._errors: list[tuple[str, str]] = []
        self._digest, self._order = digest, order
        self._share: list[tuple[int, float]] = []
        self._sessions, self._own = Group(), Group()
        self._zero_s = 0.0

    def prepare(self) -> None:
        """Plan what is sent, and say when that is done."""
        self._own.spawn(self._prepare).rawlink(self._died)

    def go(self) -> None:
        """Begin in a moment, so that all processes do so together."""
        self._zero_s = time.perf_counter() + LEAD_S
        for function in (self._arrive, self._report_on):
            self._own.spawn(function).rawlink(self._died)

    def stop(self) -> None:
        """Send no more, and report what was sent."""
        self._own.kill()
        self._sessions.kill()
        self._report(done=True)

    def now_s(self) -> float:
        """Return the seconds since the run began."""
        return time.perf_counter() - self._zero_s

    def sleep_until(self, at_s: float) -> None:
        """Let others go on until then."""
        gevent.sleep(max(0.0, at_s - self.now_s()))

    def _prepare(self) -> None:
        if self._order["digest"] != self._digest:
            raise ValueError("this process has another load_model.json than the one that conducts the run")
        self.setting, self.behaviour = Setting(**self._order["setting"]), Behaviour(self.model)
        # In a thread, for a worker that says nothing for seconds is taken for lost.
        plan = gevent.get_hub().threadpool.apply(self.behaviour.planned, (self.model["curve"], self.setting))
        self._share = plan[self._order["number"] :: self._order["of"]]
        self._runner.send_message("load_ready", {"number": self._order["number"]})

    def _arrive(self) -> None:
        for number, at_s in self._share:
            if at_s > self.now_s():
                self.sleep_until(at_s)
            # Errors are taken note of before anybody who waits for the sessions goes on.
            self._sessions.spawn(Session(self, number).run).rawlink(self._note)
        self._sessions.join()
        self._report(done=True)

    def _report_on(self) -> None:
        while True:
            gevent.sleep(REPORT_S)
            self._report(done=False)

    def _report(self, *, done: bool) -> None:
        said = {
            "number": self._order["number"],
            "rows": self.rows,
            "begun": self.begun,
            "cut_short": self.cut_short,
            "errors": self._errors,
            "done": done,
        }
        self.rows, self.begun, self.cut_short, self._errors = [], [], 0, []
        self._runner.send_message("load_report", said)

    def _note(self, greenlet: gevent.Greenlet) -> None:
        """Keep what a greenlet has thrown, and where in these files."""
        if greenlet.exception is None:
            return
        frames = traceback.extract_tb(greenlet.exc_info[2])
        ours = [frame for frame in frames if Path(frame.filename).parent == Path(__file__).parent]
        where = "".join(f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in ours[-1:])
        self._errors.append((f"{type(greenlet.exception).__name__}: {plain(str(greenlet.exception))}", where))
        self.has_failed = True

    def _died(self, greenlet: gevent.Greenlet) -> None:
        self._note(greenlet)
        if greenlet.exception is not None:
            gevent.spawn(self.stop)


class Session:
    """One user's session: its place in the plan, its cookies, and the values that answers gave it."""

    def __init__(self, sender: Sender, number: int) -> None:
        self._sender, self._number = sender, number
        # Connections are checked as clients check them: a certificate that is not valid is no answer.
        self._client = FastHttpSession(
            sender.target,
            sender.request_event,
            None,
            insecure=False,
            ssl_context_factory=tls_context,
            max_retries=0,
            concurrency=1,
        )
        self._values: Data = {}
        self._setup = Stream(SETUP, sender.setting.seed, number)

    def run(self) -> None:
        """Send what the plan says, each request so long after the start of the one before."""
        sender, sent_s = self._sender, self._sender.now_s()
        sender.begun.append((self._number, sent_s))
        try:
            for step in sender.behaviour.walk(sender.setting.seed, self._number):
                sender.sleep_until(sent_s + step.gap_s)
                if step.variant is None or not self._is_ready(step.endpoint, step.variant):
                    sender.cut_short += 1
                    return
                sent_s = self._ask(step.endpoint, step.variant)
        except SetUpError:
            sender.cut_short += 1
        finally:
            self._client.client.close()

    def _is_ready(self, endpoint: int, variant: int) -> bool:
        """Say whether every value is there that the request needs, after a login where that gives the one missing."""
        login = self._sender.model.get("login")
        if login and login["value"] in self._missing(endpoint, variant):
            chosen = self._sender.behaviour.draw_variant(login["endpoint"], self._setup)
            if chosen is not None and not self._missing(login["endpoint"], chosen):
                self._ask(login["endpoint"], chosen, setup=True)
        return not self._missing(endpoint, variant)

    def _missing(self, endpoint: int, variant: int) -> list[str]:
        needs = self._sender.model["endpoints"][endpoint]["variants"][variant]["needs"]
        return [name for name in needs if name not in self._values]

    def _ask(self, place: int, variant: int, *, setup: bool = False) -> float:
        """Send a request, keep what its answer gives, and return when it was sent."""
        endpoint = self._sender.model["endpoints"][place]
        path, raw, body = fill(endpoint["variants"][variant], self._values, SecretValues())
        headers = sendable(raw)
        name = plain(endpoint["label"]) + (" (set-up)" if setup else "")
        answer, sent_s = None, self._sender.now_s()
        with gevent.Timeout(endpoint["patience_ms"] / 1000, exception=False):
            answer = self._send(endpoint["method"], path, name, headers, body)
        elapsed_ms = (self._sender.now_s() - sent_s) * 1000
        if answer is None or isinstance(getattr(answer, "error", None), gevent.Timeout):
            elapsed_ms = max(elapsed_ms, endpoint["patience_ms"])
            self._client.client.close()  # what comes late must not be taken for the next answer
        status = answer.status_code if answer is not None and answer.status_code else None
        self._sender.rows.append((self._number, place, sent_s, status, elapsed_ms, int(setup)))
        self._count(endpoint, name, status, elapsed_ms, answer)
        if answer is not None and status is not None and 200 <= status < 300:
            self._keep(endpoint, answer)
        return sent_s

    def _send(
        self, method: str, path: str, name: str, headers: dict[str, str], body: object
    ) -> ResponseContextManager | None:
        try:
            return self._client.request(
                method,
                # An origin with an empty first segment would be another host's to some (RFC 3986, 3.3).
                f"/.{path}" if path.startswith("//") else path,
                name=name,
                headers=headers,
                data=None if body is None else json.dumps(body),
                allow_redirects=False,
                catch_response=True,
            )
        except ValueError:
            return None  # what came could not be read as HTTP

    def _count(
        self, endpoint: Data, name: str, status: int | None, elapsed_ms: float, answer: FastResponse | None
    ) -> None:
        """Let Locust's own statistics know."""
        said = f"status {status}" if status else "no answer"
        content = getattr(answer, "content", None) or b""
        self._sender.count(
            request_type=endpoint["method"],
            name=name,
            response_time=elapsed_ms,
            response_length=len(content),
            exception=None if status in endpoint["statuses"] else CatchResponseError(said),
            context={},
        )

    def _keep(self, endpoint: Data, answer: FastResponse) -> None:
        if not endpoint.get("extracts"):
            return
        try:
            document = json.loads(answer.content or b"")
        except (ValueError, RecursionError):
            return
        for extract in endpoint["extracts"]:
            if (found := at_pointer(document, extract["pointer"])) is not MISSING:
                self._values[extract["name"]] = found


def sendable(headers: dict[bytes, bytes]) -> dict[str, str]:
    """Return headers as they are sent, whatever is no Latin-1 as the bytes of its UTF-8."""
    text = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers.items()}
    if not all(HEADER_NAME.fullmatch(name) for name in text):
        raise ValueError(f"the load model has a header that HTTP cannot name, among {sorted(text)!a}")
    if not all(HEADER_VALUE.fullmatch(value) for value in text.values()):
        raise SetUpError("an answer gave a value that no header can hold.")
    return {**text, "accept-encoding": ENCODINGS}


@cache
def tls_context(**options: str) -> SSLContext:
    """Return what all connections check certificates with; to make one for each costs more than to send a request."""
    context: SSLContext = create_default_context(**options)
    return context
