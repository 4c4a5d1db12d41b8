"""Which tests have a certificate: `verified.json`, where there is one, names them and the bytes it speaks of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERIFIED_FILE = "verified.json"


@dataclass(frozen=True)
class Verified:
    """What is known of the tests in a folder.

    Attributes
    ----------
    certified : frozenset of str
        Tests that reproduce, as ``file::test``.
    unverified : mapping of str to str
        Tests that were run and did not certify, with the reason.
    doubt : str
        Why nothing is known; then every test is unverified, and none is left out.
    """

    certified: frozenset[str] = frozenset()
    unverified: Mapping[str, str] = field(default_factory=dict)
    doubt: str = ""

    def leaves_out(self, test: str) -> bool:
        """Say whether a test was run and did not certify."""
        return not self.doubt and test not in self.certified


def read_verified(folder: Path) -> Verified:
    """Read `verified.json`; what is missing, unreadable or about other bytes is a doubt."""
    path = folder / VERIFIED_FILE
    if not path.is_file():
        return Verified(doubt="they have not been run against a faulty and a fixed system")
    try:
        content = json.loads(path.read_bytes())
        certified, unverified = frozenset(content["certified"]), dict(content["unverified"])
        changed = [name for name, digest in content["files"].items() if _digest(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Verified(doubt=f"{VERIFIED_FILE} cannot be read")
    if changed:
        return Verified(doubt=f"{', '.join(sorted(changed))} changed since they were certified")
    return Verified(certified, unverified)


def told(verified: Verified, *, include_unverified: bool) -> str:
    """Say in a line what is unverified, and whether it runs."""
    if verified.doubt:
        return f"unverified: all of these tests; {verified.doubt}"
    if not verified.unverified:
        return f"certified: all {len(verified.certified)} tests"
    names = ", ".join(sorted(test.rpartition("::")[2] for test in verified.unverified))
    fate = "run as asked" if include_unverified else "left out, --include-unverified runs them"
    total = len(verified.certified) + len(verified.unverified)
    return f"unverified: {len(verified.unverified)} of {total} tests, {fate}: {names}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
