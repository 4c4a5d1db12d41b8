"""`prodintel replay`: ingest what is new, run the notebook, write the report, say in short what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.incident import check_incident_id, find_incident
from prodintel_lib.report_run import Places, from_here, run_report
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.terminal import Terminal

NOTEBOOK: Final = "incident_replay"


def replay_incident(
    incident_id: str,
    *,
    workspace_path: Path,
    places: Places,
    terminal: Terminal,
    params_path: Path | None = None,
) -> Path:
    """Replay one incident and leave its run in ``<reports>/incident_replay/<id>``.

    Parameters
    ----------
    incident_id : str
    workspace_path : Path
    places : Places
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

    result, folder = run_report(
        NOTEBOOK,
        {"incident_id": incident_id},
        run_id=incident_id,
        workspace=workspace,
        places=places,
        terminal=terminal,
        params_path=params_path,
    )
    _summarise(result, folder, accounting.sentence(), terminal)
    return folder


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
    here = from_here(folder)
    terminal.say(f"  Open   {here / 'report.html'}")
    if result["scenarios"]:
        terminal.say(f"  Run    pytest {here / 'tests'} --base-url http://127.0.0.1:8080")
    terminal.say(f"  Also   {here / 'summary.md'}, capsule.json, result.json, notebook.ipynb")
