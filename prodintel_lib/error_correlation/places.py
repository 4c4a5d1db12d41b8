"""Which combinations of attributes explain an error: the requests that met it against all others of the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodintel_lib.analyses.localisation import Localisation, locate_requests
from prodintel_lib.markup import figure_text, paragraph, percent, table, text

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns import ErrorPatterns
    from prodintel_lib.error_correlation.stretches import Stretches


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
