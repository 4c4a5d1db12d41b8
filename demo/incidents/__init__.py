"""The bank of incidents. To add one: write its module beside the others and name it in ``BANK``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from demo.incidents import (
    inc_2024_1234,
    inc_2024_1301,
    inc_2024_1317,
    inc_2024_1342,
    inc_2024_1365,
    inc_2024_1388,
    inc_2024_1402,
    inc_2024_1419,
    inc_2024_1433,
    inc_2024_1451,
    inc_2024_1467,
    inc_2024_1480,
    inc_2024_1496,
    inc_2024_1512,
    inc_2024_1530,
    inc_2024_1547,
)
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from demo.incidents.model import Incident

_MODULES: Final = (
    inc_2024_1234,
    inc_2024_1301,
    inc_2024_1317,
    inc_2024_1342,
    inc_2024_1365,
    inc_2024_1388,
    inc_2024_1402,
    inc_2024_1419,
    inc_2024_1433,
    inc_2024_1451,
    inc_2024_1467,
    inc_2024_1480,
    inc_2024_1496,
    inc_2024_1512,
    inc_2024_1530,
    inc_2024_1547,
)
BANK: Final[dict[str, Incident]] = {module.INCIDENT.incident_id: module.INCIDENT for module in _MODULES}


def find_incident(incident_id: str) -> Incident:
    """Return the incident with this id.

    Raises
    ------
    ParameterError
        If the bank has none; the nearest id is named.
    """
    if incident_id not in BANK:
        raise ParameterError.unknown("incident", incident_id, known=BANK)
    return BANK[incident_id]
