"""Which signals are in the same traces, more often than requests of the same route would have them by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.statistics import Z95, Proportion, adjust_for_many
from prodintel_lib.errors import MissingColumnsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRACES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "signal": pl.String(),
    "trace_id": pl.String(),
    "time_us": pl.Int64(),
    "route": pl.String(),
    "sample_key": pl.Float64(),
}
"""A row for each time that a signal was seen in a trace. ``route`` is that of the request that entered; ``sample_key``
(trace_sample_key) is needed of signals whose traces are a sample, and may be null of others."""
STRATA_SCHEMA: Final[dict[str, pl.DataType]] = {"route": pl.String(), "traces": pl.Int64()}
"""How many traces of each route there were, with and without a signal."""
SHARED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "one": pl.String(),
    "other": pl.String(),
    "traces_both": pl.Int64(),
    "traces_one": pl.Int64(),
    "traces_other": pl.Int64(),
    "expected": pl.Float64(),
    "lift": pl.Float64(),
    "lift_low": pl.Float64(),
    "lift_high": pl.Float64(),
    "trace_p_value": pl.Float64(),
    "trace_q_value": pl.Float64(),
    "one_before": pl.Int64(),
    "other_before": pl.Int64(),
    "gap_ms": pl.Float64(),
    "leader": pl.String(),
}
MIN_SHARED: Final = 3
MIN_ORDER_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class SharedTraces:
    """Pairs of signals with a trace in common.

    Attributes
    ----------
    pairs : polars.DataFrame
        Columns of SHARED_SCHEMA, the least chance first; ``one < other`` by name. ``expected`` is how many traces they
        would share if each were spread over the traces of a route without regard to the other; ``lift`` is shared over
        expected, with its 95 % interval. ``one_before`` and ``other_before`` are the shared traces in which it was
        seen first, ``gap_ms`` the median time from the one to the other, ``leader`` the signal that comes first in
        clearly more than half of them (empty where neither does).
    pairs_tested : int
        All pairs of signals with traces, of which most share none.
    pairs_of_samples : int
        Pairs that could not be tested: both are samples that were not drawn by the same key.
    traces : int
        All traces of the strata.
    """

    pairs: pl.DataFrame
    pairs_tested: int
    pairs_of_samples: int
    traces: int


def trace_sample_key(column: str = "trace_id") -> pl.Expr:
    """Return where in [0, 1) a trace falls when traces are sampled: the number of its last eight hex digits.

    Two samples that keep the smallest keys hold the same traces below the smaller of their ends. The last digits are
    those that the W3C's Trace Context and OpenTelemetry's consistent sampling expect to be random. Null where the id
    is not of hex digits.
    """
    return pl.col(column).str.tail(8).str.to_integer(base=16, dtype=pl.Int64, strict=False) / 16**8


def find_shared_traces(
    traces: pl.DataFrame,
    *,
    strata: pl.DataFrame,
    sampled: frozenset[str] = frozenset(),
    families: dict[str, str] | None = None,
    focus: frozenset[str] | None = None,
) -> SharedTraces:
    """Test every pair of signals for more shared traces than independence within routes gives.

    Parameters
    ----------
    traces : polars.DataFrame
        ``signal, trace_id, time_us``, and, where known, the other columns of TRACES_SCHEMA.
    strata : polars.DataFrame
        Columns of STRATA_SCHEMA. Traces of routes that are not in it are left out.
    sampled : frozenset of str
        Signals whose traces are a sample: those with the smallest keys.
    families : dict of str to str, optional
        Signals of one family are not paired.
    focus : frozenset of str, optional
        Only pairs with one of these signals are tested; all where it is left out.

    Raises
    ------
    MissingColumnsError

    Notes
    -----
    Within a route the shared traces of two independent signals are hypergeometric; over routes their expectations add
    up, as in the test of Mantel and Haenszel (1959, J. Natl. Cancer Inst. 22:719). In the place of its normal
    approximation, which is far too sure of itself for rare errors, the p value is Hoeffding's bound (1956,
    doi:10.1214/aoms/1177728178): a hypergeometric count is a sum of independent trials of unlike chances (Vatutin and
    Mikhailov 1982, doi:10.1137/1127091), and the upper tail of such a sum is at most that of as many trials of their
    mean chance. It is exact to hold, for any counts. The interval of the lift takes the shared traces as Poisson
    (Byar's limits). Traces of one user are taken as independent.
    """
    for name, frame, needed in (
        ("traces", traces, ("signal", "trace_id", "time_us")),
        ("strata", strata, STRATA_SCHEMA),
    ):
        missing = [column for column in needed if column not in frame.columns]
        if missing:
            raise MissingColumnsError.in_table(name, missing=missing, available=frame.columns)
    frame = _first_seen(traces, strata)
    names = frame["signal"].unique().sort().to_list()
    ends = _ends(frame, sampled)
    wanted, comparable = _testable(names, ends, sampled, families or {}, focus)
    row, column = np.nonzero(wanted & comparable)
    allowed = pl.DataFrame(
        {"one": [names[at] for at in row], "other": [names[at] for at in column]},
        schema={"one": pl.String, "other": pl.String},
    )
    rows = _counted(_common(frame, allowed), frame, strata, ends)
    tested = allowed.height
    return SharedTraces(_judged(rows, tested), tested, int((wanted & ~comparable).sum()), int(strata["traces"].sum()))


def _testable(
    names: list[str],
    ends: dict[str, float | None],
    sampled: frozenset[str],
    families: dict[str, str],
    focus: frozenset[str] | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, for every two names, whether the pair is asked for, and whether its samples can be compared."""
    family = np.array([families.get(name, "") for name in names], dtype=np.str_)
    is_wanted = np.array([focus is None or name in focus for name in names], dtype=np.bool_)
    is_sample = np.array([name in sampled for name in names], dtype=np.bool_)
    is_keyless = np.array([ends[name] is None for name in names], dtype=np.bool_)
    apart = (family[:, None] != family[None, :]) | (family[:, None] == "")
    wanted = np.triu(apart & (is_wanted[:, None] | is_wanted[None, :]), k=1)
    unlike = is_sample[:, None] & is_sample[None, :] & (is_keyless[:, None] | is_keyless[None, :])
    return wanted, ~unlike


def _first_seen(traces: pl.DataFrame, strata: pl.DataFrame) -> pl.DataFrame:
    route = pl.col("route") if "route" in traces.columns else pl.lit("")
    key = pl.col("sample_key") if "sample_key" in traces.columns else pl.lit(None)
    return (
        traces.drop_nulls("trace_id")
        .select("signal", "trace_id", "time_us", route.fill_null("").alias("route"),
                key.cast(pl.Float64).alias("sample_key"))
        .group_by("signal", "trace_id")
        .agg(pl.col("time_us").min(), pl.col("route").max(), pl.col("sample_key").min())
        .join(strata.select("route"), on="route", how="semi")
        .sort("signal", "trace_id")
    )  # fmt: skip


def _ends(frame: pl.DataFrame, sampled: frozenset[str]) -> dict[str, float | None]:
    """Return the key up to which each signal is whole: 1 where it is no sample, None where that is not known."""
    highest = frame.group_by("signal").agg(
        pl.when(pl.col("sample_key").is_null().any()).then(None).otherwise(pl.col("sample_key").max()).alias("end")
    )
    found = dict(highest.select("signal", "end").iter_rows())
    return {name: end if name in sampled else 1.0 for name, end in found.items()}


def _common(frame: pl.DataFrame, allowed: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each trace that two signals of an allowed pair share."""
    sides = frame.select(
        "trace_id", "route", "sample_key", pl.col("signal").alias("one"), pl.col("time_us").alias("one_us")
    )
    others = frame.select("trace_id", pl.col("signal").alias("other"), pl.col("time_us").alias("other_us"))
    return sides.join(others, on="trace_id").join(allowed, on=["one", "other"], how="semi")


def _counted(
    common: pl.DataFrame, frame: pl.DataFrame, strata: pl.DataFrame, ends: dict[str, float | None]
) -> pl.DataFrame:
    """Count each pair within routes, both signals cut to the keys below which both are whole."""
    whole = {name: 1.0 if end is None else end for name, end in ends.items()}
    end = pl.min_horizontal(
        *(pl.col(side).replace_strict(whole, default=1.0, return_dtype=pl.Float64) for side in ("one", "other"))
    )
    within = (pl.col("sample_key") <= pl.col("end")).fill_null(value=True) | (pl.col("end") >= 1.0)
    shared = common.with_columns(end.alias("end")).filter(within)
    gap = pl.col("other_us") - pl.col("one_us")
    totals = shared.group_by("one", "other", "end").agg(
        pl.len().cast(pl.Int64).alias("traces_both"),
        (gap > 0).sum().cast(pl.Int64).alias("one_before"),
        (gap < 0).sum().cast(pl.Int64).alias("other_before"),
        (gap.median() / 1000).alias("gap_ms"),
    )
    sides = {side: _per_route(totals, frame, side) for side in ("one", "other")}
    cells = (
        sides["one"]
        .join(sides["other"], on=["one", "other", "route"], how="full", coalesce=True)
        .with_columns(pl.col("n_one", "n_other").fill_null(0))
        .join(strata.group_by("route").agg(pl.col("traces").sum()), on="route")
        .join(totals.select("one", "other", "end"), on=["one", "other"])
        .with_columns(pl.max_horizontal(pl.col("traces") * pl.col("end"), "n_one", "n_other", 1.0).alias("n"))
    )
    sums = cells.group_by("one", "other").agg(
        pl.col("n_one").sum().cast(pl.Int64).alias("traces_one"),
        pl.col("n_other").sum().cast(pl.Int64).alias("traces_other"),
        (pl.col("n_one") * pl.col("n_other") / pl.col("n")).sum().alias("expected"),
        pl.min_horizontal("n_one", "n_other").sum().cast(pl.Int64).alias("trials"),
    )
    return totals.join(sums, on=["one", "other"]).sort("one", "other")


def _per_route(totals: pl.DataFrame, frame: pl.DataFrame, side: str) -> pl.DataFrame:
    """Return how many traces of each route one side of a pair has, below the pair's key."""
    own = frame.select(pl.col("signal").alias(side), "route", "sample_key")
    within = (pl.col("sample_key") <= pl.col("end")).fill_null(value=True) | (pl.col("end") >= 1.0)
    ends = totals.select(side, "end").unique()
    counted = (
        ends.join(own, on=side)
        .filter(within)
        .group_by(side, "end", "route")
        .agg(pl.len().cast(pl.Int64).alias(f"n_{side}"))
    )
    return totals.select("one", "other", "end").join(counted, on=[side, "end"]).drop("end")


def _judged(rows: pl.DataFrame, tested: int) -> pl.DataFrame:
    from scipy.special import betainc  # noqa: PLC0415 - scipy costs half a second to import

    both, expected, trials = (
        rows[name].to_numpy().astype(np.float64) for name in ("traces_both", "expected", "trials")
    )
    chance = np.clip(expected / np.maximum(trials, 1), 0.0, 1.0)
    # The bound holds from one more than expected on.
    tail = np.where(both >= expected + 1, betainc(both, np.maximum(trials - both + 1, 1e-9), chance), 1.0)
    tail = np.where(both >= MIN_SHARED, tail, 1.0)
    q_values = adjust_for_many([*tail, *([1.0] * (tested - len(tail)))])[: len(tail)]
    low, high = _byar(both)
    scale = np.maximum(expected, 1e-12)
    leaders = [
        _leader(*row) for row in rows.select("one", "other", "one_before", "other_before", "traces_both").iter_rows()
    ]
    return (
        rows.with_columns(
            pl.Series("lift", both / scale, dtype=pl.Float64),
            pl.Series("lift_low", low / scale, dtype=pl.Float64),
            pl.Series("lift_high", high / scale, dtype=pl.Float64),
            pl.Series("trace_p_value", tail, dtype=pl.Float64),
            pl.Series("trace_q_value", q_values, dtype=pl.Float64),
            pl.Series("leader", leaders, dtype=pl.String),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in SHARED_SCHEMA.items())
        .sort("trace_p_value", "lift", "one", "other", descending=[False, True, False, False])
    )


def _leader(one: str, other: str, one_before: int, other_before: int, both: int) -> str:
    if Proportion.of(one_before, both).low > MIN_ORDER_SHARE:
        return one
    return other if Proportion.of(other_before, both).low > MIN_ORDER_SHARE else ""


def _byar(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Byar's limits of Poisson counts (Breslow and Day 1987, section 2.3)."""
    n = np.maximum(counts, 1e-9)
    low = n * np.maximum(0.0, 1 - 1 / (9 * n) - Z95 / (3 * np.sqrt(n))) ** 3
    high = (n + 1) * (1 - 1 / (9 * (n + 1)) + Z95 / (3 * np.sqrt(n + 1))) ** 3
    return np.where(counts > 0, low, 0.0), high
