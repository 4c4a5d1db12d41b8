"""The monitors of journeys as files: pytest and Playwright, runnable as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib import __version__
from prodintel_lib.renderers.code import load
from prodintel_lib.renderers.playwright_python import render_python
from prodintel_lib.renderers.suite import PYTEST_INI, fence_for
from prodintel_lib.renderers.ui_calls import origin

if TYPE_CHECKING:
    from prodintel_lib.scenarios.monitors.journeys import JourneyMonitors

JOURNEYS: Final = "journeys"
JOURNEYS_SCHEMA: Final = "prodintel/journey-monitors/1"
_PIECES: Final = "monitor_journey_pieces.py"
_RUNTIME: Final = {
    "conftest.py": "monitor_journey_conftest.py",
    "monitor_journey_walks.py": "monitor_journey_walks.py",
    "ui_conftest.py": "ui_conftest.py",
    "ui_target.py": "ui_target.py",
    "ui_visitor.py": "ui_visitor.py",
    "ui_page.js": "ui_page.js",
    "ui_form_values.json": "ui_form_values.json",
}


def journey_files(journeys: JourneyMonitors) -> dict[str, str]:
    """Render monitors of journeys.

    Parameters
    ----------
    journeys : JourneyMonitors

    Returns
    -------
    dict of str to str
        Texts by path, below ``journeys/``; none where there are no monitors. The same monitors give the same bytes.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written as a literal.
    """
    if not journeys.monitors:
        return {}
    files = {
        "README.md": _readme(journeys),
        "monitors.json": json.dumps(_data(journeys), indent=2, sort_keys=True, ensure_ascii=True) + "\n",
        "pytest.ini": PYTEST_INI,
        **{path: load(template) for path, template in _RUNTIME.items()},
    }
    for monitor in journeys.monitors:
        files[f"test_{monitor.scenario.id}.py"] = render_python(monitor.scenario, pieces=_PIECES)
    return {f"{JOURNEYS}/{path}": text for path, text in sorted(files.items())}


def _data(journeys: JourneyMonitors) -> dict[str, Any]:
    first = journeys.monitors[0]
    return {
        "schema": JOURNEYS_SCHEMA,
        "generator": f"prodintel {__version__}",
        "broken_walks": first.broken_walks,
        "slow_walks": first.slow_walks,
        "monitors": [
            {
                "test": f"test_{monitor.scenario.id}.py",
                "title": monitor.scenario.title,
                "seen": monitor.scenario.seen,
                "converts": monitor.converts,
                "writes": monitor.scenario.writes,
                "every_min": monitor.every_min,
                "limits": monitor.limits,
                "slow_false_alarm": monitor.slow_false_alarm,
                "input_digest": monitor.scenario.provenance.input_digest,
            }
            for monitor in journeys.monitors
        ],
    }


def _readme(journeys: JourneyMonitors) -> str:
    told = [f"{each.scenario.id}: {each.scenario.title}" for each in journeys.monitors]
    sentences = [json.dumps(journeys.title), *(json.dumps(each) for each in told)]
    first = journeys.monitors[0]
    return _README.format(
        fence=fence_for(sentences),
        sentences="\n".join(sentences),
        every_min=min(each.every_min for each in journeys.monitors),
        broken=first.broken_walks,
        slow=first.slow_walks,
        chance=f"{max(each.slow_false_alarm for each in journeys.monitors):.1g}",
        origin=" ".join(origin([each.scenario for each in journeys.monitors])),
    )


_README: Final = """\
# Critical journeys, walked on a schedule

{fence}text
{sentences}
{fence}

Python 3.11 or later with pytest and Playwright; meant to run every {every_min} minutes:

```sh
pytest --base-url http://127.0.0.1:8080
```

- Each journey is walked as users walk it: every page is reached, no script fails, what people use is there, the page
  of the conversion is reached, and the web vitals stay within the upper end of production's p95.
- One bad moment is no alarm. A journey that breaks off is walked again, and is an alarm when it broke off {broken}
  times; a page that is slow is an alarm when the same vital is over its limit in {slow} walks one after another. For a
  site as fast as it was, the chance of that is at most {chance} in a run, if walks are independent. What went badly
  once is told as a warning.
- Exit code: 0 all is well; 1 a journey is broken or slow; 2 nothing could be judged (no browser, a wrong option).
- A target beyond loopback has to be named by `--base-url`; filling and sending forms there needs `--allow-writes`.
- `THINK_TIME_SCALE` (0.1 where it is not set) times the pauses that people made.
- Chromium is Playwright's own, or the program `PLAYWRIGHT_CHROMIUM` names, or the system's;
  `PLAYWRIGHT_CHROMIUM_ARGS` holds further arguments.
- What was personal is replaced by `ui_form_values.json`; `FORM_<NAME>` in the environment comes first.

{origin}
"""
