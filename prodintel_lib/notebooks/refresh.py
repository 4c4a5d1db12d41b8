"""Run the committed notebooks on the demo workspace and keep their outputs: ``make notebooks``.

The outputs are what nbval checks in CI, and what a reader sees without running anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prodintel_lib.lean_imports import skip_slow_imports

REPOSITORY: Final = Path(__file__).resolve().parents[2]
KEPT_METADATA: Final = frozenset({"tags"})


def refresh_notebook(path: Path) -> None:
    """Execute a notebook in its own folder and write it back with its outputs, without times and machine details."""
    skip_slow_imports()
    import nbformat  # noqa: PLC0415
    from nbclient import NotebookClient  # noqa: PLC0415

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}, record_timing=False
    ).execute()
    for cell in notebook.cells:
        cell.metadata = {name: value for name, value in cell.metadata.items() if name in KEPT_METADATA}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def main() -> None:
    """Refresh every notebook of the repository."""
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        refresh_notebook(path)


if __name__ == "__main__":
    main()
