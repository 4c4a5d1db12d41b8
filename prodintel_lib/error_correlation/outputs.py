"""The files of a run: the result for programs, the summary, and the tests, a suite a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from prodintel_lib import __version__
from prodintel_lib.markup import number, table, text
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.renderers.markdown import plain
from prodintel_lib.renderers.ui_suite import render_ui_suite

if TYPE_CHECKING:
    from prodintel_lib.error_correlation.exploration import ErrorCorrelation

RESULT_SCHEMA: Final = "prodintel/error_correlation/1"


@dataclass(frozen=True, slots=True)
class WrittenErrors:
    """Files written by a run, relative to its folder."""

    folder: Path
    files: tuple[str, ...]

    def _repr_html_(self) -> str:
        shown = [name for name in self.files if not name.startswith("tests/")]
        rows = [[text(name), text(_PURPOSES[name])] for name in shown]
        folders = dict.fromkeys(name.split("/")[1] for name in self.files if name.startswith("tests/"))
        for folder in folders:
            n = sum(name.startswith(f"tests/{folder}/") for name in self.files)
            what = "front-end patterns: Playwright and Gherkin" if folder == BROWSER else "pytest and Gherkin"
            rows.append([text(f"tests/{folder}/"), text(f"{n} files: {what}")])
        return str(table(["File", "What it is for"], rows, caption=f"{number(len(self.files))} files."))


BROWSER: Final = "browser"
_PURPOSES: Final = {
    "result.json": "everything above for programs",
    "summary.md": "the first screen, for a chat or a ticket",
}


def write_outputs(errors: ErrorCorrelation, folder: str | Path) -> WrittenErrors:
    """Write the result, the summary and the tests.

    Parameters
    ----------
    errors : ErrorCorrelation
    folder : str or Path
        ``""`` stands for ``../reports/error_correlation/<workspace>.live``: a live notebook leaves the last run alone.
    """
    name = errors.workspace.root.name
    target = Path(folder) if str(folder) else Path("../reports/error_correlation") / f"{name}.live"
    target.mkdir(parents=True, exist_ok=True)
    written = {
        "result.json": orjson.dumps(describe_result(errors), option=orjson.OPT_INDENT_2).decode() + "\n",
        "summary.md": write_summary(errors),
    }
    for file, content in written.items():
        (target / file).write_text(content, encoding="utf-8")
    rendered = {suite.name: render_suite(suite.suite) for suite in errors.tests.suites}
    if errors.browser.suite:
        rendered[BROWSER] = render_ui_suite(errors.browser.suite)
    for suite_name, files in rendered.items():
        write_files(files, target / "tests" / suite_name)
    tests = (f"tests/{name}/{file.path}" for name, files in rendered.items() for file in files)
    return WrittenErrors(target, (*written, *tests))


def describe_result(errors: ErrorCorrelation) -> dict[str, Any]:
    """Return everything found as plain JSON values, for ``result.json``."""
    patterns, correlations, headline = errors.patterns, errors.correlations, errors.headline
    return {
        "schema": RESULT_SCHEMA,
        "prodintel_version": __version__,
        "generated_by": errors.workspace.config.generated_by,
        "input_digest": errors.digest,
        "headline": {
            "title": headline.title,
            "sentence": headline.sentence,
            "kicker": f"errors · {patterns.window.label()}",
        },
        "window": {"start_us": patterns.window.start_us, "end_us": patterns.window.end_us},
        "baseline": {"start_us": patterns.baseline.start_us, "end_us": patterns.baseline.end_us},
        "min_occurrences": patterns.min_occurrences,
        "left_out": patterns.left_out,
        "patterns": patterns.frame.to_dicts(),
        "contexts": patterns.contexts.to_dicts(),
        "stack_groups": errors.stacks.frame.to_dicts(),
        "hot_spots": errors.hot_spots.frame.to_dicts(),
        "places": errors.places.to_dicts(),
        "pairs": correlations.pairs.to_dicts(),
        "one_release": errors.one_release.frame.to_dicts(),
        "began_with": correlations.began_with.to_dicts(),
        "hypotheses": correlations.hypotheses.to_dicts(),
        "tests": [
            {
                "patterns": list(suite.pattern_ids),
                "folder": f"tests/{suite.name}",
                "scenarios": [scenario.id for scenario in suite.scenarios],
                "brings_about": suite.follows,
            }
            for suite in errors.tests.suites
        ],
        "browser_tests": [scenario.id for scenario in errors.browser.scenarios],
        "pair_tests": errors.pairs.to_dicts(),
        "without_test": [
            {"pattern": what, "reason": why} for what, why in (*errors.tests.left_out, *errors.browser.left_out)
        ],
        "rows": {
            "read": errors.accounting.rows_read,
            "kept": errors.accounting.kept,
            "dropped": errors.accounting.dropped,
            "quarantined": errors.accounting.quarantined,
        },
    }


def write_summary(errors: ErrorCorrelation) -> str:
    """Write the first screen as Markdown; what came from production is escaped."""
    patterns, headline = errors.patterns, errors.headline
    shown = patterns.frame.filter(pl.col("occurrences") > 0).head(10)
    lines = [
        f"# Errors of {plain(errors.workspace.config.name)} · {patterns.window.label()}",
        "",
        f"**{plain(headline.sentence)}**",
        "",
        *(
            f"- {row['priority']} {plain(row['pattern_id'])} ({plain(row['class'])}, {plain(row['category'])}): "
            f"{plain(patterns.label(row['pattern_id']))} (times: {row['occurrences']:,}, clients: {row['people']:,}, "
            f"{plain(row['recurrence'])})"
            for row in shown.iter_rows(named=True)
        ),
        "",
        "What goes together:",
        "",
        *([f"- {plain(one.sentence)}" for one in errors.correlations.hypotheses.found[:5]]
          or [f"- {plain(errors.correlations.answer)}"]),
        "",
        "Tests:",
        "",
        *(f"- {plain(suite.name)}: {plain(scenario.title)}" for suite in errors.tests.suites
          for scenario in suite.scenarios),
        *(f"- browser: {plain(scenario.title)}" for scenario in errors.browser.scenarios),
        "",
    ]  # fmt: skip
    return "\n".join(lines)
