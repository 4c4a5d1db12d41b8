from prodintel_lib.scenarios.ui_events import read_moments
from prodintel_lib.scenarios.ui_model import (
    Budget,
    Click,
    ExpectConversion,
    ExpectRoute,
    ExpectVisible,
    ExpectVitals,
    Fill,
    FormValue,
    GoBack,
    Reside,
    Target,
    Think,
    Visit,
)
from prodintel_lib.scenarios.ui_steps import tell_steps
from tests.scenarios.ui_sessions import act, custom, session, view

BUY = Target(role="button", name="Buy")
BUYING = {"role": "button", "name": "Buy"}
LCP = (Budget(metric="lcp_ms", budget=900, limit=2500, n=40),)


def steps_of(*rows, **options):
    return tell_steps(read_moments(session(*rows)), **options)


def test_tell_steps_tells_a_page_by_what_caused_it():
    steps = steps_of(view(0, "/"), act(2.4, "/", "click", **BUYING), view(2.8, "/cart"), view(30, "/help", query="a=b"))

    assert steps == [
        Visit(path="/"),
        ExpectRoute(route="/"),
        ExpectVisible(target=BUY),
        Think(seconds=2.0),
        Click(target=BUY),
        ExpectRoute(route="/cart"),
        Think(seconds=26.8),
        Visit(path="/help", query="a=b"),
        ExpectRoute(route="/help"),
    ]


def test_tell_steps_takes_a_page_long_after_a_click_for_opened_by_its_address():
    steps = steps_of(view(0, "/"), act(1, "/", "click", **BUYING), view(16.5, "/cart"))

    assert steps[-2:] == [Visit(path="/cart"), ExpectRoute(route="/cart")]


def test_tell_steps_expects_only_the_end_of_a_redirect():
    steps = steps_of(view(0, "/"), act(1, "/", "click", **BUYING), view(1.2, "/pay"), view(1.9, "/done"))

    assert [step.route for step in steps if isinstance(step, ExpectRoute)] == ["/", "/done"]


def test_tell_steps_tells_a_page_once_that_was_recorded_twice():
    assert steps_of(view(0, "/"), view(0.5, "/")) == [Visit(path="/"), ExpectRoute(route="/")]


def test_tell_steps_goes_back_where_the_person_did():
    steps = steps_of(view(0, "/"), view(20, "/b"), view(24, "/"), act(24.0001, "/", "back"))

    assert steps[-3:] == [Think(seconds=3.6), GoBack(), ExpectRoute(route="/")]


def test_tell_steps_leaves_out_pauses_nobody_made():
    steps = steps_of(view(0, "/"), act(0.5, "/", "click", **BUYING))

    assert steps[-1] == Click(target=BUY)
    assert not any(isinstance(step, Think) for step in steps)


def test_tell_steps_measures_a_page_before_it_is_left_and_once():
    rows = [view(0, "/"), act(1, "/", "click", **BUYING), view(1.2, "/cart"), view(20, "/")]
    steps = steps_of(*rows, budgets={"/": LCP})
    measured = [n for n, step in enumerate(steps) if isinstance(step, ExpectVitals)]

    assert measured == [4]
    assert steps[5] == Click(target=BUY)


def test_tell_steps_measures_the_last_page():
    assert steps_of(view(0, "/"), budgets={"/": LCP})[-1] == ExpectVitals(route="/", budgets=LCP)


def test_tell_steps_expects_the_conversion_where_it_happened():
    rows = [view(0, "/"), act(1, "/", "click", **BUYING), view(1.2, "/done"), custom(1.5, "/done", "purchase")]

    assert steps_of(*rows, conversions=["purchase"])[-1] == ExpectConversion(route="/done", event="purchase")
    assert steps_of(*rows, conversions=["/done"])[-1] == ExpectConversion(route="/done", event="/done")
    assert not any(isinstance(step, ExpectConversion) for step in steps_of(*rows, conversions=["signup"]))


def test_tell_steps_expects_a_conversion_told_while_leaving_on_the_page_that_comes():
    rows = [view(0, "/"), act(1, "/", "click", **BUYING), custom(1.1, "/", "purchase"), view(1.2, "/done")]

    assert steps_of(*rows, conversions=["purchase"])[-2:] == [
        ExpectRoute(route="/done"),
        ExpectConversion(route="/done", event="purchase"),
    ]


def test_tell_steps_gives_values_that_suit_the_country_chosen_later():
    rows = [
        view(0, "/"),
        act(1, "/", "change", role="textbox", name="Postcode"),
        act(2, "/", "change", role="combobox", name="Country", value="NL"),
    ]
    (fill,) = [step for step in steps_of(*rows) if isinstance(step, Fill)]

    assert fill.value == FormValue(name="postcode", country="NL")


def test_tell_steps_is_of_the_networks_country_where_the_person_chose_none():
    rows = [
        view(0, "/"),
        act(1, "/", "change", role="textbox", name="E-mail"),
        act(2, "/", "change", role="textbox", name="Postcode"),
        act(3, "/", "change", role="textbox", name="Town"),
    ]
    events = session(*rows, geo_country_iso_code="GB")
    steps = [step for step in tell_steps(read_moments(events)) if isinstance(step, Fill | Reside)]

    assert [step.value.key if isinstance(step, Fill) else step for step in steps] == [
        "email",
        Reside(country="GB"),
        "postcode@GB",
        "city@GB",
    ]


def test_tell_steps_tells_nothing_before_the_first_page():
    assert steps_of(act(0, "/", "click", **BUYING), view(1, "/"))[0] == Visit(path="/")
    assert steps_of(act(0, "/", "click", **BUYING)) == []
