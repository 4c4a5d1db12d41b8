"""Whether a source file that a stack trace names is one that was changed."""

from __future__ import annotations

import re
from typing import Final

from prodintel_lib.analyses.stack_traces.frames import Frame, read_frames
from prodintel_lib.analyses.stack_traces.ownership import is_foreign_path

__all__ = ["Frame", "is_same_file", "read_frames"]

MIN_SHARED: Final = 2
# What says little about which file it is: where code is kept, and what files are called everywhere.
_GENERAL: Final = frozenset(
    re.findall(
        r"\w+",
        "src lib app main dist build out java kotlin scala internal pkg cmd source code srv opt home usr var www html "
        "index __init__ __main__ mod utils util helpers types server client config",
    )
)
_COMPILED: Final = re.compile(r"\.(?:[cm]?tsx?|[cm]?jsx?|vue|svelte)$")


def is_same_file(changed: str, frame: str) -> bool:
    """Say whether a frame's file is the changed one, though the two trees begin elsewhere.

    One path has to end with the other (folders that every tree has, such as ``src``, aside), or both end with the same
    two telling names. A file of a library needs the latter: many are called like one's own. What a compiler made of
    TypeScript counts as its source.

    Examples
    --------
    >>> is_same_file("services/orders/src/tax/rates.ts", "/app/dist/tax/rates.js")
    True
    >>> is_same_file("index.js", "/srv/node_modules/express/index.js")
    False
    """
    ours, theirs = _parts(changed), _parts(frame)
    shared = 0
    while shared < min(len(ours), len(theirs)) and ours[-1 - shared] == theirs[-1 - shared]:
        shared += 1
    if not shared:
        return False
    telling = sum(part.partition(".")[0] not in _GENERAL for part in theirs[len(theirs) - shared :])
    if telling >= MIN_SHARED:
        return True
    return not is_foreign_path(frame) and shared >= min(len(_trimmed(ours)), len(_trimmed(theirs)))


def _parts(path: str) -> list[str]:
    whole = _COMPILED.sub(".js", path.replace("\\", "/"))
    return [part for part in whole.split("/") if part not in {"", "."}]


def _trimmed(parts: list[str]) -> list[str]:
    """Leave out the folders at the beginning that say nothing."""
    first = next((at for at, part in enumerate(parts[:-1]) if part not in _GENERAL), len(parts) - 1)
    return parts[first:]
