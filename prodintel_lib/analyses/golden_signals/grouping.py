"""The modes of every subject's durations, tested, and what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.golden_signals.cells import read_cells
from prodintel_lib.analyses.golden_signals.modality import REPLICAS, p_value_of_one_mode
from prodintel_lib.analyses.golden_signals.modes import find_modes, held_between, smooth_density, usual_bandwidth
from prodintel_lib.analyses.golden_signals.schemas import (
    ABOUT,
    DISTRIBUTION_SCHEMA,
    LATENCY_SCHEMA,
    MODES_SCHEMA,
    SPLITS_SCHEMA,
)
from prodintel_lib.analyses.golden_signals.splits import DIMENSIONS, find_split
from prodintel_lib.analyses.golden_signals.subjects import KEYS
from prodintel_lib.analyses.statistics import Proportion

if TYPE_CHECKING:
    from prodintel_lib.analyses.golden_signals.cells import Cells
    from prodintel_lib.analyses.golden_signals.modes import Mode
    from prodintel_lib.analyses.golden_signals.splits import Split
    from prodintel_lib.analyses.golden_signals.subjects import Subjects
    from prodintel_lib.analyses.localisation import Localisation

LEVEL: Final = 0.01
MIN_REQUESTS: Final = 100
MAX_CELLS: Final = 80
_SUMMARY: Final = {name: LATENCY_SCHEMA[name] for name in (*ABOUT, "modes", "modes_p", "split_by", "modes_say")}


@dataclass(frozen=True, slots=True)
class Groups:
    """The modes of all subjects.

    Attributes
    ----------
    summary : polars.DataFrame
        ABOUT, ``modes, modes_p, split_by, modes_say``.
    modes, splits, distribution : polars.DataFrame
        As LatencySignals.
    places : mapping of (service, route) to Localisation
    """

    summary: pl.DataFrame
    modes: pl.DataFrame
    splits: pl.DataFrame
    distribution: pl.DataFrame
    places: dict[tuple[str, str], Localisation]


def analyse_modes(subjects: Subjects, counts: pl.DataFrame, dispersion: pl.DataFrame, bucket_us: int) -> Groups:
    """Test the durations of each service and entry route for more than one mode, and say what tells the modes apart.

    Parameters
    ----------
    subjects : Subjects
    counts : polars.DataFrame
        KEYS, ``bin``, ``requests`` of the window.
    dispersion : polars.DataFrame
        KEYS and ``dispersion``.
    bucket_us : int

    Notes
    -----
    All entry requests together are a mixture of routes by nature, and are not tested.
    """
    summary, modes, splits, distribution = [], [], [], []
    places: dict[tuple[str, str], Localisation] = {}
    scatter = {row[: len(KEYS)]: row[-1] for row in dispersion.iter_rows()}
    held = counts.group_by(*KEYS, "bin").agg(pl.col("requests").sum()).sort(*KEYS, "bin")
    parts = held.partition_by(KEYS, as_dict=True)
    for key in subjects.about.filter(pl.col("grain") != "all").select(KEYS).iter_rows():
        part = parts.get(key)
        if part is None:
            continue
        n = int(part["requests"].sum())
        if n < MIN_REQUESTS:
            summary.append((*key, None, None, "", f"{n:,} requests are too few to tell modes from chance"))
            continue
        cells = read_cells(part["bin"].to_numpy(), part["requests"].to_numpy().astype(np.float64))
        p_value = p_value_of_one_mode(cells, n_effective=n / scatter.get(key, 1.0))
        found = find_modes(cells) if p_value <= LEVEL else ()
        split = _split(subjects, key, found, bucket_us, scatter.get(key, 1.0)) if found else None
        if split is not None:
            splits += [(*key, *row) for row in split.values.iter_rows()]
            if split.place is not None:
                places[key[1], key[2]] = split.place
        says = split.says if split is not None else ""
        kinds = 1 if split is None or split.is_of_time else len(found)
        summary.append((*key, kinds, p_value, says, _in_words(len(found), p_value, n)))
        modes += _mode_rows(key, found, cells, says)
        distribution += _distribution_rows(key, found, cells)
    return Groups(
        summary=pl.DataFrame(summary, schema=_SUMMARY, orient="row"),
        modes=pl.DataFrame(modes, schema=MODES_SCHEMA, orient="row"),
        splits=pl.DataFrame(splits, schema=SPLITS_SCHEMA, orient="row"),
        distribution=pl.DataFrame(distribution, schema=DISTRIBUTION_SCHEMA, orient="row"),
        places=places,
    )


def _split(
    subjects: Subjects, key: tuple[str, ...], found: tuple[Mode, ...], bucket_us: int, dispersion: float
) -> Split:
    extra = [name for name in DIMENSIONS if name != "path" and name in subjects.requests.columns]
    mine = [pl.col(name) == value for name, value in zip(KEYS, key, strict=True)]
    rows = subjects.of_window(subjects.rows("bin", *extra)).filter(*mine)
    counts = rows.group_by("bucket_us", "path", *extra, "bin").agg(pl.col("requests").sum()).collect()
    return find_split(counts, boundary=found[-1].low, bucket_us=bucket_us, dispersion=dispersion)


def _in_words(modes: int, p_value: float, n: int) -> str:
    tested = f"p {p_value:.3f}" if p_value > 1 / (REPLICAS + 1) else f"p at most {p_value:.3f}"
    if modes:
        return f"{modes} modes, {tested} of one mode only, {n:,} requests"
    if p_value <= LEVEL:
        return f"not of one mode ({tested}), but no two groups of a twentieth each are apart enough to name"
    return f"one mode is enough ({tested}, {n:,} requests)"


def _mode_rows(key: tuple[str, ...], found: tuple[Mode, ...], cells: Cells, says: str) -> list[tuple[object, ...]]:
    n = round(cells.n)
    rows: list[tuple[object, ...]] = []
    for number, mode in enumerate(found, start=1):
        share = Proportion.of(round(mode.n), n)
        ends = (float(np.exp(mode.peak)), float(np.exp(mode.low)), float(np.exp(mode.high)))
        rows.append((*key, number, *ends, share.hits, n, share.share, share.low, share.high, says))
    return rows


def _distribution_rows(key: tuple[str, ...], found: tuple[Mode, ...], cells: Cells) -> list[tuple[object, ...]]:
    """Lay out the cells, neighbours together where there are more than MAX_CELLS."""
    together = -(-len(cells.counts) // MAX_CELLS)
    edges = np.append(cells.edges[:-1][::together], cells.edges[-1])
    grid, density = smooth_density(cells, usual_bandwidth(cells))
    boundaries = [mode.high for mode in found[:-1]]
    rows: list[tuple[object, ...]] = []
    for low, high in pairwise(edges.tolist()):
        middle = (low + high) / 2
        ends = (float(np.exp(low)), float(np.exp(high)), float(np.exp(middle)))
        held = round(float(held_between(cells, low, high).sum()))
        rows.append(
            (*key, *ends, held, float(np.interp(middle, grid, density)), 1 + int(np.searchsorted(boundaries, middle)))
        )
    return rows
