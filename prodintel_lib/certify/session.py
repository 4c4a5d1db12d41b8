"""One pytest process that runs a suite in rounds: ``python -m prodintel_lib.certify.session``.

Its order comes as a line of JSON on standard input, its results go as lines of JSON to a file, each as it comes about.
When standard input ends, whoever ordered it is gone: it stops as on Ctrl-C, so that no condition stays applied.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import pytest

from prodintel_lib.certify.altering_proxy import AlteringProxy
from prodintel_lib.certify.outcomes import NO_JUDGEMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_MESSAGE: Final = 200


class Rounds:
    """A pytest plugin: every test once a round, the tests of a round after one another.

    Parameters
    ----------
    order : mapping
        ``rounds``, a list of labels, and ``alterations``: by label and test what the proxy alters.
    results : TextIO
        Where the lines go: first the tests that were collected, then one a run.
    proxy : AlteringProxy or None
    """

    def __init__(self, order: Mapping[str, Any], results: TextIO, proxy: AlteringProxy | None) -> None:
        self._rounds: list[str] = order["rounds"]
        self._alterations: Mapping[str, Mapping[str, list[dict[str, Any]]]] = order["alterations"]
        self._results = results
        self._proxy = proxy
        self._reports: list[pytest.TestReport] = []

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Know the option that runs every test of a suite, also where the suite's conftest does not."""
        parser.addoption("--include-unverified", action="store_true", help="run what is not certified as well")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the rounds. Each ends with everything torn down, so that none inherits from the one before it."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        items = session.items
        self._write({"collected": [_name(item) for item in items]})
        for label in self._rounds:
            for item, following in zip(items, [*items[1:], None], strict=False):
                self._run(item, following, label)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the reports of the phases of the test that runs."""
        self._reports.append(report)

    def _run(self, item: pytest.Item, following: pytest.Item | None, label: str) -> None:
        # An item is used once a round, and pytest only ever adds to these.
        item.user_properties.clear()
        self._reports.clear()
        targets = self._alterations.get(label, {}).get(item.name, [])
        if self._proxy:
            self._proxy.alter(label, targets)
        started_s = time.perf_counter()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self._write(
            {
                "round": label,
                "test": _name(item),
                **judge(self._reports),
                "duration_ms": round((time.perf_counter() - started_s) * 1000, 1),
                "altered": self._proxy.altered if self._proxy else 0,
            }
        )

    def _write(self, content: Mapping[str, object]) -> None:
        self._results.write(json.dumps(content) + "\n")
        self._results.flush()


def judge(reports: list[pytest.TestReport]) -> dict[str, str]:
    """Return colour, symptom and message of a test from the reports of its phases.

    Red is a failure of the test's own judgement: one with a symptom that says something about the system.
    """
    properties = {name: str(value) for report in reports for name, value in report.user_properties}
    symptom = properties.get("symptom", "")
    worst = next((report for report in reports if report.failed and report.when != "call"), None)
    failed = next((report for report in reports if report.failed), None)
    skipped = next((report for report in reports if report.skipped), None)
    if worst or failed:
        colour = "red" if worst is None and symptom not in NO_JUDGEMENT else "error"
        return {"colour": colour, "symptom": symptom, "message": _message(worst or failed)}
    if skipped:
        return {"colour": "skipped", "symptom": "", "message": _message(skipped)}
    return {"colour": "green", "symptom": "", "message": ""}


def main() -> int:
    """Run the order on standard input; return pytest's exit status."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    # pytest puts another file in the place of standard input while it captures.
    leash = os.dup(sys.stdin.fileno())
    threading.Thread(target=_stop_with_parent, args=(leash,), name="leash", daemon=True).start()
    with ExitStack() as stack:
        results = stack.enter_context(Path(order["results"]).open("w", encoding="utf-8"))
        base_url, proxy = order["base_url"], None
        if order["alterations"]:
            proxy = stack.enter_context(AlteringProxy(base_url))
            base_url = proxy.url
            if order["toxiproxy_url"]:
                # Tests refuse a fault layer that is farther away than the system, and the proxy is on loopback.
                os.environ["TOXIPROXY_URL"] = stack.enter_context(AlteringProxy(order["toxiproxy_url"])).url
        return int(pytest.main([*order["arguments"], "--base-url", base_url], plugins=[Rounds(order, results, proxy)]))


def _name(item: pytest.Item) -> str:
    return f"{item.path.name}::{item.name}"


def _message(report: pytest.TestReport | None) -> str:
    said: object = report.longrepr if report else ""
    if isinstance(said, tuple):
        said = said[2]
    else:
        crash = getattr(said, "reprcrash", None)
        said = crash.message if crash else said
    lines = str(said or "").strip().splitlines()
    return lines[0][:_LONGEST_MESSAGE] if lines else ""


def _stop_with_parent(leash: int) -> None:
    while os.read(leash, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
