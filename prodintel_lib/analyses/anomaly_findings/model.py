"""What was abnormal: findings with their evidence, and what was looked at where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
import polars as pl

from prodintel_lib.analyses.anomaly_findings.shown import (
    headline_of,
    plain_number,
    plain_rows,
    plain_share,
    show_details,
    show_finding,
    show_findings,
    sure_of,
)
from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.analyses.anomalies import Part, Scores, Severity
    from prodintel_lib.analyses.localisation import Localisation
    from prodintel_lib.analyses.production import SignalName, SignalSet
    from prodintel_lib.analyses.statistics import Proportion
    from prodintel_lib.windows import Window

FindingType = Literal[
    "ERROR_RATE_SPIKE",
    "LATENCY_DEGRADATION",
    "THROUGHPUT_DROP",
    "THROUGHPUT_SURGE",
    "CONVERSION_DROP",
    "USER_BEHAVIOR_ANOMALY",
    "FRONTEND_ERROR_SPIKE",
    "LOG_ERROR_SPIKE",
    "SATURATION",
    "METRIC_ANOMALY",
]
FindingUnit = Literal["share", "ms", "per_s", "value"]

MEMBERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "key": pl.String(),
    "signal": pl.String(),
    "grain": pl.String(),
    "service_name": pl.String(),
    "route": pl.String(),
    "region": pl.String(),
    "release": pl.String(),
    "metric_name": pl.String(),
    "start_us": pl.Int64(),
    "last_us": pl.Int64(),
    "detected_us": pl.Int64(),
    "value": pl.Float64(),
    "expected": pl.Float64(),
    "score": pl.Float64(),
    "points": pl.Int64(),
    "is_worse": pl.Boolean(),
}
CHANGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "change_id": pl.String(),
    "change_kind": pl.String(),
    "label": pl.String(),
    "service_name": pl.String(),
    "service_version": pl.String(),
    "time_us": pl.Int64(),
    "minutes_before": pl.Float64(),
    "relation": pl.String(),
}


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyFinding:
    """One thing that became abnormal, in as many series as it shows.

    Attributes
    ----------
    id : str
        ``AN-`` and ten hexadecimal digits of what it is: type, main series and start. The same data give the same id.
    type : FindingType
    title : str
        One line for people.
    start_us, end_us : int
        From the start of the first abnormal bucket to the end of the last, half-open, over the series of the main one's
        signal, of those that users feel where it is one. Others in `series` have times of their own.
    recurrences : tuple of Window
        When the same came again in its main series, at most as strongly, within the quiet hours.
    ongoing : bool
        Whether it still lasted in the last bucket recorded.
    detected_us : int
        The end of the first bucket at which one of those was above the threshold: when somebody could have known.
    service_name, route : str
        Of the main series; "" where it has none.
    origin_service : str
        The service at the far end of the calls among those of the finding, where failing began; "" where no request
        series belongs to it.
    signal : SignalName
        Of the main series.
    grain : str
        Of the main series: service, route, region, release, metric or journey.
    key : str
        The main series; a row of `series`.
    current, baseline : float
        In `unit`: within the finding, and in the time before it. NaN where a side was not recorded.
    low, high : float
        The 95 % interval of `current`; NaN where there is none.
    n, baseline_n : int
        Requests, sessions or points that the two figures are made of.
    unit : {"share", "ms", "per_s", "value"}
        ``share``: of `n`, 0 to 1; ``ms``: the percentile named in `measure`; ``per_s``: events a second; ``value``: the
        metric's own unit, named in `measure`.
    measure : str
        What the figures are, in words: ``requests that failed``, ``p95 of the duration``.
    magnitude : float
        Current over baseline for durations, rates and values; current less baseline for shares, -1 to 1. NaN where
        there is no baseline, infinite where it is 0.
    score : float
        The largest of its series, in the detector's unit.
    confidence : float
        The chance that it is real, 0 to 1, and why that much in `confidence_reason`.
    severity : {"low", "medium", "high", "critical"}
        With `severity_reason`.
    series : polars.DataFrame
        Columns of MEMBERS_SCHEMA: all series that belong to it, the main one first. ``value`` is that of the buckets at
        the threshold together, ``expected`` what was expected as they began, ``score`` the highest.
    affected_users, affected_sessions, affected_requests : Proportion or None
        Those that met a bad request in it, of those active meanwhile. None where it is not known: users and sessions
        until `locate` has read them.
    affected_routes : tuple of str
        Entry routes that had abnormal series of their own or, once located, bad requests beyond those before.
    places : Localisation or None
        What explains it among the attributes of the entry requests; None until located, or where nothing can be told.
    nearby_changes : polars.DataFrame
        Columns of CHANGES_SCHEMA, the likeliest first. ``relation``: ``same service``, ``called by it``, ``its caller``
        or ``elsewhere``.
    recommendation : str
        One sentence.
    explained : tuple of Part
        What made the main series' score where it was highest, largest first.
    """

    id: str
    type: FindingType
    title: str
    start_us: int
    end_us: int
    recurrences: tuple[Window, ...]
    ongoing: bool
    detected_us: int
    service_name: str
    route: str
    origin_service: str
    signal: SignalName
    grain: str
    key: str
    current: float
    baseline: float
    low: float
    high: float
    n: int
    baseline_n: int
    unit: FindingUnit
    measure: str
    magnitude: float
    score: float
    confidence: float
    confidence_reason: str
    severity: Severity
    severity_reason: str
    series: pl.DataFrame
    affected_users: Proportion | None
    affected_sessions: Proportion | None
    affected_requests: Proportion | None
    affected_routes: tuple[str, ...]
    places: Localisation | None
    nearby_changes: pl.DataFrame
    recommendation: str
    explained: tuple[Part, ...]

    @property
    def sure(self) -> str:
        """The confidence in words: nothing is ever certain."""
        return sure_of(self.confidence)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; what is not known or without end is null."""
        numbers = ("current", "baseline", "low", "high", "magnitude", "score", "confidence")
        plain = (
            "id", "type", "title", "start_us", "end_us", "ongoing", "detected_us", "service_name", "route",
            "origin_service", "signal", "grain", "key", "n", "baseline_n", "unit", "measure", "confidence_reason",
            "severity", "severity_reason", "recommendation",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: plain_number(getattr(self, name)) for name in numbers},
            "recurrences": [{"start_us": one.start_us, "end_us": one.end_us} for one in self.recurrences],
            "affected_users": plain_share(self.affected_users),
            "affected_sessions": plain_share(self.affected_sessions),
            "affected_requests": plain_share(self.affected_requests),
            "affected_routes": list(self.affected_routes),
            "series": plain_rows(self.series),
            "places": None if self.places is None else _plain_places(self.places),
            "nearby_changes": plain_rows(self.nearby_changes),
            "explained": [
                {
                    "name": part.name,
                    "score": plain_number(part.score),
                    "value": plain_number(part.value),
                    "expected": plain_number(part.expected),
                }
                for part in self.explained
            ],
        }

    def _repr_html_(self) -> str:
        return show_finding(self)


def _plain_places(places: Localisation) -> dict[str, Any]:
    return {"verdict": places.verdict, "summary": places.summary, "causes": plain_rows(places.to_frame())}


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSignals:
    """Series of one signal with their scores.

    Attributes
    ----------
    signals : SignalSet
        Over history and window.
    scores : Scores
        Of the same series, from a little before the window to its end.
    """

    signals: SignalSet
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyFindings:
    """What was found abnormal in a window, and what was looked at.

    Attributes
    ----------
    window, history : Window
        What was asked about, and what it was compared with.
    bucket_s : int
        Seconds a point stands for.
    detector : str
    threshold : float
        In `score_unit`.
    score_unit : str
    quiet_hours : float
        How long a series was held quiet after an event.
    series_scored, series_too_short : int
        Series of which a point of the window was scored, and those of which none was.
    points_scored : int
        Points of the window that have a score.
    chance_alarms : float
        Alarms that chance alone makes of as many points, if the scores are what they say; NaN where the score's unit
        does not say.
    findings : tuple of AnomalyFinding
        The severest first, then the earliest.
    alarms : polars.DataFrame
        Columns of MEMBERS_SCHEMA, ``finding_id`` ("" where it belongs to none) and ``reason`` (why it belongs to none):
        every stretch of a series beyond the threshold, by start.
    better : polars.DataFrame
        Columns of MEMBERS_SCHEMA: alarms for the better, which are no findings.
    scored : tuple of ScoredSignals
        The series of findings and those with the highest scores, with their scores.
    left_out : dict of str to int
        What is no part of a finding, by reason: stretches beyond the threshold, and series that were not scored.
    """

    window: Window
    history: Window
    bucket_s: int
    detector: str
    threshold: float
    score_unit: str
    quiet_hours: float
    series_scored: int
    series_too_short: int
    points_scored: int
    chance_alarms: float
    findings: tuple[AnomalyFinding, ...]
    alarms: pl.DataFrame
    better: pl.DataFrame
    scored: tuple[ScoredSignals, ...]
    left_out: Mapping[str, int]

    @property
    def first(self) -> AnomalyFinding | Note:
        """The severest finding, or a sentence where there is none."""
        return self.findings[0] if self.findings else Note(headline_of(self))

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        return headline_of(self)

    def finding(self, finding_id: str) -> AnomalyFinding:
        """Return a finding by its id.

        Raises
        ------
        ParameterError
            If there is none, with the ids there are.
        """
        found = next((one for one in self.findings if one.id == finding_id), None)
        if found is None:
            raise ParameterError.unknown("finding", finding_id, known=[one.id for one in self.findings])
        return found

    def chosen(self, finding_id: str = "") -> AnomalyFinding | None:
        """Return a finding by its id, the severest where none is named; None where nothing was found and none is named.

        Raises
        ------
        ParameterError
            If there is no finding with that id.
        """
        if finding_id:
            return self.finding(finding_id)
        return self.findings[0] if self.findings else None

    def details(self, most: int = 3) -> FindingDetails:
        """Return the first findings for showing in full."""
        return FindingDetails(self.findings[:most], headline_of(self))

    def to_dict(self) -> dict[str, Any]:
        """Return what was looked at and the findings as plain JSON values."""
        return {
            "window": {"start_us": self.window.start_us, "end_us": self.window.end_us},
            "history": {"start_us": self.history.start_us, "end_us": self.history.end_us},
            "bucket_s": self.bucket_s,
            "detector": self.detector,
            "threshold": self.threshold,
            "score_unit": self.score_unit,
            "quiet_hours": self.quiet_hours,
            "series_scored": self.series_scored,
            "series_too_short": self.series_too_short,
            "points_scored": self.points_scored,
            "chance_alarms": plain_number(self.chance_alarms),
            "alarms": self.alarms.height,
            "left_out": dict(self.left_out),
            "findings": self.to_dicts(),
        }

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the findings as plain JSON values."""
        return [one.to_dict() for one in self.findings]

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()

    def _repr_html_(self) -> str:
        return show_findings(self)


@dataclass(frozen=True, slots=True, eq=False)
class FindingDetails:
    """Some findings in full, or a sentence where there are none."""

    findings: tuple[AnomalyFinding, ...]
    otherwise: str

    def _repr_html_(self) -> str:
        return show_details(self.findings, self.otherwise)
