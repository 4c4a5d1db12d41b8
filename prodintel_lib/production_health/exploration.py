"""Is production well, from end to end, as the notebook calls it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from prodintel_lib.analyses.golden_signals import measure_golden_signals
from prodintel_lib.analyses.production import gather_production
from prodintel_lib.analyses.slos import measure_slos
from prodintel_lib.analyses.status_board import build_status_board
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.anomalies import AnomalyWish, choose_observed_window, observe
from prodintel_lib.production_health.headline import write_headline
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFindings
    from prodintel_lib.analyses.golden_signals import GoldenSignals
    from prodintel_lib.analyses.production import Production
    from prodintel_lib.analyses.slos import SloReport
    from prodintel_lib.analyses.status_board import StatusBoard
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.headline import Headline
    from prodintel_lib.sources.report import IngestReport
    from prodintel_lib.workspace import Workspace


@dataclass(frozen=True, slots=True)
class HealthWish:
    """What is asked for.

    Attributes
    ----------
    window : str
        ``START/END``, or a length such as ``24h`` that ends with the last day that has rows.
    history_days : float
        How long before the window is compared with it, and counted for promises, as far as it was recorded.
    events : tuple of str
        Named events and holidays, ``2026-12-24/2026-12-27 holidays``: neither learned from nor judged.
    """

    window: str = "24h"
    history_days: float = 28.0
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How production is, and how it is likely to be.

    Attributes
    ----------
    workspace : Workspace
    production : Production
    board : StatusBoard
    golden : GoldenSignals
    slos : SloReport
    findings : AnomalyFindings
    accounting : IngestReport
    digest : str
        Of what was looked at, and of what was asked.
    """

    workspace: Workspace
    production: Production
    board: StatusBoard
    golden: GoldenSignals
    slos: SloReport
    findings: AnomalyFindings
    accounting: IngestReport
    digest: str

    @property
    def headline(self) -> Headline:
        """The answer first."""
        return write_headline(self.board, self.slos, self.findings)


def explore_health(
    workspace_path: str | Path, wish: HealthWish | None = None, *, engine: str = "polars"
) -> HealthReport:
    """Say how production is, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    wish : HealthWish, optional
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the window or another wish is not usable.
    NoDataError
        If nothing was recorded in the window.
    """
    asked = wish or HealthWish()
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    seen = observe(view, AnomalyWish(asked.window, history_days=asked.history_days, events=asked.events))
    golden = measure_golden_signals(seen.production)
    slos = measure_slos(seen.production, workspace.config.slos)
    return HealthReport(
        workspace=workspace,
        production=seen.production,
        board=build_status_board(golden, slos, seen.findings, seen.production),
        golden=golden,
        slos=slos,
        findings=seen.findings,
        accounting=account(workspace),
        digest=_digest(seen.production, asked),
    )


def measure_promises(view: LakeView, wish: HealthWish) -> SloReport:
    """Measure what was promised alone: what is burnt of the budgets, and what is foreseen.

    Raises
    ------
    ParameterError, NoDataError
    """
    promised = view.workspace.config.slos
    production = gather_production(
        view,
        window=choose_observed_window(view, wish.window),
        history_days=wish.history_days,
    )
    return measure_slos(production, promised)


def _digest(production: Production, wish: HealthWish) -> str:
    asked = [wish.history_days, list(wish.events)]
    return hashlib.sha256(orjson.dumps([production.digest, *asked])).hexdigest()
