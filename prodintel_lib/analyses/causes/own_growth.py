"""What each service added itself: its own time operation by operation, and which end of a slow call is to blame."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.frames import within
from prodintel_lib.analyses.signals import MATERIAL_CHANGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.windows import Window

MIN_DEVIATIONS: Final = 4.0
MIN_SPANS: Final = 3
LOG_FLOOR: Final = 0.25
_KEYS: Final = ("service_name", "operation", "callee")


@dataclass(frozen=True, slots=True)
class OwnGrowth:
    """The time that services added themselves in a window.

    Attributes
    ----------
    added_ms : mapping of str to float
        By service: what its operations took longer than before, summed over their spans.
    most : mapping of str to str
        By service: the operation that added the most.
    usual_ms : float
        What all operations together would have taken at the level before.
    """

    added_ms: Mapping[str, float]
    most: Mapping[str, str]
    usual_ms: float

    @property
    def total_ms(self) -> float:
        """What all services added."""
        return sum(self.added_ms.values())

    @property
    def materiality(self) -> float:
        """Return 1 where what was added is a fifth or more of what there always is, less in proportion below."""
        return min(1.0, self.total_ms / (MATERIAL_CHANGE * self.usual_ms)) if self.usual_ms > 0 else 1.0


def find_own_growth(own_time: pl.DataFrame, *, window: Window) -> OwnGrowth | None:
    """Compare the own time of every operation during the window with the same operation's before it.

    Parameters
    ----------
    own_time : polars.DataFrame
        rollups.own_time: ``bucket_us, service_name, operation, callee, spans, own_ms, own_log, own_log_squares``.
    window : Window
        The incident; everything earlier is what was usual.

    Returns
    -------
    OwnGrowth or None
        None where no operation was seen on both sides.

    Notes
    -----
    An operation counts where the mean of ``log(1 + own time)`` rose by a fifth or more and by four standard errors, the
    deviation of one span being that of the time before (at least a quarter): so a rare operation is not drowned by a
    change of the traffic's mix, and a few slow spans among many (a collector's pause) do not count for a change of the
    operation. How much it added is told by plain means.

    Time lost between a caller and a callee does not tell which of the two was slow. It is shared out in the ratio of
    what each loses per call with everybody: an end that is slow to all outweighs one that is slow to this one alone.
    """
    during = _sums(within(own_time.rename({"bucket_us": "time_us"}), window))
    before = _sums(own_time.filter(pl.col("bucket_us") < window.start_us))
    both = during.join(before, on=list(_KEYS), suffix="_before").filter(
        (pl.col("spans") >= MIN_SPANS) & (pl.col("spans_before") >= MIN_SPANS)
    )
    if both.is_empty():
        return None
    rows = both.with_columns(_added().alias("added_ms")).sort(*_KEYS)
    added: dict[str, float] = defaultdict(float)
    parts: dict[tuple[str, str], float] = defaultdict(float)
    for row in [*_own(rows), *_between(rows)]:
        added[row[0]] += row[2]
        parts[row[0], row[1]] += row[2]
    most = {name: max((ms, what) for (service, what), ms in parts.items() if service == name)[1] for name in added}
    usual_ms = (rows["own_ms_before"] / rows["spans_before"] * rows["spans"]).sum()
    return OwnGrowth(dict(added), most, float(usual_ms))


def _sums(own_time: pl.DataFrame) -> pl.DataFrame:
    return own_time.group_by(*_KEYS).agg(pl.col("spans", "own_ms", "own_log", "own_log_squares").sum())


def _added() -> pl.Expr:
    """Return the milliseconds that an operation added; 0 where it did not grow for sure."""
    n, n_before = pl.col("spans"), pl.col("spans_before")
    level = pl.col("own_log_before") / n_before
    spread = (pl.col("own_log_squares_before") / n_before - level * level).clip(lower_bound=LOG_FLOOR**2)
    rise = pl.col("own_log") / n - level
    error = (spread * (1 / n + 1 / n_before)).sqrt()
    has_grown = (rise >= math.log1p(MATERIAL_CHANGE)) & (rise >= MIN_DEVIATIONS * error)
    added = pl.col("own_ms") - pl.col("own_ms_before") / n_before * n
    return pl.when(has_grown & (added > 0)).then(added).otherwise(0.0)


def _own(rows: pl.DataFrame) -> list[tuple[str, str, float]]:
    own = rows.filter((pl.col("callee") == "") & (pl.col("added_ms") > 0))
    return list(own.select("service_name", "operation", "added_ms").iter_rows())


def _between(rows: pl.DataFrame) -> list[tuple[str, str, float]]:
    edges = (
        rows.filter(pl.col("callee") != "")
        .group_by("service_name", "callee", maintain_order=True)
        .agg(pl.col("spans").sum(), pl.col("added_ms").sum())
    )
    per_call = [
        {name: ms / spans for name, ms, spans in edges.group_by(end).agg(pl.col("added_ms", "spans").sum()).iter_rows()}
        for end in ("service_name", "callee")
    ]
    shared = []
    for caller, callee, _, added_ms in edges.filter(pl.col("added_ms") > 0).iter_rows():
        of_caller, of_callee = per_call[0][caller], per_call[1][callee]
        part = of_caller / (of_caller + of_callee)
        shared += [
            (caller, f"calls of {callee}", added_ms * part), (callee, f"calls by {caller}", added_ms * (1 - part))
        ]  # fmt: skip
    return shared
