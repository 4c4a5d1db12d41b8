"""What experiments did to conversion: visitors by the variant shown, and whether their shares can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.matched import compare_matched, two_sided_p
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.engines import collect
from prodintel_lib.markup import DASH, Tone, figure_text, number, paragraph, percent, table, text, tone
from prodintel_lib.rollups.shown_variants import SHOWN_KEYS, SHOWN_SCHEMA, build_shown_variants
from prodintel_lib.tables import EXPOSURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prodintel_lib.analyses.journeys.passes import Part
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.windows import Window

MAX_P: Final = 0.01
"""Of a difference that is believed, times the number of comparisons: the chance that any of all of them is none."""

MIN_VISITORS: Final = 30
"""Of a variant with fewer nothing is said."""

RATIO_P: Final = 0.001
"""Below this, shares of visitors are not what they were meant to be; small, since the check is made of every one."""

MIN_EXPECTED: Final = 5.0
RAISES: Final = "raises conversion"
LOWERS: Final = "lowers conversion"
NO_DIFFERENCE: Final = "no difference shown"
TOO_FEW: Final = "too few to say"
NOT_COMPARABLE: Final = "not comparable: who was shown it differs by client"
_TONES: Final[dict[str, Tone]] = {RAISES: "good", LOWERS: "bad", NOT_COMPARABLE: "warn"}
_CLIENT: Final = ("device_type", "browser_name")
EXPERIMENT_KEYS: Final = ("feature_flag_key", "variant", *_CLIENT)


@dataclass(frozen=True, slots=True)
class Shown:
    """Who was shown what in a window.

    Attributes
    ----------
    visitors : polars.DataFrame
        ``feature_flag_key, variant, first_us`` and ``visitor``, a hash of the visitor's id; of visitors that were shown
        one variant only.
    crossed : polars.DataFrame
        ``feature_flag_key, crossed``: visitors that were shown several, and are left out.
    """

    visitors: pl.DataFrame
    crossed: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Experiments:
    """Conversion by experiment and variant.

    Attributes
    ----------
    variants : polars.DataFrame
        One row an experiment and variant, in alphabetical order:

        - ``feature_flag_key, variant``; ``base``: the variant it is compared with, the first by the alphabet
        - ``shown``: visitors that were shown it and nothing else; ``visitors``: of them, those that were seen from then
          on; ``converted``: of these; ``conversion, low, high`` with its 95 % interval
        - ``difference, difference_low, difference_high``: of conversion, to the base; ``p_adjusted``: its p value
          times the number of comparisons; ``verdict``. All null for the base itself
    checks : polars.DataFrame
        One row an experiment: ``feature_flag_key, crossed`` (visitors shown several variants, left out), ``equal_p``
        (of equal shares of visitors) and ``client_p`` (of the same shares on every device and browser).
    """

    variants: pl.DataFrame
    checks: pl.DataFrame

    def _repr_html_(self) -> str:
        if self.variants.is_empty():
            return str(paragraph("No experiment was recorded: the table `exposures` holds nothing of this time."))
        rows = [
            [
                text(row["feature_flag_key"]),
                text(row["variant"]),
                number(row["visitors"]),
                figure_text(percent(row["conversion"], digits=2), note=_points(row["low"], row["high"])),
                _difference(row),
                DASH if row["verdict"] is None else tone(row["verdict"], _TONES.get(row["verdict"], "soft")),
            ]
            for row in self.variants.iter_rows(named=True)
        ]
        headers = [
            "Experiment",
            "Variant",
            "Visitors",
            "Conversion (95 % CI)",
            "Difference, points (95 % CI)",
            "Verdict",
        ]
        caption = (
            "Visitors by what they were shown, and whether any of their sessions converted from then on. "
            f"A difference is one whose p value, times the number of all comparisons, is at most {MAX_P:g}."
        )
        checks = [text(self._checked(row)) for row in self.checks.iter_rows(named=True)]
        return str(table(headers, rows, align="llrrrl", caption=caption)) + "".join(str(paragraph(c)) for c in checks)

    def _checked(self, row: dict[str, Any]) -> str:
        """Say whether the shares of visitors are what random assignment makes them."""
        said = [f"{row['feature_flag_key']}:"]
        if row["client_p"] is not None and row["client_p"] < RATIO_P:
            said.append(
                f"the variants' shares differ between devices or browsers (p {row['client_p']:.1g}): visitors were "
                "lost or assigned by client, and no difference is believed;"
            )
        if row["equal_p"] < RATIO_P:
            said.append(
                f"shares of visitors are not equal (p {row['equal_p']:.1g}): right only if they were not meant to be;"
            )
        else:
            said.append(f"shares of visitors are equal but for chance (p {row['equal_p']:.2f});")
        said.append(f"{row['crossed']:,} visitors were shown several variants and are left out.")
        return " ".join(said)


def find_shown(view: LakeView, window: Window) -> Shown:
    """Read who was shown which variant of what within a window."""
    exposures = view.workspace.scan(EXPOSURES.name, window=window, engine=view.engine)
    shown = collect(build_shown_variants(exposures), schema=SHOWN_SCHEMA, sort_by=SHOWN_KEYS)
    crosses = pl.col("variant") != pl.col("other_variant")
    crossed = shown.group_by("feature_flag_key").agg(crosses.sum().cast(pl.Int64).alias("crossed"))
    visitors = shown.filter(~crosses).select(
        "feature_flag_key", "variant", "first_us", pl.col("visitor_id").hash().alias("visitor")
    )
    return Shown(visitors, crossed.sort("feature_flag_key"))


def tally_experiments(part: Part, shown: Shown) -> pl.DataFrame:
    """Count the visitors of a part by what they were shown.

    Returns
    -------
    polars.DataFrame
        ``feature_flag_key, variant, device_type, browser_name, visitors, converted``; of disjoint visitors these add
        up. The client is that of the first session after the exposure.
    """
    sessions = part.sessions.select(
        pl.col("visitor_id").hash().alias("visitor"), "start_us", "end_us",
        pl.col("converted").fill_null(value=False), *(pl.col(name).fill_null("") for name in _CLIENT),
    )  # fmt: skip
    seen = sessions.join(shown.visitors, on="visitor").filter(pl.col("end_us") >= pl.col("first_us")).sort("start_us")
    people = seen.group_by("feature_flag_key", "variant", "visitor").agg(
        pl.col(_CLIENT).first(), pl.col("converted").any()
    )
    return people.group_by(EXPERIMENT_KEYS).agg(
        pl.len().cast(pl.Int64).alias("visitors"), pl.col("converted").sum().cast(pl.Int64)
    )


def compare_variants(tallies: Iterable[pl.DataFrame], shown: Shown, *, private: Pseudonymiser) -> Experiments:
    """Compare the variants of each experiment.

    Parameters
    ----------
    tallies : iterable of polars.DataFrame
        tally_experiments of every part; one at least.
    shown : Shown
    private : Pseudonymiser
        Names of experiments pass it.

    Notes
    -----
    The unit is the visitor, who is what is assigned. Differences and intervals: matched.compare_matched of one stratum,
    corrected by Bonferroni's inequality: whoever rolls a variant out acts on that one finding. The sample-ratio check
    is Pearson's chi-squared test against equal shares (Fabijan et al. 2019, doi:10.1145/3292500.3330722), and, since
    the shares that were meant are not in the data, of the same shares on every client: an assignment by chance makes
    those whatever the shares.
    """
    counts = pl.concat(list(tallies)).group_by(EXPERIMENT_KEYS).agg(pl.col("visitors", "converted").sum())
    people = shown.visitors.group_by("feature_flag_key", "variant").agg(pl.len().cast(pl.Int64).alias("shown"))
    totals = (
        people.join(
            counts.group_by("feature_flag_key", "variant").agg(pl.col("visitors", "converted").sum()),
            on=["feature_flag_key", "variant"],
            how="left",
        )
        .with_columns(pl.col("visitors", "converted").fill_null(0))
        .sort("feature_flag_key", "variant")
    )
    checks = _check_ratios(counts, totals).join(shown.crossed, on="feature_flag_key").sort("feature_flag_key")
    variants = _judged(_differences(totals), checks)
    keep = {"verdict": "keep"}
    columns = ("feature_flag_key", "crossed", "equal_p", "client_p")
    return Experiments(private.frame(variants, columns=keep), private.frame(checks.select(columns)))


def _differences(totals: pl.DataFrame) -> pl.DataFrame:
    """Add the difference of each variant to the first one of its experiment."""
    of_experiment = [pl.col(name).first().over("feature_flag_key") for name in ("variant", "visitors", "converted")]
    based = totals.with_columns(
        each.alias(name) for each, name in zip(of_experiment, ("base", "unexposed", "unexposed_hits"), strict=True)
    )
    others = based.filter(pl.col("variant") != pl.col("base")).with_columns(
        pl.col("visitors").alias("exposed"), pl.col("converted").alias("exposed_hits")
    )
    found = compare_matched(others, by=["feature_flag_key", "variant"]).select(
        "feature_flag_key", "variant", "difference",
        pl.col("low").alias("difference_low"), pl.col("high").alias("difference_high"),
    )  # fmt: skip
    return based.join(found, on=["feature_flag_key", "variant"], how="left", maintain_order="left")


def _judged(variants: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """Add the interval of each variant's conversion, the corrected p values and the verdicts."""
    rows = variants.join(checks, on="feature_flag_key", how="left", maintain_order="left").to_dicts()
    compared = [
        row for row in rows
        if row["difference"] is not None and min(row["visitors"], row["unexposed"]) >= MIN_VISITORS
    ]  # fmt: skip
    for row in compared:
        row["p_adjusted"] = min(1.0, len(compared) * (two_sided_p(*(row[name] for name in _INTERVAL)) or 0.0))
    for row in rows:
        share = Proportion.of(row["converted"], row["visitors"])
        row |= {"conversion": share.share if share.n else None, "low": share.low, "high": share.high}
        row["verdict"] = None if row["variant"] == row["base"] else _verdict(row)
    return pl.DataFrame(rows, schema=_VARIANTS, orient="row")


_INTERVAL: Final = ("difference", "difference_low", "difference_high")


def _verdict(row: dict[str, Any]) -> str:
    if row.get("p_adjusted") is None:
        return TOO_FEW
    if row["client_p"] is not None and row["client_p"] < RATIO_P:
        return NOT_COMPARABLE
    if row["p_adjusted"] > MAX_P:
        return NO_DIFFERENCE
    return RAISES if row["difference"] > 0 else LOWERS


def _check_ratios(counts: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for (key,), variants in totals.group_by("feature_flag_key", maintain_order=True):
        seen = variants["visitors"].to_numpy()
        equal = np.full(len(seen), seen.sum() / len(seen))
        of_clients = [
            _same_everywhere(counts.filter(pl.col("feature_flag_key") == key), name, variants["variant"].to_list())
            for name in _CLIENT
        ]
        tested = [p_value for p_value in of_clients if p_value is not None]
        # Two looks at the same visitors: the smaller one, paid for twice.
        client_p = min(1.0, min(tested) * len(tested)) if tested else None
        rows.append((key, _chi_squared_p(seen, equal, len(seen) - 1), client_p))
    schema = {"feature_flag_key": pl.String, "equal_p": pl.Float64, "client_p": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _same_everywhere(counts: pl.DataFrame, dimension: str, variants: Sequence[str]) -> float | None:
    """Return the p value of the same shares of variants for each value of a dimension; None where that is one value."""
    wide = counts.group_by(dimension).agg(
        pl.col("visitors").filter(pl.col("variant") == name).sum().alias(str(place))
        for place, name in enumerate(variants)
    )
    seen = wide.drop(dimension).to_numpy().astype(np.float64)
    total = seen.sum()
    if not total:
        return None
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / total
    # The approximation is poor in small cells: what is that rare is left out.
    kept = (expected >= MIN_EXPECTED).all(axis=1)
    seen = seen[kept]
    if len(seen) < 2 or seen.shape[1] < 2:
        return None
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
    return _chi_squared_p(seen, expected, (len(seen) - 1) * (seen.shape[1] - 1))


def _chi_squared_p(seen: np.typing.NDArray[Any], expected: np.typing.NDArray[Any], freedom: int) -> float:
    if freedom < 1 or not expected.sum():
        return 1.0
    from scipy.stats import chi2  # noqa: PLC0415 - costs a second to import

    return float(chi2.sf(((seen - expected) ** 2 / expected).sum(), freedom))


_VARIANTS: Final = {
    "feature_flag_key": pl.String,
    "variant": pl.String,
    "base": pl.String,
    "shown": pl.Int64,
    "visitors": pl.Int64,
    "converted": pl.Int64,
    "conversion": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p_adjusted": pl.Float64,
    "verdict": pl.String,
}


def _points(low: float, high: float) -> str:
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def _difference(row: dict[str, Any]) -> object:
    if row["difference"] is None:
        return DASH
    low, high = 100 * row["difference_low"], 100 * row["difference_high"]
    return f"{100 * row['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
