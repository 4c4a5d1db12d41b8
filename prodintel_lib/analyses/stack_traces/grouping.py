"""Group stack traces by what went wrong where: each distinct text is read once, however often it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.stack_traces.groups import StackGroups
from prodintel_lib.analyses.stack_traces.joining import Signature, join_parts
from prodintel_lib.analyses.stack_traces.keys import file_name, frame_key, function_name
from prodintel_lib.analyses.stack_traces.model import Trace
from prodintel_lib.analyses.stack_traces.packages import package_of
from prodintel_lib.analyses.stack_traces.reading import FRAME_SIGNS, read_trace
from prodintel_lib.errors import MissingColumnsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.analyses.stack_traces.model import StackFrame

KEYS: Final = ("stacktrace", "error_type")
MAX_SHOWN_FRAMES: Final = 60
FRAME: Final = pl.Struct({"function": pl.String(), "path": pl.String(), "line": pl.Int64(), "in_app": pl.Boolean()})
ASSIGNMENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "stacktrace": pl.String(),
    "error_type": pl.String(),
    "rows": pl.Int64(),
    "stack_id": pl.String(),
    "fingerprint": pl.String(),
    "language": pl.String(),
    "exception": pl.String(),
    "message": pl.String(),
    "wrapped_in": pl.String(),
    "top_frame": pl.String(),
    "package": pl.String(),
    "file": pl.String(),
    "function": pl.String(),
    "is_in_app": pl.Boolean(),
    "is_part": pl.Boolean(),
    "frames": pl.List(FRAME),
}
FRAME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "stack_id": pl.String(),
    "language": pl.String(),
    "exception": pl.String(),
    "message": pl.String(),
    "wrapped_in": pl.String(),
    "top_frame": pl.String(),
    "is_in_app": pl.Boolean(),
    "rows": pl.Int64(),
    "traces": pl.Int64(),
    "parts": pl.Int64(),
    "frames": pl.List(FRAME),
}


def group_stacks(
    frame: pl.DataFrame, *, own: Sequence[str] = (), known: Mapping[str, str] | None = None
) -> StackGroups:
    """Group the stack traces of a frame.

    Parameters
    ----------
    frame : polars.DataFrame
        ``stacktrace``: the text of the trace, or a log's body that holds one; null or without a trace where there is
        none. ``error_type`` (optional): the class that was recorded beside it; counts where the trace names none.
        ``rows`` (optional): how many records a row stands for.
    own : sequence of str
        Packages and folders that are one's own, whatever the rules say; see `ownership.is_in_app`.
    known : mapping of str to str, optional
        `StackGroups.known` of an earlier time: a group that holds a fingerprint of it keeps that id.

    Returns
    -------
    StackGroups

    Raises
    ------
    MissingColumnsError
        If ``stacktrace`` is missing.

    Notes
    -----
    Two traces are one group if the classes of their root causes and the functions of their own frames are the same.
    Line numbers, release folders and what frameworks did in between do not count. A trace of which a part is missing
    joins the only group it agrees with; see `joining.join_parts`.
    """
    distinct = _distinct(frame)
    # Most bodies of logs hold no trace: only what may hold one is read.
    may_hold = distinct["stacktrace"].str.contains(FRAME_SIGNS).fill_null(value=False)
    texts = distinct.with_columns(stacktrace=pl.when(may_hold).then("stacktrace")).select(*KEYS)
    readings = [_Reading.of(*row, own=own) for row in texts.iter_rows()]
    target = join_parts(one.signature for one in readings if one.signature)
    ids = _name_groups(target, known or {})
    rows = [one.row(target, ids) for one in readings]
    names = [name for name in ASSIGNMENTS_SCHEMA if name not in {*KEYS, "rows"}]
    schema = {name: ASSIGNMENTS_SCHEMA[name] for name in names}
    assignments = distinct.hstack(pl.DataFrame(rows, schema=schema, orient="row")).select(*ASSIGNMENTS_SCHEMA)
    return StackGroups(_groups(assignments), assignments, int(distinct["rows"].sum()))


def _distinct(frame: pl.DataFrame) -> pl.DataFrame:
    if "stacktrace" not in frame.columns:
        raise MissingColumnsError.in_table("stack traces", missing=["stacktrace"], available=frame.columns)
    error_type = pl.col("error_type") if "error_type" in frame.columns else pl.lit(None, dtype=pl.String())
    rows = pl.col("rows").cast(pl.Int64).sum() if "rows" in frame.columns else pl.len().cast(pl.Int64)
    return (
        frame.lazy()
        .with_columns(error_type.alias("error_type"))
        .group_by(KEYS)
        .agg(rows.alias("rows"))
        .sort(*KEYS, nulls_last=True)
        .collect()
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    trace: Trace
    signature: Signature | None
    error_type: str

    @classmethod
    def of(cls, text: str | None, error_type: str | None, *, own: Sequence[str]) -> _Reading:
        trace = read_trace(text, own=own) if text else Trace()
        signature = Signature.of(trace, error_type=error_type or "") if trace.frames else None
        return cls(trace, signature, error_type or "")

    def row(self, target: Mapping[Signature, Signature], ids: Mapping[Signature, str]) -> tuple[Any, ...]:
        trace, top = self.trace, _top(self.trace)
        if self.signature is None or top is None:
            return (None,) * 10 + (False, False, [])
        joined = target[self.signature]
        return (
            ids[joined],
            self.signature.fingerprint,
            trace.language,
            trace.root.error_type or self.error_type,
            trace.root.message,
            ", ".join(link.error_type for link in trace.links[:-1] if link.error_type),
            _named(top, trace.language),
            package_of(top, trace.language),
            file_name(top.path),
            frame_key(top, trace.language),
            top.in_app,
            joined.keys != self.signature.keys or joined.error_class != self.signature.error_class,
            [
                {"function": one.function, "path": one.path, "line": one.line, "in_app": one.in_app}
                for one in trace.frames[:MAX_SHOWN_FRAMES]
            ],
        )


def _top(trace: Trace) -> StackFrame | None:
    """Return the topmost frame of one's own that bears a name, else the topmost there is."""
    named = (frame for frame in trace.frames if frame.in_app and frame_key(frame, trace.language))
    return next(named, trace.top_frame)


def _named(top: StackFrame, language: str) -> str:
    return f"{function_name(top.function, language)} {file_name(top.path)}".strip()


def _name_groups(target: Mapping[Signature, Signature], known: Mapping[str, str]) -> dict[Signature, str]:
    ids = {joined: joined.fingerprint for joined in target.values()}
    earlier: dict[Signature, str] = {}
    for one, joined in target.items():
        if one.fingerprint in known:
            earlier[joined] = min(known[one.fingerprint], earlier.get(joined, known[one.fingerprint]))
    return ids | earlier


def _groups(assignments: pl.DataFrame) -> pl.DataFrame:
    """Return a row a group; the example is its most frequent whole trace."""
    if assignments["stack_id"].null_count() == assignments.height:
        return pl.DataFrame(schema=FRAME_SCHEMA)
    wrappers = pl.col("wrapped_in").filter(pl.col("wrapped_in") != "").unique().sort().head(3).str.join("; ")
    first = ("language", "exception", "message", "top_frame", "is_in_app", "frames")
    return (
        assignments.filter(pl.col("stack_id").is_not_null())
        .sort("is_part", "rows", "stacktrace", "error_type", descending=[False, True, False, False])
        .group_by("stack_id", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in first),
            wrappers.alias("wrapped_in"),
            pl.col("rows").sum(),
            pl.len().cast(pl.Int64).alias("traces"),
            pl.col("is_part").sum().cast(pl.Int64).alias("parts"),
        )
        .sort("rows", "stack_id", descending=[True, False])
        .select(*FRAME_SCHEMA)
    )
