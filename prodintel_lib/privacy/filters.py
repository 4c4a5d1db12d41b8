"""A cheap look at a whole column: which lines may hold something, and which of the detectors may find it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.privacy import national_ids
from prodintel_lib.privacy.detectors import (
    ALL,
    CARD_RUN,
    EMAIL,
    IPV4,
    IPV6,
    PATH_ID,
    PHONE,
    PREFIXED_ID,
    SCHEME,
    USERINFO,
)
from prodintel_lib.privacy.fields import field_pattern, personal_pattern
from prodintel_lib.privacy.vendor_keys import VENDOR_KEYS
from prodintel_lib.privacy.word_set import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _build_prefilters() -> dict[str, frozenset[str]]:
    """Return patterns without lookaround, and the detectors that find nothing where theirs do not match.

    A few that look for the same signs are one alternation; all in one would be slower by far than one after the
    other, since their automaton outgrows its cache.
    """
    edge = r"(?:^|[^0-9A-Za-z_.-])"
    national = (f"(?i:{kind.words})" if kind.words else edge + kind.pattern for kind in national_ids.NATIONAL_IDS)
    numbers = (
        r"(?:^|[^0-9A-Za-z_])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2}",
        edge + CARD_RUN + "(?:[^0-9A-Za-z_]|$)",
        edge + r"[2-6][0-9]{3}[ -][0-9]{4,6}[ -][0-9]{4}",
        *national,
    )
    named = (
        (
            rf"(?i:{field_pattern()})[_.-]{{0,2}}[0-9]{{0,3}}[_.-]{{0,2}}\]?\\*[\"'`]?\]?"
            r"(?:\s{0,2}(?:=|:|%3[ADad])|\s(?i:i?like|<>|!=)\s)"
        ),
        rf"(?i:{personal_pattern()})s?\\*[\"']\s?:\s?[\[{{]",
    )
    return {
        "-----BEGIN ": word_set("blocks"),
        # What is encoded may be anything.
        r"%[0-9A-Fa-f]{2}|\\u00[2-7][0-9A-Fa-f]": ALL,
        r"eyJ[A-Za-z0-9_-]{8}": word_set("keys"),
        SCHEME: word_set("schemes"),
        USERINFO: word_set("userinfo"),
        EMAIL: word_set("emails"),
        "|".join(numbers): word_set("ibans cards national_ids"),
        PHONE: word_set("phones"),
        r"(?:^|[^0-9A-Za-z_.])" + IPV4 + "(?:[^0-9A-Za-z_]|$)": word_set("addresses"),
        IPV6: word_set("addresses"),
        PREFIXED_ID: word_set("ids"),
        PATH_ID: word_set("ids"),
        "|".join(f"(?:{head}){_shortest(tail)}" for head, tail in VENDOR_KEYS): word_set("keys"),
        "|".join(named): word_set("fields"),
        r"(?i:insert\s+(?:or\s+[a-z]+\s+|ignore\s+)?into\s)": word_set("insertions"),
    }


def _shortest(tail: str) -> str:
    """Cut a pattern after its first repetition: a filter needs no more, and long counts make its automaton large."""
    signs, count = re.match(r"(\[[^\]]+\])(?:\{(\d+)|\+)", tail).groups()  # type: ignore[union-attr]
    return f"{signs}{{{min(int(count or 1), 8)}}}"


_PREFILTERS: Final = _build_prefilters()


class LineFilter:
    """Tells the lines of a column that need an exact look.

    Parameters
    ----------
    rules : sequence of str
        Further patterns, of one's own.
    """

    def __init__(self, rules: Sequence[str] = ()) -> None:
        self._patterns: dict[str, frozenset[str]] = {**_PREFILTERS, **dict.fromkeys(rules, frozenset())}

    def candidates(self, values: pl.Series) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield each value in which something may be found, and the names of the detectors that may find it.

        Parameters
        ----------
        values : polars.Series
            Texts, without nulls.
        """
        found: dict[int, frozenset[str]] = {}
        for pattern, names in self._patterns.items():
            for place in values.str.contains(pattern).arg_true():
                found[place] = found.get(place, frozenset()) | names
        if found:
            places = sorted(found)
            for place, value in zip(places, values.gather(places), strict=True):
                yield value, found[place]

    def may_hold(self, values: pl.Series) -> pl.Series:
        """Say of each text whether it may hold something to replace; where not, it certainly holds nothing."""
        return pl.select(
            pl.any_horizontal(pl.lit(values).str.contains(pattern) for pattern in self._patterns)
        ).to_series()
