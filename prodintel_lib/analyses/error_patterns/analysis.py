"""From the lake to findings: every error of a window, grouped, counted, compared, judged and ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.error_patterns.cascades import with_roots
from prodintel_lib.analyses.error_patterns.contexts import compare_contexts, find_places
from prodintel_lib.analyses.error_patterns.counts import COUNTED, ErrorCounts, add_counts, count_errors
from prodintel_lib.analyses.error_patterns.exposure import (
    Traffic,
    choose_bucket_s,
    measure_changes,
    measure_traffic,
)
from prodintel_lib.analyses.error_patterns.grouping import Grouping, group_definitions
from prodintel_lib.analyses.error_patterns.judgement import MOST, Facts, categorise, classify, prioritise
from prodintel_lib.analyses.error_patterns.model import FRAME_SCHEMA, ErrorPatterns
from prodintel_lib.analyses.error_patterns.passes import ErrorPasses, open_error_passes
from prodintel_lib.analyses.error_patterns.reach import Reach, measure_reach
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.error_events import LEVELS
from prodintel_lib.windows import Window, format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.log_templates import Catalogue, Templates
    from prodintel_lib.analyses.telemetry import LakeView

NOT_MET: Final = "not met in the window: it is judged when it comes again"
MEMBER_COLUMNS: Final = ("trace_id", "sample_key", "time_us", "session_id", "route")


def find_error_patterns(
    view: LakeView,
    *,
    window: Window,
    baseline: Window,
    min_occurrences: int = 1,
    catalogue: Catalogue | None = None,
    levels: Sequence[str] = LEVELS,
) -> ErrorPatterns:
    """Find the patterns of errors of a window, and say of each what it is, whom it hits, and how it went.

    Parameters
    ----------
    view : LakeView
    window, baseline : Window
        What is looked at, and the time it is compared with; they must not overlap.
    min_occurrences : int
        Patterns with fewer errors, window and baseline together, are counted and not shown.
    catalogue : Catalogue, optional
        Templates known from before: it says what is new beyond the baseline.
    levels : sequence of str
        Of log records.

    Returns
    -------
    ErrorPatterns
        Sorted by priority; then patterns that are first in their traces before those that follow others; then by how
        many more there were than the baseline's rate would have brought.

    Raises
    ------
    ParameterError
        If the windows overlap.
    """
    if window.overlaps(baseline):
        raise ParameterError(
            f"The baseline must not overlap the window; they are {baseline.label()} and {window.label()}.",
            hint="let the baseline end where the window begins.",
        )
    bucket_s = choose_bucket_s(window, baseline)
    passes = open_error_passes(view, [baseline, window], levels=levels)
    grouping = group_definitions(passes.definitions(), private=view.private, catalogue=catalogue)
    counts = add_counts(
        count_errors(rows, window=window, baseline=baseline, bucket_s=bucket_s) for rows in passes.rows(grouping.keys)
    )
    traffic = measure_traffic(view, window=window, baseline=baseline, bucket_s=bucket_s)
    return _assemble(passes, grouping, counts, traffic, min_occurrences=min_occurrences, catalogue=catalogue)


def find_pattern_traces(
    view: LakeView, patterns: ErrorPatterns, pattern_ids: Sequence[str], window: Window
) -> pl.DataFrame:
    """List every trace in which some patterns occurred in a stretch of time.

    Parameters
    ----------
    view : LakeView
    patterns : ErrorPatterns
        What the errors are told by; errors whose text it has not seen are of no pattern.
    pattern_ids : sequence of str
    window : Window

    Returns
    -------
    polars.DataFrame
        ``pattern_id, trace_id, time_us, error_service``, a row a pattern and trace: the pattern's first error in it.
        Sorted by pattern, time and trace.
    """
    numbers = patterns.numbers.filter(pl.col("pattern_id").is_in(list(pattern_ids)))
    keys = patterns.keys.join(numbers, on="pattern_no", how="semi")
    passes = ErrorPasses(view, (window,), patterns.passes.levels, patterns.passes.routes)
    rows = pl.concat(list(passes.rows(keys))).filter(pl.col("trace_id") != "")
    first = rows.sort("pattern_no", "trace_id", "time_us", "service_name").unique(
        ["pattern_no", "trace_id"], keep="first", maintain_order=True
    )
    return (
        first.join(numbers, on="pattern_no")
        .select("pattern_id", "trace_id", "time_us", pl.col("service_name").alias("error_service"))
        .sort("pattern_id", "time_us", "trace_id")
    )


def _assemble(
    passes: ErrorPasses,
    grouping: Grouping,
    counts: ErrorCounts,
    traffic: Traffic,
    *,
    min_occurrences: int,
    catalogue: Catalogue | None,
) -> ErrorPatterns:
    private, numbers = passes.view.private, grouping.patterns.select("pattern_no", "pattern_id")
    every = _with_figures(grouping.patterns, counts, traffic)
    contexts = compare_contexts(
        _named(counts.parts, numbers),
        traffic.parts,
        every.select("pattern_id", "service_name", pl.col("exposure_unit").alias("unit"), "dispersion"),
    )
    members = _named(counts.members.rows, numbers)
    reach = measure_reach(passes.view.scan("spans", traffic.window), members, window=traffic.window)
    history = _history(catalogue, grouping.templates, traffic.baseline)
    kept = every.filter(pl.col("occurrences") + pl.col("baseline_occurrences") >= min_occurrences)
    frame = with_roots(_judged(kept, contexts, reach, history, traffic.baseline), members).select(*FRAME_SCHEMA)
    shown = [
        rows.join(frame, on="pattern_id", how="semi")
        for rows in (_buckets(_named(counts.buckets, numbers)), members, contexts)
    ]
    return ErrorPatterns(
        window=traffic.window,
        baseline=traffic.baseline,
        bucket_s=traffic.bucket_s,
        min_occurrences=min_occurrences,
        frame=frame,
        buckets=shown[0],
        members=private.frame(shown[1].select("pattern_id", *MEMBER_COLUMNS), columns={"pattern_id": "keep"}),
        contexts=private.frame(shown[2], columns={"pattern_id": "keep", "attribute": "keep"}),
        traffic=_both_windows(traffic.counts),
        events=int(counts.totals["occurrences"].sum()),
        baseline_events=int(counts.totals["baseline_occurrences"].sum()),
        left_out=every.height - kept.height,
        templates=grouping.templates,
        numbers=numbers,
        keys=grouping.keys,
        passes=passes,
    )


def _with_figures(patterns: pl.DataFrame, counts: ErrorCounts, traffic: Traffic) -> pl.DataFrame:
    """Add to each pattern what was counted, and how its rate changed."""
    return (
        patterns.join(counts.totals, on="pattern_no")
        .join(counts.times, on="pattern_no")
        .join(measure_changes(patterns, counts.buckets, traffic), on="pattern_no")
        .join(_distinct(counts), on="pattern_no", how="left")
        .with_columns(pl.col(*COUNTED, "people").fill_null(0), pl.col("is_exact").fill_null(value=True))
    )


def _both_windows(counts: pl.DataFrame) -> pl.DataFrame:
    keys = ["unit", "service_name", "bucket_us"]
    return counts.group_by(keys).agg(pl.col("rows", "bot_rows").sum()).sort(keys)


def _named(rows: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    return rows.join(numbers, on="pattern_no", maintain_order="left").select(
        "pattern_id", pl.exclude("pattern_id", "pattern_no")
    )


def _buckets(named: pl.DataFrame) -> pl.DataFrame:
    return named.group_by("pattern_id", "bucket_us").agg(pl.col("rows").sum()).sort("pattern_id", "bucket_us")


def _distinct(counts: ErrorCounts) -> pl.DataFrame:
    """Return ``pattern_no``, the distinct counts by name, and ``is_exact``: whether all of them are."""
    named = [
        sketch.counts().with_columns(pl.lit(name).alias("what")) for name, sketch in sorted(counts.distinct.items())
    ]
    long = pl.concat(named)
    exact = long.group_by("pattern_no").agg(pl.col("is_exact").all())
    wide = long.pivot("what", index="pattern_no", values="n", on_columns=[*sorted(counts.distinct)])
    return wide.join(exact, on="pattern_no").with_columns(
        pl.col(name).cast(pl.Int64) for name in counts.distinct
    )  # fmt: skip


def _history(catalogue: Catalogue | None, templates: Templates, baseline: Window) -> dict[str, int]:
    """Return since when templates are known that were known before the baseline."""
    if catalogue is None:
        return {}
    known = {name: pattern.first_us for name, pattern in catalogue.patterns.items()}
    return {
        name: known[name]
        for name in templates.frame["pattern_id"]
        if known.get(name, baseline.end_us) < baseline.start_us
    }


def _recurrence(row: Mapping[str, Any], history: Mapping[str, int], baseline: Window) -> tuple[str, str]:
    looked = f"{format_duration(baseline.duration_s)} before"
    since = history.get(row["template_id"])
    if not row["occurrences"]:
        return "gone", f"not met in the window; {row['baseline_occurrences']:,} times in the {looked}"
    if row["baseline_occurrences"]:
        return "recurring", f"met in the {looked}" + (f"; known since {format_time(since)}" if since else "")
    if since:
        return "recurring", f"not met in the {looked}, but its text is known since {format_time(since)}"
    return "first seen", f"not met in the {looked}; no longer history is known"


def _judged(
    patterns: pl.DataFrame,
    contexts: pl.DataFrame,
    reach: Mapping[str, Reach],
    history: Mapping[str, int],
    baseline: Window,
) -> pl.DataFrame:
    places = find_places(contexts)
    routes = dict(
        contexts.filter(pl.col("attribute") == "route").group_by("pattern_id").agg(pl.len()).iter_rows()
    )  # fmt: skip
    rows = []
    for row in patterns.iter_rows(named=True):
        key = row["pattern_id"]
        found = reach.get(key, Reach())
        facts = _facts(row, found, place=places.get(key, ""), routes=routes.get(key, 0))
        kind, class_reason = classify(facts) if row["occurrences"] else ("unclear", NOT_MET)
        category, category_reason = categorise(facts)
        priority, priority_reason = prioritise(kind, facts)
        recurrence, recurrence_reason = _recurrence(row, history, baseline)
        rows.append(
            {
                **row,
                "trace_share": row["traced"] / row["occurrences"] if row["occurrences"] else None,
                "first_share": row["first_in_trace"] / row["traced"] if row["traced"] else None,
                "follows": "",
                "reached": found.reached.hits,
                "reached_n": found.reached.n,
                "mended": found.mended.hits,
                "mended_n": found.mended.n,
                "recurrence": recurrence,
                "recurrence_reason": recurrence_reason,
                "class": kind,
                "class_reason": class_reason,
                "category": category,
                "category_reason": category_reason,
                "priority": priority,
                "priority_reason": priority_reason,
                "place": facts.place,
            }
        )
    return _ranked(pl.DataFrame([{name: row[name] for name in FRAME_SCHEMA} for row in rows], schema=FRAME_SCHEMA))


def _facts(row: Mapping[str, Any], found: Reach, *, place: str, routes: int) -> Facts:
    plain = (
        "origin", "level", "error_type", "template", "top_frame", "error_source", "http_status", "occurrences",
        "bot_rows", "traced", "first_in_trace", "clients", "people", "trend",
    )  # fmt: skip
    return Facts(
        **{name: row[name] for name in plain},
        routes=routes,
        traffic=row["exposure"] if row["exposure_unit"] != "seconds" else 0,
        reached=found.reached,
        mended=found.mended,
        place=place,
    )


def _ranked(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort: what is urgent, then what comes first in its traces, then what grew the most."""
    follows = (pl.col("first_share") < MOST).fill_null(value=False)
    before = pl.when(pl.col("baseline_exposure") > 0).then(
        pl.col("baseline_occurrences") * pl.col("exposure") / pl.col("baseline_exposure")
    )
    excess = pl.col("occurrences") - before.fill_null(0.0)
    return frame.sort(
        "priority", follows, excess, "occurrences", "pattern_id", descending=[False, False, True, True, False]
    )  # fmt: skip
