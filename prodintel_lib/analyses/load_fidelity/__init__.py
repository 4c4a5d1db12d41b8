"""How faithful a generated load is to production: distances between two logs, and what production itself would get."""

from prodintel_lib.analyses.load_fidelity.distances import DISTANCES, measure_distances, measure_facts
from prodintel_lib.analyses.load_fidelity.scoring import LoadFidelity, Omission, find_omission, score_load

__all__ = [
    "DISTANCES",
    "LoadFidelity",
    "Omission",
    "find_omission",
    "measure_distances",
    "measure_facts",
    "score_load",
]
