"""Which errors are one pattern: the same code path, the same template, or the same answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.frontend_errors.patterns import name_patterns
from prodintel_lib.analyses.log_templates import mine_templates
from prodintel_lib.analyses.stack_traces import group_stacks
from prodintel_lib.rollups.error_events import BROWSER, DEFINITION_KEYS
from prodintel_lib.rollups.log_masks import mask_message
from prodintel_lib.rollups.rum_errors import ERROR_TEXTS

if TYPE_CHECKING:
    from prodintel_lib.analyses.log_templates import Catalogue, Templates
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

NAMED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "template_id": pl.String(),
    "template": pl.String(),
    "top_frame": pl.String(),
    "type": pl.String(),
}
PATTERN_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "pattern_no": pl.Int64(),
    "origin": pl.String(),
    "level": pl.String(),
    "service_name": pl.String(),
    "error_type": pl.String(),
    "template": pl.String(),
    "template_id": pl.String(),
    "top_frame": pl.String(),
    "http_status": pl.Int64(),
    "error_source": pl.String(),
    "example": pl.String(),
    "example_stacktrace": pl.String(),
}
EXAMPLE_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Grouping:
    """The patterns, and what belongs to them.

    Attributes
    ----------
    patterns : polars.DataFrame
        PATTERN_SCHEMA, in order of ``pattern_id``; ``pattern_no`` counts them. What they say is pseudonymised.
    keys : polars.DataFrame
        DEFINITION_KEYS and ``pattern_no``: texts **as recorded**, to find the errors again; not to be shown.
    templates : Templates
        What the miner made of the messages.
    """

    patterns: pl.DataFrame
    keys: pl.DataFrame
    templates: Templates


def group_definitions(
    definitions: pl.DataFrame, *, private: Pseudonymiser, catalogue: Catalogue | None = None
) -> Grouping:
    """Group what errors say into patterns.

    Parameters
    ----------
    definitions : polars.DataFrame
        Columns of rollups.error_events.DEFINITIONS_SCHEMA: each of DEFINITION_KEYS once.
    private : Pseudonymiser
        What is shown of a pattern passes it.
    catalogue : Catalogue, optional
        Templates known from before.

    Notes
    -----
    A pattern belongs to one service. It is named by

    - its service and the fingerprint of its stack trace, where one was recorded that can be read (stack_traces):
      whatever the message, the same code path is the same defect; ``EP-`` and ten hex digits
    - of browsers what frontend_errors.patterns says, with the same id ``FE-…``
    - of an answer without words (a status) what was asked and what was answered
    - else its service, its class without the package, and the template of its message

    The template shown is that of the definition with the most rows.
    """
    numbered = definitions.sort(DEFINITION_KEYS).with_row_index("definition_no").cast({"definition_no": pl.Int64})
    is_browser, is_answer = pl.col("origin") == BROWSER, pl.col("is_answer")
    said = numbered.filter(~is_browser & ~is_answer)
    templates = mine_templates(_shapes(said), known=catalogue)
    named = pl.concat(
        [
            _name_browsers(numbered.filter(is_browser), private),
            _name_answers(numbered.filter(~is_browser & is_answer)),
            _name_said(said, templates, private),
        ]
    )
    joined = numbered.join(named, on="definition_no", maintain_order="left")
    numbers = joined.select(pl.col("pattern_id").unique().sort()).with_row_index("pattern_no").cast(
        {"pattern_no": pl.Int64}
    )  # fmt: skip
    whole = joined.join(numbers, on="pattern_id", maintain_order="left")
    return Grouping(_describe(whole, private), whole.select(*DEFINITION_KEYS, "pattern_no"), templates)


def _shapes(said: pl.DataFrame) -> pl.DataFrame:
    return (
        said.group_by("service_name", "shape")
        .agg(pl.col("rows").sum(), pl.col("first_us").min(), pl.col("last_us").max(), pl.col("example").min())
        .sort("service_name", "shape")
    )


def _name_browsers(errors: pl.DataFrame, private: Pseudonymiser) -> pl.DataFrame:
    texts = errors.select(
        "error_source",
        "error_type",
        pl.col("shape").alias("exception_message"),
        pl.col("stack_shape").alias("exception_stacktrace"),
        "field",
    ).select(ERROR_TEXTS)
    names = name_patterns(private.frame(texts))
    field = pl.when(pl.col("field") != "").then(pl.format("{} ({})", "message", "field")).otherwise("message")
    return errors.select("definition_no").with_columns(
        names.select(
            "pattern_id",
            pl.lit("").alias("template_id"),
            field.alias("template"),
            pl.col("frame").alias("top_frame"),
            pl.col("error_type").alias("type"),
        )
    )


def _name_answers(errors: pl.DataFrame) -> pl.DataFrame:
    return errors.select(
        "definition_no",
        _ids(errors.select(pl.lit("answer"), "service_name", "error_type", "shape")),
        pl.lit("").alias("template_id"),
        pl.col("shape").alias("template"),
        pl.lit("").alias("top_frame"),
        pl.col("error_type").alias("type"),
    )


def _name_said(errors: pl.DataFrame, templates: Templates, private: Pseudonymiser) -> pl.DataFrame:
    texts = templates.frame.select(pl.col("pattern_id").alias("template_id"), "template")
    on = [name for name in ("service_name", "shape") if name in templates.assignments.columns]
    mined = errors.join(
        templates.assignments.rename({"pattern_id": "template_id"}), on=on, how="left", maintain_order="left"
    ).join(texts, on="template_id", how="left", maintain_order="left")
    short = pl.col("error_type").str.split(".").list.last()
    thrown = pl.col("exception").str.split("\\").list.last().str.split(".").list.last()
    found = _with_stacks(mined, private).with_columns(
        pl.coalesce(pl.when(thrown != "").then(thrown), short).fill_null("").alias("type"),
        pl.col("template_id", "top_frame").fill_null(""),
        # A record may hold less of what was thrown than the end of its stack trace.
        pl.when((pl.col("example_note") != "") & (pl.col("whole").str.len_chars() > pl.col("example").str.len_chars()))
        .then("whole_shape")
        .otherwise(pl.col("template").fill_null(pl.col("shape")))
        .alias("template"),
    )
    by_words = _ids(found.select(pl.lit("words"), "service_name", "type", "template_id"))
    by_path = _ids(found.select(pl.lit("stack"), "service_name", "stack_id"))
    # Frames of libraries alone lead there from everywhere: they do not say which code it is.
    has_path = pl.col("stack_id").is_not_null() & pl.col("is_in_app")
    return found.with_columns(by_path.alias("by_path"), by_words.alias("by_words")).select(
        "definition_no",
        pl.when(has_path).then("by_path").otherwise("by_words").alias("pattern_id"),
        "template_id",
        "template",
        "top_frame",
        "type",
    )


def _with_stacks(errors: pl.DataFrame, private: Pseudonymiser) -> pl.DataFrame:
    """Add ``stack_id, exception, top_frame, is_in_app``, its message as ``whole`` and ``whole_shape``.

    They are null where no stack trace could be read.
    """
    stacks = errors.select(
        pl.when(pl.col("example_stacktrace") != "").then("example_stacktrace").alias("stacktrace"),
        pl.when(pl.col("error_type") != "").then("error_type").alias("error_type"),
    )
    clean = private.frame(stacks, columns={"error_type": "keep"})
    keys = ["stacktrace", "error_type"]
    read = group_stacks(clean.with_columns(errors["rows"])).assignments.select(
        *keys, "stack_id", "exception", "top_frame", "is_in_app", pl.col("message").alias("whole")
    )
    read = _with_whole_shape(read)
    found = clean.join(read, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return errors.with_columns(found.drop(keys))


def _with_whole_shape(stacks: pl.DataFrame) -> pl.DataFrame:
    masked: nw.DataFrame[pl.DataFrame] = nw.from_native(stacks)
    return masked.with_columns(mask_message(nw.col("whole")).alias("whole_shape")).to_native()


def _ids(parts: pl.DataFrame) -> pl.Series:
    made = [
        "EP-" + hashlib.blake2b("\0".join(part or "" for part in row).encode(), digest_size=5).hexdigest()
        for row in parts.iter_rows()
    ]
    return pl.Series("pattern_id", made, dtype=pl.String())


def _describe(definitions: pl.DataFrame, private: Pseudonymiser) -> pl.DataFrame:
    """Say of each pattern what the definition with the most rows says; an error anywhere makes it an error."""
    first = definitions.sort("rows", *DEFINITION_KEYS, descending=[True, *[False] * len(DEFINITION_KEYS)]).group_by(
        "pattern_id", "pattern_no", maintain_order=True
    )  # fmt: skip
    words = pl.when(pl.col("example_note") != "").then(pl.format("{}: {}", "example_note", "example"))
    described = first.agg(
        pl.col("origin", "service_name", "template", "template_id", "top_frame", "error_source", "http_status").first(),
        pl.col("type").first().alias("error_type"),
        (pl.col("level") == "error").any().alias("is_error"),
        words.otherwise("example").first().str.slice(0, EXAMPLE_CHARS).alias("example"),
        pl.col("example_stacktrace").first(),
    ).with_columns(pl.when("is_error").then(pl.lit("error")).otherwise(pl.lit("warning")).alias("level"))
    kept = {"pattern_id": "keep", "template_id": "keep"}
    return private.frame(described.select(PATTERN_SCHEMA.keys()).sort("pattern_id"), columns=kept)
