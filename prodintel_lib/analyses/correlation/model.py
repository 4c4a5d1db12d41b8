"""The result of a correlation: pairs with their evidence, beginnings, and hypotheses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.correlation.changes import BEGAN, BEGAN_SCHEMA
from prodintel_lib.markup import Markup, figure_text, number, paragraph, table, text

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "first": pl.String(),
    "second": pl.String(),
    "first_label": pl.String(),
    "second_label": pl.String(),
    "first_kind": pl.String(),
    "second_kind": pl.String(),
    "lag_s": pl.Float64(),
    "lag_low_s": pl.Float64(),
    "lag_high_s": pl.Float64(),
    "strength": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
    "n_windows": pl.Int64(),
    "traces_both": pl.Int64(),
    "traces_first": pl.Int64(),
    "traces_second": pl.Int64(),
    "traces_expected": pl.Float64(),
    "lift": pl.Float64(),
    "lift_low": pl.Float64(),
    "lift_high": pl.Float64(),
    "trace_p_value": pl.Float64(),
    "trace_q_value": pl.Float64(),
    "first_before": pl.Int64(),
    "gap_ms": pl.Float64(),
    "is_ordered": pl.Boolean(),
    "evidence": pl.String(),
    "verdict": pl.String(),
}
SHARED: Final = "shared traces"
TIME_ONLY: Final = "time only"
MAX_SHOWN: Final = 15


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the evidence suggests, no more than it says.

    Attributes
    ----------
    sentence : str
    evidence_for, evidence_against : tuple of str
    would_refute : str
        The observation or test that would show it wrong.
    signals : tuple of str
        The ids of the signals it speaks of, what comes first in front.
    change_id : str
        Of the change it speaks of; empty where it speaks of none.
    """

    sentence: str
    evidence_for: tuple[str, ...]
    evidence_against: tuple[str, ...]
    would_refute: str
    signals: tuple[str, ...] = ()
    change_id: str = ""


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Hypotheses, those with the stronger evidence first.

    Attributes
    ----------
    found : tuple of Hypothesis
    abstains : str
        A sentence that says why there is none; empty where there are some.
    """

    found: tuple[Hypothesis, ...]
    abstains: str = ""

    def to_dicts(self) -> list[dict[str, object]]:
        """Return them as plain JSON values."""
        return [asdict(one) for one in self.found]

    def _repr_html_(self) -> str:
        if not self.found:
            return str(paragraph(self.abstains))
        rows = [
            [text(one.sentence), _lines(one.evidence_for), _lines(one.evidence_against), text(one.would_refute)]
            for one in self.found
        ]
        return str(table(["Hypothesis", "For", "Against", "Would be refuted by"], rows))


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Which change which error began with.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of changes.BEGAN_SCHEMA.
    compared : bool
        Whether there were changes and counted signals to compare.
    """

    frame: pl.DataFrame
    compared: bool

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            said = (
                "No error's rate rose for certain after a change, by the traffic of its service."
                if self.compared
                else "There is no change to compare with."
            )
            return str(paragraph(said))
        rows = [
            [
                text(row["label"]),
                text(row["change_label"]),
                text(row["verdict"]),
                figure_text(number(row["rate_ratio"], digits=1), note=f"{row['low']:,.1f} to {row['high']:,.1f}"),
                figure_text(number(row["before_n"]), note=f"of {row['before_exposure']:,.0f}"),
                figure_text(number(row["after_n"]), note=f"of {row['after_exposure']:,.0f}"),
                text(row["against"] or None),
                text(row["alternatives"] or None),
            ]
            for row in self.frame.head(MAX_SHOWN).iter_rows(named=True)
        ]
        headers = ["Error", "Change", "Verdict", "Times as often", "Before", "After", "Against", "Other changes near"]
        return str(table(headers, rows, align="lllrrrll", caption=_more(self.frame, "errors and changes")))


@dataclass(frozen=True, slots=True)
class Correlations:
    """Which errors and signals go together, what they began with, and what that suggests.

    Attributes
    ----------
    pairs : polars.DataFrame
        Columns of PAIRS_SCHEMA: the pairs that passed, shared traces first, then by the weight of what speaks for them.

        - ``first`` leads by ``lag_s`` (95 % interval ``lag_low_s`` to ``lag_high_s``; below zero where traces and time
          disagree on who is first)
        - ``strength``: the correlation of what neither traffic, rhythm nor their own past foretold, with its interval
          and ``n_windows``
        - ``traces_*``, ``lift``: of shared_traces.SHARED_SCHEMA; ``first_before``: the shared traces in which the first
          came first; ``gap_ms``: the median time between them in a trace
        - ``is_ordered``: whether it can be told who is first: by the shared traces where they speak, else by the lag's
          interval

        What the kind of evidence that did not pass would say may be null.
    began : Beginnings
    hypotheses : Hypotheses
    bucket_s : int
    max_lag_s : float
        Lags were searched to either side up to it.
    windows : int
        Buckets.
    signals : polars.DataFrame
        ``signal, kind, label, service_name, family, n_windows``: those whose time course was tested.
    not_tested : mapping of str to int
        Signals left out, by reason.
    pairs_tested_in_time, pairs_tested_in_traces : int
        Among so many the false discoveries are controlled.
    pairs_of_samples : int
        Pairs whose traces could not be tested (shared_traces.SharedTraces).
    false_discovery_rate : float
        Over all pairs: each of the families of tests is given an equal part of it.
    rhythm : str
        Which rhythm was taken out.
    notes : tuple of str
        What was not done, and why.
    """

    pairs: pl.DataFrame
    began: Beginnings
    hypotheses: Hypotheses
    bucket_s: int
    max_lag_s: float
    windows: int
    signals: pl.DataFrame
    not_tested: dict[str, int]
    pairs_tested_in_time: int
    pairs_tested_in_traces: int
    pairs_of_samples: int
    false_discovery_rate: float
    rhythm: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of_nothing(cls, bucket_s: int) -> Correlations:
        """Return the result where nothing was recorded that could be compared."""
        return cls(
            pairs=pl.DataFrame(schema=PAIRS_SCHEMA),
            began=Beginnings(pl.DataFrame(schema=BEGAN_SCHEMA), compared=False),
            hypotheses=Hypotheses((), "Nothing was recorded of which the course could be compared with another."),
            bucket_s=bucket_s,
            max_lag_s=0.0,
            windows=0,
            signals=pl.DataFrame(),
            not_tested={},
            pairs_tested_in_time=0,
            pairs_tested_in_traces=0,
            pairs_of_samples=0,
            false_discovery_rate=0.0,
            rhythm="",
        )

    @property
    def began_with(self) -> pl.DataFrame:
        """The errors that rose after a change: columns of changes.BEGAN_SCHEMA."""
        return self.began.frame

    @property
    def answer(self) -> str:
        """One sentence: what goes together most clearly, or that nothing does."""
        if self.hypotheses.found:
            return self.hypotheses.found[0].sentence
        return self.hypotheses.abstains

    @property
    def beginnings(self) -> pl.DataFrame:
        """Only the errors that began with a change."""
        return self.began_with.filter(pl.col("verdict") == BEGAN)

    @property
    def caption(self) -> str:
        """What was tested, how, and what was left out."""
        left = "; ".join(f"{n:,} {reason}" for reason, n in self.not_tested.items())
        tested = (
            f"{self.pairs_tested_in_time:,} pairs tested in {self.windows:,} windows of {self.bucket_s} s, lags up to "
            f"{self.max_lag_s:,.0f} s; {self.pairs_tested_in_traces:,} by shared traces. False discovery rate "
            f"{self.false_discovery_rate:.0%}. {self.rhythm}"
        )
        parts = (tested, f"Signals not tested: {left}." if left else "", *self.notes)
        return " ".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        if self.pairs.is_empty():
            return str(paragraph(f"{self.hypotheses.abstains} {self.caption if self.windows else ''}".strip()))
        rows = [_row(row) for row in self.pairs.head(MAX_SHOWN).iter_rows(named=True)]
        headers = ["First and second", "Verdict, by", "Lag, s", "Strength", "Traces with both", "Lift"]
        caption = f"{self.caption} {_more(self.pairs, 'pairs')}".strip()
        return str(table(headers, rows, align="llrrrr", caption=caption))


def _row(row: dict[str, object]) -> list[Markup]:
    lag, strength, lift = (_ranged(row, *names) for names in (
        ("lag_s", "lag_low_s", "lag_high_s"), ("strength", "low", "high"), ("lift", "lift_low", "lift_high"),
    ))  # fmt: skip
    both = row["traces_both"]
    of = f"of {row['traces_first']:,} and {row['traces_second']:,}" if both is not None else ""
    return [
        Markup("{}<br>\N{RIGHTWARDS ARROW} {}").format(text(row["first_label"]), text(row["second_label"])),
        figure_text(text(row["verdict"]), note=row["evidence"]),
        lag,
        figure_text(strength, n=int(str(row["n_windows"]))) if row["n_windows"] is not None else strength,
        figure_text(text(both), note=of),
        lift,
    ]


def _ranged(row: dict[str, object], value: str, low: str, high: str) -> Markup:
    if row[value] is None:
        return text(None)
    figures = [number(float(str(row[name]))) for name in (value, low, high)]
    return Markup("{} <small>({} to {})</small>").format(*figures)


def _lines(sentences: Sequence[str]) -> Markup:
    return Markup("<br>").join(text(sentence) for sentence in sentences)


def _more(frame: pl.DataFrame, what: str) -> str:
    left = frame.height - MAX_SHOWN
    return f"{left:,} more {what} are in result.json." if left > 0 else ""
