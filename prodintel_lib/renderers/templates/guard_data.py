"""Stands for the generated module of the same name, so that what imports it is checked; it is never rendered."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {}
GUARDS: list[dict[str, Any]] = []
