"""Where errors are met: shares by route, release, browser and the like, against all traffic of the service."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from prodintel_lib.analyses.error_patterns.counts import OTHERS
from prodintel_lib.analyses.statistics import Proportion

CONTEXTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "attribute": pl.String(),
    "value": pl.String(),
    "rows": pl.Int64(),
    "share": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "traffic": pl.Int64(),
    "share_of_all": pl.Float64(),
    "ratio": pl.Float64(),
    "ratio_low": pl.Float64(),
    "ratio_high": pl.Float64(),
}
MIN_RATIO: Final = 2.0
MIN_COVERAGE: Final = 0.5
MOST_TRAFFIC: Final = 0.9
"""A value with this share of the traffic is no place an error could keep to."""

MIN_ROWS: Final = 10
TELLING: Final = ("release", "browser", "region")
"""What an error keeps to where it is not the users' doing. A route is where they were."""


def compare_contexts(parts: pl.DataFrame, traffic: pl.DataFrame, patterns: pl.DataFrame) -> pl.DataFrame:
    """Compare where each pattern is met with where its service's traffic is.

    Parameters
    ----------
    parts : polars.DataFrame
        ``pattern_id, attribute, value, rows``.
    traffic : polars.DataFrame
        Columns of rollups.error_traffic.TRAFFIC_PARTS_SCHEMA.
    patterns : polars.DataFrame
        ``pattern_id, service_name, unit, dispersion``; ``unit`` is null where the service's traffic is not known.

    Returns
    -------
    polars.DataFrame
        Columns of CONTEXTS_SCHEMA, most rows first within pattern and attribute:

        - ``share, low, high``: of the pattern's errors whose attribute is known, Wilson's 95 % interval
        - ``traffic, share_of_all``: null where the service's traffic does not say the attribute
        - ``ratio, ratio_low, ratio_high``: the rate here over the rate elsewhere; null where there is no elsewhere

    Notes
    -----
    The interval of the ratio is that of the logarithm of two Poisson rates' ratio, half an error added to both, its
    variance times the pattern's dispersion (see trend.compare_rates), Bonferroni over the values of one pattern.
    """
    from scipy.special import ndtri  # noqa: PLC0415 - scipy costs half a second to import

    known = parts.with_columns(pl.col("rows").sum().over("pattern_id", "attribute").alias("all_rows"))
    of_service = traffic.with_columns(
        pl.col("rows").sum().over("unit", "service_name", "attribute").alias("all_traffic")
    )
    joined = known.join(patterns, on="pattern_id").join(
        of_service.rename({"rows": "traffic"}), on=["unit", "service_name", "attribute", "value"], how="left"
    )
    x, n = pl.col("rows").cast(pl.Float64), pl.col("traffic").cast(pl.Float64)
    other_x, other_n = pl.col("all_rows") - x, pl.col("all_traffic") - n
    is_compared = n.is_not_null() & (other_n > 0)
    compared = pl.when(is_compared).then(1).otherwise(0).sum().over("pattern_id").clip(1)
    log_ratio = ((x + 0.5) / n).log() - ((other_x + 0.5) / other_n).log()
    error = (pl.col("dispersion") * (1 / (x + 0.5) + 1 / (other_x + 0.5))).sqrt()
    z_of = {count: float(ndtri(1 - 0.025 / count)) for count in joined.select(compared.alias("n"))["n"].unique()}
    figures = joined.with_columns(compared.replace_strict(z_of, return_dtype=pl.Float64()).alias("z")).with_columns(
        (n / pl.col("all_traffic")).alias("share_of_all"),
        pl.when(is_compared).then((x / n) / (other_x / other_n)).alias("ratio"),
        pl.when(is_compared).then((log_ratio - pl.col("z") * error).exp()).alias("ratio_low"),
        pl.when(is_compared).then((log_ratio + pl.col("z") * error).exp()).alias("ratio_high"),
    )
    shares = [Proportion.of(hits, every) for hits, every in figures.select("rows", "all_rows").iter_rows()]
    return (
        figures.with_columns(
            pl.Series("share", [part.share for part in shares], dtype=pl.Float64),
            pl.Series("low", [part.low for part in shares], dtype=pl.Float64),
            pl.Series("high", [part.high for part in shares], dtype=pl.Float64),
        )
        .select(CONTEXTS_SCHEMA.keys())
        .sort("pattern_id", "attribute", "rows", "value", descending=[False, False, True, False])
    )


def find_places(contexts: pl.DataFrame) -> dict[str, str]:
    """Say in words which release, browser or region a pattern keeps to; patterns that keep to none are left out.

    It keeps to a value that holds at least half of it, and meets it twice as often as the rest at the lower end of the
    interval; the value with the highest such end is named.
    """
    raised = contexts.filter(
        pl.col("attribute").is_in(list(TELLING))
        & (pl.col("value") != OTHERS)
        & (pl.col("rows") >= MIN_ROWS)
        & (pl.col("share") >= MIN_COVERAGE)
        & (pl.col("ratio_low") >= MIN_RATIO)
        & (pl.col("share_of_all") <= MOST_TRAFFIC)
    ).sort("pattern_id", "ratio_low", "attribute", "value", descending=[False, True, False, False])
    first = raised.unique("pattern_id", keep="first", maintain_order=True)
    return {row["pattern_id"]: _words(row) for row in first.iter_rows(named=True)}


def _words(row: dict[str, Any]) -> str:
    times = "nowhere else" if row["share"] == 1 else f"{row['ratio']:.1f} times as often as elsewhere"
    return (
        f"{row['attribute']} {row['value']}: {100 * row['share']:.0f} % of it and "
        f"{100 * row['share_of_all']:.0f} % of the traffic, {times}"
    )
