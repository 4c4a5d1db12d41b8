"""What sets some requests apart from all others of the same time: attributes chosen, counted and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.localisation.engine import localise

if TYPE_CHECKING:
    from collections.abc import Collection

    from prodintel_lib.analyses.localisation.model import Localisation

MAX_DIMENSIONS: Final = 8
MAX_VALUES: Final = 30
MIN_KNOWN: Final = 0.5
ROUTE: Final = "route"
_CONTEXT: Final = "context_"


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
