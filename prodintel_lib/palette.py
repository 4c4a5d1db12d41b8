"""The colours of charts and results.

They come from Okabe and Ito's set (2008), which colour-blind readers can tell apart, made darker or lighter until each
has a contrast of at least 3 to 1 against white and against JupyterLab's dark paper (WCAG 2.2, 1.4.11). The report
replaces exactly these colours by variables of its style sheet, so that a chart follows light, dark and print without
being drawn again: use the names here, not other colours.
"""

from __future__ import annotations

from typing import Final

TONES: Final[dict[str, str]] = {"bad": "#c8500a", "warn": "#a87413", "good": "#0b8563", "soft": "#75808c"}
"""A failure, a doubt, health, and what stays quiet."""

PALETTE: Final[dict[str, str]] = {**TONES, "accent": "#1f77b8", "shade": "#d9601a"}
"""The tones, what is looked at, and the incident's window (drawn nearly transparent)."""

CATEGORIES: Final[tuple[str, ...]] = ("#1f77b8", "#c8500a", "#0b8563", "#b0609a", "#a87413", "#2f93c9", "#75808c")
"""Series without a role, in this order."""

INK: Final = "#6e7681"
"""Letters in charts; the report sets them in its own ink."""

GRID: Final = "#8a94a040"
"""Grid lines in charts."""

DARK: Final[dict[str, str]] = {
    "#c8500a": "#ff8a5c",
    "#a87413": "#e6b24c",
    "#0b8563": "#4cc9a0",
    "#1f77b8": "#6cb6ff",
    "#75808c": "#9da7b1",
    "#d9601a": "#ff9a66",
    "#b0609a": "#e29ccb",
    "#2f93c9": "#7fd0f5",
}
"""What each colour becomes on the report's dark paper."""
