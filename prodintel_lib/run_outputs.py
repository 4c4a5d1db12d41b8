"""What the files of every run have in common: where they go, how `result.json` begins, and the list of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from prodintel_lib import __version__
from prodintel_lib.markup import number, table, text
from prodintel_lib.renderers import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.headline import Headline
    from prodintel_lib.renderers import RenderedFile
    from prodintel_lib.sources.report import IngestReport
    from prodintel_lib.workspace import Workspace

PURPOSES = {
    "result.json": "everything above for programs",
    "summary.md": "the first screen, for a chat or a ticket",
}


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Files written by a run.

    Attributes
    ----------
    folder : Path
    files : tuple of str
        Relative to the folder.
    purposes : mapping
        What single files are for; they are listed by name.
    folders : mapping
        Of folders: what their files are, after the number of them.
    """

    folder: Path
    files: tuple[str, ...]
    purposes: Mapping[str, str]
    folders: Mapping[str, str]

    def _repr_html_(self) -> str:
        rows = [[text(name), text(self.purposes[name])] for name in self.files if name in self.purposes]
        for folder, what in self.folders.items():
            n = sum(name.startswith(folder) for name in self.files)
            if n:
                rows.append([text(folder), text(f"{n} files: {what}")])
        return str(table(["File", "What it is for"], rows, caption=f"{number(len(self.files))} files."))


def write_run(
    folder: str | Path,
    *,
    notebook: str,
    workspace: Workspace,
    result: Mapping[str, Any],
    texts: Mapping[str, str],
    suites: Mapping[str, Sequence[RenderedFile]],
    purposes: Mapping[str, str] | None = None,
    folders: Mapping[str, str] | None = None,
) -> WrittenFiles:
    """Write the files of a run.

    Parameters
    ----------
    folder : str or Path
        ``""`` stands for ``../reports/<notebook>/<workspace>.live``: a live notebook leaves the last run alone.
    notebook : str
    workspace : Workspace
    result : mapping
        What ``result.json`` says.
    texts : mapping
        Name to content of the other files.
    suites : mapping
        Folder (``tests/``, ``tests/browser/``) to what is rendered into it.
    purposes : mapping, optional
        What the further texts are for.
    folders : mapping, optional
        What the files of each of the suites' folders are.
    """
    target = Path(folder) if str(folder) else Path("../reports") / notebook / f"{workspace.root.name}.live"
    target.mkdir(parents=True, exist_ok=True)
    written = {"result.json": orjson.dumps(result, option=orjson.OPT_INDENT_2).decode() + "\n", **texts}
    for name, content in written.items():
        (target / name).write_text(content, encoding="utf-8")
    for name, files in suites.items():
        write_files(files, target / name)
    made = (f"{name}{file.path}" for name, files in suites.items() for file in files)
    return WrittenFiles(target, (*written, *made), {**PURPOSES, **(purposes or {})}, folders or {})


def describe_run(
    schema: str, workspace: Workspace, *, headline: Headline, kicker: str, digest: str, accounting: IngestReport
) -> dict[str, Any]:
    """Return what every ``result.json`` begins with, plain JSON values."""
    return {
        "schema": schema,
        "prodintel_version": __version__,
        "generated_by": workspace.config.generated_by,
        "input_digest": digest,
        "headline": {"title": headline.title, "sentence": headline.sentence, "kicker": kicker},
        "rows": {
            "read": accounting.rows_read,
            "kept": accounting.kept,
            "dropped": accounting.dropped,
            "quarantined": accounting.quarantined,
        },
    }
