"""Small documents that are kept beside a lake's tables: what one run learned and the next one needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.lake import write_durably

if TYPE_CHECKING:
    from prodintel_lib.lake import Lake

PATTERNS: Final = "patterns.json"
"""The catalogue of log templates; it holds words as they were logged, so it stays with the lake."""
_FOLDER: Final = "notes"


def read_note(lake: Lake, name: str) -> bytes | None:
    """Return a note as it was last written, None where there is none yet."""
    try:
        return (lake.folder / _FOLDER / name).read_bytes()
    except FileNotFoundError:
        return None


def write_note(lake: Lake, name: str, content: bytes) -> None:
    """Write a note, whole or not at all.

    Raises
    ------
    LakeWriteError
        If the folder cannot be written.
    """
    write_durably(lake.folder / _FOLDER / name, content)
