"""Log templates: which messages say the same thing, under ids that stay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.log_templates.catalogue import OTHER_ID, RULES_VERSION, Catalogue, KnownPattern
from prodintel_lib.analyses.log_templates.learning import Learner
from prodintel_lib.analyses.log_templates.naming import Naming, name_templates
from prodintel_lib.analyses.log_templates.settling import find_said_values, settle_shapes
from prodintel_lib.analyses.log_templates.slots import find_slots, render_template
from prodintel_lib.analyses.log_templates.tallying import OTHER_SHAPE
from prodintel_lib.errors import MissingColumnsError
from prodintel_lib.markup import Markup, number, paragraph, table, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.log_templates.columns import Tokens

TEMPLATES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "template": pl.String(),
    "key": pl.String(),
    "rows": pl.Int64(),
    "shapes": pl.Int64(),
    "slots": pl.String(),
    "first_us": pl.Int64(),
    "last_us": pl.Int64(),
    "is_known": pl.Boolean(),
    "is_other": pl.Boolean(),
    "split_from": pl.String(),
    "merged": pl.String(),
}
_NEEDED: Final = ("shape", "rows", "first_us", "last_us", "example")
_EXAMPLE_LINES: Final = 10
_SHOWN: Final = 20
# The place of the lines that have no template, among the templates' own from 0.
_NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of a set of log lines.

    Attributes
    ----------
    assignments : polars.DataFrame
        ``shape, pattern_id``: every shape that was given, exactly once.
    frame : polars.DataFrame
        TEMPLATES_SCHEMA, the pattern with most rows first:

        - ``template``: the text, with the kind of each slot (``<number>``, ``<ip>``, ``<path>``; ``<*>`` where kinds
          differ) after what all its values begin with; ``key``: with ``<*>`` for each slot: the id is made from it
        - ``rows``, ``shapes``: lines, and distinct masked lines; ``first_us``, ``last_us``
        - ``slots``: a JSON list of ``position``, ``type`` and up to five ``examples``, **as they came**: whoever writes
          them pseudonymises them first, and the template's words, too
        - ``is_known``: whether the pattern was in the catalogue; ``split_from``: what it was part of, else empty;
          ``merged``: a JSON list of the patterns that became part of it, now or before
        - ``is_other``: the row, if there is one, of the lines that found no template within the bounds of
          learning.Learner and tallying.add_up_shapes; its id is OTHER_ID
    catalogue : Catalogue
        What was known with what was found, for the next time.
    """

    assignments: pl.DataFrame
    frame: pl.DataFrame
    catalogue: Catalogue

    @property
    def rows(self) -> int:
        """How many lines were given."""
        return int(self.frame["rows"].sum())

    @property
    def other_rows(self) -> int:
        """How many of them found no template within the bounds."""
        return int(self.frame.filter("is_other")["rows"].sum())

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(paragraph("There was no log line."))
        shown = self.frame.head(_SHOWN)
        rows: list[list[Markup]] = [
            [text(row["pattern_id"]), number(row["rows"]), number(row["shapes"]), text(row["template"])]
            for row in shown.iter_rows(named=True)
        ]
        caption = (
            f"{int(shown['rows'].sum()):,} of {self.rows:,} lines in {shown.height} of {self.frame.height:,} patterns; "
            f"{self.other_rows:,} lines found no template."
        )
        return str(table(["Pattern", "Lines", "Masked lines", "Says"], rows, align="lrrl", caption=caption))


def mine_templates(shapes: pl.DataFrame, *, known: Catalogue | None = None, remine: bool = False) -> Templates:
    """Find the templates of log lines.

    Lines are told apart by what they say; which service said it is not part of a template, so that a library's message
    is one pattern in all services that use it.

    Parameters
    ----------
    shapes : polars.DataFrame
        LOG_SHAPES_SCHEMA of rollups.log_shapes: ``shape, rows, first_us, last_us, example`` and, if there,
        ``example_last``; a shape may come once for each service.
    known : Catalogue, optional
        The patterns of an earlier time. A line that has one of their templates has their id; new lines may widen a
        template, which keeps its id; where that makes two one, the id of the one with more lines stays.
    remine : bool
        Find the templates anew, and only carry the ids over: of a pattern that is split, to the part with most lines.
        Done by itself where the catalogue was made by other rules.

    Returns
    -------
    Templates
        The same for the same lines in any order.

    Raises
    ------
    MissingColumnsError
        If `shapes` lacks a column.

    Notes
    -----
    Masking before clustering, and clustering of distinct masked lines only: as Drain (He, Zhu, Zheng and Lyu,
    ICWS 2017) and Brain (Yu, He, Chen and Wu 2023, doi:10.1109/TSC.2023.3270566) do after expressions
    given for each system. Here the masks are general (log_masks, settling), no tree of fixed depth and no threshold of
    similarity is used, and two lines are joined only where columns.py finds that what differs is a value.
    """
    if missing := [name for name in _NEEDED if name not in shapes.columns]:
        raise MissingColumnsError.in_table("log shapes", missing=missing, available=shapes.columns)
    catalogue = known or Catalogue()
    anew = remine or catalogue.rules_version != RULES_VERSION
    lines = _settled(shapes)
    learner = Learner(
        {} if anew else {known.tokens: (known.rows, frozenset(known.word_places)) for known in catalogue.living},
        values=find_said_values(lines["shape"]),
    )
    templates, placed = _placed(lines, learner)
    naming = name_templates(
        templates,
        catalogue=catalogue,
        became={} if anew else learner.became,
        lines=list(placed.select("settled", "rows", "number").iter_rows()) if anew else [],
    )
    ids = {_NOWHERE: OTHER_ID} | dict(enumerate(naming.ids))
    pattern_id = pl.col("number").replace_strict(ids, return_dtype=pl.String()).alias("pattern_id")
    frame = _described(_tally(placed), templates, naming, ids)
    return Templates(
        placed.select("shape", pattern_id).sort("shape"),
        frame,
        _remembered(catalogue, frame, dict(zip(naming.ids, templates, strict=True)), learner, naming),
    )


def _placed(lines: pl.DataFrame, learner: Learner) -> tuple[list[Tokens], pl.DataFrame]:
    """Return the templates, and the lines with the ``number`` of theirs, _NOWHERE where they have none."""
    by_line = (
        lines.filter(pl.col("shape") != OTHER_SHAPE)
        .group_by("settled")
        .agg(pl.col("rows").sum())
        .sort("rows", "settled", descending=[True, False])
    )
    found = learner.learn(by_line["settled"].to_list(), by_line["rows"].to_list())
    numbers: dict[Tokens, int] = {}
    of_line = [_NOWHERE if template is None else numbers.setdefault(template, len(numbers)) for template in found]
    numbered = by_line.select("settled", pl.Series("number", of_line, dtype=pl.Int64))
    return list(numbers), lines.join(numbered, on="settled", how="left").with_columns(
        pl.col("number").fill_null(_NOWHERE)
    )


def _settled(shapes: pl.DataFrame) -> pl.DataFrame:
    """Return one row a shape, over all services, with what settling leaves of it."""
    last = "example_last" if "example_last" in shapes.columns else "example"
    return (
        shapes.group_by("shape")
        .agg(
            pl.col("rows").sum().cast(pl.Int64),
            pl.col("first_us").min(),
            pl.col("last_us").max(),
            pl.col("example").min(),
            pl.col(last).max().alias("example_last"),
        )
        .with_columns(settle_shapes(pl.col("shape")).alias("settled"))
    )


def _tally(placed: pl.DataFrame) -> pl.DataFrame:
    """Sum up the shapes of each template, with a few of its lines: the smallest and the largest."""
    smallest, largest = pl.col("example").sort(), pl.col("example_last").sort(descending=True)
    return placed.group_by("number").agg(
        pl.col("rows").sum(),
        pl.len().cast(pl.Int64).alias("shapes"),
        pl.col("first_us").min(),
        pl.col("last_us").max(),
        smallest.head(_EXAMPLE_LINES).alias("smallest"),
        largest.head(_EXAMPLE_LINES).alias("largest"),
    )


def _described(tallied: pl.DataFrame, templates: Sequence[Tokens], naming: Naming, ids: dict[int, str]) -> pl.DataFrame:
    described = []
    for row in tallied.iter_rows(named=True):
        is_other = row["number"] == _NOWHERE
        tokens = ("<*>",) if is_other else templates[row["number"]]
        slots = () if is_other else find_slots(tokens, [*row["smallest"], *row["largest"]])
        pattern_id = ids[row["number"]]
        described.append({
            "pattern_id": pattern_id,
            "template": "<other>" if is_other else render_template(tokens, slots),
            "key": "".join(tokens).strip(),
            "rows": row["rows"],
            "shapes": row["shapes"],
            "slots": json.dumps(
                [{"position": s.position, "type": s.kind, "examples": list(s.examples)} for s in slots],
                ensure_ascii=False,
            ),
            "first_us": row["first_us"],
            "last_us": row["last_us"],
            "is_known": pattern_id in naming.known,
            "is_other": is_other,
            "split_from": naming.split_from.get(pattern_id, ""),
            "merged": json.dumps(naming.merged.get(pattern_id, [])),
        })  # fmt: skip
    return pl.DataFrame(described, schema=TEMPLATES_SCHEMA).sort("rows", "pattern_id", descending=[True, False])


def _remembered(
    catalogue: Catalogue, frame: pl.DataFrame, tokens: dict[str, Tokens], learner: Learner, naming: Naming
) -> Catalogue:
    """Return the catalogue with what was found put in."""
    updates = []
    for row in frame.filter(~pl.col("is_other")).iter_rows(named=True):
        name, before = row["pattern_id"], catalogue.patterns.get(row["pattern_id"])
        template = tokens[name]
        updates.append(
            KnownPattern(
                name,
                template,
                tuple(sorted(learner.templates[template][1])),
                row["rows"],
                min(row["first_us"], before.first_us) if before else row["first_us"],
                max(row["last_us"], before.last_us) if before else row["last_us"],
                row["split_from"],
            )
        )
    return catalogue.updated([*updates, *naming.retired(catalogue)])
