"""All the files of a set of guards: pytest, Locust and k6, from one set of data, each runnable as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prodintel_lib.renderers.code import load
from prodintel_lib.renderers.guard_pytest import guards_data, origin, render_guard_tests
from prodintel_lib.renderers.suite import PYTEST_INI, RenderedFile, fence_for

if TYPE_CHECKING:
    from prodintel_lib.scenarios.guards import GuardSet, GuardSuite

GUARD_RUNTIME: Final = {
    "conftest.py": "guard_conftest.py",
    "guard_plan.py": "guard_plan.py",
    "guard_system.py": "guard_system.py",
    "replay_requests.py": "replay_requests.py",
    "locustfile.py": "guard_locustfile.py",
    "guards.k6.js": "guard_k6.js",
}
"""The files that are the same for every set of guards, and the templates they come from."""


def render_guards(suite: GuardSuite) -> tuple[RenderedFile, ...]:
    """Render guards: pytest, Locust and k6 with all they need to run, and the guards as JSON.

    Parameters
    ----------
    suite : GuardSuite

    Returns
    -------
    tuple of RenderedFile
        The files, by path; none where no guard was made. The same guards give the same bytes.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written safely.
    """
    guards = suite.made
    if guards is None:
        return ()
    tests, data = render_guard_tests(guards)
    files = {
        "test_guards.py": tests,
        "guard_data.py": data,
        "guards.json": _json(guards_data(guards)),
        "README.md": _readme(guards),
        "pytest.ini": PYTEST_INI,
        **{path: load(template) for path, template in GUARD_RUNTIME.items()},
    }
    return tuple(RenderedFile(path, text) for path, text in sorted(files.items()))


def _json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _readme(guards: GuardSet) -> str:
    sentences = [json.dumps(f"{guard.id}: {guard.title}") for guard in guards.guards]
    return _README.format(fence=fence_for(sentences), sentences="\n".join(sentences), origin=" ".join(origin(guards)))


_README: Final = """\
# Guards

{fence}text
{sentences}
{fence}

Each asks a running system whether a signal is as it was when healthy, or as bad as in the anomaly it was made from. It
applies no conditions: run it against staging or a canary as it is. The three say the same and send the same requests:

```sh
pytest --base-url http://127.0.0.1:8080
locust -f locustfile.py --headless --host http://127.0.0.1:8080
k6 run -e BASE_URL=http://127.0.0.1:8080 guards.k6.js
```

- pytest needs Python 3.11, pytest and httpx; Locust reads the same data; k6 reads `guards.json`.
- Requests are sent in groups until the plan concludes. Its `looks` are `[n, green up to, red from]`: after `n` answers
  so many bad ones are healthy, so many are as bad as seen. Power and false alarms are computed exactly.
- Exit codes: red, and anything that kept a guard from judging, is not 0.
- pytest and k6 send as many side by side as production had, and throughput at production's rate; Locust sends all at
  production's rate.
- `--latency-factor 2` (`-e LATENCY_FACTOR=2`) doubles every limit on a slower machine.
- Locust's `--guard ID` and k6's `-e GUARD=ID` run one guard; pytest has `-k ID`.
- A target beyond loopback has to be named; writing there needs `--allow-writes` (`-e ALLOW_WRITES=1`).
- `SECRET_<NAME>` in the environment gives a value that was masked in the recording.

{origin}
"""
