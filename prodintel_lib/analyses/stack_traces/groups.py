"""Groups of stack traces: the result of group_stacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.errors import ParameterError
from prodintel_lib.markup import Markup, figure_text, number, paragraph, table, tag, text, tone

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SHOWN: Final = 15
_FRAMES_SHOWN: Final = 25
_MESSAGE_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class StackGroups:
    """Stack traces that say the same went wrong in the same place.

    Attributes
    ----------
    frame : polars.DataFrame
        One row a group, the most frequent first:

        - ``stack_id``: ``ST-`` and ten hexadecimal digits
        - ``language``: python, jvm, dotnet, javascript, go, php, ruby, other
        - ``exception, message``: of the root cause, of the most frequent whole trace; ``wrapped_in``: the classes of
          the exceptions around it
        - ``top_frame``: ``function file`` of the topmost frame of one's own; of the topmost at all where ``is_in_app``
          is false
        - ``rows``: records; ``traces``: distinct texts; ``parts``: those that were joined though a part is missing
        - ``frames``: list of ``function, path, line, in_app``, where it was thrown first
    assignments : polars.DataFrame
        One row a distinct ``stacktrace`` and ``error_type`` (null where the frame had none): ``rows, stack_id`` (null
        where there is no trace), ``fingerprint`` (of this text alone), ``language, exception, message, wrapped_in,
        top_frame, package, file, function, is_in_app, is_part, frames``. To be joined to records by the two texts,
        nulls equal.
    rows : int
        Records there were.
    """

    frame: pl.DataFrame
    assignments: pl.DataFrame
    rows: int

    @property
    def known(self) -> dict[str, str]:
        """The id by fingerprint: given to the next `group_stacks`, it keeps the ids though longer traces came."""
        named = self.assignments.filter(pl.col("stack_id").is_not_null())
        return dict(named.select("fingerprint", "stack_id").unique().sort("fingerprint").iter_rows())

    def assign(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return records with the column ``stack_id``, in their order; null where they hold no trace."""
        keys = ["stacktrace", "error_type"] if "error_type" in records.columns else ["stacktrace"]
        ids = self.assignments.select(*keys, "stack_id").unique(subset=keys, keep="first", maintain_order=True)
        return records.join(ids, on=keys, how="left", nulls_equal=True, maintain_order="left")

    def group(self, stack_id: str) -> dict[str, Any]:
        """Return the row of a group.

        Raises
        ------
        ParameterError
            If there is none of that id.
        """
        found = self.frame.filter(pl.col("stack_id") == stack_id)
        if found.is_empty():
            raise ParameterError.unknown("stack group", stack_id, known=self.frame["stack_id"])
        return found.row(0, named=True)

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(paragraph(f"None of {self.rows:,} records holds a stack trace."))
        rows = [
            [
                figure_text(row["exception"] or "not named", note=_wrapped(row)),
                text(row["message"][:_MESSAGE_CHARS] or None),
                text(row["top_frame"]) if row["is_in_app"] else figure_text(row["top_frame"], note="of a library"),
                _frames_cell(row["frames"]),
                number(row["rows"]),
                number(row["traces"]),
            ]
            for row in self.frame.head(MAX_SHOWN).iter_rows(named=True)
        ]
        with_trace = int(self.frame["rows"].sum())
        caption = (
            f"{len(rows)} of {self.frame.height:,} groups; {with_trace:,} of {self.rows:,} records hold a stack trace. "
            f"{int(self.frame['parts'].sum()):,} of {int(self.frame['traces'].sum()):,} texts lack a part and were "
            "joined to the only group they agree with."
        )
        headers = ["Root cause", "Message, an example", "Topmost own frame", "Frames", "Records", "Texts"]
        return str(table(headers, rows, align="llllrr", caption=caption))


def _wrapped(row: dict[str, Any]) -> str:
    return f"{row['stack_id']}, wrapped in {row['wrapped_in']}" if row["wrapped_in"] else str(row["stack_id"])


def _frames_cell(frames: Sequence[dict[str, Any]]) -> Markup:
    """List the frames, folded; those of libraries in quiet letters."""
    items = Markup("").join(Markup("<li>{}</li>").format(_one_frame(frame)) for frame in frames[:_FRAMES_SHOWN])
    more = len(frames) - _FRAMES_SHOWN
    rest = Markup("<li>{}</li>").format(tone(f"{more} more", "soft")) if more > 0 else Markup("")
    own = sum(frame["in_app"] for frame in frames)
    return Markup("<details><summary>{} frames, {} own</summary><ol>{}{}</ol></details>").format(
        len(frames), own, items, rest
    )


def _one_frame(frame: dict[str, Any]) -> Markup:
    place = frame["path"] if frame["line"] is None else f"{frame['path']}:{frame['line']}"
    said = " ".join(part for part in (frame["function"], place) if part)
    return text(said) + Markup(" ") + tag("own") if frame["in_app"] else tone(said, "soft")
