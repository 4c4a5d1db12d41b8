"""All the files of a suite of browser tests: Python, Gherkin and TypeScript, each runnable as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prodintel_lib.renderers.code import load
from prodintel_lib.renderers.playwright_python import render_python
from prodintel_lib.renderers.playwright_typescript import render_typescript
from prodintel_lib.renderers.suite import PYTEST_INI, RenderedFile, fence_for
from prodintel_lib.renderers.ui_calls import origin
from prodintel_lib.renderers.ui_gherkin import FEATURE, render_ui_feature

if TYPE_CHECKING:
    from prodintel_lib.scenarios.ui_model import UiSuite

PYTHON: Final = "python"
TYPESCRIPT: Final = "typescript"
UI_RUNTIME: Final = {
    f"{PYTHON}/conftest.py": "ui_conftest.py",
    f"{PYTHON}/ui_target.py": "ui_target.py",
    f"{PYTHON}/ui_visitor.py": "ui_visitor.py",
    f"{PYTHON}/ui_page.js": "ui_page.js",
    f"{PYTHON}/ui_form_values.json": "ui_form_values.json",
    f"{TYPESCRIPT}/ui_visitor.ts": "ui_visitor.ts",
    f"{TYPESCRIPT}/ui_page.js": "ui_page.js",
    f"{TYPESCRIPT}/ui_form_values.json": "ui_form_values.json",
    f"{TYPESCRIPT}/playwright.config.ts": "ui_playwright.config.ts",
    f"{TYPESCRIPT}/tsconfig.json": "ui_tsconfig.json",
    f"{TYPESCRIPT}/package.json": "ui_package.json",
}
"""The files that are the same for every suite, and the templates they come from."""


def render_ui_suite(suite: UiSuite) -> tuple[RenderedFile, ...]:
    """Render a suite of browser tests in every language, with all it needs to run, and as JSON.

    Parameters
    ----------
    suite : UiSuite

    Returns
    -------
    tuple of RenderedFile
        The files, by path. The same suite gives the same bytes.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written safely.
    """
    feature, steps = render_ui_feature(suite)
    files = {
        "README.md": _readme(suite),
        "scenarios.json": render_ui_json(suite),
        f"{PYTHON}/pytest.ini": PYTEST_INI,
        f"{PYTHON}/{FEATURE}": feature,
        f"{PYTHON}/test_journeys_feature.py": steps,
        **{path: load(template) for path, template in UI_RUNTIME.items()},
    }
    for scenario in suite.scenarios:
        files[f"{PYTHON}/test_{scenario.id}.py"] = render_python(scenario)
        files[f"{TYPESCRIPT}/{scenario.id}.spec.ts"] = render_typescript(scenario)
    return tuple(RenderedFile(path, text) for path, text in sorted(files.items()))


def render_ui_json(suite: UiSuite) -> str:
    """Render a suite as canonical JSON: sorted keys, plain ASCII."""
    data = suite.model_dump(mode="json", by_alias=True)
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _readme(suite: UiSuite) -> str:
    sentences = [json.dumps(suite.title), *(json.dumps(f"{each.id}: {each.title}") for each in suite.scenarios)]
    return _README.format(
        fence=fence_for(sentences), sentences="\n".join(sentences), origin=" ".join(origin(suite.scenarios))
    )


_README: Final = """\
# Journeys of production, told again in a browser

{fence}text
{sentences}
{fence}

Python 3.11 or later with pytest and playwright (pytest-playwright and pytest-bdd are used where they are installed):

```sh
cd python && pytest --base-url http://127.0.0.1:8080
```

TypeScript with Node 18 or later:

```sh
cd typescript && npm install && npm run typecheck && BASE_URL=http://127.0.0.1:8080 npm test
```

- A target beyond loopback has to be named: `--base-url` on the command line, or `ALLOW_HOST` beside `BASE_URL`.
  Filling and sending forms there needs `--allow-writes`, or `ALLOW_WRITES=1`.
- `THINK_TIME_SCALE` (0.1 where it is not set) times the pauses that people made.
- Chromium is Playwright's own, or the program `PLAYWRIGHT_CHROMIUM` names, or the system's;
  `PLAYWRIGHT_CHROMIUM_ARGS` holds further arguments.
- What was personal is replaced by `ui_form_values.json`; `FORM_<NAME>` in the environment comes first.
- A web vital over its limit (production's p95) fails; over its budget (the p75) it is told.
- `python/test_*.py`, `python/journeys.feature` and `typescript/*.spec.ts` say the same, from `scenarios.json`.

{origin}
"""
