"""What the command line shows: progress on long work, and short summaries."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    from prodintel_lib.sources.report import IngestReport

CONTROL = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233, *range(8234, 8239)), "�")
"""Characters that move the cursor, change colours or turn text around: production strings may hold them."""


class Terminal:
    """Progress on one line of stderr where it is a terminal, a line a step where it is not; results on stdout.

    It writes plain text on purpose: a progress library costs a tenth of the time of a warm replay to import.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def step(self, done: int, total: int, what: str) -> None:
        """Show how far the work is: ``[ 3/14] Blast radius``."""
        line = f"[{done:>{len(str(total))}}/{total}] {printable(what)}"
        if line == self._last:
            return
        self._last = line
        if self._live:
            sys.stderr.write(f"\r\x1b[2K{line[:100]}")
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def reading(self, done: int, total: int, what: str) -> None:
        """Show which source is being read."""
        if total:
            self.step(done, total, f"reading {what}" if what else "sources read")

    def say(self, text: str = "") -> None:
        """Write a line of the result."""
        self._clear()
        sys.stdout.write(printable(text) + "\n")

    def show_accounting(self, report: IngestReport) -> None:
        """Write the row accounting, a line a source and the total."""
        for source in report.sources:
            kept = ", ".join(f"{table} {rows:,}" for table, rows in source.kept.items() if rows) or "nothing"
            lost = "".join(f"; {reason} {rows:,}" for reason, rows in source.dropped.items() if rows)
            bad = f"; quarantined {source.quarantined:,}" if source.quarantined else ""
            fresh = "" if source.is_fresh else " (unchanged)"
            self.say(f"  {source.source}: read {source.rows_read:,} → {kept}{lost}{bad}{fresh}")
        self.say(report.sentence())

    def _clear(self) -> None:
        if self._live and self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._last = ""


def printable(text: str) -> str:
    r"""Replace what would steer the terminal; production strings may hold escape sequences.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a�[31mb'
    """
    return text.translate(CONTROL)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that what was started is stopped and no condition stays applied."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
