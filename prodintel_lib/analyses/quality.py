"""How good the evidence is: clocks, broken traces, counters that began anew, rows that came twice or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.engines import collect
from prodintel_lib.markup import number, paragraph, table, text
from prodintel_lib.rollups.links import (
    LINK_COUNTS_SCHEMA,
    LINKS_KEYS,
    LINKS_SCHEMA,
    build_doubtful_links,
    count_links,
)
from prodintel_lib.rollups.metric_points import RESETS_KEYS, RESETS_SCHEMA, build_counter_resets
from prodintel_lib.windows import to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import narwhals as nw

    from prodintel_lib.analyses.clocks import ClockOffsets

MAX_RESTARTS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is odd about the evidence.

    Attributes
    ----------
    what : str
    count, of : int
        How many, and of how many; `of` is 0 where that is not known.
    means : str
        What is done about it, and what it does to the figures.
    """

    what: str
    count: int
    of: int
    means: str

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        of = f" of {self.of:,}" if self.of else ""
        return f"{self.what}: {self.count:,}{of}; {self.means}."


@dataclass(frozen=True, slots=True)
class DataQuality:
    """What is odd about the evidence, counted.

    Attributes
    ----------
    clocks : ClockOffsets
    links : dict
        The counts of rollups.links.count_links; all 0 where there are no spans.
    cycle_spans, cycle_traces : int
        Spans that are their own ancestors by way of others, and the traces they are in.
    restarts : polars.DataFrame
        Counters that began anew: ``service_name, service_instance_id, time_us, counters``, one row a service instance
        and time, in the order of time.
    dropped, quarantined : dict
        Rows of the workspace left out, by reason; at any time, not only in the window.
    """

    clocks: ClockOffsets
    links: dict[str, int]
    cycle_spans: int
    cycle_traces: int
    restarts: pl.DataFrame
    dropped: dict[str, int]
    quarantined: dict[str, int]

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What there is at least one of; clocks are told apart from it."""
        links, spans, traces = self.links, self.links["spans"], self.links["traces"]
        resets = int(self.restarts["counters"].sum())
        found = (
            Defect("Spans whose parent is missing", links["orphans"], spans, "each begins a tree of its own"),
            Defect("Traces with such a span", links["traces_with_orphans"], traces, "their trees are not whole"),
            Defect(
                "Spans that name themselves as parent", links["own_parents"], spans, "each begins a tree of its own"
            ),
            Defect("Spans in a cycle of parents", self.cycle_spans, spans, "the cycle is cut; every span counts once"),
            Defect("Traces with a cycle of parents", self.cycle_traces, traces, "their order is told by time"),
            Defect("Traces with several roots", links["traces_with_several_roots"], traces, "each root is a request"),
            Defect("Counters that began anew", resets, 0, f"counted from zero again{self._when()}"),
            *(Defect(f"Rows left out: {why}", rows, 0, "left out on purpose") for why, rows in self.dropped.items()),
            *(
                Defect(f"Rows not read: {why}", rows, 0, "see lake/quarantine")
                for why, rows in self.quarantined.items()
            ),
        )
        return tuple(defect for defect in found if defect.count)

    def sentences(self) -> tuple[str, ...]:
        """Say everything, the clocks first."""
        return (*self.clocks.sentences(), *(defect.sentence for defect in self.defects))

    def _when(self) -> str:
        shown = [
            f"{row['service_name'] or 'unnamed'} at {to_datetime(row['time_us']):%Y-%m-%d %H:%M:%S} UTC"
            for row in self.restarts.head(MAX_RESTARTS_SHOWN).iter_rows(named=True)
        ]
        more = self.restarts.height - len(shown)
        return ": " + ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")

    def _repr_html_(self) -> str:
        clocks = self.clocks._repr_html_()
        defects = self.defects
        if not defects:
            spans = self.links["spans"]
            return clocks + str(paragraph(text(f"Nothing odd about parents, counters and rows (n {spans:,} spans).")))
        rows = [[text(part.what), number(part.count), number(part.of or None), text(part.means)] for part in defects]
        return clocks + str(table(["What", "How many", "Of", "What is made of it"], rows, align="lrrl"))


def check_quality(
    spans: nw.LazyFrame[Any],
    metrics: nw.LazyFrame[Any],
    *,
    clocks: ClockOffsets,
    dropped: Mapping[str, int] | None = None,
    quarantined: Mapping[str, int] | None = None,
) -> DataQuality:
    """Count what is odd about the evidence.

    Parameters
    ----------
    spans, metrics : narwhals.LazyFrame
        The canonical tables, on any engine, spans with clocks corrected: that keeps the search for cycles short.
    clocks : ClockOffsets
        As clocks.find_clock_offsets gives it.
    dropped, quarantined : mapping of reason to rows, optional
        The account of the ingest.
    """
    counts = collect(count_links(spans), schema=LINK_COUNTS_SCHEMA, sort_by=("spans",))
    links = collect(build_doubtful_links(spans), schema=LINKS_SCHEMA, sort_by=LINKS_KEYS)
    in_cycles = find_cycles(links)
    resets = collect(build_counter_resets(metrics), schema=RESETS_SCHEMA, sort_by=RESETS_KEYS)
    restarts = resets.group_by("service_name", "service_instance_id", "time_us").agg(
        pl.len().cast(pl.Int64).alias("counters")
    )
    return DataQuality(
        clocks=clocks,
        links=dict(counts.row(0, named=True)) if counts.height else dict.fromkeys(LINK_COUNTS_SCHEMA, 0),
        cycle_spans=in_cycles.height,
        cycle_traces=in_cycles["trace_id"].n_unique(),
        restarts=restarts.sort("time_us", "service_name", "service_instance_id"),
        dropped=dict(dropped or {}),
        quarantined=dict(quarantined or {}),
    )


def find_cycles(links: pl.DataFrame) -> pl.DataFrame:
    """Return the links that lie on a cycle of parents.

    Parameters
    ----------
    links : polars.DataFrame
        ``trace_id, span_id, parent_span_id``; a span that comes twice counts by its first row.

    Notes
    -----
    Pointer doubling: after k rounds every span points at its ancestor 2^k steps up. Once that is more than a trace has
    spans, whoever still points at a span points at one on a cycle, and each span of a cycle is pointed at by another of
    it. O(n log depth).
    """
    nodes = links.unique(subset=["trace_id", "span_id"], keep="first", maintain_order=True).with_row_index("place")
    parents = nodes.select("trace_id", pl.col("span_id").alias("parent_span_id"), pl.col("place").alias("above"))
    joined = nodes.join(parents, on=["trace_id", "parent_span_id"], how="left", maintain_order="left")
    nobody = nodes.height
    above = np.append(joined["above"].fill_null(nobody).to_numpy().astype(np.int64), nobody)
    longest = int(nodes.group_by("trace_id").len()["len"].max() or 0)  # type: ignore[arg-type]
    for _ in range(longest.bit_length()):
        above = above[above]
    on_cycle = np.unique(above)
    return nodes[on_cycle[on_cycle < nobody]].select(links.columns)
