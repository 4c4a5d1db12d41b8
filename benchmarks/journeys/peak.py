"""The most memory this process has held."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Return the peak of the resident memory, in MiB.

    `resource.getrusage` also counts what the parent held when it started this process, and a benchmark holds much.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
