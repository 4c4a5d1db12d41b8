import re

import polars as pl
import pytest

from prodintel_lib.errors import NoDataError
from prodintel_lib.scenarios.ui_journeys import (
    ErrorPattern,
    Journey,
    budgets_of,
    build_error_scenario,
    build_journey_scenario,
    build_ui_suite,
)
from prodintel_lib.scenarios.ui_model import (
    Budget,
    ExpectConversion,
    ExpectNoErrors,
    ExpectRoute,
    ExpectVisible,
    Target,
)
from tests.renderers.ui_suites import VITALS, buying, failing
from tests.scenarios.ui_sessions import SAFARI, act, error, request, session, view

SEND = {"role": "button", "name": "Continue"}
REFUSAL = "Enter a valid postcode."


def journey(*exemplars):
    return Journey("J-1", exemplars, sessions=412, of_sessions=5120)


def pattern(**fields):
    known = {
        "pattern_id": "E-1",
        "error_type": "TypeError",
        "message": "Cannot read properties of undefined (reading 'toFixed')",
        "error_source": "exception",
        "exemplars": [failing()],
        "healthy": [buying()],
        "occurrences": 96,
        "sessions": 41,
    }
    return ErrorPattern(**known | fields)


def refused():
    return session(
        view(0, "/checkout"),
        act(3, "/checkout", "click", **SEND),
        error(3.2, "/checkout", REFUSAL, source="validation", kind="ValidationError"),
        act(5, "/checkout", "click", **SEND),
    )


def accepted(path="/payment"):
    return session(view(0, "/checkout"), act(3, "/checkout", "click", **SEND), view(3.3, path))


def test_build_journey_scenario_tells_the_first_exemplar_that_met_no_error():
    failed = session(view(0, "/"), error(1, "/", "boom"))
    scenario = build_journey_scenario(journey(failed, buying()), conversions=["purchase"], vitals=VITALS)

    assert scenario.id == "home_search_product_id_search_checkout_order_id"
    assert scenario.seen == "412 of 5120 sessions took this journey."
    assert scenario.steps[-1] == ExpectNoErrors()
    assert ExpectConversion(route="/order/{id}", event="purchase") in scenario.steps
    assert scenario.client.user_agent is None
    assert scenario == build_journey_scenario(journey(buying()), conversions=["purchase"], vitals=VITALS)


def test_build_journey_scenario_says_why_none_can_be_told():
    failed, empty = session(view(0, "/"), error(1, "/", "boom")), session(act(0, "/", "click", **SEND))

    with pytest.raises(NoDataError, match=re.escape("one met the error 'boom'; one has no page view")):
        build_journey_scenario(journey(failed, empty))
    with pytest.raises(NoDataError, match="it has no exemplar session"):
        build_journey_scenario(journey())


def test_build_journey_scenario_leaves_out_sessions_without_end():
    rows = [view(n * 20, f"/{n}") for n in range(150)]

    with pytest.raises(NoDataError, match="one has 449 steps, more than 300"):
        build_journey_scenario(journey(session(*rows)))


def test_build_error_scenario_meets_the_error_as_its_client_did():
    scenario = build_error_scenario(pattern())

    assert scenario.id == "typeerror_product_id"
    assert scenario.client.user_agent == SAFARI
    assert scenario.steps[-1] == ExpectNoErrors(
        seen="Cannot read properties of undefined (reading 'toFixed')", watch_s=1.2
    )
    # What healthy visitors used next on that page.
    assert scenario.steps[-2] == ExpectVisible(
        target=Target(role="button", name="Add to basket", test_id="buy", selector="#buy")
    )


def test_build_error_scenario_watches_at_least_a_moment_and_never_long():
    for seconds, watch_s in ((0.1, 0.5), (2.0, 4.0), (9.0, 10.0)):
        met = session(view(0, "/"), error(seconds, "/", "boom"))
        scenario = build_error_scenario(pattern(message="boom", exemplars=[met], healthy=[]))
        assert scenario.steps[-1].watch_s == watch_s


def test_build_error_scenario_expects_where_a_refused_entry_leads_others():
    scenario = build_error_scenario(
        pattern(
            error_source="validation",
            error_type="ValidationError",
            message=REFUSAL,
            exemplars=[refused()],
            healthy=[refused(), accepted()],
        )
    )

    assert scenario.steps[-2:] == (ExpectRoute(route="/payment"), ExpectNoErrors(watch_s=0.5))
    assert [step.do for step in scenario.steps].count("click") == 1


def test_build_error_scenario_needs_others_to_know_what_a_refusal_keeps_people_from():
    with pytest.raises(
        NoDataError, match="nobody who did the same and did not meet it shows what should have followed"
    ):
        build_error_scenario(
            pattern(
                error_source="validation",
                error_type="ValidationError",
                message=REFUSAL,
                exemplars=[refused()],
                healthy=[refused()],
            )
        )


def test_build_error_scenario_knows_the_pattern_whatever_its_figures():
    met = session(view(0, "/"), error(1, "/", "item 4711 is gone"))

    assert build_error_scenario(pattern(message="item 7 is gone", exemplars=[met], healthy=[])).kind == "error_pattern"
    with pytest.raises(NoDataError, match="one did not meet the error"):
        build_error_scenario(pattern(message="another", exemplars=[met]))


def test_build_error_scenario_lets_requests_fail_where_they_did():
    met = session(view(0, "/"), request(1, "/", None), error(1.2, "/", "boom"))
    scenario = build_error_scenario(pattern(message="boom", exemplars=[met], healthy=[], request_failure_rate=0.4))

    assert scenario.client.request_failure_rate == 0.4
    assert build_error_scenario(pattern(message="boom", exemplars=[met], healthy=[])).client.request_failure_rate == 0


def test_build_ui_suite_numbers_scenarios_of_one_name():
    one = build_error_scenario(pattern())

    assert [each.id for each in build_ui_suite("t", [one, one]).scenarios] == [one.id, f"{one.id}_2"]
    with pytest.raises(NoDataError, match="no scenario to render"):
        build_ui_suite("t", [])


def test_budgets_of_reads_quantiles_by_route():
    assert budgets_of(VITALS)["/product/{id}"] == (
        Budget(metric="cls_score", budget=0.041, limit=0.2, n=812),
        Budget(metric="lcp_ms", budget=1210, limit=60_000, n=812),
    )
    assert budgets_of(VITALS.with_columns(n=pl.lit(0))) == {}
    assert budgets_of(None) == {}
