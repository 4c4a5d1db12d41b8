"""`prodintel replay`: ingest what is new, run the notebook, write the report, say in short what was found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import yaml

from prodintel_lib.analyses.incident import check_incident_id, find_incident
from prodintel_lib.errors import ParameterError
from prodintel_lib.notebooks.run import Progress, run_notebook
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from prodintel_lib.terminal import Terminal

NOTEBOOK: Final = "incident_replay"


def replay_incident(
    incident_id: str,
    *,
    workspace_path: Path,
    reports_path: Path,
    notebooks_path: Path,
    terminal: Terminal,
    params_path: Path | None = None,
) -> Path:
    """Replay one incident and leave its run in ``<reports>/incident_replay/<id>``.

    Parameters
    ----------
    incident_id : str
    workspace_path, reports_path, notebooks_path : Path
    terminal : Terminal
    params_path : Path, optional
        A YAML file with the notebook's other parameters.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    ProdintelError
        If the id, the workspace or a source is not usable, or a cell fails. The last good run stays.
    """
    check_incident_id(incident_id)
    workspace = open_workspace(workspace_path)
    accounting = ingest(workspace, progress=terminal.reading)
    find_incident(workspace, incident_id)

    def show(progress: Progress) -> None:
        terminal.step(progress.done, progress.total, progress.heading)

    with run_notebook(
        notebooks_path / f"{NOTEBOOK}.ipynb",
        {**read_params(params_path), "incident_id": incident_id, "workspace": str(workspace.root), "out_dir": "."},
        run_dir=reports_path.resolve() / NOTEBOOK / incident_id,
        progress=show,
        meanwhile=_prepare_report,
    ) as outcome:
        result: dict[str, Any] = orjson.loads((outcome.folder / "result.json").read_bytes())
        with outcome.stage("report"):
            write_report(outcome.notebook, outcome.folder, result, f"{workspace.config.name} workspace")
        folder = outcome.publish(input_digest=result["input_digest"])
    _summarise(result, folder, accounting.sentence(), terminal)
    return folder


def read_params(path: Path | None) -> dict[str, object]:
    """Read a file of flat parameters; none for no file.

    Raises
    ------
    ParameterError
        If it is not a YAML mapping.
    """
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not YAML: {error}", hint="mend the line that is named.") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path} holds no keys.", hint="write one `name: value` a line.")
    return content


def _prepare_report() -> None:
    """Import and compile what the report needs while the kernel works: the other core is idle."""
    from prodintel_lib.reports.html import prepare_renderer  # noqa: PLC0415

    prepare_renderer()


def write_report(notebook: NotebookNode, folder: Path, result: dict[str, Any], workspace_label: str) -> None:
    """Write ``report.html`` of an executed notebook into a run's folder; `result` holds the run's ``result.json``."""
    from prodintel_lib.reports.html import render_html  # noqa: PLC0415

    page = render_html(
        notebook,
        title=result["headline"]["title"],
        kicker=f"{result['incident_id']} · {result['title']}",
        workspace_label=workspace_label,
        generated_at=datetime.now(UTC),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _summarise(result: dict[str, Any], folder: Path, accounting: str, terminal: Terminal) -> None:
    best = result["causes"][0]
    terminal.say(f"{result['incident_id']}: {result['headline']['title']}")
    terminal.say()
    terminal.say(f"  {result['headline']['sentence']}")
    terminal.say(f"  Likely to blame ({best['score']:.2f}): {best['statement']}.")
    for sentence in best["for"][:3]:
        terminal.say(f"    for: {sentence}")
    for sentence in best["against"][:3]:
        terminal.say(f"    against: {sentence}")
    terminal.say(f"  Tests: {result['verification']}. {accounting}")
    terminal.say()
    here = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    terminal.say(f"  Open   {here / 'report.html'}")
    if result["scenarios"]:
        terminal.say(f"  Run    pytest {here / 'tests'} --base-url http://127.0.0.1:8080")
    terminal.say(f"  Also   {here / 'summary.md'}, capsule.json, result.json, notebook.ipynb")
