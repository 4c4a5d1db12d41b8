"""What is abnormal from end to end, as the notebook calls it: observe, find, locate, and build guards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.analyses.anomalies import detector_named, parse_events, parse_threshold
from prodintel_lib.analyses.anomaly_findings import find_anomalies, locate_all
from prodintel_lib.analyses.production import build_series, gather_production
from prodintel_lib.analyses.telemetry import LakeView, choose_window, open_view
from prodintel_lib.anomalies.headline import write_headline
from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.guards import build_guards
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.sources.ingest import account, ingest
from prodintel_lib.workspace import open_workspace

if TYPE_CHECKING:
    from prodintel_lib.analyses.anomaly_findings import AnomalyFindings
    from prodintel_lib.analyses.production import Production, SignalSet
    from prodintel_lib.headline import Headline
    from prodintel_lib.scenarios.guards import GuardSuite
    from prodintel_lib.sources.report import IngestReport
    from prodintel_lib.windows import Window
    from prodintel_lib.workspace import Workspace

TABLES_OF_SIGNALS: Final = ("spans", "metrics", "logs", "rum_events")


@dataclass(frozen=True, slots=True)
class AnomalyWish:
    """What is asked for.

    Attributes
    ----------
    window : str
        ``START/END``, or a length such as ``24h`` that ends with the last day that has rows.
    threshold : str
        What an alarm takes: ``3-sigma``, or a score of the detector; "" for the detector's own.
    detector : str
        One of anomalies.DETECTORS.
    history_days : float
        How long before the window is learned from, as far as it was recorded.
    quiet_hours : float
        That long after an event in a series, only a worse one is another.
    events : tuple of str
        Named events and holidays, ``2026-12-24/2026-12-27 holidays``: neither learned from nor judged.
    top : int
        Of how many findings guards are built.
    """

    window: str = "24h"
    threshold: str = ""
    detector: str = "combined"
    history_days: float = 28.0
    quiet_hours: float = 30.0
    events: tuple[str, ...] = ()
    top: int = 10

    def check(self) -> None:
        """Look whether the numbers can be meant.

        Raises
        ------
        ParameterError
            If not.
        """
        for name, value, least in (
            ("history_days", self.history_days, 0.0),
            ("quiet_hours", self.quiet_hours, 0.0),
            ("top", self.top, 0),
        ):
            if not value >= least:
                raise ParameterError(
                    f"`{name}` is at least {least:g}; got {value}.", hint="leave it out for the default."
                )


@dataclass(frozen=True, slots=True)
class Observation:
    """What production looked like, the series of it, and what of them is abnormal."""

    production: Production
    series: tuple[SignalSet, ...]
    findings: AnomalyFindings


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """The anomalies of a window, and the guards made of them.

    Attributes
    ----------
    workspace : Workspace
    observation : Observation
    guards : GuardSuite
    accounting : IngestReport
    digest : str
        Of what was looked at, and of what was asked.
    """

    workspace: Workspace
    observation: Observation
    guards: GuardSuite
    accounting: IngestReport
    digest: str

    @property
    def findings(self) -> AnomalyFindings:
        """What was abnormal, the severest first."""
        return self.observation.findings

    @property
    def headline(self) -> Headline:
        """The answer first."""
        return write_headline(self.findings, self.guards)


def explore_anomalies(
    workspace_path: str | Path, wish: AnomalyWish | None = None, *, engine: str = "polars"
) -> AnomalyReport:
    """Find what is abnormal in a workspace, after reading what is new among its sources.

    Parameters
    ----------
    workspace_path : str or Path
        The folder with prodintel.yaml.
    wish : AnomalyWish, optional
    engine : {"polars", "duckdb", "spark"}

    Raises
    ------
    ParameterError
        If the window, the threshold or another wish is not usable.
    NoDataError
        If nothing was recorded in the window.
    """
    asked = wish or AnomalyWish()
    workspace = open_workspace(Path(workspace_path))
    ingest(workspace)
    view = open_view(workspace, engine=engine)
    observation = observe(view, asked)
    guards = build_guards(
        view,
        observation.findings,
        observation.production,
        authorization=Authorization.of(workspace),
        most=asked.top,
    )
    return AnomalyReport(
        workspace=workspace,
        observation=observation,
        guards=guards,
        accounting=account(workspace),
        digest=_digest(observation.production, asked),
    )


def observe(view: LakeView, wish: AnomalyWish) -> Observation:
    """Read what production looked like in the window asked for, and find what was abnormal, for whom and where.

    Raises
    ------
    ParameterError, NoDataError
    """
    wish.check()
    detector = detector_named(wish.detector, events=parse_events(wish.events))
    threshold = parse_threshold(wish.threshold, detector.unit) if wish.threshold else None
    production = gather_production(
        view,
        window=choose_observed_window(view, wish.window),
        history_days=wish.history_days,
    )
    series = build_series(production)
    found = find_anomalies(production, series, detector=detector, threshold=threshold, quiet_hours=wish.quiet_hours)
    return Observation(production, series, locate_all(view, found, production))


def choose_observed_window(view: LakeView, asked: str) -> Window:
    """Return the window asked for; a length ends with the last day in which any signal was recorded."""
    return choose_window(view, asked, tables=TABLES_OF_SIGNALS)


def _digest(production: Production, wish: AnomalyWish) -> str:
    asked = [wish.threshold, wish.detector, wish.history_days, wish.quiet_hours, list(wish.events), wish.top]
    return hashlib.sha256(orjson.dumps([production.digest, *asked])).hexdigest()
