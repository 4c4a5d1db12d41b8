"""Shapes of more lines than are held at once: added up part by part, and looked up without mining anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.log_templates.catalogue import OTHER_ID
from prodintel_lib.analyses.log_templates.matching import TemplateIndex
from prodintel_lib.analyses.log_templates.settling import settle_shapes, split_tokens
from prodintel_lib.errors import ParameterError
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_KEYS, LOG_SHAPES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.log_templates.catalogue import Catalogue

MAX_SHAPES: Final = 1_000_000
OTHER_SHAPE: Final = "\x00"
"""Stands for the shapes beyond the bound. No message has it: control characters do not survive masking."""
ASSIGNMENTS_SCHEMA: Final[dict[str, pl.DataType]] = {"shape": pl.String(), "pattern_id": pl.String()}


def add_up_shapes(parts: Iterable[pl.DataFrame], *, max_shapes: int = MAX_SHAPES) -> pl.DataFrame:
    """Add up the shapes of several parts of the lines, within a bound.

    Parameters
    ----------
    parts : iterable of polars.DataFrame
        LOG_SHAPES_SCHEMA, one for each part; taken one at a time.
    max_shapes : int
        As many are kept: those with most lines. The lines of the others are counted, by service, under OTHER_SHAPE;
        none is lost, and :func:`assign_shapes` says which pattern such a line has.

    Returns
    -------
    polars.DataFrame
        LOG_SHAPES_SCHEMA, by LOG_SHAPES_KEYS.

    Raises
    ------
    ParameterError
        If `max_shapes` is below 1.
    """
    if max_shapes < 1:
        raise ParameterError(f"max_shapes must be 1 or more, not {max_shapes}.", hint="leave it out.")
    total, waiting = pl.DataFrame(schema=LOG_SHAPES_SCHEMA), list[pl.DataFrame]()
    for part in parts:
        waiting.append(part.select(*LOG_SHAPES_SCHEMA))
        # With room to spare: a shape that begins late must not be put away before it could add up.
        if sum(frame.height for frame in waiting) > 2 * max_shapes:
            total, waiting = _bounded(_summed(pl.concat([total, *waiting])), 2 * max_shapes), []
    return _bounded(_summed(pl.concat([total, *waiting])), max_shapes).sort(*LOG_SHAPES_KEYS)


def assign_shapes(shapes: pl.Series, catalogue: Catalogue) -> pl.DataFrame:
    """Say which known pattern each shape has, without mining.

    Parameters
    ----------
    shapes : polars.Series
        As rollups.log_masks.mask_message makes them.
    catalogue : Catalogue
        As mining.mine_templates returns it.

    Returns
    -------
    polars.DataFrame
        ASSIGNMENTS_SCHEMA, each shape once, sorted; OTHER_ID where no known template has it.
    """
    living = catalogue.living
    names = {known.tokens: known.pattern_id for known in living}
    index = TemplateIndex((known.tokens, frozenset(known.word_places)) for known in living)
    lines = pl.DataFrame({"shape": shapes.unique().sort()}, schema={"shape": pl.String()}).with_columns(
        settle_shapes(pl.col("shape")).alias("settled")
    )
    found = [index.find(split_tokens(settled)) for settled in lines["settled"].to_list()]
    ids = [OTHER_ID if template is None else names[template] for template in found]
    return lines.select("shape", pl.Series("pattern_id", ids, dtype=pl.String()))


def _summed(shapes: pl.DataFrame) -> pl.DataFrame:
    return shapes.group_by(*LOG_SHAPES_KEYS).agg(
        pl.col("rows").sum(),
        pl.col("first_us").min(),
        pl.col("last_us").max(),
        pl.col("example").min(),
        pl.col("example_last").max(),
    )


def _bounded(shapes: pl.DataFrame, max_shapes: int) -> pl.DataFrame:
    is_other = pl.col("shape") == OTHER_SHAPE
    own = shapes.filter(~is_other).sort("rows", *LOG_SHAPES_KEYS, descending=[True, False, False])
    beyond = own.slice(max_shapes).with_columns(pl.lit(OTHER_SHAPE).alias("shape"))
    return pl.concat([own.head(max_shapes), _summed(pl.concat([shapes.filter(is_other), beyond]))])
