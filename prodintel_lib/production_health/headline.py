"""The answer first: whether production is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.status_board import VERDICTS
from prodintel_lib.headline import Headline
from prodintel_lib.markup import number

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFindings
    from prodintel_lib.analyses.slos import SloReport
    from prodintel_lib.analyses.status_board import StatusBoard
    from prodintel_lib.markup import Tone

TONES: Final[dict[str, Tone]] = {"ok": "good", "watch": "warn", "bad": "bad", "unknown": "soft"}


def write_headline(board: StatusBoard, slos: SloReport, findings: AnomalyFindings) -> Headline:
    """Sum up how production is.

    Parameters
    ----------
    board : StatusBoard
    slos : SloReport
    findings : AnomalyFindings
    """
    bad = board.rows.filter(pl.col("status") == "bad").height
    watch = board.rows.filter(pl.col("status") == "watch").height
    names = slos.objectives.filter(~pl.col("is_proposed"))["objective"].to_list()
    firing = slos.alerts.filter((pl.col("state") == "fires") & pl.col("objective").is_in(names))["objective"].n_unique()
    active = sum(one.ongoing for one in findings.findings)
    promised = len(names)
    found = len(findings.findings)
    tone = TONES[board.verdict]
    return Headline(
        VERDICTS[board.verdict],
        board.sentence,
        (
            ("signals that are bad", number(bad), f"{watch:,} to watch, of {board.rows.height:,}", tone),
            ("budgets burning", number(firing), f"of {promised:,} promised", "bad" if firing else "good"),
            ("anomalies", number(found), f"{active:,} still active", "bad" if active else "warn" if found else "good"),
            ("series judged", number(findings.series_scored), f"{findings.points_scored:,} points", ""),
        ),
    )
