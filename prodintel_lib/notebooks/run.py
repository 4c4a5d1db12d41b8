"""Run a notebook through papermill into a run folder, fast, and say where it stopped."""

from __future__ import annotations

import ast
import json
import logging
import re
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import prodintel_lib
from prodintel_lib.errors import NotebookInputError, NotebookRunError, ProdintelError, UnsafeValueError
from prodintel_lib.lean_imports import skip_slow_imports
from prodintel_lib.notebooks.parameters import check_parameters, inspect_parameters, read_notebook
from prodintel_lib.notebooks.run_folder import (
    RUN_FILE,
    check_run_id,
    keep_failed,
    list_files,
    locked,
    new_partial,
    publish,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nbformat import NotebookNode

    from prodintel_lib.notebooks.parameters import Value

RUN_SCHEMA: Final = "prodintel/run/1"
LOCK_WAIT_S: Final = 900.0
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CELL_LINE: Final = re.compile(r"Cell In\[[0-9]+\], line ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``3/14 Blast radius``.

    Attributes
    ----------
    done : int
        Code cells finished.
    total : int
        Code cells there are.
    heading : str
        The heading the cell that starts now stands under; or what the run waits for.
    """

    done: int
    total: int
    heading: str


@dataclass(slots=True)
class RunOutcome:
    """An executed notebook in a temporary folder, before it is published.

    Used as a context manager: what has not been published on leaving is removed, and the lock is let go.

    Attributes
    ----------
    notebook : NotebookNode
        The executed notebook; also in the folder as ``notebook.ipynb``.
    folder : Path
        The temporary folder; also the notebook's working folder. Further files go here.
    run_dir : Path
        Where `publish` puts it.
    parameters : dict
        What was given, checked.
    started_us : int
    stages_s : dict
        Seconds by stage; add to it with `stage`.
    """

    notebook: NotebookNode
    folder: Path
    run_dir: Path
    parameters: dict[str, Value]
    name: str
    started_us: int
    stages_s: dict[str, float]
    _held: ExitStack = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage of ``run.json``."""
        with _timed(self.stages_s, name):
            yield

    def publish(self, *, input_digest: str, status: str = "complete", finished_us: int | None = None) -> Path:
        """Write ``run.json``, put the run in its place, and return that.

        Parameters
        ----------
        input_digest : str
            What was read, as one digest.
        status : str
            A word for readers of ``run.json``.
        finished_us : int, optional
            Microseconds UTC; the present when left out.
        """
        record = {
            "schema": RUN_SCHEMA,
            "notebook": self.name,
            "run_id": self.run_dir.name,
            "status": status,
            "parameters": self.parameters,
            "started": _iso(self.started_us),
            "finished": _iso(finished_us if finished_us is not None else _now_us()),
            "stages_s": {name: round(seconds, 3) for name, seconds in self.stages_s.items()},
            "prodintel_version": prodintel_lib.__version__,
            "input_digest": input_digest,
            "files": list_files(self.folder),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        (self.folder / RUN_FILE).write_text(text, encoding="utf-8")
        publish(self.folder, self.run_dir)
        return self.run_dir


def run_notebook(
    path: Path,
    parameters: Mapping[str, object],
    *,
    run_dir: Path,
    progress: Callable[[Progress], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    lock_wait_s: float = LOCK_WAIT_S,
) -> RunOutcome:
    """Execute a notebook with parameters in a folder beside `run_dir`.

    Parameters
    ----------
    path : Path
    parameters : mapping
        Checked against the notebook by `check_parameters`.
    run_dir : Path
        The final place, named by the run's id. It stays as it is until the outcome is published.
    progress : callable, optional
        Called as each code cell starts, and once at the end.
    meanwhile : callable, optional
        Called once, when the kernel has been given the first cell after the parameters: work for the time in which this
        process would only wait, such as importing what the report needs.
    lock_wait_s : float
        How long to wait for another run of the same id.

    Returns
    -------
    RunOutcome
        To be used in a ``with`` statement.

    Raises
    ------
    ParameterError
        If the id, a parameter's name or its value is not usable.
    NotebookRunError
        If a cell fails or the kernel dies: names cell, line and cause. The notebook with its error is kept in
        ``<run id>.failed`` beside `run_dir`; the last good run stays.
    """
    check_run_id(run_dir.name)
    values = check_parameters(inspect_parameters(path), parameters)
    headings = _headings(read_notebook(path)["cells"])
    report = progress or _silent
    started_us = _now_us()
    stages_s: dict[str, float] = {}
    with ExitStack() as held:
        total = sum(heading is not None for heading in headings)
        held.enter_context(
            locked(run_dir, wait_s=lock_wait_s, busy=lambda who: report(Progress(0, total, f"waiting for {who}")))
        )
        folder = new_partial(run_dir)
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        notebook = _execute(path.resolve(), values, folder, run_dir, headings, report, meanwhile, stages_s)
        return RunOutcome(notebook, folder, run_dir, values, path.stem, started_us, stages_s, held.pop_all())


def _execute(
    path: Path,
    values: dict[str, Value],
    folder: Path,
    run_dir: Path,
    headings: list[str | None],
    report: Callable[[Progress], None],
    meanwhile: Callable[[], None] | None,
    stages_s: dict[str, float],
) -> NotebookNode:
    skip_slow_imports()
    with _timed(stages_s, "kernel start"):
        from prodintel_lib.notebooks.kernel import KERNEL_NAME, started_kernel  # noqa: PLC0415

        kernel = started_kernel(folder)
        manager = kernel.__enter__()
    with ExitStack() as stack:
        stack.push(kernel)
        with _timed(stages_s, "imports"):
            from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415
            from papermill.execute import execute_notebook  # noqa: PLC0415

            _check_codified(values)
        reached = _Reached(headings, report, meanwhile)
        try:
            with _timed(stages_s, "cells"), _quiet("papermill"):
                notebook = execute_notebook(
                    _literal_path(path),
                    _literal_path(folder / "notebook.ipynb"),
                    values,
                    kernel_name=KERNEL_NAME,
                    language="python",
                    progress_bar=False,
                    request_save_on_cell_execute=False,
                    autosave_cell_every=0,
                    km=manager,
                    on_notebook_start=reached.notebook_starts,
                    on_cell_start=reached.cell_starts,
                    on_cell_complete=reached.cell_is_sent,
                )
        except PapermillExecutionError as error:
            raise _failure(path, run_dir, folder, error) from None
        except RuntimeError as error:
            raise _dead_kernel(path, run_dir, reached, error) from error
        report(Progress(reached.total, reached.total, "done"))
    return _without_paths(notebook, path, folder)


class _Reached:
    """Follows papermill through the cells, parameters included."""

    def __init__(
        self,
        headings: list[str | None],
        report: Callable[[Progress], None],
        meanwhile: Callable[[], None] | None,
    ) -> None:
        self.report = report
        self.meanwhile = meanwhile
        self.total = sum(heading is not None for heading in headings)
        self.done = 0
        self.cell_number = 0
        self.heading = ""
        self.notebook: NotebookNode | None = None

    def notebook_starts(self, *, notebook: NotebookNode) -> None:
        self.notebook = notebook

    def cell_starts(self, *, cell: NotebookNode, cell_index: int) -> None:
        self.cell_number = cell_index + 1
        if cell.cell_type == "markdown":
            self.heading = _last_heading(cell.source) or self.heading
        elif cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            self.report(Progress(self.done, self.total, self.heading))
            self.done += 1

    def cell_is_sent(self, *, cell: NotebookNode, cell_index: int) -> None:
        # nbclient calls its hook `on_cell_complete` when the request has gone out, before it waits for the reply.
        tags = cell.metadata.get("tags", [])
        if self.meanwhile and cell_index and not {"parameters", "injected-parameters"} & set(tags):
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()


def _headings(cells: list[dict[str, Any]]) -> list[str | None]:
    """Return, for each cell, the heading over it if it is code."""
    found, heading = [], ""
    for cell in cells:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = _last_heading(source) or heading
        found.append(heading if cell["cell_type"] == "code" else None)
    return found


def _last_heading(markdown: str) -> str:
    headings = _HEADING.findall(markdown)
    return headings[-1] if headings else ""


def _check_codified(values: dict[str, Value]) -> None:
    """Make sure that what papermill will write as code is the given values and nothing else."""
    from papermill.translators import papermill_translators  # noqa: PLC0415

    code = papermill_translators.find_translator("python3", "python").codify(values)
    lines = ast.parse(code).body
    written = {
        line.targets[0].id: ast.literal_eval(line.value)
        for line in lines
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }
    if len(written) != len(lines) or written != values:
        raise UnsafeValueError(
            f"Parameters {', '.join(values)} do not survive being written as code.",
            hint="leave out control characters and unusual Unicode.",
        )


def _failure(path: Path, run_dir: Path, folder: Path, error: Any) -> NotebookRunError:  # noqa: ANN401
    executed = (folder / "notebook.ipynb").read_text(encoding="utf-8")
    traceback = _ANSI.sub("", "\n".join(error.traceback))
    lines = _CELL_LINE.findall(traceback)
    number = _cell_number(json.loads(executed)["cells"], error.exec_count)
    place = f"cell {number}" + (f", line {lines[0]}" if lines else "")
    cause, _, hint = error.evalue.partition("\nHint: ")
    where = keep_failed(run_dir, notebook=executed, error=f"{path.name}, {place}\n\n{traceback}\n")
    mistakes = {kind.__name__ for kind in ProdintelError.__subclasses__() if kind.exit_code == 2}
    stopped = NotebookInputError if error.ename in mistakes else NotebookRunError
    return stopped(
        f"{path.name}, {place}: {error.ename}: {cause}",
        hint=hint or f"see {where}/notebook.ipynb; the last good run, if there is one, is untouched.",
    )


def _cell_number(cells: list[dict[str, Any]], exec_count: int | None) -> int:
    """Return the failed cell's place in the author's notebook, which lacks what papermill has put in."""
    added = {"papermill-error-cell-tag", "injected-parameters"}
    own = [cell for cell in cells if not added & set(cell["metadata"].get("tags", []))]
    numbers = [n for n, cell in enumerate(own, start=1) if exec_count and cell.get("execution_count") == exec_count]
    return numbers[0] if numbers else 0


def _dead_kernel(path: Path, run_dir: Path, reached: _Reached, error: RuntimeError) -> NotebookRunError:
    from nbformat import writes  # noqa: PLC0415

    place = f"cell {reached.cell_number}" + (f" ({reached.heading})" if reached.heading else "")
    message = f"{path.name}, {place}: the kernel ended: {error}"
    executed = writes(reached.notebook) if reached.notebook else ""  # type: ignore[no-untyped-call]
    where = keep_failed(run_dir, notebook=executed, error=message + "\n")
    return NotebookRunError(message, hint=f"often memory; see {where}, and run the notebook on a shorter window.")


def _without_paths(notebook: NotebookNode, path: Path, folder: Path) -> NotebookNode:
    """Take this machine's paths out of the notebook's metadata."""
    from nbformat import write  # noqa: PLC0415

    notebook.metadata.papermill.update(input_path=path.name, output_path="notebook.ipynb")
    write(notebook, folder / "notebook.ipynb")  # type: ignore[no-untyped-call]
    return notebook


def _literal_path(path: Path) -> str:
    """Write a path for papermill, which would fill in ``{name}``."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Keep a library's log off the terminal: what matters in it comes back as an exception."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def _timed(stages_s: dict[str, float], name: str) -> Iterator[None]:
    started_s = time.perf_counter()
    try:
        yield
    finally:
        stages_s[name] = stages_s.get(name, 0.0) + time.perf_counter() - started_s


def _silent(_: Progress) -> None:
    pass


def _now_us() -> int:
    return time.time_ns() // 1000


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
