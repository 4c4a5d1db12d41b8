"""All the files of a suite, and the thin step that puts them on disk."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import UnsafeValueError
from prodintel_lib.renderers.code import load
from prodintel_lib.renderers.gherkin import render_feature
from prodintel_lib.renderers.pytest_files import origin, render_pytest
from prodintel_lib.renderers.suite_data import module_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prodintel_lib.scenarios.model import Suite

_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}")
RUNTIME: Final = ("conftest.py", "replay_conditions.py", "replay_requests.py", "replay_system.py", "replay_verified.py")
"""The files that are the same for every suite."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file that was rendered.

    Attributes
    ----------
    path : str
        Where it belongs, relative, with ``/`` between its parts.
    text : str
        What it holds.

    Raises
    ------
    UnsafeValueError
        If the path is absolute, climbs, is hidden, or holds anything but letters, digits, ``_``, ``.`` and ``-``.
    """

    path: str
    text: str

    def __post_init__(self) -> None:
        if not all(_PART.fullmatch(part) for part in self.path.split("/")):
            raise UnsafeValueError(
                f"A rendered file has a relative path of plain names; got {self.path[:120]!a}.",
                hint="name files by slugs.",
            )


def render_suite(suite: Suite) -> tuple[RenderedFile, ...]:
    """Render a suite: pytest and Gherkin with all they need to run, and the suite as JSON.

    Parameters
    ----------
    suite : Suite
        The scenarios of one incident.

    Returns
    -------
    tuple of RenderedFile
        The files, by path. The same suite gives the same bytes.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written safely.
    """
    name = module_name(suite.incident_id)
    tests, data = render_pytest(suite)
    feature, steps = render_feature(suite)
    files = {
        f"test_{name}.py": tests,
        f"{name}.py": data,
        f"{name}.feature": feature,
        f"test_{name}_feature.py": steps,
        "scenarios.json": render_json(suite),
        "README.md": render_readme(suite),
        "pytest.ini": PYTEST_INI,
        **{path: load(path) for path in RUNTIME},
    }
    return tuple(RenderedFile(path, text) for path, text in sorted(files.items()))


def render_json(suite: Suite) -> str:
    """Render a suite as canonical JSON: sorted keys, plain ASCII."""
    data = suite.model_dump(mode="json", by_alias=True)
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def fence_for(sentences: Iterable[str]) -> str:
    """Return a Markdown fence that no run of tildes in the sentences can close."""
    run = max((len(found) for found in re.findall("~+", "".join(sentences))), default=0)
    return "~" * max(3, run + 1)


def render_readme(suite: Suite) -> str:
    """Render the page that says how to run a suite; sentences from production stand fenced, as JSON strings."""
    name = module_name(suite.incident_id)
    sentences = [json.dumps(suite.title), *(json.dumps(f"{s.id}: {s.title}") for s in suite.scenarios)]
    return _README.format(
        incident_id=suite.incident_id,
        name=name,
        fence=fence_for(sentences),
        sentences="\n".join(sentences),
        origin=origin(suite).replace("\n", " "),
    )


def write_files(files: Iterable[RenderedFile], directory: Path) -> list[Path]:
    """Write rendered files into a directory, which is made where it is missing.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UnsafeValueError
        If a link leads a file out of the directory.
    """
    root = directory.resolve()
    written = []
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.resolve().is_relative_to(root):
            raise UnsafeValueError(
                f"`{file.path}` leads out of {root} through a link.",
                hint="remove the link, or choose another directory.",
            )
        path.write_text(file.text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


PYTEST_INI: Final = """\
[pytest]
minversion = 8.0
python_files = test_*.py
pythonpath = .
"""

_README: Final = """\
# Replays of {incident_id}

{fence}text
{sentences}
{fence}

Run them with Python 3.11 or later, pytest and httpx (and pytest-bdd for the feature file):

```sh
TOXIPROXY_URL=http://127.0.0.1:8474 pytest --base-url http://127.0.0.1:8080
```

- Conditions need a Toxiproxy, or an equivalent, before the dependencies; without it the tests that need it are skipped.
- `--time-scale 0.2` shortens the delays of conditions, `--without-conditions` applies none.
- A target beyond loopback has to be named by `--base-url`; writing there needs `--allow-writes` as well.
- `verified.json`, where there is one, names the tests that certified; the others need `--include-unverified`.
- `SECRET_<NAME>` in the environment gives a value that was masked in the recording.
- `test_{name}.py` and `{name}.feature` say the same; `{name}.py` and `scenarios.json` hold the data.

{origin}
"""
