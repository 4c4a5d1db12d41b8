"""The Numenta Anomaly Benchmark: one configuration for all files, each point scored by what came before it."""

from __future__ import annotations

import csv
import importlib.util
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from prodintel_lib.analyses.anomalies import Combined, RobustZ, SeriesMatrix, ZScore, find_alarms, hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from prodintel_lib.analyses.anomalies import Scores

DETECTORS: Final = {"combined (the default)": Combined(), "z-score": ZScore(), "robust z-score": RobustZ()}
DEFAULT_THRESHOLDS: Final = {
    "combined (the default)": (3.0, 4.0, 5.0),
    "z-score": (3.0, 4.0, 6.0),
    "robust z-score": (3.0, 6.0, 10.0),
}
STANDARD: Final = "standard"


@dataclass(frozen=True, slots=True)
class File:
    """A file's rows as written, its series, and where its labelled windows are."""

    name: str
    timestamps: list[str]
    series: SeriesMatrix
    window: NDArray[np.int64]
    windows: int
    probation: int


def run(data: Path) -> Iterator[str]:
    """Score the files with each detector, as the benchmark does and as users would see it."""
    folder = data / "nab"
    scorer = _load_scorer(data.parent / "scorers" / "nab_score.py")
    files = [_read(folder, name, windows, scorer) for name, windows in sorted(_labels(folder).items())]
    yield f"nab, {len(files)} files, {sum(file.windows for file in files)} windows"
    for name, detector in DETECTORS.items():
        raw = [detector.score(file.series) for file in files]
        held = [hold(scores)[0] for scores in raw]
        yield from _official(name, folder, files, held, scorer)
        for threshold in DEFAULT_THRESHOLDS[name]:
            yield _as_users_see_it(name, files, raw, threshold)
        if detector is DETECTORS["combined (the default)"]:
            plain = [np.nan_to_num(scores.score[0]) for scores in raw]
            yield from _official(f"{name}, without the quiet period", folder, files, plain, scorer)


def _official(
    name: str, folder: Path, files: list[File], scores: list[NDArray[np.float64]], scorer: ModuleType
) -> list[str]:
    with tempfile.TemporaryDirectory() as results:
        for file, score in zip(files, scores, strict=True):
            path = Path(results) / file.name
            path.parent.mkdir(exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as out:
                rows = csv.writer(out)
                rows.writerow(["timestamp", "anomaly_score"])
                rows.writerows(zip(file.timestamps, score.tolist(), strict=True))
        lines = [
            f"  {name}, {profile}: {found['score']:.2f} at threshold {found['threshold']:.2f}, "
            f"{found['windows_hit']} of {found['windows']} windows, {found['fp_rows']} false alarms"
            for profile, found in scorer.score(folder, results).items()
        ]
        left_out = _leave_groups_out(scorer, *scorer.load(folder, results))
    return [*lines, f"  {name}, {STANDARD}, each group at the threshold best for the others: {left_out:.2f}"]


def _leave_groups_out(
    scorer: ModuleType,
    names: list[str],
    score: NDArray[Any],
    weight: NDArray[Any],
    window: NDArray[Any],
    file: NDArray[Any],
    windows: int,
) -> float:
    miss, false = scorer.PROFILES[STANDARD]
    groups = np.array([names[i].split("/")[0] for i in file])
    raw = 0.0
    for group in sorted(set(groups)):
        inside = groups == group
        own = len(set(window[inside & (window >= 0)]))
        _, threshold = scorer.sweep(*_renumbered(score, weight, window, ~inside), windows - own, miss, false)
        if own:
            raw += scorer.raw_at(*_renumbered(score, weight, window, inside), own, miss, false, threshold)
        else:
            raw += false * float(weight[inside & (score >= threshold)].sum())
    return float(100 * (raw + miss * windows) / ((1 + miss) * windows))


def _renumbered(
    score: NDArray[Any], weight: NDArray[Any], window: NDArray[Any], chosen: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    own = window[chosen]
    numbers = np.unique(own[own >= 0])
    return score[chosen], weight[chosen], np.where(own >= 0, np.searchsorted(numbers, own), -1)


def _as_users_see_it(name: str, files: list[File], scored: list[Scores], threshold: float) -> str:
    right = wrong = hit = 0
    days = 0.0
    for file, scores in zip(files, scored, strict=True):
        starts = [alarm.start_us for alarm in find_alarms(file.series, scores, threshold=threshold)]
        alarms = np.searchsorted(file.series.time_us, starts)
        inside = file.window[alarms[alarms >= file.probation]]
        right += int((inside >= 0).sum())
        wrong += int((inside < 0).sum())
        hit += len(set(inside[inside >= 0].tolist()))
        days += float(file.series.time_us[-1] - file.series.time_us[file.probation]) / 86_400e6
    windows = sum(file.windows for file in files)
    return (
        f"  {name}, as at threshold {threshold:g}: recall {hit / windows:.2f} ({hit} of {windows} windows), precision "
        f"{right / max(right + wrong, 1):.2f} ({right} of {right + wrong} alarms in a window), "
        f"{wrong / days:.3f} false alarms a day ({days:.0f} days)"
    )


def _labels(folder: Path) -> dict[str, list[list[str]]]:
    labels: dict[str, list[list[str]]] = json.loads((folder / "labels" / "combined_windows.json").read_text("utf-8"))
    return labels


def _read(folder: Path, name: str, windows: list[list[str]], scorer: ModuleType) -> File:
    with (folder / "data" / name).open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    timestamps = [row["timestamp"] for row in rows]
    seconds = np.array([scorer.canon(text) for text in timestamps], dtype="datetime64[s]").astype(np.int64)
    # Clocks were put back in some files: a row is never earlier than the one before it.
    index = np.arange(len(seconds))
    seconds = np.maximum.accumulate(seconds - index) + index
    values = np.array([[float(row["value"]) for row in rows]])
    _, window = scorer.weights([scorer.canon(text) for text in timestamps], windows)
    probation = int(min(0.15 * len(rows), 750))
    return File(
        name, timestamps, SeriesMatrix((name,), seconds * 1_000_000, values), window, len(windows), probation
    )  # fmt: skip


def _load_scorer(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("nab_score", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
