"""What a localisation says: the causes with their figures, or that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from prodintel_lib.markup import four_digits, number, paragraph, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.analyses.localisation.candidates import Limits
    from prodintel_lib.analyses.localisation.cells import Worse

Verdict = Literal["localised", "everywhere", "nothing"]
SHOWN_P: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Cause:
    """A combination of attribute values that explains bad events.

    Attributes
    ----------
    attributes : dict
        Value by dimension, in the order of the dimensions.
    bad, total : int
    rate : float
        Bad / total.
    rate_elsewhere : float
        The rate at the same time outside of every cause; NaN where nothing is outside.
    rate_before : float
        The rate that the baseline makes of this traffic; NaN without a baseline.
    lift : float
        Rate over what it is compared with: `rate_before` with a baseline, `rate_elsewhere` without.
    low, high : float
        The 95 % interval of the lift.
    excess : float
        Bad events beyond those the compared rate makes; missing ones where a lowered rate is worse.
    coverage : float
        The share of the whole excess that it explains and that no cause before it does.
    p_value : float
        An upper bound of the chance of a combination like this anywhere, were nothing the matter.
    also : tuple of dict
        Other combinations of as many attributes or fewer that hold nearly the same events: the data cannot tell them
        apart.
    """

    attributes: dict[str, str]
    bad: int
    total: int
    rate: float
    rate_elsewhere: float
    rate_before: float
    lift: float
    low: float
    high: float
    excess: float
    coverage: float
    p_value: float
    also: tuple[dict[str, str], ...]

    def __str__(self) -> str:
        return _words(self.attributes)

    @property
    def also_said(self) -> str:
        """What the data cannot tell from it, in words; empty where there is nothing."""
        return " or ".join(_words(one) for one in self.also)


@dataclass(frozen=True, slots=True)
class Localisation:
    """The smallest attribute combinations that explain what went wrong.

    Attributes
    ----------
    verdict : {"localised", "everywhere", "nothing"}
        "everywhere": it became worse, and no combination more so than the rest; "nothing": no combination stands out,
        and with a baseline the whole is not worse either.
    causes : tuple of Cause
        The one with the most excess first.
    dimensions : tuple of str
        The attributes that were looked through.
    worse : {"higher", "lower"}
        Which direction of the rate is worse.
    has_baseline : bool
        Whether it was compared with a time before, or with everything else at the same time.
    bad, total : int
        Of all cells.
    expected : float
        Bad events to expect of the whole; NaN without a baseline.
    tested : int
        Combinations that occur, at most: what the p values are corrected for.
    limits : Limits
    """

    verdict: Verdict
    causes: tuple[Cause, ...]
    dimensions: tuple[str, ...]
    worse: Worse
    has_baseline: bool
    bad: int
    total: int
    expected: float
    tested: int
    limits: Limits

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        if self.causes:
            share = sum(cause.coverage for cause in self.causes)
            names = "; ".join(str(cause) for cause in self.causes)
            what = "the bad events" if not self.has_baseline else "the change"
            return f"{names} {'explains' if len(self.causes) == 1 else 'explain'} {100 * share:.0f} % of {what}."
        if self.verdict == "everywhere":
            return "It became worse everywhere: no combination of attributes more so than the rest."
        return f"No combination of {', '.join(self.dimensions)} stands out ({self.tested:,} looked at)."

    def to_frame(self) -> pl.DataFrame:
        """Return a row a cause, the attributes as one text."""
        rows = [
            (
                str(cause), len(cause.attributes), cause.bad, cause.total, cause.rate, cause.rate_elsewhere,
                cause.rate_before, cause.lift, cause.low, cause.high, cause.excess, cause.coverage, cause.p_value,
            )
            for cause in self.causes
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def _repr_html_(self) -> str:
        if not self.causes:
            return str(paragraph(self.summary))
        other = ("Before", "rate_before") if self.has_baseline else ("Elsewhere", "rate_elsewhere")
        rows = [
            [
                text(str(cause)),
                number(cause.bad),
                number(cause.total),
                percent(cause.rate),
                percent(getattr(cause, other[1])),
                text(f"{four_digits(cause.lift)} ({four_digits(cause.low)}-{four_digits(cause.high)})"),
                percent(cause.coverage, digits=0),
                text(f"< {SHOWN_P}" if cause.p_value < SHOWN_P else f"{cause.p_value:.4f}"),
                text(cause.also_said or None),
            ]
            for cause in self.causes
        ]
        headers = ["Where", "Bad", "n", "Rate", other[0], "Lift (95 % CI)", "Explains", "p", "Not to be told from"]
        caption = f"{self.tested:,} combinations of {', '.join(self.dimensions)} looked at; p is corrected for them."
        return str(paragraph(self.summary) + table(headers, rows, align="lrrrrrrrl", caption=caption))


_SCHEMA: Final = {
    "cause": pl.String,
    "attributes": pl.Int64,
    "bad": pl.Int64,
    "total": pl.Int64,
    "rate": pl.Float64,
    "rate_elsewhere": pl.Float64,
    "rate_before": pl.Float64,
    "lift": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "excess": pl.Float64,
    "coverage": pl.Float64,
    "p_value": pl.Float64,
}


def _words(attributes: dict[str, str]) -> str:
    return " and ".join(f"{name} = {value}" for name, value in attributes.items())
