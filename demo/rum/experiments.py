"""Who was shown which variant of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from demo.rum.population import Population

SOURCE: Final = "experiments"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A flag with two variants, given to half of the visitors each."""

    key: str
    control: str
    treatment: str


# The first is the one that has an effect where that is planted; the second never has.
EXPERIMENTS: Final = (
    Experiment("checkout-in-one-piece", "separate", "one-piece"),
    Experiment("blue-buttons", "green", "blue"),
)


def make_exposures(population: Population, sessions: pl.DataFrame, first: int) -> pl.DataFrame:
    """Return an exposure of each experiment for each visitor, at the beginning of their first session of the time.

    Parameters
    ----------
    population : Population
    sessions : polars.DataFrame
        ``visitor_id, session_id, user_id`` of the part's sessions, in their order.
    first : int
        The part's first session.
    """
    last = first + sessions.height
    is_first = population.is_first[first:last]
    shown = sessions.select("visitor_id", "session_id", "user_id").with_columns(
        pl.Series("time_us", population.start_us[first:last])
    )
    treated = population.visitor_in_treatment[population.visitor[first:last]]
    frames = [
        shown.with_columns(
            pl.lit(SOURCE).alias("source"),
            pl.lit(experiment.key).alias("feature_flag_key"),
            pl.when(pl.Series(treated[:, number]))
            .then(pl.lit(experiment.treatment))
            .otherwise(pl.lit(experiment.control))
            .alias("feature_flag_result_variant"),
        ).filter(pl.Series(is_first))
        for number, experiment in enumerate(EXPERIMENTS)
    ]
    return pl.concat(frames)
