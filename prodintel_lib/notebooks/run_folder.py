"""The folder of a run: one writer at a time, complete or not there, the last good one kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from prodintel_lib.errors import NotebookRunError, ParameterError
from prodintel_lib.workspace import CONFIG_NAME

try:
    import fcntl
except ImportError:  # Windows has no flock; there a second run is not kept out
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN_FILE: Final = "run.json"
FAILED_SUFFIX: Final = ".failed"
_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LOCK_POLL_S: Final = 0.1


def check_run_id(run_id: str) -> str:
    """Return the id if it can name a folder.

    Raises
    ------
    ParameterError
        If it does not match ``[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`` or ends as the folder of a failed run does.
    """
    if not _RUN_ID.fullmatch(run_id) or run_id.endswith(FAILED_SUFFIX):
        raise ParameterError(
            f"A run id is up to 64 of A-Z a-z 0-9 _ . - and starts with a letter or digit; it is {run_id[:80]!r}.",
            hint=f"use the incident's id, such as INC-2024-1234 (`{FAILED_SUFFIX}` at the end is taken).",
        )
    return run_id


@contextmanager
def locked(run_dir: Path, *, wait_s: float, busy: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep a run's folder to one writer; a second one waits.

    Parameters
    ----------
    run_dir : Path
        The folder the run will be published to; the lock file lies beside it.
    wait_s : float
        How long a second run waits.
    busy : callable, optional
        Told once who holds the lock, before the wait.

    Raises
    ------
    NotebookRunError
        If the holder has not let go in time; names its process and start.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    path = run_dir.parent / f".{run_dir.name}.lock"
    # The file stays when the lock goes: removing it would let two runs lock two files of one name.
    with path.open("a+", encoding="utf-8") as file:
        if fcntl is not None:
            _acquire(file.fileno(), path, wait_s=wait_s, busy=busy)
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "since_us": time.time_ns() // 1000}))
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def _acquire(handle: int, path: Path, *, wait_s: float, busy: Callable[[str], None] | None) -> None:
    deadline_s = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path)
            if time.monotonic() >= deadline_s:
                raise NotebookRunError(
                    f"Run {path.name.strip('.').removesuffix('.lock')} is being written by {holder}; "
                    f"it did not end within {wait_s:.0f} s.",
                    hint="wait for it, or give this run another id.",
                ) from None
            if busy and not told:
                busy(holder)
                told = True
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _holder(path: Path) -> str:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return f"process {held['pid']} since {time.strftime('%H:%M:%S', time.gmtime(held['since_us'] / 1e6))} UTC"
    except (OSError, ValueError, KeyError):
        return "another process"


def new_partial(run_dir: Path) -> Path:
    """Make the temporary folder of a run beside its final place; call it with the lock held.

    What runs that died have left is cleared, and a good run that a crash left renamed away is put back.
    """
    for left in run_dir.parent.glob(f".{run_dir.name}.*.old"):
        if run_dir.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.rename(run_dir)
    for left in run_dir.parent.glob(f".{run_dir.name}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    partial = run_dir.parent / f".{run_dir.name}.{secrets.token_hex(4)}.partial"
    partial.mkdir()
    return partial


def publish(partial: Path, run_dir: Path) -> None:
    """Put a complete run in its place: the old one is renamed away, the new one renamed in, the old one removed.

    A reader sees the old run, for an instant none, then the new one; never a mixture.
    """
    old = partial.with_suffix(".old")
    had_old = run_dir.exists()
    if had_old:
        run_dir.rename(old)
    try:
        partial.rename(run_dir)
    except OSError:
        if had_old:
            old.rename(run_dir)
        raise
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(failed_dir(run_dir), ignore_errors=True)


def failed_dir(run_dir: Path) -> Path:
    """Return where a failed run of this id keeps its notebook."""
    return run_dir.with_name(run_dir.name + FAILED_SUFFIX)


def keep_failed(run_dir: Path, *, notebook: str, error: str) -> Path:
    """Keep the notebook of a failed run and its error beside the last good run; return the folder."""
    folder = failed_dir(run_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text(notebook, encoding="utf-8")
    (folder / "error.txt").write_text(error, encoding="utf-8")
    return folder


def list_files(folder: Path) -> list[dict[str, Any]]:
    """List a run's files by path with size and digest."""
    return [
        {
            "path": path.relative_to(folder).as_posix(),
            "size_bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def list_files_anew(run_dir: Path) -> None:
    """List the files of a finished run again in its ``run.json``, after something was added; without one, nothing."""
    path = run_dir / RUN_FILE
    if path.is_file():
        run: dict[str, Any] = orjson.loads(path.read_bytes())
        run["files"] = [file for file in list_files(run_dir) if file["path"] != RUN_FILE]
        path.write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2) + b"\n")


def workspace_of(run_dir: Path) -> Path | None:
    """Return the workspace that a run was made of, if it is still there."""
    path = run_dir / RUN_FILE
    if not path.is_file():
        return None
    root = Path(orjson.loads(path.read_bytes())["parameters"]["workspace"])
    return root if (root / CONFIG_NAME).is_file() else None
