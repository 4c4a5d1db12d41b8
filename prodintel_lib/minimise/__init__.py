"""The smallest scenario that still shows an incident's symptom, and what of the original mattered.

The search itself (`search.minimise`, `trial.run_scenario`) needs pytest and httpx, as generated tests do, and is
imported where it runs; what is here serves the report.
"""

from prodintel_lib.minimise.result import (
    MINIMAL_FILE,
    MINIMAL_FOLDER,
    MINIMALS_FOLDER,
    Confirmation,
    Finding,
    MinimalScenario,
    read_minimal,
)
from prodintel_lib.minimise.view import MinimalView, render_minimal

__all__ = [
    "MINIMALS_FOLDER",
    "MINIMAL_FILE",
    "MINIMAL_FOLDER",
    "Confirmation",
    "Finding",
    "MinimalScenario",
    "MinimalView",
    "read_minimal",
    "render_minimal",
]
