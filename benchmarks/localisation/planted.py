"""Traffic with planted causes: what is to be found is known, and sometimes there is nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DIMENSIONS: Final = ("device", "os", "browser", "version", "region", "release", "network", "plan")
SIZES: Final = {"device": 3, "os": 5, "browser": 6, "version": 8, "region": 10, "release": 3, "network": 4, "plan": 3}
FOLLOWS: Final = {"os": "device", "browser": "os", "version": "browser"}
"""An attribute's values lean on another's: a browser belongs to an operating system, a version to a browser."""
MIN_EXCESS: Final = 60.0
MIN_SHARE: Final = 0.15
MAX_TRIES: Final = 40
"""Then begin anew: beside a first cause that is very large no other can be seen."""


@dataclass(frozen=True, slots=True)
class Case:
    """A made set of cells and what was planted in it; both are left to the method to compare."""

    name: str
    cells: pl.DataFrame
    causes: tuple[dict[str, str], ...]
    has_baseline: bool


def make_cases(seed: int) -> Iterator[Case]:
    """Make every kind of case once: causes by attributes, with and without a baseline, little traffic, and none."""
    for has_baseline in (True, False):
        mode = "baseline" if has_baseline else "one time"
        for causes, attributes in product((1, 2, 3), (1, 2, 3)):
            yield make_case(
                f"{mode}: {causes} of {attributes}", seed, causes, attributes, has_baseline=has_baseline, events=30_000
            )
        yield make_case(f"{mode}: little traffic", seed, 1, 1, has_baseline=has_baseline, events=4_000)
        yield make_case(f"{mode}: none", seed, 0, 0, has_baseline=has_baseline, events=30_000)
        yield make_case(f"{mode}: none, little traffic", seed, 0, 0, has_baseline=has_baseline, events=4_000)
    yield make_case("baseline: everywhere", seed, 0, 0, has_baseline=True, events=30_000, everywhere=3.0)


def make_case(
    name: str, seed: int, causes: int, attributes: int, *, has_baseline: bool, events: int, everywhere: float = 1.0
) -> Case:
    """Make one case; the same arguments make the same."""
    chance = np.random.default_rng([seed, causes, attributes, int(has_baseline), events, int(everywhere * 10)])
    before, now = _draw_events(chance, 3 * events if has_baseline else 0), _draw_events(chance, events)
    # Without a time before, an attribute that is always a little worse cannot be told from a weak cause.
    effects = {name: np.exp(chance.normal(0, 0.3 if has_baseline else 0.05, size)) for name, size in SIZES.items()}
    level = chance.uniform(0.01, 0.04)
    usual = {when: _rate(events_, effects, level) for when, events_ in (("before", before), ("now", now))}
    planted = _plant(chance, now, usual["now"], causes, attributes)
    rate = usual["now"] * everywhere
    for _, mask, raised in planted:
        rate[mask] = np.maximum(rate[mask], raised)
    cells = _count(now, chance.random(events) < np.minimum(rate, 0.95))
    if has_baseline:
        past = _count(before, chance.random(3 * events) < usual["before"])
        past = past.rename({"bad": "baseline_bad", "total": "baseline_total"})
        cells = cells.join(past, on=DIMENSIONS, how="full", coalesce=True).fill_null(0).sort(DIMENSIONS)
    return Case(name, cells, tuple(cause for cause, _, _ in planted), has_baseline)


def _draw_events(chance: np.random.Generator, events: int) -> dict[str, NDArray[np.int64]]:
    """Draw values with a long tail; those of a leaning attribute are shifted by the one it leans on."""
    drawn: dict[str, NDArray[np.int64]] = {}
    for name in DIMENSIONS:
        weights = 1.0 / np.arange(1, SIZES[name] + 1)
        values = chance.choice(SIZES[name], size=events, p=weights / weights.sum())
        if name in FOLLOWS:
            leans = chance.random(events) < 0.7
            values = np.where(leans, (drawn[FOLLOWS[name]] * 2 + (values > 1)) % SIZES[name], values)
        drawn[name] = values
    return drawn


def _rate(
    events: dict[str, NDArray[np.int64]], effects: dict[str, NDArray[np.float64]], level: float
) -> NDArray[np.float64]:
    rate = np.full(len(events["device"]), level)
    for name, effect in effects.items():
        rate *= effect[events[name]]
    return np.minimum(rate, 0.5)


def _plant(
    chance: np.random.Generator,
    events: dict[str, NDArray[np.int64]],
    usual: NDArray[np.float64],
    causes: int,
    attributes: int,
) -> list[tuple[dict[str, str], NDArray[np.bool_], float]]:
    """Choose combinations that hold enough events for anybody to see, and no more than a third of the traffic."""
    planted: list[tuple[dict[str, str], NDArray[np.bool_], float]] = []
    size, tries = len(usual), 0
    while len(planted) < causes:
        tries += 1
        if tries % MAX_TRIES == 0:
            planted.clear()
        names = sorted(chance.choice(len(DIMENSIONS), size=attributes, replace=False))
        picked = int(chance.integers(size))
        cause = {DIMENSIONS[i]: int(events[DIMENSIONS[i]][picked]) for i in names}
        mask = np.logical_and.reduce([events[name] == value for name, value in cause.items()])
        raised = float(min(usual[mask].mean() * chance.uniform(5, 20), 0.7))
        excess = float((raised - usual[mask]).sum())
        others = [float((other_raised - usual[other]).sum()) for _, other, other_raised in planted]
        overlaps = any((mask & other).sum() > 0.2 * min(mask.sum(), other.sum()) for _, other, _ in planted)
        shares = np.array([*others, excess]) / sum([*others, excess])
        if excess >= MIN_EXCESS and mask.sum() <= size / 3 and not overlaps and shares.min() >= MIN_SHARE:
            planted.append(({name: f"{name}{value}" for name, value in cause.items()}, mask, raised))
    return planted


def _count(events: dict[str, NDArray[np.int64]], bad: NDArray[np.bool_]) -> pl.DataFrame:
    frame = pl.DataFrame(events).with_columns([pl.format(name + "{}", pl.col(name)).alias(name) for name in DIMENSIONS])
    return (
        frame.with_columns(pl.Series("bad", bad))
        .group_by(DIMENSIONS)
        .agg(pl.col("bad").sum().cast(pl.Int64), pl.len().cast(pl.Int64).alias("total"))
        .sort(DIMENSIONS)
    )
