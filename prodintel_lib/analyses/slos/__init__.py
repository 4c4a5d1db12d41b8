"""Service level objectives: what was promised, how much was kept, how fast the budget burns, whether it will last."""

from prodintel_lib.analyses.slos.burn import RULES, BurnRule
from prodintel_lib.analyses.slos.measure import measure_slos
from prodintel_lib.analyses.slos.model import (
    ALERTS_SCHEMA,
    BUDGET_SCHEMA,
    BURN_SCHEMA,
    FORECAST_LEVEL,
    FORECAST_SCHEMA,
    FORESEEN_SCHEMA,
    NOW_SCHEMA,
    OBJECTIVES_SCHEMA,
    SloKind,
    SloReport,
    SloStatus,
)
from prodintel_lib.analyses.slos.objectives import Objective

__all__ = [
    "ALERTS_SCHEMA",
    "BUDGET_SCHEMA",
    "BURN_SCHEMA",
    "FORECAST_LEVEL",
    "FORECAST_SCHEMA",
    "FORESEEN_SCHEMA",
    "NOW_SCHEMA",
    "OBJECTIVES_SCHEMA",
    "RULES",
    "BurnRule",
    "Objective",
    "SloKind",
    "SloReport",
    "SloStatus",
    "measure_slos",
]
