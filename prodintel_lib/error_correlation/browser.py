"""Browser tests of front-end error patterns alone, for a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodintel_lib.analyses.experience import measure_experience
from prodintel_lib.analyses.journeys.passes import open_passes
from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.ui_from_findings import UiTests, build_error_tests

if TYPE_CHECKING:
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window


def build_browser_tests(view: LakeView, window: Window, *, most: int) -> UiTests:
    """Build tests of the front-end errors of a window that may be bugs; none where no visitor was recorded.

    Parameters
    ----------
    view : LakeView
    window : Window
    most : int
        At most so many patterns.
    """
    journeys = view.workspace.config.journeys
    try:
        passes = open_passes(view, window=window, conversions=journeys.conversions, gap_min=journeys.session_gap_min)
        experience = measure_experience(
            view, window=window, conversions=journeys.conversions, gap_min=journeys.session_gap_min, passes=passes
        )
    except NoDataError:
        return UiTests(None, ())
    return build_error_tests(passes, experience.errors, most=most)
