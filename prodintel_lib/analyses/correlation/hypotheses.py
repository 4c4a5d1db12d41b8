"""Hypotheses worded from the evidence, with what speaks against them and what would refute them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.correlation.changes import BEGAN
from prodintel_lib.analyses.correlation.model import SHARED, Hypotheses, Hypothesis
from prodintel_lib.markup import four_digits
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAIRS: Final = 4
MAX_BEGINNINGS: Final = 4
WEAK: Final = 0.3
LABEL_CHARS: Final = 90
LIKELY_COINCIDENCE: Final = 0.05


def suggest(pairs: pl.DataFrame, began: pl.DataFrame, bucket_s: int, *, tested: int, has_traces: bool) -> Hypotheses:
    """Word what pairs and beginnings suggest, or say that they suggest nothing.

    Parameters
    ----------
    pairs : polars.DataFrame
        model.PAIRS_SCHEMA, those that passed, the strongest first.
    began : polars.DataFrame
        changes.BEGAN_SCHEMA.
    bucket_s : int
        The windows' width, seconds: nothing shorter can be told by time.
    tested : int
        How many pairs were tested, by time and by traces.
    has_traces : bool
        Whether shared traces could be looked for at all.

    Notes
    -----
    "Goes with" is all that time can say. Order in time within one request is said as what it is, not as a cause: what
    would refute a hypothesis is always an intervention or a later observation.
    """
    is_mixed = pl.col("first_kind") != pl.col("second_kind")
    rows = [*_telling(pairs.filter(is_mixed)), *_telling(pairs.filter(~is_mixed))]
    found = [
        *_of_beginnings(began.filter(pl.col("verdict") == BEGAN)),
        *(_of_pair(row, pairs, bucket_s, has_traces=has_traces) for row in rows),
    ]
    if found:
        return Hypotheses(tuple(found))
    if not tested:
        return Hypotheses((), "No two signals could be compared: too little was recorded of them.")
    return Hypotheses((), f"None of the {tested:,} pairs tested goes together beyond chance: there is no hypothesis.")


def _telling(pairs: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the strongest pairs, each of which names a signal that none before it does."""
    named: set[str] = set()
    kept: list[dict[str, Any]] = []
    for row in pairs.iter_rows(named=True):
        ends = {str(row["first"]), str(row["second"])}
        if not ends <= named and len(kept) < MAX_PAIRS:
            kept.append(row)
            named |= ends
    return kept


def _of_beginnings(began: pl.DataFrame) -> Iterator[Hypothesis]:
    """Word one hypothesis a change; what began first speaks for the others."""
    earliest = began.sort("onset_us", "p_value", "signal")
    for _, group in list(earliest.group_by("change_id", maintain_order=True))[:MAX_BEGINNINGS]:
        row = group.row(0, named=True)
        more = f" and {group.height - 1:,} more" if group.height > 1 else ""
        rates = (
            f"it came {four_digits(row['rate_ratio'])} times as often as before (95 % interval "
            f"{four_digits(row['low'])} to {four_digits(row['high'])}): {row['after_n']:,} of "
            f"{row['after_exposure']:,.0f} against {row['before_n']:,} of {row['before_exposure']:,.0f}"
        )
        yield Hypothesis(
            sentence=f"{_quoted(row['label'])}{more} began {_when(row['onset_after_s'])}: {row['change_label']}.",
            evidence_for=(rates,),
            evidence_against=tuple(_against_change(row)),
            would_refute="it stays as frequent once that change alone is undone, or is seen where it never was.",
            signals=tuple(group["signal"]),
            change_id=str(row["change_id"]),
        )


def _against_change(row: dict[str, Any]) -> Iterator[str]:
    yield from (part for part in str(row["against"]).split("; ") if part)
    if row["coincidence"] > LIKELY_COINCIDENCE:
        yield f"in {row['coincidence']:.0%} of such times a change would lie so close before it by chance"
    if row["alternatives"]:
        yield f"as near: {row['alternatives']}"


def _when(after_s: float) -> str:
    """Say when an onset was; one before the change lies in the same window, whose start stands for all of it."""
    return f"{format_duration(after_s)} after a change" if after_s > 0 else "in the same window as a change"


def _of_pair(row: dict[str, Any], pairs: pl.DataFrame, bucket_s: int, *, has_traces: bool) -> Hypothesis:
    first, second = _quoted(row["first_label"]), _quoted(row["second_label"])
    is_shared = row["evidence"] == SHARED
    sentence = _shared_sentence(row, first, second) if is_shared else _timed_sentence(row, first, second)
    refute = (
        f"requests in which {first} is brought about, and {second} does not follow more often than in others."
        if is_shared
        else f"a later time with as many windows in which {second} does not move with {first} at that lag, or {first} "
        f"brought about on purpose without {second}."
    )
    return Hypothesis(
        sentence=sentence,
        evidence_for=tuple(_for(row)),
        evidence_against=tuple(_against(row, pairs, bucket_s, has_traces=has_traces)),
        would_refute=refute,
        signals=(str(row["first"]), str(row["second"])),
    )


def _quoted(label: str) -> str:
    """Quote a label, shortened in its middle: messages that wrap each other differ at both ends."""
    if len(label) > LABEL_CHARS:
        label = f"{label[: LABEL_CHARS * 2 // 3].rstrip()} ... {label[-LABEL_CHARS // 3 :].lstrip()}"
    return f"`{label}`"


def _shared_sentence(row: dict[str, Any], first: str, second: str) -> str:
    both, before = int(row["traces_both"]), int(row["first_before"])
    if row["is_ordered"]:
        return f"{first} comes before {second} in the same requests: in {before:,} of the {both:,} that have both."
    return f"{first} and {second} happen in the same requests: {both:,} have both; which is first cannot be told."


def _timed_sentence(row: dict[str, Any], first: str, second: str) -> str:
    if row["strength"] < 0:
        return f"{second} falls when {first} rises{_lag(row, ', ')}."
    if row["is_ordered"]:
        return f"{first} goes with {second}, and leads by {_seconds(row)}."
    return f"{first} goes with {second}, within the same windows."


def _lag(row: dict[str, Any], glue: str) -> str:
    return f"{glue}{_seconds(row)} later" if row["is_ordered"] else ""


def _seconds(row: dict[str, Any]) -> str:
    return f"{row['lag_s']:g} s ({row['lag_low_s']:g} to {row['lag_high_s']:g})"


def _for(row: dict[str, Any]) -> Iterator[str]:
    if row["evidence"] == SHARED:
        yield (
            f"{row['traces_both']:,} traces have both, where {four_digits(row['traces_expected'])} were expected of "
            f"{row['traces_first']:,} and {row['traces_second']:,} on the same routes: {four_digits(row['lift'])} "
            f"times as many (95 % interval {four_digits(row['lift_low'])} to {four_digits(row['lift_high'])})"
        )
    if row["strength"] is not None:
        yield (
            f"what traffic, rhythm and their own past do not foretell moves together: correlation "
            f"{row['strength']:.2f} ({row['low']:.2f} to {row['high']:.2f}) over {row['n_windows']:,} windows"
        )


def _against(row: dict[str, Any], pairs: pl.DataFrame, bucket_s: int, *, has_traces: bool) -> Iterator[str]:
    is_shared = row["evidence"] == SHARED
    if not is_shared and not has_traces:
        yield "no traces were looked at: only time speaks for it"
    elif not is_shared and row["traces_both"]:
        yield f"traces do not show it: {row['traces_both']:,} have both, {four_digits(row['traces_expected'])} expected"
    elif not is_shared:
        yield "no trace has both: only time speaks for it"
    if is_shared and row["strength"] is None:
        yield "their courses over time do not show it"
    if not is_shared and not row["is_ordered"]:
        yield f"which is first cannot be told by windows of {bucket_s} s"
    elif is_shared and row["is_ordered"] and row["lag_high_s"] is not None and row["lag_high_s"] < 0:
        yield f"over time the order is the other way round, by {abs(row['lag_s']):g} s"
    if row["strength"] is not None and abs(row["strength"]) < WEAK:
        yield "it is weak: most of what the one does, the other does not show"
    common = _common_companion(row, pairs)
    if common:
        yield f"both also go with {common}, which comes before them: it may be behind both"


def _common_companion(row: dict[str, Any], pairs: pl.DataFrame) -> str:
    """Return the strongest signal that comes before both, if one does."""
    leads = pairs.filter("is_ordered")
    before = [
        leads.filter(pl.col("second") == row[side]).select("first", "first_label") for side in ("first", "second")
    ]
    both = before[0].join(before[1].select("first"), on="first", how="semi")
    return _quoted(both["first_label"][0]) if both.height else ""
