"""Everything the candidates are weighed against, gathered once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.causes.diffs import words_of

if TYPE_CHECKING:
    from prodintel_lib.analyses.causes.errors import ErrorText
    from prodintel_lib.analyses.causes.location import Location
    from prodintel_lib.windows import Window

MAX_HOPS: Final = 6


@dataclass(frozen=True)
class Case:
    """What is known of an incident when its causes are weighed.

    Attributes
    ----------
    window : Window
        The incident, from its onset.
    slack_us : int
        How exactly times are known: about two buckets.
    is_observed : bool
        Whether the onset comes from the data rather than from the report alone.
    changes : polars.DataFrame
        The canonical table.
    onsets : polars.DataFrame
        signals.ONSETS_SCHEMA.
    signals : polars.DataFrame
        signals.SIGNALS_SCHEMA; may be empty.
    errors : tuple of ErrorText
    edges : frozenset of tuple
        Caller and callee.
    services : frozenset of str
        Every service that is named; `reporting` those that send metrics, logs or spans of their own.
    location : Location or None
    chain_end : str
        The degraded dependency at the end of the failing chain, where traces show one.
    chain_callers : frozenset of str
        Who calls it.
    on_path : frozenset of str
        Services on the failing path.
    requests : polars.DataFrame or None
        Entry requests: ``time_us, bad``.
    """

    window: Window
    slack_us: int
    is_observed: bool
    changes: pl.DataFrame
    onsets: pl.DataFrame
    signals: pl.DataFrame
    errors: tuple[ErrorText, ...]
    edges: frozenset[tuple[str, str]]
    services: frozenset[str]
    reporting: frozenset[str]
    location: Location | None
    chain_end: str = ""
    chain_callers: frozenset[str] = frozenset()
    on_path: frozenset[str] = frozenset()
    requests: pl.DataFrame | None = None

    @property
    def onset_us(self) -> int:
        """When it began to be felt."""
        return self.window.start_us

    @cached_property
    def first_failing(self) -> str:
        """Where it failed first; empty where that cannot be told."""
        return self.location.first_failing if self.location else ""

    @cached_property
    def concerned(self) -> frozenset[str]:
        """The first failing service, and those it reached."""
        if self.location is None:
            return frozenset()
        return frozenset({self.location.first_failing, *self.location.blast_radius})

    def is_concerned(self, service: str) -> bool:
        """Say whether a service failed."""
        return service in self.concerned

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of signals that moved, for the worse or in a way that cannot be called so."""
        moved = self.onsets.filter(pl.col("is_worse").fill_null(value=True))
        return frozenset(moved["kind"])

    @cached_property
    def symptoms(self) -> frozenset[str]:
        """The words of the signals that moved and of the errors, less the names of services."""
        signals = " ".join(self.onsets.filter(pl.col("kind") != "other")["signal"])
        said = words_of(" ".join([signals, *(text.whole for text in self.errors)]))
        names = " ".join(sorted(self.services))
        return said - words_of(names) - words_of(re.sub(r"(?i)(service|svc|server)\b", "", names)) - {"service"}

    @cached_property
    def stack_files(self) -> tuple[str, ...]:
        """Return the source files that the errors' stack traces name."""
        return tuple(dict.fromkeys(name for text in self.errors for name in text.files))

    def calls(self, caller: str, callee: str) -> bool:
        """Say whether one reaches the other by calls, over at most six hops."""
        front = {caller}
        for _ in range(MAX_HOPS):
            front = {below for above, below in self.edges if above in front}
            if callee in front:
                return True
        return False

    def quiet_requests(self, since_us: int) -> tuple[int, int] | None:
        """Count the bad and all requests from a time to the onset; None where requests are not known."""
        if self.requests is None:
            return None
        between = self.requests.filter(pl.col("time_us").is_between(since_us, self.onset_us, closed="left"))
        return int(between["bad"].sum()), between.height
