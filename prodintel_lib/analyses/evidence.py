"""What a report rests on: how much telemetry there was of what kind, and what had to be assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.markup import Markup, number, paragraph, table, text
from prodintel_lib.windows import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

TELEMETRY: Final = ("spans", "logs", "metrics")
MIN_REQUESTS: Final = 30
"""Fewer entry requests than these say what happened to each of them, and nothing of shares or times."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a table was recorded in the time that was read; times are None where nothing was."""

    rows: int
    first_us: int | None
    last_us: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there was to look at, and how it was read.

    Attributes
    ----------
    coverage : mapping of table to Coverage
    requests : int
        Entry requests among the spans.
    failed_by_logs : int
        Those that count as failed for an error in the logs of their trace, since no span says how they ended.
    sessions_are_traces : bool
        Whether no request of the route in question names a session, so that each trace stands for one.
    rests_on : str
        One sentence: requests, signals, or the incident's own times.
    remark : str
        What is odd about the incident's own record; empty where nothing is.
    """

    coverage: Mapping[str, Coverage]
    requests: int
    failed_by_logs: int
    sessions_are_traces: bool
    rests_on: str
    remark: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say what the report rests on and what had to be assumed, the most important first."""
        said = [self.rests_on]
        if not self.requests:
            said.append("No entry request was recorded: users, sessions and routes cannot be counted.")
        elif self.requests < MIN_REQUESTS:
            said.append(f"Only {self.requests} entry requests were recorded: shares of them say little.")
        if self.failed_by_logs:
            said.append(
                f"{self.failed_by_logs:,} of {self.requests:,} requests count as failed by their logs: no span says "
                "how they ended, and an error was logged in their trace."
            )
        if self.sessions_are_traces:
            said.append("No request names a session: each trace stands for one, and requests are counted, not users.")
        return (*said, *([self.remark] if self.remark else []))

    def _repr_html_(self) -> str:
        rows = [
            [
                text(name),
                number(part.rows),
                text(format_time(part.first_us) if part.first_us is not None else None),
                text(format_time(part.last_us) if part.last_us is not None else None),
            ]
            for name, part in self.coverage.items()
        ]
        said = Markup("").join(paragraph(text(sentence)) for sentence in self.sentences)
        return str(said + table(["Recorded around the incident", "Rows", "First", "Last"], rows, align="lrrr"))


def name_sessions(requests: pl.DataFrame) -> pl.DataFrame:
    """Let each trace stand for a session where a request names none."""
    return requests.with_columns(pl.coalesce("session_id", "trace_id").alias("session_id"))
