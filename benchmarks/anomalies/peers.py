"""What two well-kept libraries of detectors cost for what they do the same: `--what peers`.

Neither is a dependency: where one cannot be imported the line says so, and the rest runs.
"""

from __future__ import annotations

import importlib
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.anomalies.cost import DAYS, POINTS, POINTS_A_DAY, make_block
from prodintel_lib.analyses.anomalies import Combined, IsolationForest, SeriesMatrix, find_alarms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

OURS_SERIES: Final = 500
PEER_SERIES: Final = 5
SCALED_TO: Final = 10_000
FIRST_DAYS: Final = 7
FOREST_SIGNALS: Final = 30
FOREST_TREES: Final = 100
PEERS: Final = {"ADTK": "adtk.detector", "PyOD": "pyod.models.iforest"}
LEVEL_WINDOW: Final = 72


def run() -> Iterator[str]:
    """Time each peer on a sample and ours on more, and give the ratio of the processor's seconds a series."""
    ours_s = _ours_s()
    yield (
        f"peers, combined with alarms: {1000 * ours_s:.1f} ms of the processor a series of {POINTS:,} points "
        f"({OURS_SERIES} series at once)"
    )
    for name, module in PEERS.items():
        try:
            with warnings.catch_warnings():
                # Whatever a peer's own dependencies deprecate is not ours to mend.
                warnings.simplefilter("ignore")
                peer = importlib.import_module(module)
        except ImportError as error:
            yield f"peers, {name}: not measured, {error}"
            continue
        yield from _adtk(peer, ours_s) if name == "ADTK" else _pyod(peer)


def _ours_s() -> float:
    series = make_block(0, OURS_SERIES)
    return _timed(lambda: find_alarms(series, Combined().score(series))) / OURS_SERIES


def _adtk(detectors: ModuleType, ours_s: float) -> Iterator[str]:
    """Give a detector a series at a time, as it wants them; the first ones only, since the cost is linear."""
    # Fitted once, they judge each point by what came after it as well; what they cost where that is not allowed is
    # the fit of every day anew.
    made: dict[str, Callable[[], Any]] = {
        "SeasonalAD, period of a day": lambda: detectors.SeasonalAD(freq=POINTS_A_DAY, side="both"),
        f"LevelShiftAD, window {LEVEL_WINDOW}": lambda: detectors.LevelShiftAD(window=LEVEL_WINDOW),
        f"PersistAD, window {LEVEL_WINDOW}": lambda: detectors.PersistAD(window=LEVEL_WINDOW),
    }
    frames = _pandas_series(make_block(0, PEER_SERIES))
    for name, make in made.items():
        try:
            once_s = _timed(partial(_fit_once, make, frames)) / len(frames)
            daily_s = _timed(partial(_fit_daily, make, frames)) / len(frames)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield f"peers, ADTK {name}: failed with these versions of pandas and numpy: {type(error).__name__}: {error}"
            continue
        yield (
            f"peers, ADTK {name}: {1000 * once_s:.0f} ms a series fitted once on all of it, {1000 * daily_s:.0f} ms "
            f"fitted each day on the days before, {daily_s * SCALED_TO / 3600:.1f} h for {SCALED_TO:,} series; ours "
            f"(four views, streaming) is {once_s / ours_s:.1f} and {daily_s / ours_s:.0f} times as fast"
        )


def _fit_once(make: Callable[[], Any], frames: list[Any]) -> None:
    for one in frames:
        make().fit_detect(one)


def _fit_daily(make: Callable[[], Any], frames: list[Any]) -> None:
    """Fit on what came before each day, from the eighth on, and judge the day after a day for the windows to fill."""
    for one in frames:
        for day in range(FIRST_DAYS, DAYS):
            detector = make()
            detector.fit(one.iloc[: day * POINTS_A_DAY])
            detector.detect(one.iloc[(day - 1) * POINTS_A_DAY : (day + 1) * POINTS_A_DAY])


def _pyod(models: ModuleType) -> Iterator[str]:
    """Fit and score one forest of the same size over the moments of the same signals."""
    series = make_block(0, FOREST_SIGNALS)
    half = POINTS // 2
    history, rest = _cut(series, 0, half), _cut(series, half, POINTS)
    ours_s = _timed(lambda: IsolationForest(trees=FOREST_TREES).fit(history).score(rest))
    forest = models.IForest(n_estimators=FOREST_TREES, random_state=0)
    peer_s = _timed(lambda: forest.fit(history.levels.T).decision_function(rest.levels.T))
    yield (
        f"peers, PyOD IForest, {FOREST_TREES} trees, {FOREST_SIGNALS} signals x {half:,} moments fitted, as many "
        f"scored: {peer_s:.2f} s; ours {ours_s:.2f} s ({peer_s / ours_s:.1f} times as fast; both are scikit-learn's)"
    )


def _cut(series: SeriesMatrix, first: int, end: int) -> SeriesMatrix:
    return SeriesMatrix(series.keys, series.time_us[first:end], series.values[:, first:end], kind=series.kind)


def _pandas_series(series: SeriesMatrix) -> list[Any]:
    import pandas as pd  # noqa: PLC0415 - only the peers want it

    times = pd.DatetimeIndex(series.time_us.astype("datetime64[us]"), freq="5min")
    return [pd.Series(row.copy(), index=times) for row in series.values]


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        work()
    return time.process_time() - begun
