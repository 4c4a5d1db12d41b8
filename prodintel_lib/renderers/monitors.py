"""The files of a suite of monitors: pytest files that are runnable as they are, schemas, and how to schedule them."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.renderers.code import Block, Filling, Piece, body_of, fill, load
from prodintel_lib.renderers.literals import INDENT, is_plain
from prodintel_lib.renderers.monitor_contracts import CONTRACT, contract_files
from prodintel_lib.renderers.monitor_journeys import JOURNEYS, journey_files
from prodintel_lib.renderers.suite import PYTEST_INI, RenderedFile, fence_for
from prodintel_lib.renderers.suite_data import request_data

if TYPE_CHECKING:
    from prodintel_lib.scenarios.monitors import Check, Monitor, MonitorSuite
    from prodintel_lib.scenarios.monitors.contracts import Contract
    from prodintel_lib.scenarios.monitors.journeys import JourneyMonitor

Data = dict[str, Any]

ENDPOINTS: Final = "endpoints"
RUNTIME: Final = {
    "conftest.py": "monitor_conftest.py",
    "monitor_rules.py": "monitor_rules.py",
    "monitor_system.py": "monitor_system.py",
    "monitor_verdict.py": "monitor_verdict.py",
    "replay_requests.py": "replay_requests.py",
    "ui_target.py": "ui_target.py",
}
"""The files that are the same for every suite, and the templates they come from."""

_TEXT_WIDTH: Final = 110
_DECIMALS: Final = 6
_MINUTES: Final = 60
_LEAST_CHANCE: Final = 1e-12
"""Smaller ones are told as this one: nothing about a system is so sure."""


def render_monitors(suite: MonitorSuite) -> tuple[RenderedFile, ...]:
    """Render monitors: pytest with all it needs to run, schemas, an index for schedulers, and how to run them.

    Parameters
    ----------
    suite : MonitorSuite

    Returns
    -------
    tuple of RenderedFile
        The files, by path. The same suite gives the same bytes.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written safely.
    """
    files = {
        "README.md": _readme(suite),
        "monitors.json": _json(index_of(suite)),
        **_endpoint_files(suite),
        **(journey_files(suite.journeys) if suite.journeys else {}),
        **(contract_files(suite.contract) if suite.contract else {}),
    }
    return tuple(RenderedFile(path, text) for path, text in sorted(files.items()))


def folders_of(suite: MonitorSuite) -> tuple[str, ...]:
    """Return the folders that hold tests: each is a pytest root of its own."""
    there = {
        ENDPOINTS: bool(suite.endpoints.monitors),
        JOURNEYS: bool(suite.journeys and suite.journeys.monitors),
        CONTRACT: suite.contract is not None,
    }
    return tuple(name for name, is_there in there.items() if is_there)


def _endpoint_files(suite: MonitorSuite) -> dict[str, str]:
    if not suite.endpoints.monitors:
        return {}
    schemas = {
        f"schemas/{monitor.id}_{status}.json": _json(schema)
        for monitor in suite.endpoints.monitors
        for status, schema in monitor.schemas.items()
    }
    files = {
        "test_monitors.py": _tests(suite),
        "monitor_data.json": _json(monitor_data(suite)),
        "pytest.ini": PYTEST_INI,
        **schemas,
        **{path: load(template) for path, template in RUNTIME.items()},
    }
    return {f"{ENDPOINTS}/{path}": text for path, text in files.items()}


def monitor_data(suite: MonitorSuite) -> Data:
    """Return the monitors of endpoints and their requests as plain data, as the tests read them."""
    return {
        "requests": {name: request_data(request) for name, request in suite.endpoints.requests.items()},
        "monitors": {
            monitor.id: {
                **monitor.model_dump(
                    mode="json",
                    include={"endpoint", "signs_in", "writes", "statuses", "patience_ms", "limit_ms"},
                ),
                "checks": [_check_data(check) for check in monitor.checks],
                "exchanges": [each.model_dump(mode="json") for each in monitor.exchanges],
            }
            for monitor in suite.endpoints.monitors
        },
    }


def index_of(suite: MonitorSuite) -> Data:
    """Return what there is to schedule, why, and what was left out, as plain data."""
    return {
        "schema": suite.schema_name,
        "generator": suite.generator,
        "input_digest": suite.input_digest,
        "window": suite.window,
        "criterion": suite.endpoints.criterion,
        "healthy_time": suite.endpoints.healthy,
        "endpoints": [
            {
                **monitor.model_dump(mode="json", include={"id", "endpoint", "reasons", "signs_in", "writes"}),
                "every_min": monitor.every_min,
                "cron": cron_of(monitor.every_min),
                "command": f"pytest {ENDPOINTS} -k test_{monitor.id}__",
                "checks": [_check_data(check) for check in monitor.checks],
            }
            for monitor in suite.endpoints.monitors
        ],
        "journeys": [_journey_entry(monitor) for monitor in suite.journeys.monitors] if suite.journeys else [],
        "contract": _contract_entry(suite.contract) if suite.contract else None,
        "left_out": [each.model_dump() for each in suite.left_out],
    }


def _journey_entry(monitor: JourneyMonitor) -> Data:
    return {
        "id": monitor.scenario.id,
        "title": monitor.scenario.title,
        "converts": monitor.converts,
        "every_min": monitor.every_min,
        "cron": cron_of(monitor.every_min),
        "command": f"pytest {JOURNEYS} -k {monitor.scenario.id}",
        "false_alarm": float(f"{monitor.slow_false_alarm:.3g}"),
    }


def _contract_entry(contract: Contract) -> Data:
    return {
        **contract.model_dump(mode="json", include={"kind", "location", "every_min"}),
        "cron": cron_of(contract.every_min),
        "command": f"pytest {CONTRACT}",
    }


def cron_of(every_min: int) -> str:
    """Return a schedule as cron writes it."""
    return f"*/{every_min} * * * *" if every_min < _MINUTES else "7 * * * *"


def told(monitor: Monitor, check: Check) -> str:
    """Return the docstring of a test: what has to hold, on what that rests, and how sure an alarm is."""
    seen = f"In production {check.bad:,} of {check.n:,} did not (at most {100 * check.bound:.2g} %, at 95 %)."
    times = "at once" if check.tries == 1 else f"{check.tries} times in a row"
    sure = (
        f"Red where one of {len(monitor.exchanges)} customers is answered badly {times}: by chance in "
        f"{check.false_alarm:.1g} of runs at most, where each answer is bad by itself. What strikes "
        f"{100 * check.detects:.0f} % of answers, whoever asks, is seen in 90 % of runs."
    )
    if check.groups:
        sure += (
            f" Of {check.groups:,} groups of as many neighbouring requests of healthy production, "
            f"{check.group_alarms:,} held so many bad ones in a row."
        )
    if check.rule:
        sure += (
            f" That any of {check.rule.tried:,} rules tried holds so often by chance has a chance of "
            f"{max(check.rule.by_chance, _LEAST_CHANCE):.1g} at most."
        )
    first = _one_line(f"{monitor.endpoint}: {check.says}")
    whole = [f"{first}.", seen, sure]
    if not is_plain(" ".join(whole)):
        return "\n\n".join(whole)
    wrap = textwrap.TextWrapper(_TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = [line for part in whole for line in (*wrap.wrap(part), "")]
    return ("\n" + " " * INDENT).join(lines).replace(f"\n{' ' * INDENT}\n", "\n\n")


def _tests(suite: MonitorSuite) -> str:
    tests = tuple(
        _piece(
            "writing" if monitor.writes else "signing_in" if monitor.signs_in else "reading",
            names={"test": f"{monitor.id}__{check.id}"},
            values={"told": told(monitor, check), "monitor": monitor.id, "check": check.id},
        )
        for monitor in suite.endpoints.monitors
        for check in monitor.checks
    )
    said = "Monitors of critical endpoints: are they available, fast enough, and do their answers say what they should?"
    header = "\n".join([*textwrap.wrap(said, _TEXT_WIDTH), "", *origin(suite), ""])
    return _piece("module", values={"header": header}, blocks={"tests": Block(tests, blank_lines=2)}).module()


def origin(suite: MonitorSuite) -> list[str]:
    """Return the lines that say where a generated file comes from: checked names and digests, nothing free."""
    return [
        f"Generated by {suite.generator} from input {suite.input_digest}.",
        "Do not edit: run `prodintel monitors` again, which learns from newer answers.",
    ]


def _check_data(check: Check) -> Data:
    data = check.model_dump(mode="json", exclude={"rule"})
    # Rounded up: a chance is promised as an upper bound.
    data |= {"bound": round(check.bound, _DECIMALS), "detects": round(check.detects, 3)}
    data["false_alarm"] = float(f"{check.false_alarm:.3g}")
    if check.rule:
        data["rule"] = check.rule.model_dump(mode="json", exclude={"by_chance"})
        data["rule"]["by_chance"] = float(f"{check.rule.by_chance:.3g}")
    return data


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".")


def _json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _piece(function: str, **filling: object) -> Piece:
    return fill(body_of(load("monitor_pieces.py"), function), Filling(**filling))  # type: ignore[arg-type]


def _readme(suite: MonitorSuite) -> str:
    monitors = suite.endpoints.monitors
    sentences = [json.dumps(f"{monitor.id}: {monitor.endpoint} ({'; '.join(monitor.reasons)})") for monitor in monitors]
    sentences += [json.dumps(f"without a monitor: {each.what}: {each.why}") for each in suite.left_out]
    return _README.format(
        fence=fence_for(sentences),
        sentences="\n".join(sentences),
        n=len(monitors),
        journeys=len(suite.journeys.monitors) if suite.journeys else 0,
        contract="one API document is checked" if suite.contract else "no API document is named in prodintel.yaml",
        criterion=suite.endpoints.criterion,
        healthy=suite.endpoints.healthy,
        origin=" ".join(origin(suite)),
    )


_README: Final = """\
# Monitors

{fence}text
{sentences}
{fence}

{n} endpoints are monitored, {journeys} journeys are walked, and {contract}.

{criterion} {healthy}

```sh
pytest endpoints --base-url http://127.0.0.1:8080
```

- `journeys/` (Playwright) and `contract/` (Schemathesis), where they are there, have a README and the same exit codes;
  each is run by itself in the same way. What follows is of `endpoints/`.
- Python 3.11 or later, pytest, httpx and jsonschema; nothing of prodintel.
- Exit code 0: all that was asked for is healthy; 1: something is wrong, and the test that failed says what; 2: nobody
  can tell (a customer did not get to the request, all was skipped, an option is wrong). Page somebody at 1, look at 2.
- Each monitor lets a few kinds of customers ask, as healthy sessions did, and all its checks judge the same answers.
  Who is answered badly asks again, and a check is red where one customer is so often in a row that production's own
  rate of bad answers explains it in one of ten thousand runs at most: once a month at a run every five minutes. Each
  test says its own figure, and which share of bad answers it sees.
- Limits of latency come from the promises of prodintel.yaml, else from production's percentiles;
  `--latency-factor 2` doubles them where the way is long.
- `endpoints/schemas/` holds JSON Schema (draft 2020-12) inferred from healthy answers; members that are not in it are
  allowed. `monitors.json` says what there is to schedule, how often, and how sure it is.
- A target beyond loopback has to be named by `--base-url`. There, monitors that sign in are skipped without
  `--allow-sign-in`, and those that write without `--allow-writes`: what they write stays.
- `SECRET_<NAME>` in the environment gives a value that was masked in the recording.

## Schedule

What reads every five minutes, what writes once an hour. cron:

```
*/5 * * * *  cd /opt/monitors && pytest endpoints -q -m "not writes" --base-url https://shop.example --allow-sign-in
7 * * * *    cd /opt/monitors && pytest endpoints -q -m writes --base-url https://shop.example --allow-writes
```

systemd, with a timer of `OnCalendar=*:0/5`; `SuccessExitStatus=` stays empty, so that 1 and 2 both fail the unit:

```
[Service]
Type=oneshot
WorkingDirectory=/opt/monitors
ExecStart=/usr/bin/env pytest endpoints -q -m "not writes" --base-url https://shop.example --allow-sign-in
```

CI, after a deployment to staging:

```yaml
- run: pytest endpoints --junitxml monitors.xml --base-url "$STAGING_URL" --allow-writes
```

{origin}
"""
