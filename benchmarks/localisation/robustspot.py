"""45 incidents of a video-streaming service, of 135 that RobustSpot was published with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import yaml

from prodintel_lib.analyses.localisation import fold_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.analyses.localisation import History

COUNTS = ("min", "value", "cnt")


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident's minute against the minutes before, and what its operators say was the cause."""

    name: str
    dimensions: list[str]
    history: History
    causes: tuple[dict[str, str], ...]


def read_incidents(folder: Path) -> Iterator[Incident]:
    """Read every case; nothing after the anomalous minute is used, and not which direction is worse."""
    for case in yaml.safe_load((folder / "anomaly.yaml").read_text(encoding="utf-8")):
        rows = pl.read_csv(folder / f"{case['data']}.csv", infer_schema_length=None)
        dimensions = sorted(set(rows.columns) - set(COUNTS))
        causes = case["cause"] if isinstance(case["cause"], list) else [case["cause"]]
        yield Incident(
            name=str(case["data"]),
            dimensions=dimensions,
            history=fold_history(
                rows, dimensions=dimensions, time="min", at=case["timestamp"], bad="value", total="cnt"
            ),
            causes=tuple({name: str(value) for name, value in sorted(cause.items())} for cause in causes),
        )
