"""Tests of the user interface from what was found: the top journeys, and the error patterns that are bugs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

import polars as pl

from prodintel_lib.analyses.frontend_errors.exemplars import find_error_sessions
from prodintel_lib.analyses.frontend_errors.network import find_requests_behind, measure_failures
from prodintel_lib.analyses.journeys import read_session
from prodintel_lib.errors import NoDataError
from prodintel_lib.markup import Markup, figure_text, paragraph, table, tag, text
from prodintel_lib.rollups.rum_vitals import VITALS
from prodintel_lib.scenarios.ui_journeys import (
    ErrorPattern,
    Journey,
    build_error_scenario,
    build_journey_scenario,
    build_ui_suite,
)

if TYPE_CHECKING:
    from prodintel_lib.analyses.experience import Experience
    from prodintel_lib.analyses.frontend_errors import FrontEndErrors
    from prodintel_lib.analyses.frontend_errors.exemplars import ErrorSessions
    from prodintel_lib.analyses.journeys import JourneyFindings
    from prodintel_lib.analyses.journeys.passes import Passes
    from prodintel_lib.analyses.statistics import Proportion
    from prodintel_lib.analyses.vitals import Vitals
    from prodintel_lib.scenarios.ui_journeys import Priority
    from prodintel_lib.scenarios.ui_model import UiScenario, UiSuite

MAX_PATTERNS: Final = 10
_PRIORITIES: Final[dict[str, Priority]] = {"high": "P0", "medium": "P1", "low": "P2"}
_NETWORK: Final = "network"
_VITALS: Final = {vital.name: column for column, vital in VITALS.items() if column != "fid_ms"}


@dataclass(frozen=True, slots=True)
class UiTests:
    """The tests that could be made, and why others could not.

    Attributes
    ----------
    suite : UiSuite or None
        None where none could be made.
    left_out : tuple of (str, str)
        What no test was made of, and why.
    """

    suite: UiSuite | None
    left_out: tuple[tuple[str, str], ...]

    @property
    def scenarios(self) -> tuple[UiScenario, ...]:
        """The scenarios of the suite; none without one."""
        return self.suite.scenarios if self.suite else ()

    def _repr_html_(self) -> str:
        rows = [
            [
                tag(scenario.priority),
                figure_text(scenario.title, note=scenario.id.replace("_", "_\N{ZERO WIDTH SPACE}")),
                text(scenario.seen),
                text(_oracle(scenario)),
            ]
            for scenario in self.scenarios
        ]
        headers = ["Priority", "Test", "Seen in production", "Held to"]
        made = table(headers, rows, caption=f"{len(rows)} tests, each in Python, TypeScript and Gherkin.")
        left = [[text(what), text(why)] for what, why in self.left_out]
        missed = table(["No test of", "Why"], left) if left else Markup("")
        return str((made if rows else paragraph("No test could be made.")) + missed)


def _oracle(scenario: UiScenario) -> str:
    """Say in words what a scenario expects."""
    words = {
        "expect_route": "pages reached",
        "expect_visible": "what others found next",
        "expect_vitals": "vitals of production",
        "expect_conversion": "a conversion",
        "expect_no_errors": "no error of the page",
    }
    told = dict.fromkeys(words[step.do] for step in scenario.steps if step.do in words)
    return ", ".join(told)


def build_ui_tests(
    passes: Passes,
    findings: JourneyFindings,
    experience: Experience,
    *,
    top: int = 5,
    min_frequency: float = 0.0,
) -> UiTests:
    """Tell the most frequent journeys again, and the error patterns that are bugs.

    Parameters
    ----------
    passes : Passes
        Where exemplar sessions are read from.
    findings : JourneyFindings
    experience : Experience
    top : int
        At most so many journeys.
    min_frequency : float
        Only journeys of at least this share of sessions, 0 to 1.
    """
    made: list[UiScenario] = []
    left_out: list[tuple[str, str]] = []
    for row in choose_journeys(findings.journeys.frame, top=top, min_frequency=min_frequency).iter_rows(named=True):
        what = f"journey {row['journey_id']}: {row['path']}"
        _try(lambda row=row: _journey_scenario(passes, findings, experience, row), what, made, left_out)
    _add_error_scenarios(passes, experience.errors, MAX_PATTERNS, made, left_out)
    title = f"Journeys and front-end errors, {findings.window.label()}"
    return UiTests(build_ui_suite(title, made) if made else None, tuple(left_out))


def build_error_tests(passes: Passes, errors: FrontEndErrors, *, most: int = MAX_PATTERNS) -> UiTests:
    """Tell only the front-end error patterns that may be bugs, for the client that met them.

    Parameters
    ----------
    passes : Passes
        Where exemplar sessions are read from.
    errors : FrontEndErrors
    most : int
        At most so many patterns.
    """
    made: list[UiScenario] = []
    left_out: list[tuple[str, str]] = []
    _add_error_scenarios(passes, errors, most, made, left_out)
    title = f"Front-end errors, {passes.window.label()}"
    return UiTests(build_ui_suite(title, made) if made else None, tuple(left_out))


def _add_error_scenarios(
    passes: Passes,
    errors: FrontEndErrors,
    most: int,
    made: list[UiScenario],
    left_out: list[tuple[str, str]],
) -> None:
    patterns = errors.patterns.filter((pl.col("class") != "user mistake") & ~pl.col("is_rare"))
    chosen = patterns.head(most)
    sessions = find_error_sessions(passes, chosen) if chosen.height else {}
    of_network = chosen.filter(pl.col("kind") == _NETWORK)["pattern_id"].to_list()
    failures = measure_failures(passes, errors, find_requests_behind(passes, of_network))
    for row in chosen.iter_rows(named=True):
        what = f"error {row['pattern_id']}: {errors.named(row['pattern_id'])}"
        found, share = sessions[row["pattern_id"]], failures.get(row["pattern_id"])
        _try(lambda row=row, found=found, share=share: _error_scenario(passes, row, found, share), what, made, left_out)


def choose_journeys(journeys: pl.DataFrame, *, top: int, min_frequency: float) -> pl.DataFrame:
    """Choose the journeys that become tests: those of more than one page, every other one of the most that convert.

    One page by itself is a visit and no journey. The most frequent journeys seldom lead to a conversion, and what a
    site is for has to be walked through: half of the places, rounded up, are for those with the most conversions.

    Parameters
    ----------
    journeys : polars.DataFrame
        Journeys.frame.
    top : int
    min_frequency : float
        The least share of sessions, 0 to 1.
    """
    walked = journeys.filter((pl.col("share") >= min_frequency) & (pl.col("steps") > 1))
    led = walked.filter(pl.col("converted").fill_null(0) > 0)
    first = led.sort("converted", "sessions", "path", descending=[True, True, False]).head((top + 1) // 2)
    others = walked.join(first, on="journey_id", how="anti", maintain_order="left")
    return pl.concat([first, others.head(top - first.height)])


def budget_frame(vitals: Vitals) -> pl.DataFrame:
    """Return ``route, metric, p75, p95, n`` of every page whose vitals are known well enough."""
    pages = vitals.of("page").filter(~pl.col("is_rare") & pl.col("vital").is_in(list(_VITALS)))
    return pages.select(
        pl.col("part").alias("route"),
        pl.col("vital").replace_strict(_VITALS, return_dtype=pl.String).alias("metric"),
        "p75",
        "p95",
        pl.col("views").alias("n"),
    )


def _try(build: Any, what: str, made: list[UiScenario], left_out: list[tuple[str, str]]) -> None:  # noqa: ANN401
    try:
        made.append(build())
    except NoDataError as error:
        left_out.append((what, str(error).split("\n", 1)[0]))


def journey_of(passes: Passes, findings: JourneyFindings, row: dict[str, Any]) -> Journey:
    """Return a journey with its exemplar sessions, which are read when they are looked at.

    Parameters
    ----------
    passes : Passes
    findings : JourneyFindings
    row : dict
        Of ``findings.journeys.frame``.
    """
    exemplars = findings.exemplars.frame.filter(pl.col("journey_id") == row["journey_id"]).sort("rank")
    return Journey(
        journey_id=row["journey_id"],
        exemplars=_Sessions(passes, exemplars["session"].to_list()),
        sessions=row["sessions"],
        of_sessions=findings.journeys.sessions,
    )


def _journey_scenario(
    passes: Passes, findings: JourneyFindings, experience: Experience, row: dict[str, Any]
) -> UiScenario:
    journey = journey_of(passes, findings, row)
    return build_journey_scenario(journey, conversions=findings.conversions, vitals=budget_frame(experience.vitals))


def _error_scenario(
    passes: Passes, row: dict[str, Any], sessions: ErrorSessions, failures: Proportion | None
) -> UiScenario:
    pattern = ErrorPattern(
        pattern_id=row["pattern_id"],
        error_type=row["error_type"],
        message=row["example"],
        error_source=row["kind"],
        exemplars=_Sessions(passes, sessions.met),
        healthy=_Sessions(passes, sessions.healthy),
        occurrences=row["errors"],
        sessions=row["sessions"],
        request_failure_rate=round(failures.share, 3) if failures else None,
        priority=_PRIORITIES[row["priority"]],
    )
    return build_error_scenario(pattern, conversions=passes.conversions)


class _Sessions(Sequence[pl.DataFrame]):
    """The events of named sessions, each read when it is looked at: the first one is mostly enough."""

    def __init__(self, passes: Passes, names: Sequence[str]) -> None:
        self._passes = passes
        self._names = names
        self._read: dict[int, pl.DataFrame] = {}

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, place: int) -> pl.DataFrame: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[pl.DataFrame]: ...
    def __getitem__(self, place: int | slice) -> pl.DataFrame | Sequence[pl.DataFrame]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        name, passes = self._names[place], self._passes
        if place not in self._read:
            session = read_session(passes.view, name, gap_min=passes.gap_min, routes=passes.routes)
            self._read[place] = session.events
        return self._read[place]
