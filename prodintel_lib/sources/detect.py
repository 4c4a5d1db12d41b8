"""Which format a file has, told by its content: names lie, and exports get renamed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_BYTES: Final = 256 << 10
FORMATS: Final = ("otlp", "pagerduty", "github")
# Any one of a set is enough; sets are tried in this order.
_SIGNS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "otlp": tuple(
        frozenset({key})
        for key in (
            "resourceSpans",
            "resourceLogs",
            "resourceMetrics",
            "resource_spans",
            "resource_logs",
            "resource_metrics",
        )
    ),
    "github": (
        frozenset({"deployment", "repository"}),
        frozenset({"deployment", "deployment_status"}),
        frozenset({"statuses_url", "sha", "environment"}),
    ),
    "pagerduty": (
        frozenset({"incident"}),
        frozenset({"incidents"}),
        frozenset({"log_entries"}),
        frozenset({"incident_number", "status"}),
    ),
}
_TOKEN: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"\s*+(:)?|([{\[])|([}\]])', re.DOTALL)


def recognise(head: bytes) -> str | None:
    """Return the format of a file, or None where it is none we read.

    Only the keys of the first document's outermost object count (of the first element where it is an array), so that
    a name inside a payload cannot mislead.

    Parameters
    ----------
    head : bytes
        The beginning of the decompressed content; it may be cut anywhere.

    Examples
    --------
    >>> recognise(b'{"resourceSpans": [{"resource"')
    'otlp'
    >>> recognise(b'{"note": {"resourceSpans": []}}') is None
    True
    """
    keys = outermost_keys(head)
    for name, signs in _SIGNS.items():
        if any(sign <= keys for sign in signs):
            return name
    return None


def require_known(name: str) -> str:
    """Return the name of a format if there is a reader for it.

    Raises
    ------
    ParameterError
        If there is none, with the nearest name.
    """
    if name not in FORMATS:
        raise ParameterError.unknown("format", name, known=FORMATS)
    return name


def outermost_keys(head: bytes) -> frozenset[str]:
    """Return the keys of the outermost object of a JSON text, as far as the text goes."""
    keys: set[str] = set()
    depth, level = 0, 0
    for found in _TOKEN.finditer(head):
        if found.lastindex == 3:
            depth += 1
            if not level and found[3] == b"{":
                level = depth
        elif found.lastindex == 4:
            depth -= 1
            if level and depth < level:
                break
        elif depth == level and found[2]:
            keys.add(found[1].decode(errors="replace"))
    return frozenset(keys)
