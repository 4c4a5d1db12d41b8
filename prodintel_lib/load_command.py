"""`prodintel load` and `load-test`: production's load as a report, and as a load test that is ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.errors import NoDataError
from prodintel_lib.load_patterns import LoadWish, explore_load
from prodintel_lib.load_patterns.exploration import choose_load_window
from prodintel_lib.load_patterns.outputs import NOTEBOOK, SUITE
from prodintel_lib.load_patterns.shape import describe_run_of
from prodintel_lib.notebooks.run_folder import locked, new_partial, publish
from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.load_tests import render_load_test
from prodintel_lib.report_run import Reporting, from_here, name_days, report_window, say_files, say_headline
from prodintel_lib.scenarios.load_model import describe_left_out

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.load_patterns.shape import LoadShape
    from prodintel_lib.scenarios.load_model import LoadModel
    from prodintel_lib.terminal import Terminal

MAX_CLASSES: Final = 6
MAX_ENDPOINTS: Final = 4
LOCK_WAIT_S: Final = 60.0


def report_load(wish: LoadWish, reporting: Reporting) -> Path:
    """Report the load of a window and leave the run in ``<reports>/load_patterns/<first day>_<last day>``.

    Parameters
    ----------
    wish : LoadWish
    reporting : Reporting

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    ProdintelError
        If the window or the workspace is not usable, there is nothing to look at, or a cell fails.
    """
    reported = report_window(
        NOTEBOOK,
        {
            "window": wish.window,
            "source": wish.source,
            "time_zone": wish.time_zone,
            "events": list(wish.events),
            "conversions": list(wish.conversions),
            "day": wish.day,
            "seed": wish.seed,
        },
        reporting=reporting,
        choose=lambda view: choose_load_window(view, wish.window),
    )
    result, terminal = reported.result, reporting.terminal
    say_headline(result, terminal)
    _show_mix(result, terminal)
    _show_classes(result, terminal)
    terminal.say(f"  {reported.accounting}")
    here = from_here(reported.folder)
    run = f"  Run    locust -f {here / SUITE / 'locustfile.py'} --headless --host http://127.0.0.1:8080"
    say_files(reported, terminal, between=(run,) if result["load_test"] else ())
    return reported.folder


def _show_mix(result: dict[str, Any], terminal: Terminal) -> None:
    shares = [row for row in result["profiles"]["shares"] if row["part_kind"] == "whole"]
    shares.sort(key=lambda row: (-row["requests"], row["endpoint"]))
    named = ", ".join(f"{row['endpoint']} {100 * row['share']:.0f} %" for row in shares[:MAX_ENDPOINTS])
    rest = len(shares) - MAX_ENDPOINTS
    terminal.say(f"  Asked for: {named}{f' and {rest:,} more' if rest > 0 else ''}.")


def _show_classes(result: dict[str, Any], terminal: Terminal) -> None:
    classes = result["behaviour"]["classes"] if result["behaviour"] else []
    for one in classes[:MAX_CLASSES]:
        terminal.say(
            f"    {100 * one['share']:5.1f} %  {one['name']}: {one['median_length']:,.0f} requests (median), "
            f"n={one['sessions']:,}"
        )
    if len(classes) > MAX_CLASSES:
        terminal.say(f"        and {len(classes) - MAX_CLASSES:,} more in result.json")


@dataclass(frozen=True, slots=True)
class LoadTest:
    """A load test as it was written.

    Attributes
    ----------
    folder : Path
    model : LoadModel
    """

    folder: Path
    model: LoadModel


def write_load_test(
    wish: LoadWish, shape: LoadShape, *, workspace_path: Path, reports_path: Path, terminal: Terminal
) -> LoadTest:
    """Make a load test of production's load and leave it in ``<reports>/load_tests/<first day>_<last day>``.

    Parameters
    ----------
    wish : LoadWish
        What production is looked at.
    shape : LoadShape
        How the test differs from it: what a run does where its command says nothing else.
    workspace_path, reports_path : Path
    terminal : Terminal

    Raises
    ------
    NoDataError
        If there is no request, or none names its visitor.
    ParameterError
        If something asked for is not usable.
    """
    terminal.step(0, 2, "measuring production's load")
    report = explore_load(workspace_path, wish)
    if report.model is None:
        raise NoDataError(
            f"There is no load test of {report.profiles.window.label()}: {report.no_test_because}.",
            hint="record a session or visitor with requests, and the bodies of those that write; or try --source.",
        )
    terminal.step(1, 2, "writing the load test")
    model = report.model.model_copy(update={"defaults": shape.defaults_for(report.model)})
    folder = reports_path.resolve() / "load_tests" / name_days(report.profiles.window)
    with locked(folder, wait_s=LOCK_WAIT_S):
        partial = new_partial(folder)
        write_files(render_load_test(model), partial)
        publish(partial, folder)
    terminal.say(f"load test: {report.headline.title}")
    terminal.say()
    for sentence in (describe_run_of(model), *describe_left_out(model)):
        terminal.say(f"  {sentence}")
    if report.workspace.config.generated_by:
        terminal.say(f"  Made-up data: generated by {report.workspace.config.generated_by}.")
    here = from_here(folder)
    terminal.say()
    terminal.say(f"  Run    locust -f {here / 'locustfile.py'} --headless --host http://127.0.0.1:8080")
    terminal.say(f"  Score  prodintel load-score load_run {from_here(report.workspace.root)}")
    terminal.say(f"  Also   {here / 'README.md'}, load_model.json, k6/")
    return LoadTest(folder, model)
