"""Series of running services: alarms against experts' labels, and alarms where nothing was wrong."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.anomalies import Combined, RobustZ, SeriesMatrix, ZScore, find_alarms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Scores

DETECTORS: Final = {
    "combined": (Combined(), (2.0, 3.0, 4.0, 5.0)),
    "z-score": (ZScore(), (3.0, 4.0, 6.0)),
    "robust z-score": (RobustZ(), (3.0, 6.0, 10.0)),
}
WEEK_US: Final = 7 * 86_400e6
PROBATION: Final = 0.15
SLACK_POINTS: Final = 3
"""An alarm may come that many points after an event's last label."""


def run_labelled(data: Path) -> Iterator[str]:
    """Score the labelled sets: events found, alarms outside of them, a set a line."""
    for folder in sorted((data / "ms-cloud-monitoring").iterdir()):
        paths = sorted(folder.glob("*.csv")) if folder.is_dir() else []
        if not paths:
            continue
        files = [_read_labelled(path) for path in paths]
        for name, (detector, thresholds) in DETECTORS.items():
            scored = [(detector.score(series), series, labels) for series, labels in files]
            for threshold in thresholds:
                counted = [_count(_alarms(series, one, threshold), labels) for one, series, labels in scored]
                events, found, right, wrong = (sum(column) for column in zip(*counted, strict=True))
                weeks = sum(_weeks(series) for series, _ in files)
                yield (
                    f"ms, {folder.name}, {len(files)} series, {name} at {threshold:g}: {found} of {events} events, "
                    f"{right} alarms in one, {wrong} elsewhere ({wrong / weeks:.2f} a series-week of {weeks:.0f})"
                )


def run_quiet(data: Path) -> Iterator[str]:
    """Count the alarms in PetShop's recording without an issue: all of them are false."""
    series = _read_petshop(data / "petshop" / "low_traffic" / "noissue" / "metrics.csv")
    weeks = _weeks(series) * len(series.keys)
    for name, (detector, thresholds) in DETECTORS.items():
        scores = detector.score(series)
        for threshold in thresholds:
            begun_us = int(series.time_us[_first(series)])
            alarms = [one for one in find_alarms(series, scores, threshold=threshold) if one.start_us >= begun_us]
            yield (
                f"petshop without issues, {len(series.keys)} series, {name} at {threshold:g}: {len(alarms)} alarms in "
                f"{len({one.key for one in alarms})} series ({len(alarms) / weeks:.2f} a series-week of {weeks:.0f})"
            )


def _alarms(series: SeriesMatrix, scores: Scores, threshold: float) -> NDArray[np.int64]:
    starts = [alarm.start_us for alarm in find_alarms(series, scores, threshold=threshold)]
    return np.searchsorted(series.time_us, starts).astype(np.int64)


def _count(alarms: NDArray[np.int64], labels: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return events, events with an alarm, alarms within an event, alarms elsewhere; after the probation."""
    first = int(PROBATION * len(labels))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], labels, [False]])))
    events = [(begin, end + SLACK_POINTS) for begin, end in edges.reshape(-1, 2).tolist() if begin >= first]
    alarms = alarms[alarms >= first]
    inside = np.array([any(begin <= alarm < end for begin, end in events) for alarm in alarms.tolist()], dtype=bool)
    found = sum(bool(((alarms >= begin) & (alarms < end)).any()) for begin, end in events)
    return len(events), found, int(inside.sum()), int((~inside).sum())


def _first(series: SeriesMatrix) -> int:
    return int(PROBATION * len(series.time_us))


def _weeks(series: SeriesMatrix) -> float:
    return float(series.time_us[-1] - series.time_us[_first(series)]) / WEEK_US


def _read_labelled(path: Path) -> tuple[SeriesMatrix, NDArray[np.bool_]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    times = [row["TimeStamp"].strip().rstrip("Z").replace("T", " ") for row in rows]
    time_us = np.array(times, dtype="datetime64[us]").astype(np.int64)
    values = np.array([float(row["Value"]) if row["Value"] else np.nan for row in rows])
    labels = np.array([row["Label"].strip() not in {"", "0"} for row in rows])
    order = np.unique(time_us, return_index=True)[1]
    return _on_grid(path.stem, time_us[order], values[order], labels[order])


def _on_grid(
    name: str, time_us: NDArray[np.int64], values: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[SeriesMatrix, NDArray[np.bool_]]:
    """Put the points on a regular grid, where what is missing is a gap."""
    step = int(np.median(np.diff(time_us)))
    at = np.round((time_us - time_us[0]) / step).astype(np.int64)
    row, flags = np.full(int(at[-1]) + 1, np.nan), np.zeros(int(at[-1]) + 1, dtype=np.bool_)
    row[at], flags[at] = values, labels
    grid = time_us[0] + step * np.arange(len(row), dtype=np.int64)
    return SeriesMatrix((name,), grid, row[None, :]), flags


def _read_petshop(path: Path) -> SeriesMatrix:
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    keys = tuple(" ".join(parts) for parts in zip(*(row[1:] for row in rows[:3]), strict=True))
    body = [row for row in rows[3:] if row[0].replace(".", "", 1).isdigit()]
    time_us = np.array([round(float(row[0]) * 1e6) for row in body], dtype=np.int64)
    values = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in body]).T
    step = int(np.median(np.diff(time_us)))
    at = np.round((time_us - time_us[0]) / step).astype(np.int64)
    grid = np.full((len(keys), int(at[-1]) + 1), np.nan)
    grid[:, at] = values
    return SeriesMatrix(keys, time_us[0] + step * np.arange(grid.shape[1], dtype=np.int64), grid)
