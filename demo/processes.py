"""Child processes with their log in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo.errors import ShopError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REPOSITORY: Final = Path(__file__).resolve().parent.parent
POLL_S: Final = 0.02
_TAIL_BYTES: Final = 16_384
_NOT_INHERITED: Final = ("SHOP_", "OTEL_")


class Child:
    """A module that runs in its own process, on a leash (see ``demo.leash``).

    Parameters
    ----------
    name : str
        What people call it.
    module : str
    folder : Path
        Its working folder; its output goes to ``NAME.out`` and its log to ``NAME.log`` in there.
    arguments : sequence of str, optional
    environment : mapping, optional
        Added to this process's environment.
    keep_fds : sequence of int, optional
        Open files it takes over.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        folder: Path,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        keep_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._output = folder / f"{name}.out"
        self._log = folder / f"{name}.log"
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", "demo.leash", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=log,
                cwd=folder,
                env=_inherited() | dict(environment or {}),
                pass_fds=keep_fds,
                # Ctrl-C is the parent's to handle: it stops its children in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def require_alive(self) -> None:
        """Raise with the end of its log unless it runs."""
        code = self._process.poll()
        if code is not None:
            raise ShopError(f"{self.name} has stopped with exit status {code}. The end of its log:\n{self.tail()}")

    def tail(self, lines: int = 12) -> str:
        """Return the last lines of its log."""
        text = self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(empty)"

    def first_line(self, *, within_s: float) -> str:
        """Wait for the first line of its output and return it."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            line, newline, _ = self._output.read_text().partition("\n")
            if newline:
                return line
            self.require_alive()
            time.sleep(POLL_S)
        raise ShopError(f"{self.name} was not ready within {within_s:.0f} s. The end of its log:\n{self.tail()}")

    def ask_to_stop(self) -> None:
        """Ask it to stop, without waiting."""
        if self.is_alive:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, *, until_s: float) -> None:
        """Wait until it has stopped; at `until_s` (monotonic) it is made to."""
        try:
            self._process.wait(timeout=max(0.0, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def stop_all(children: Iterable[Child], *, grace_s: float) -> None:
    """Stop every child: all are asked at once, then waited for."""
    stopping = list(children)
    for child in stopping:
        child.ask_to_stop()
    until_s = time.monotonic() + grace_s
    for child in stopping:
        child.wait(until_s=until_s)


def _inherited() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
