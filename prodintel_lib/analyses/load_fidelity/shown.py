"""A score as a table for the notebook and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.load_fidelity.distances import DISTANCES
from prodintel_lib.markup import DASH, Markup, figure_text, number, paragraph, table, tone, with_note

if TYPE_CHECKING:
    from prodintel_lib.analyses.load_fidelity.scoring import LoadFidelity


DISTANCE_NAMES: Final[dict[str, str]] = {
    "rate_wape": "Requests over time",
    "peak_rel": "Busiest moment",
    "iat_cv": "Unevenness of arrivals",
    "open_wape": "Open sessions over time",
    "mix_tv": "Mix of endpoints",
    "mix_js": "Mix of endpoints, in bits",
    "trans_tv": "What follows what",
    "path_tv": "Whole paths",
    "len_ks": "Requests of a session",
    "think_ks": "Time between requests",
    "dur_ks": "Duration of a session",
}
"""Short names for people; `distances.DISTANCES` says how each is measured."""


def fidelity(score: LoadFidelity, *, close: str, max_ratio: float) -> Markup:
    """Lay out the distances: what is further off first, else in their own order.

    Parameters
    ----------
    score : LoadFidelity
    close : str
        The verdict of a distance that is as small as production's own.
    max_ratio : float
        What that verdict allows.
    """
    rows = [
        (
            with_note(DISTANCE_NAMES[row["distance"]], f"{row['distance']}: {DISTANCES[row['distance']]}"),
            number(row["value"]),
            figure_text(number(row["halves_median"]), note=_range_text(row["halves_low"], row["halves_high"])),
            _times(row),
            tone("as close", "good") if row["verdict"] == close else tone(row["verdict"], "warn"),
        )
        for row in score.scores.sort(score.scores["verdict"] == close, maintain_order=True).iter_rows(named=True)
    ]
    caption = (
        f"0 is the same. Production: the median of {score.splits} random cuts of its sessions into two parts, and "
        f"where nine in ten of them lie. A load counts as close up to {max_ratio:g} times that median, or to the "
        f"end of that range. Buckets of {score.bucket_s:g} s; scale {score.scale:g}, time compressed "
        f"{score.compress:g} times."
    )
    headers = ("Distance in", "Load", "Production's own", "Times", "The load is")
    said = [paragraph(sentence, kind="say" if place else "lead") for place, sentence in enumerate(score.sentences())]
    return Markup("").join([*said, table(headers, rows, align="lrrrl", caption=caption)])


def _range_text(low: float, high: float) -> Markup:
    return Markup("{} to {}").format(number(low), number(high))


def _times(row: dict[str, Any]) -> Markup:
    return number(row["value"] / row["halves_median"], digits=1) if row["halves_median"] > 0 else DASH
