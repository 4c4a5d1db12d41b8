"""The files of a run: the result for programs, the summary, and the tests, a suite a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.renderers import render_suite
from prodintel_lib.renderers.markdown import plain
from prodintel_lib.renderers.ui_suite import render_ui_suite
from prodintel_lib.run_outputs import WrittenFiles, describe_run, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.error_correlation.exploration import ErrorCorrelation

RESULT_SCHEMA: Final = "prodintel/error_correlation/1"
BROWSER: Final = "browser"


def write_outputs(errors: ErrorCorrelation, folder: str | Path) -> WrittenFiles:
    """Write the result, the summary and the tests.

    Parameters
    ----------
    errors : ErrorCorrelation
    folder : str or Path
        ``""`` stands for ``../reports/error_correlation/<workspace>.live``: a live notebook leaves the last run alone.
    """
    suites = {f"tests/{suite.name}/": render_suite(suite.suite) for suite in errors.tests.suites}
    told = dict.fromkeys(suites, "pytest and Gherkin")
    if errors.browser.suite:
        suites[f"tests/{BROWSER}/"] = render_ui_suite(errors.browser.suite)
        told[f"tests/{BROWSER}/"] = "front-end patterns: Playwright and Gherkin"
    return write_run(
        folder,
        notebook="error_correlation",
        workspace=errors.workspace,
        result=describe_result(errors),
        texts={"summary.md": write_summary(errors)},
        suites=suites,
        folders=told,
    )


def describe_result(errors: ErrorCorrelation) -> dict[str, Any]:
    """Return everything found as plain JSON values, for ``result.json``."""
    patterns, correlations = errors.patterns, errors.correlations
    described = describe_run(
        RESULT_SCHEMA,
        errors.workspace,
        headline=errors.headline,
        kicker=f"errors · {patterns.window.label()}",
        digest=errors.digest,
        accounting=errors.accounting,
    )
    return described | {
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
