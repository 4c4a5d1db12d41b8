"""The API against its OpenAPI document: one test for each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodintel_lib.renderers.templates.monitor_contract_system import prepared

if TYPE_CHECKING:
    from schemathesis import Case

SYSTEM = prepared()


@SYSTEM.schema.parametrize()
def test_contract(case: Case[Any]) -> None:
    """Send generated requests, and hold every answer to the document."""
    SYSTEM.judge(case)
