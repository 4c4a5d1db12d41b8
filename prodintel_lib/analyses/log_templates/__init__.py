"""Log templates: masked lines joined into patterns with ids that stay from one week to the next."""

from prodintel_lib.analyses.log_templates.catalogue import OTHER_ID, Catalogue, KnownPattern, make_pattern_id
from prodintel_lib.analyses.log_templates.mining import TEMPLATES_SCHEMA, Templates, mine_templates
from prodintel_lib.analyses.log_templates.tallying import (
    ASSIGNMENTS_SCHEMA,
    OTHER_SHAPE,
    add_up_shapes,
    assign_shapes,
)

__all__ = [
    "ASSIGNMENTS_SCHEMA",
    "OTHER_ID",
    "OTHER_SHAPE",
    "TEMPLATES_SCHEMA",
    "Catalogue",
    "KnownPattern",
    "Templates",
    "add_up_shapes",
    "assign_shapes",
    "make_pattern_id",
    "mine_templates",
]
