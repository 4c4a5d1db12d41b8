"""The sentence that sums an incident up: every figure in it comes from a result, and it says no more than is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.evidence import MIN_REQUESTS
from prodintel_lib.analyses.onset import choose_signal, worse_within
from prodintel_lib.analyses.timeline import describe_change
from prodintel_lib.headline import Headline, Tile
from prodintel_lib.markup import four_digits
from prodintel_lib.windows import format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.blast import BlastRadius
    from prodintel_lib.analyses.causes import Causes
    from prodintel_lib.analyses.differences import Difference, Differences
    from prodintel_lib.analyses.evidence import Coverage
    from prodintel_lib.analyses.incident import IncidentRecord
    from prodintel_lib.analyses.onset import Onset
    from prodintel_lib.analyses.signals import SignalOnsets
    from prodintel_lib.windows import Window

WORST_ROUTES: Final = 3
NO_WIDTH: Final = "\N{ZERO WIDTH SPACE}"


def write_headline(
    record: IncidentRecord,
    onset: Onset,
    blast: BlastRadius,
    degraded: Sequence[Difference],
    causes: Causes,
    differences: Differences,
    *,
    signals: SignalOnsets,
    coverage: Mapping[str, Coverage],
) -> Headline:
    """Compute the headline from bad requests where there are any, else from signals, else from their absence."""
    through = _through(degraded, differences)
    common = _common_tiles(record, onset, causes)
    if onset.basis == "signals":
        return _of_signals(record, onset, blast, signals, through, common)
    if blast.requests.hits:
        found = _of_requests(onset, blast, through, common)
        return found if onset.basis == "requests" else _of_report(found, blast)
    return _of_nothing(record, onset, blast, signals, coverage, common)


def _common_tiles(record: IncidentRecord, onset: Onset, causes: Causes) -> tuple[Tile, Tile]:
    best = causes.ranked[0]
    cannot = next(cause.score for cause in causes.ranked if cause.kind == "cannot_tell")
    return (
        ("Most likely cause", f"{best.score:.2f}", f"{best.subject or 'cannot tell'}; cannot tell {cannot:.2f}", ""),
        ("Onset", _clock(onset.window), f"{onset.how}, {_against_report(record, onset.window)}", ""),
    )


def _of_requests(onset: Onset, blast: BlastRadius, through: str, common: tuple[Tile, Tile]) -> Headline:
    window = onset.window
    lasted = format_duration(window.duration_s)
    whom = blast.users if blast.users.n else blast.requests
    noun = "active users" if blast.users.n else "requests"
    worst = blast.routes.filter(pl.col("bad") > 0).sort("share", "bad", descending=True).head(WORST_ROUTES)
    routes = ", ".join(f"{route} {100 * share:.0f} %" for route, share in worst.select("route", "share").iter_rows())
    title = (
        f"{100 * whom.share:.0f} % of {noun} met failures, most of all on {worst['route'][0]} "
        f"({100 * worst['share'][0]:.0f} % of its requests)"
        if blast.requests.n >= MIN_REQUESTS
        else f"{blast.requests.hits:,} of {blast.requests.n:,} recorded requests met failures, on {worst['route'][0]}"
    )
    sentence = (
        f"{whom.hits:,} of {whom.n:,} {noun} ({100 * whom.share:.0f} %, 95 % CI {100 * whom.low:.0f}-"
        f"{100 * whom.high:.0f} %) met bad requests for {lasted}, from {window.label()}: {routes}. {through}"
    )
    interval = f"{100 * whom.low:.0f}-{100 * whom.high:.0f} % (95 % CI)"
    tiles: tuple[Tile, ...] = (
        (f"Affected {noun}", f"{whom.hits:,} of {whom.n:,}", interval, "bad"),
        ("Bad requests", f"{blast.requests.hits:,} of {blast.requests.n:,}", f"in {lasted}", "bad"),
        *common,
    )
    return Headline(title, sentence.strip(), tiles)


def _of_report(found: Headline, blast: BlastRadius) -> Headline:
    """Say that bad requests of the reported time do not stand out from those before it."""
    hits = round(float(str((blast.routes["baseline_share"] * blast.routes["baseline_requests"]).sum())))
    n = int(blast.routes["baseline_requests"].sum())
    title = (
        f"{blast.requests.hits:,} of {blast.requests.n:,} requests met failures in the time that was reported, "
        f"{hits:,} of {n:,} before it: no interval stands out"
    )
    return Headline(title, f"{found.sentence} Before it, {hits:,} of {n:,} were bad.", found.tiles)


def _of_signals(
    record: IncidentRecord,
    onset: Onset,
    blast: BlastRadius,
    signals: SignalOnsets,
    through: str,
    common: tuple[Tile, Tile],
) -> Headline:
    window = onset.window
    worse = worse_within(signals, window)
    chosen = choose_signal(worse, record.service_name)
    said = describe_change(chosen)
    first = worse.row(0, named=True)
    began = "" if first == chosen else f" First, at {_clock(window)}: {describe_change(first)}."
    services = worse["service_name"].unique(maintain_order=True).to_list()
    requests = (
        f"{blast.requests.hits:,} of {blast.requests.n:,} recorded requests were bad."
        if blast.requests.n
        else "No request of that time was recorded, so users cannot be counted."
    )
    sentence = (
        f"{said}.{began} {worse.height} of {signals.series_tested} series got worse from {window.label()}, in "
        f"{_listed(services)}. {requests} {through}"
    )
    before = f"{_breakable(chosen['signal'])}; before {four_digits(chosen['before'])} (n {chosen['before_n']:,})"
    tiles: tuple[Tile, ...] = (
        (_breakable(chosen["service_name"] or "Signal"), four_digits(chosen["during"]), before, "bad"),
        ("Series that got worse", f"{worse.height} of {signals.series_tested}", _listed(services), "bad"),
        *common,
    )
    return Headline(said.partition(" (n ")[0], sentence.strip(), tiles)


def _of_nothing(
    record: IncidentRecord,
    onset: Onset,
    blast: BlastRadius,
    signals: SignalOnsets,
    coverage: Mapping[str, Coverage],
    common: tuple[Tile, Tile],
) -> Headline:
    window = onset.window
    lasts = [part.last_us for part in coverage.values() if part.last_us is not None]
    if lasts and max(lasts) < window.start_us:
        sentence = (
            f"Nothing was recorded from {window.label()}, the time that was reported: the last telemetry around it is "
            f"of {format_time(max(lasts))}."
        )
    else:
        sentence = (
            f"Only healthy telemetry: nothing bad among {blast.requests.n:,} requests from {window.label()}, the time "
            f"that was reported, and none of {signals.series_tested:,} series of metrics, logs and spans got worse."
        )
    tiles: tuple[Tile, ...] = (
        ("Bad requests", f"0 of {blast.requests.n:,}", "in the time that was reported", ""),
        ("Series that got worse", f"0 of {signals.series_tested:,}", f"{signals.series_too_short:,} too short", ""),
        *common,
    )
    return Headline(f"The telemetry shows no failure that users met ({record.title})", sentence, tiles)


def _breakable(name: str) -> str:
    """Let a long name break where its parts do: a tile is narrow."""
    return name.replace("_", f"_{NO_WIDTH}").replace(".", f".{NO_WIDTH}")


def _listed(names: Sequence[str], *, most: int = 4) -> str:
    known = [name or "no named service" for name in names]
    rest = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + rest


def _through(degraded: Sequence[Difference], differences: Differences) -> str:
    if not degraded:
        return ""
    caller, _, dependency = degraded[0].subject.partition(" → ")
    row = degraded[0]
    said = (
        f"{dependency}, called by {caller}, went from p99 {row.baseline:,.0f} ms to {row.incident:,.0f} ms"
        if row.unit == "ms"
        else f"{dependency}, called by {caller}, failed for {100 * (row.incident or 0):.0f} % of calls"
    )
    full = [part for part in differences.of("connections") if part.limit and (part.incident or 0) >= 0.8 * part.limit]
    if full:
        said += f"; {full[0].subject} had {full[0].incident:.1f} of {full[0].limit:.0f} connections in use"
    return said + "."


def _clock(window: Window) -> str:
    return window.label().split(" ")[1].split("-")[0]


def _against_report(record: IncidentRecord, window: Window) -> str:
    lag_s = (record.reported.start_us - window.start_us) / 1_000_000
    return f"{format_duration(abs(lag_s))} {'before' if lag_s >= 0 else 'after'} the alert"
