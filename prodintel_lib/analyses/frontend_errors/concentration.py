"""Where an error keeps to: attribute values that meet it more often than their share of the traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frontend_errors.tally import CLIENT

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_RATIO: Final = 2.0
"""How many times as often as elsewhere an error must be met, at the lower end of the interval."""

MIN_COVERAGE: Final = 0.5
"""The share of the sessions with an error that the places it keeps to must hold."""

PARTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "dimension": pl.String(),
    "value": pl.String(),
    "hits": pl.Int64(),
    "sessions": pl.Int64(),
    "hit_share": pl.Float64(),
    "traffic_share": pl.Float64(),
    "ratio": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "is_raised": pl.Boolean(),
}


def compare_parts(hits: pl.DataFrame, visits: pl.DataFrame, *, dimensions: Sequence[str] = CLIENT) -> pl.DataFrame:
    """Compare how often each part of the traffic meets each pattern with how often all other parts do.

    Parameters
    ----------
    hits : polars.DataFrame
        ``pattern_id``, the dimensions and ``sessions``: sessions that met it.
    visits : polars.DataFrame
        The same of all sessions that could have met it; those that did included.
    dimensions : sequence of str
        An empty value is unknown: it counts as traffic and is not compared.

    Returns
    -------
    polars.DataFrame
        Columns of PARTS_SCHEMA, most hits first within pattern and dimension:

        - ``hits, sessions``; ``hit_share, traffic_share``: their shares of all of the pattern
        - ``ratio``: the rate here over the rate elsewhere; null where there is no elsewhere, infinite where nobody
          elsewhere met it
        - ``low, high``: its 95 % interval, corrected for the number of values compared of the pattern
        - ``is_raised``: whether ``low`` is MIN_RATIO at least

    Notes
    -----
    The interval is that of the logarithm of the ratio of two rates, Katz et al. (1978), doi:10.2307/2530610, method C,
    with half a session added to all four cells (Haldane's correction), Bonferroni over values.
    """
    return compare_sums(sum_parts(hits, dimensions=dimensions), sum_parts(visits, dimensions=dimensions))


def compare_sums(hits: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Compare the parts as compare_parts does, where sum_parts has been asked for both already."""
    joined = (
        visits.join(hits.rename({"sessions": "hits"}), on=["pattern_id", "dimension", "value"], how="left")
        .with_columns(pl.col("hits").fill_null(0))
        .join(_totals(hits, "all_hits"), on="pattern_id")
        .join(_totals(visits, "all_sessions"), on="pattern_id")
    )
    is_compared = (pl.col("value") != "") & (pl.col("sessions") < pl.col("all_sessions"))
    compared = is_compared.sum().over("pattern_id")
    x, n = pl.col("hits").cast(pl.Float64), pl.col("sessions").cast(pl.Float64)
    other_x, other_n = pl.col("all_hits") - x, pl.col("all_sessions") - n
    log_ratio = ((x + 0.5) / (n + 0.5)).log() - ((other_x + 0.5) / (other_n + 0.5)).log()
    error = (1 / (x + 0.5) - 1 / (n + 0.5) + 1 / (other_x + 0.5) - 1 / (other_n + 0.5)).clip(lower_bound=0.0).sqrt()
    figures = joined.filter(pl.col("value") != "").with_columns(
        (x / pl.col("all_hits")).alias("hit_share"),
        (n / pl.col("all_sessions")).alias("traffic_share"),
        pl.when(other_n > 0).then((x / n) / (other_x / other_n)).alias("ratio"),
        compared.alias("compared"),
    )
    z = figures["compared"].map_elements(_bonferroni_z, return_dtype=pl.Float64())
    figures = figures.with_columns(pl.Series("z", z))
    bounds = [
        pl.when(other_n > 0).then((log_ratio + side * pl.col("z") * error).exp()).alias(name)
        for name, side in (("low", -1.0), ("high", 1.0))
    ]
    return (
        figures.with_columns(bounds)
        .with_columns((pl.col("low") >= MIN_RATIO).fill_null(value=False).alias("is_raised"))
        .select(PARTS_SCHEMA.keys())
        .sort("pattern_id", "dimension", "hits", "sessions", "value", descending=[False, False, True, True, False])
    )


def find_concentrations(parts: pl.DataFrame) -> pl.DataFrame:
    """Find, for each pattern, the attribute it keeps to the most.

    Parameters
    ----------
    parts : polars.DataFrame
        As compare_parts makes it; only the dimensions that may be named.

    Returns
    -------
    polars.DataFrame
        ``pattern_id, dimension, values, hit_share, traffic_share, ratio, low``, only patterns of whose hits raised
        values of one dimension hold MIN_COVERAGE; ``ratio`` and ``low`` are of the value with the most hits. The
        dimension with the largest ``low`` is taken, the smallest share of traffic deciding ties.
    """
    raised = parts.filter(pl.col("is_raised")).group_by("pattern_id", "dimension", maintain_order=True).agg(
        pl.col("value").str.join(", ").alias("values"),
        pl.col("hit_share", "traffic_share").sum(),
        pl.col("ratio").first(),
        pl.col("low").first(),
    )  # fmt: skip
    return (
        raised.filter(pl.col("hit_share") >= MIN_COVERAGE)
        .sort("pattern_id", "low", "traffic_share", "dimension", descending=[False, True, False, False])
        .unique("pattern_id", keep="first", maintain_order=True)
    )


def sum_parts(frame: pl.DataFrame, *, by: str = "pattern_id", dimensions: Sequence[str] = CLIENT) -> pl.DataFrame:
    """Sum sessions by each dimension: ``dimension, value, sessions`` for each value of the column `by`."""
    return pl.concat(
        [
            frame.group_by(by, pl.col(name).alias("value"))
            .agg(pl.col("sessions").sum())
            .select(by, pl.lit(name).alias("dimension"), "value", "sessions")
            for name in dimensions
        ]
    )


def _totals(sums: pl.DataFrame, name: str) -> pl.DataFrame:
    # Each dimension divides all sessions, so any one of them adds up to all.
    one = sums.filter(pl.col("dimension") == pl.col("dimension").first())
    return one.group_by("pattern_id").agg(pl.col("sessions").sum().alias(name))


def _bonferroni_z(compared: int) -> float:
    from scipy.special import ndtri  # noqa: PLC0415 - scipy costs half a second to import

    return float(ndtri(1 - 0.025 / max(1, compared)))
