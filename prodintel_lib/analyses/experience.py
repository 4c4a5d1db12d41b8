"""What users experienced and used: vitals, front-end errors and features of a window, in one pass over the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses import features, vitals
from prodintel_lib.analyses.frontend_errors import FrontEndErrors, add_tallies, assess_errors, tally_errors
from prodintel_lib.analyses.frontend_errors.tally import ErrorRows, count_errors
from prodintel_lib.analyses.journeys.passes import NATIVE_ENGINE, open_passes, routes_on_engine
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.rum_sessions import SESSION_COLUMNS, SESSIONS_SCHEMA, build_session_events, build_sessions
from prodintel_lib.rollups.rum_sorted_uses import (
    ERRORS_LOOKED_UP,
    list_feature_use,
    list_page_views,
    list_page_visits,
    list_session_errors,
)
from prodintel_lib.rollups.rum_sorted_vitals import REPORTED, count_reports, list_reports
from prodintel_lib.tables import RUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from prodintel_lib.analyses.features import Features, FeatureTally
    from prodintel_lib.analyses.frontend_errors import ErrorTally
    from prodintel_lib.analyses.journeys.passes import Passes, Slice
    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.analyses.vitals import Vitals
    from prodintel_lib.rollups.rum_sorted import SortedEvents
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


class ExperienceTallies:
    """What is kept of the parts of a window: small tables that add up.

    Given to a Passes as its watcher, it counts each part while somebody else goes through them.

    Parameters
    ----------
    passes : Passes
    """

    columns: Final = (*REPORTED, *ERRORS_LOOKED_UP)

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._tallies: dict[Slice, _Tally] = {}

    def watch(self, which: Slice, events: SortedEvents, sessions: pl.DataFrame) -> None:
        """Count a part, if it was not counted before."""
        if which not in self._tallies:
            self._tallies[which] = _tally_sorted(self._passes, events, sessions)

    def every(self) -> list[_Tally]:
        """Return the tallies of all parts; those that nobody has gone through are counted now."""
        missing = [which for which in self._passes.slices if which not in self._tallies]
        for which in missing:
            if self._passes.view.engine == NATIVE_ENGINE:
                self.watch(which, *self._passes.sort(which, keep=self.columns))
            else:
                self._tallies[which] = _tally_portable(self._passes, which)
        return [self._tallies[which] for which in self._passes.slices]


def watch_experience(passes: Passes) -> ExperienceTallies:
    """Have a window's experience counted while its journeys are; the result is for measure_experience."""
    tallies = ExperienceTallies(passes)
    passes.add_watcher(tallies)
    return tallies


def measure_experience(
    view: LakeView,
    *,
    window: Window,
    conversions: Sequence[str] = (),
    gap_min: float = 30.0,
    passes: Passes | None = None,
    tallies: ExperienceTallies | None = None,
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
    tallies : ExperienceTallies, optional
        What was counted on the way through those `passes`: the lake is then not read again.

    Raises
    ------
    NoDataError
        If no event of a person lies in the window.
    """
    passes = passes or open_passes(view, window=window, conversions=tuple(conversions), gap_min=gap_min)
    every = (tallies or ExperienceTallies(passes)).every()
    errors = add_tallies(tally.errors for tally in every)
    if not errors.sessions:
        raise NoDataError(
            f"No event of a visitor's browser was recorded in {window.label()}.",
            hint="add a source of RUM events to `sources` in prodintel.yaml, or ask for another window.",
        )
    used = features.add_tallies(tally.features for tally in every)
    return Experience(
        window,
        vitals.rate_vitals(vitals.add_tallies(tally.vitals for tally in every), private=view.private),
        assess_errors(errors, private=view.private),
        features.rank_features(used, window=window, private=view.private),
    )


@dataclass(frozen=True, slots=True)
class _Tally:
    vitals: pl.DataFrame
    errors: ErrorTally
    features: FeatureTally


def _tally_sorted(passes: Passes, events: SortedEvents, sessions: pl.DataFrame) -> _Tally:
    view, has_conversions = passes.view, bool(passes.conversions)
    reports = list_reports(events)
    rows = ErrorRows(list_session_errors(events), list_page_visits(events), list_page_views(events))
    return _Tally(
        vitals.tally_cells([count_reports(reports, by) for by in vitals.COUNTED_BY]),
        count_errors(rows, sessions, has_conversions=has_conversions, private=view.private),
        features.count_features(
            list_feature_use(events),
            sessions,
            window=passes.window,
            has_conversions=has_conversions,
            private=view.private,
        ),
    )


def _tally_portable(passes: Passes, which: Slice) -> _Tally:
    view, conversions = passes.view, passes.conversions
    with routes_on_engine(passes.routes, view.engine) as routes:
        events = build_session_events(passes.scan(which), gap_min=passes.gap_min, routes=routes).select(*_USED)
        sessions = collect(
            build_sessions(events, conversions=conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"]
        )
        return _Tally(
            vitals.tally_vitals(events),
            tally_errors(events, sessions, conversions=conversions, private=view.private),
            features.tally_features(
                events, sessions, window=passes.window, conversions=conversions, private=view.private
            ),
        )
