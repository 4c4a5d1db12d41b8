"""What users experienced and used: vitals, front-end errors and features of a window, in one pass over the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from prodintel_lib.analyses import features, vitals
from prodintel_lib.analyses.frontend_errors import FrontEndErrors, add_tallies, assess_errors, tally_errors
from prodintel_lib.analyses.journeys.passes import NATIVE_ENGINE, open_passes, routes_on_engine
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.rum_sessions import SESSION_COLUMNS, SESSIONS_SCHEMA, build_session_events, build_sessions
from prodintel_lib.tables import RUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from prodintel_lib.analyses.features import Features, FeatureTally
    from prodintel_lib.analyses.frontend_errors import ErrorTally
    from prodintel_lib.analyses.journeys.passes import Passes, Slice
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.analyses.vitals import Vitals
    from prodintel_lib.windows import Window

# What no tally of a session looks at; texts, mostly, that would fill the memory.
_UNUSED: Final = frozenset(
    {
        "attributes", "client_address", "deployment_environment_name", "http_route", "page_title", "referrer",
        "service_instance_id", "service_name", "target_value", "timezone_name", "trace_id", "url_query",
        "user_agent_original", "viewport_height_px", "viewport_width_px",
    }
)  # fmt: skip
_USED: Final = tuple(name for name in (*RUM_EVENTS.schema, *SESSION_COLUMNS) if name not in _UNUSED)


@dataclass(frozen=True, slots=True)
class Experience:
    """Vitals, front-end errors and features of a window.

    Attributes
    ----------
    window : Window
    vitals : Vitals
    errors : FrontEndErrors
    features : Features
    """

    window: Window
    vitals: Vitals
    errors: FrontEndErrors
    features: Features


def measure_experience(
    view: LakeView,
    *,
    window: Window,
    conversions: Sequence[str] = (),
    gap_min: float = 30.0,
    passes: Passes | None = None,
) -> Experience:
    """Measure what the visitors of a window experienced and used.

    Parameters
    ----------
    view : LakeView
    window : Window
    conversions : sequence of str
        Event names and page routes that mean the visitor did what the site is for; without one no impact is measured.
    gap_min : float
        Minutes without an event that end a session.
    passes : Passes, optional
        Where the window has been opened already, with the same options: routes are then not learned again.

    Raises
    ------
    NoDataError
        If no event of a person lies in the window.
    """
    passes = passes or open_passes(view, window=window, conversions=tuple(conversions), gap_min=gap_min)
    tallies = [_tally(passes, which) for which in passes.slices]
    errors = add_tallies(errors for _, errors, _ in tallies)
    if not errors.sessions:
        raise NoDataError(
            f"No event of a visitor's browser was recorded in {window.label()}.",
            hint="add a source of RUM events to `sources` in prodintel.yaml, or ask for another window.",
        )
    used = features.add_tallies(used for _, _, used in tallies)
    return Experience(
        window,
        vitals.rate_vitals(vitals.add_tallies(seen for seen, _, _ in tallies), private=view.private),
        assess_errors(errors, private=view.private),
        features.rank_features(used, window=window, private=view.private),
    )


def _tally(passes: Passes, which: Slice) -> tuple[pl.DataFrame, ErrorTally, FeatureTally]:
    view, conversions = passes.view, passes.conversions
    with routes_on_engine(passes.routes, view.engine) as routes:
        events = build_session_events(passes.scan(which), gap_min=passes.gap_min, routes=routes).select(*_USED)
        if view.engine == NATIVE_ENGINE:
            events = _kept(events)
        sessions = collect(
            build_sessions(events, conversions=conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"]
        )
        return (
            vitals.tally_vitals(events),
            tally_errors(events, sessions, conversions=conversions, private=view.private),
            features.tally_features(
                events, sessions, window=passes.window, conversions=conversions, private=view.private
            ),
        )


def _kept(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Hold the events of a slice in memory: on one machine, sorting them once is cheaper than for every tally."""
    kept: nw.LazyFrame[Any] = nw.from_native(events.to_native().collect().lazy())
    return kept
