"""Which combinations of attributes explain an error: the requests that met it against all others of the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.localisation import Localisation, localise
from prodintel_lib.markup import figure_text, paragraph, percent, table, text

if TYPE_CHECKING:
    from collections.abc import Collection

    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.error_correlation.stretches import Stretches

MAX_DIMENSIONS: Final = 8
MAX_VALUES: Final = 30
MIN_KNOWN: Final = 0.5
ROUTE: Final = "route"
_CONTEXT: Final = "context_"


@dataclass(frozen=True, slots=True)
class ErrorPlaces:
    """Where errors keep to, among the requests of their busiest stretch.

    Attributes
    ----------
    located : tuple of (str, str, Localisation)
        A pattern's id, what it is called, and what explains it.
    """

    located: tuple[tuple[str, str, Localisation], ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return them as plain JSON values."""
        return [
            {"pattern_id": key, "verdict": found.verdict, "causes": found.to_frame().to_dicts()}
            for key, _, found in self.located
        ]

    def _repr_html_(self) -> str:
        rows = [
            [
                figure_text(label, note=key),
                text(str(cause)),
                figure_text(percent(cause.rate), n=cause.total),
                text(percent(cause.rate_elsewhere)),
                text(percent(cause.coverage, digits=0)),
                text(cause.also_said or None),
            ]
            for key, label, found in self.located
            for cause in found.causes
        ]
        everywhere = [label for _, label, found in self.located if not found.causes]
        said = f"No place stands out for {'; '.join(everywhere)}." if everywhere else ""
        if not rows:
            return str(paragraph(said or "No request that met an error can be told apart from others."))
        headers = ["Error", "Where", "Met there by", "Elsewhere by", "Explains", "Not to be told from"]
        caption = f"Requests of the stretch in which it occurred most, p < 0.01 corrected for all combinations. {said}"
        return str(table(headers, rows, align="llrrrl", caption=caption.strip()))


def locate_errors(stretches: Stretches, patterns: ErrorPatterns) -> ErrorPlaces:
    """Search for the combinations of attributes that explain each pattern.

    Parameters
    ----------
    stretches : Stretches
    patterns : ErrorPatterns
    """
    located = []
    for stretch in stretches.found:
        for key in stretch.pattern_ids:
            found = locate_requests(stretch.findings.requests, stretch.of([key])["trace_id"].unique().to_list())
            if found is not None:
                located.append((key, patterns.label(key), found))
    order = {key: place for place, key in enumerate(patterns.frame["pattern_id"])}
    return ErrorPlaces(tuple(sorted(located, key=lambda one: order[one[0]])))


def locate_requests(requests: pl.DataFrame, traces: Collection[str]) -> Localisation | None:
    """Search for what sets the requests of some traces apart from all others.

    Parameters
    ----------
    requests : polars.DataFrame
        Entry requests of one time: ``trace_id, session_id, route`` and the attributes ``context_*``.
    traces : collection of str

    Returns
    -------
    Localisation or None
        None where no request met it, or no attribute has more than one value. Attributes with more than MAX_VALUES
        values are ids, and of the others the MAX_DIMENSIONS that tell the most are looked through. A session that met
        it ten times is not ten: the dispersion is the mean number of such requests a session.
    """
    marked = requests.with_columns(pl.col("trace_id").is_in(list(traces)).cast(pl.Int64).alias("bad"))
    bad = int(marked["bad"].sum())
    names = [ROUTE, *(name for name in requests.columns if name.startswith(_CONTEXT))]
    told = sorted(
        ((-_information(marked, name), name) for name in names if _is_attribute(marked[name])),
    )[:MAX_DIMENSIONS]
    if not bad or not told:
        return None
    dimensions = [name for _, name in told]
    cells = marked.group_by(dimensions).agg(pl.col("bad").sum(), pl.len().cast(pl.Int64).alias("total"))
    spoken = {name: name.removeprefix(_CONTEXT) for name in dimensions}
    sessions = marked.filter(pl.col("bad") > 0)["session_id"].drop_nulls().n_unique()
    return localise(
        cells.rename(spoken).sort(list(spoken.values())),
        dimensions=list(spoken.values()),
        dispersion=max(1.0, bad / sessions) if sessions else 1.0,
    )


def _is_attribute(values: pl.Series) -> bool:
    known = values.drop_nulls()
    return values.dtype == pl.String and len(known) >= MIN_KNOWN * len(values) and 1 < known.n_unique() <= MAX_VALUES


def _information(marked: pl.DataFrame, name: str) -> float:
    """Return the mutual information of an attribute and of having met the error, nats."""
    counts = marked.group_by(name).agg(pl.col("bad").sum(), pl.len().alias("n"))
    both = np.column_stack([counts["bad"].to_numpy(), (counts["n"] - counts["bad"]).to_numpy()]) / marked.height
    expected = both.sum(axis=1, keepdims=True) * both.sum(axis=0, keepdims=True)
    met = both > 0
    return float((both[met] * np.log(both[met] / expected[met])).sum())
