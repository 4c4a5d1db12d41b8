"""Localisation: which attribute combinations explain an error, an anomaly or a drop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from prodintel_lib.analyses.localisation.candidates import Limits, Whole, count_tested
from prodintel_lib.analyses.localisation.cells import UNNAMED, read_cells
from prodintel_lib.analyses.localisation.model import Cause, Localisation
from prodintel_lib.analyses.localisation.scoring import evidence_of, fold_of, lift_interval, p_value_of
from prodintel_lib.analyses.localisation.search import find_explanation
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from prodintel_lib.analyses.localisation.cells import Cells, Worse
    from prodintel_lib.analyses.localisation.model import Verdict
    from prodintel_lib.analyses.localisation.search import Explanation

SAME_EVENTS: Final = 0.95
MAX_ALSO: Final = 3


def localise(
    cells: pl.DataFrame,
    *,
    dimensions: Sequence[str],
    bad: str = "bad",
    total: str = "total",
    baseline_bad: str | None = None,
    baseline_total: str | None = None,
    worse: Worse = "higher",
    max_attributes: int = 3,
    max_causes: int = 3,
    min_coverage: float = 0.1,
    min_contrast: float = 1.5,
    max_p: float = 0.01,
    dispersion: float = 1.0,
) -> Localisation:
    """Find the smallest attribute combinations that explain why a rate is worse.

    Parameters
    ----------
    cells : polars.DataFrame
        Counts by combination of attribute values: the `dimensions`, `bad`, `total`, and with a baseline
        `baseline_bad` and `baseline_total`. A null value counts and is never named. Rows may repeat.
    dimensions : sequence of str
        The attributes to look through.
    bad, total : str
        Columns of the events that went wrong and of all events, in the time that is explained. Where a success is
        counted instead (conversions), say ``worse="lower"``.
    baseline_bad, baseline_total : str, optional
        The same of a time before. With them a combination is compared with itself before, so that what was always so is
        not blamed; without them with everything else at the same time.
    worse : {"higher", "lower"}
        Which direction of bad / total is worse.
    max_attributes, max_causes : int
    min_coverage : float
        The share of the whole excess that a cause must explain itself.
    min_contrast : float
        How many times worse than the rest a cause must have become.
    max_p : float
        The largest p value, corrected for every combination that occurs.
    dispersion : float
        How many times the variance of counts exceeds that of independent events, 1 or more (history.fold_history
        measures it). A user who meets the same error ten times is not ten events.

    Returns
    -------
    Localisation

    Raises
    ------
    MissingColumnsError, ParameterError, NoDataError

    Notes
    -----
    All combinations are counted (at 3 attributes of 8: 92 tables); those that pass the thresholds enter a search for
    the set that explains the most with the fewest attributes and causes (search.find_explanation). To weigh how much of
    a change a part of the traffic explains against how surprising that part is comes from Adtributor (Bhagwan et al.,
    NSDI 2014), which looks at single attributes only; the score is another (scoring.strength_of), several causes are
    sought at once, and significance and an answer of "nothing" are added.

    Examples
    --------
    >>> import polars as pl
    >>> cells = pl.DataFrame({"browser": ["Safari", "Chrome"], "bad": [40, 10], "total": [400, 1000]})
    >>> localise(cells, dimensions=["browser"]).causes[0].attributes
    {'browser': 'Safari'}
    """
    limits = Limits(max_attributes, max_causes, min_coverage, min_contrast, max_p, dispersion)
    _check_limits(limits, worse)
    read = read_cells(
        cells,
        dimensions=dimensions,
        bad=bad,
        total=total,
        baseline_bad=baseline_bad,
        baseline_total=baseline_total,
        worse=worse,
    )
    tested = count_tested(read, max_attributes)
    min_evidence = dispersion * math.log(max(tested, 1) / max_p)
    found = find_explanation(read, limits=limits, min_evidence=min_evidence)
    causes = _describe(read, found, tested=tested, limits=limits)
    whole = Whole.of(read)
    return Localisation(
        verdict=_verdict(causes, whole, limits),
        causes=causes,
        dimensions=read.dimensions,
        worse=worse,
        has_baseline=read.expected is not None,
        bad=round(whole.bad),
        total=round(whole.total),
        expected=math.nan if whole.expected is None else whole.expected,
        tested=tested,
        limits=limits,
    )


def _check_limits(limits: Limits, worse: str) -> None:
    checks = (
        ("max_attributes", limits.max_attributes, limits.max_attributes >= 1, "1 or more"),
        ("max_causes", limits.max_causes, limits.max_causes >= 1, "1 or more"),
        ("min_coverage", limits.min_coverage, 0 < limits.min_coverage <= 1, "above 0 and at most 1"),
        ("min_contrast", limits.min_contrast, limits.min_contrast > 1, "above 1"),
        ("max_p", limits.max_p, 0 < limits.max_p < 1, "between 0 and 1"),
        ("dispersion", limits.dispersion, limits.dispersion >= 1, "1 or more"),
        ("worse", worse, worse in {"higher", "lower"}, "`higher` or `lower`"),
    )
    for name, value, is_right, expected in checks:
        if not is_right:
            raise ParameterError(f"`{name}` must be {expected}; got {value}.", hint=f"give a `{name}` {expected}.")


def _verdict(causes: tuple[Cause, ...], whole: Whole, limits: Limits) -> Verdict:
    if causes:
        return "localised"
    if whole.expected is None or whole.reference is None:
        return "nothing"
    every = [np.array([value]) for value in (whole.bad, whole.total, whole.expected, whole.reference)]
    evidence = float(evidence_of(every[0], every[1], every[2], every[3], whole.sign)[0])
    fold = float(fold_of(every[0], every[2], whole.sign)[0])
    is_worse = (
        fold >= limits.min_contrast and p_value_of(evidence, tested=1, dispersion=limits.dispersion) <= limits.max_p
    )
    return "everywhere" if is_worse else "nothing"


def _describe(cells: Cells, found: Explanation, *, tested: int, limits: Limits) -> tuple[Cause, ...]:
    """Measure each combination found, against all that is outside of every one."""
    masks = [cells.covered_by(codes) for codes in found.causes]
    earlier = np.zeros(len(cells.total), dtype=bool)
    outside = ~np.logical_or.reduce([earlier, *masks])
    causes = []
    for codes, mask in zip(found.causes, masks, strict=True):
        also = _find_alike(cells, codes, mask, found.pool)
        causes.append(_measure(cells, codes, mask, outside, mask & ~earlier, tested=tested, limits=limits, also=also))
        earlier |= mask
    sure = [cause for cause in causes if cause.p_value <= limits.max_p]
    return tuple(sorted(sure, key=lambda cause: (-cause.excess, str(cause))))


def _measure(
    cells: Cells,
    codes: NDArray[np.int32],
    mask: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    own: NDArray[np.bool_],
    *,
    tested: int,
    limits: Limits,
    also: tuple[dict[str, str], ...],
) -> Cause:
    bad, total = float(cells.bad[mask].sum()), float(cells.total[mask].sum())
    other_bad, other_total = float(cells.bad[outside].sum()), float(cells.total[outside].sum())
    elsewhere = other_bad / other_total if other_total else math.nan
    before = math.nan
    if cells.expected is not None and cells.reference is not None:
        before = float(cells.expected[mask].sum()) / total
        other_total = float(cells.reference[mask].sum())
        other_bad = before * other_total
    compared = other_bad / other_total if other_total else math.nan
    sides = [np.array([value]) for value in (bad, total, compared * total, other_total)]
    evidence = float(evidence_of(sides[0], sides[1], sides[2], sides[3], cells.sign)[0])
    lift, low, high = lift_interval(bad, total, other_bad, other_total, dispersion=limits.dispersion)
    own_excess = cells.sign * (float(cells.bad[own].sum()) - _expected_of(cells, own, compared))
    whole = Whole.of(cells).excess
    return Cause(
        attributes=_name(cells, codes),
        bad=round(bad),
        total=round(total),
        rate=bad / total,
        rate_elsewhere=elsewhere,
        rate_before=before,
        lift=lift,
        low=low,
        high=high,
        excess=cells.sign * (bad - compared * total),
        coverage=min(own_excess / whole, 1.0) if whole else 1.0,
        p_value=p_value_of(evidence, tested=tested, dispersion=limits.dispersion),
        also=also,
    )


def _expected_of(cells: Cells, rows: NDArray[np.bool_], rate: float) -> float:
    if cells.expected is None:
        return rate * float(cells.total[rows].sum())
    return float(cells.expected[rows].sum())


def _find_alike(
    cells: Cells, codes: NDArray[np.int32], mask: NDArray[np.bool_], rivals: NDArray[np.int32]
) -> tuple[dict[str, str], ...]:
    """Return other combinations, no longer than this one, that share nearly all events and all bad ones with it."""
    size = int((codes != UNNAMED).sum())
    alike = []
    for rival in rivals:
        if (rival != UNNAMED).sum() > size or (rival == codes).all():
            continue
        other = cells.covered_by(rival)
        both, either = mask & other, mask | other
        if all(counts[both].sum() >= SAME_EVENTS * counts[either].sum() for counts in (cells.bad, cells.total)):
            alike.append(_name(cells, rival))
    return tuple(alike[:MAX_ALSO])


def _name(cells: Cells, codes: NDArray[np.int32]) -> dict[str, str]:
    return {
        name: values[code]
        for name, values, code in zip(cells.dimensions, cells.values, codes.tolist(), strict=True)
        if code != UNNAMED
    }
