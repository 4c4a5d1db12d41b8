"""Golden signals and findings of given rows, for the board."""

from dataclasses import fields

import polars as pl

from prodintel_lib.analyses.anomaly_findings.model import AnomalyFinding, AnomalyFindings
from prodintel_lib.analyses.golden_signals import schemas
from prodintel_lib.analyses.golden_signals.model import (
    Baseline,
    ErrorSignals,
    GoldenSignals,
    LatencySignals,
    SaturationSignals,
    TrafficSignals,
)
from prodintel_lib.analyses.production import Production
from prodintel_lib.analyses.slos import SloReport, measure_slos
from prodintel_lib.windows import Window
from prodintel_lib.workspace import RouteSlo
from tests.analyses.slos.made import at, make_production, make_row

WINDOW = Window(at(288), at(576))
HISTORY = Window(at(0), at(288))
_BASELINE = Baseline("all of the time before", 288, 86_400.0)
_ALL = {"grain": "all", "service_name": "", "route": ""}


def latency_row(**given: object) -> dict[str, object]:
    usual = {"n": 1000, "p95_ms": 100.0, "history_p95_ms": 100.0, "verdict": "same", "judged_by": "p95"}
    return {**_ALL, **usual, "trend": "steady", **given}


def traffic_row(**given: object) -> dict[str, object]:
    usual = {"n": 1000, "rps": 10.0, "usual_rps": 10.0, "times_usual": 1.0, "verdict": "usual"}
    return {**_ALL, **usual, "trend": "steady", **given}


def errors_row(**given: object) -> dict[str, object]:
    usual = {"n": 1000, "failed": 2, "ratio": 0.002, "history_n": 1000, "history_ratio": 0.002, "trend": "steady"}
    return {**_ALL, **usual, "says": "", **given}


def saturation_row(**given: object) -> dict[str, object]:
    usual = {"key": "pool", "service_name": "shop", "resource": "connections", "level": 0.4, "history_level": 0.4}
    shares = {"watch_share": 0.0, "high_share": 0.0, "critical_share": 0.0}
    return {**usual, **shares, "n": 288, "risk": "ok", "trend": "steady", "says": "it does not rise", **given}


def golden_of(
    *,
    latency: list[dict[str, object]] | None = None,
    traffic: list[dict[str, object]] | None = None,
    errors: list[dict[str, object]] | None = None,
    saturation: list[dict[str, object]] | None = None,
) -> GoldenSignals:
    def frame(rows: list[dict[str, object]] | None, schema: dict[str, pl.DataType]) -> pl.DataFrame:
        return pl.DataFrame(rows or [], schema=schema)

    def empty(schema: dict[str, pl.DataType]) -> pl.DataFrame:
        return pl.DataFrame(schema=schema)

    return GoldenSignals(
        window=WINDOW,
        history=HISTORY,
        bucket_s=300,
        latency=LatencySignals(
            frame=frame(latency, schemas.LATENCY_SCHEMA),
            modes=empty(schemas.MODES_SCHEMA),
            splits=empty(schemas.SPLITS_SCHEMA),
            distribution=empty(schemas.DISTRIBUTION_SCHEMA),
            over_time=empty(schemas.LATENCY_TIME_SCHEMA),
            step_s=300,
            baseline=_BASELINE,
            places={},
            routes_left_out=0,
        ),
        traffic=TrafficSignals(
            frame=frame(traffic, schemas.TRAFFIC_SCHEMA),
            over_time=empty(schemas.TRAFFIC_TIME_SCHEMA),
            step_s=300,
            forecast=empty(schemas.FORECAST_SCHEMA),
            decomposition=empty(schemas.DECOMPOSITION_SCHEMA),
            profile=empty(schemas.PROFILE_SCHEMA),
            baseline=_BASELINE,
            interval_level=0.9,
            routes_left_out=0,
        ),
        errors=ErrorSignals(
            frame=frame(errors, schemas.ERRORS_SCHEMA),
            categories=empty(schemas.CATEGORIES_SCHEMA),
            over_time=empty(schemas.ERRORS_TIME_SCHEMA),
            step_s=300,
            baseline=_BASELINE,
            not_recorded=(),
            routes_left_out=0,
        ),
        saturation=SaturationSignals(
            frame=frame(saturation, schemas.SATURATION_SCHEMA),
            over_time=empty(schemas.SATURATION_TIME_SCHEMA),
            step_s=300,
            resources_left_out=0,
        ),
        digest="made",
    )


def finding_of(**given: object) -> AnomalyFinding:
    usual: dict[str, object] = {
        "id": "AN-0123456789",
        "type": "ERROR_RATE_SPIKE",
        "title": "Errors of GET /a rose",
        "start_us": at(560),
        "end_us": at(576),
        "ongoing": True,
        "service_name": "shop",
        "route": "GET /a",
        "signal": "error_ratio",
        "grain": "route",
        "key": "shop GET /a",
        "current": 0.4,
        "baseline": 0.002,
        "n": 500,
        "baseline_n": 9000,
        "unit": "share",
        "measure": "requests that failed",
        "confidence": 0.97,
        "confidence_reason": "far above the threshold",
        "severity": "high",
        "severity_reason": "users feel it",
        "affected_users": None,
        "affected_sessions": None,
        "affected_requests": None,
        "recommendation": "Look at the last change of shop.",
    }
    # The board reads none of the others.
    others = dict.fromkeys(field.name for field in fields(AnomalyFinding))
    return AnomalyFinding(**{**others, **usual, **given})


def findings_of(*findings: AnomalyFinding) -> AnomalyFindings:
    others = dict.fromkeys(field.name for field in fields(AnomalyFindings))
    looked_at = {
        "window": WINDOW,
        "history": HISTORY,
        "bucket_s": 300,
        "threshold": 4.0,
        "score_unit": "-log10 p",
        "series_scored": 41,
        "series_too_short": 2,
        "points_scored": 9000,
        "findings": findings,
    }
    return AnomalyFindings(**{**others, **looked_at})


def quiet_production() -> Production:
    rows = [make_row(at(bucket), "GET /a", 100) for bucket in range(576)]
    return make_production(rows, window=WINDOW, bucket_s=300)


def promises(*slos: RouteSlo) -> SloReport:
    return measure_slos(quiet_production(), slos, max_proposed_routes=0)
