"""Which dependency stands at the end of the failing chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from prodintel_lib.analyses.differences import Difference, Differences
    from prodintel_lib.analyses.paths import ServiceMap


def find_degraded_dependencies(differences: Differences, service_map: ServiceMap) -> tuple[Difference, ...]:
    """Find the dependencies at the end of the chain: degraded, and not calling anything degraded themselves.

    Returns
    -------
    tuple of Difference
        The ``p99 of calls`` or ``calls that failed`` condition of each, largest effect first.
    """
    rows = [
        row
        for row in differences.rows
        if row.aspect == "dependency" and (row.effect or 0) > 0 and row.notable
    ]  # fmt: skip
    callers = {ends_of(row.subject)[0] for row in rows}
    known = {(edge["caller"], edge["dependency"]) for edge in service_map.edges.iter_rows(named=True)}
    last = [row for row in rows if ends_of(row.subject)[1] not in callers and ends_of(row.subject) in known]
    unique: dict[str, Difference] = {}
    for row in last:
        unique.setdefault(row.subject, row)
    return tuple(unique.values())


def is_external(row: Difference, service_map: ServiceMap) -> bool:
    """Say whether a degraded dependency sends no spans of its own, so that its trouble cannot be looked into."""
    caller, dependency = ends_of(row.subject)
    edge = service_map.edges.filter((pl.col("caller") == caller) & (pl.col("dependency") == dependency))
    return edge.height > 0 and not bool(edge["has_own_spans"].any())


def ends_of(subject: str) -> tuple[str, str]:
    """Return caller and dependency of a condition's subject, ``payment → card-processor``."""
    caller, _, dependency = subject.partition(" → ")
    return caller, dependency
