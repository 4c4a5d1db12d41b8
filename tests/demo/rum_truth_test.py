import numpy as np
import pytest

from benchmarks.journeys_truth.truth import PlantedCause, Reported, Truth, judge, read_truth
from demo.rum.causes import CAUSES
from demo.rum.pages import BROWSE, BUY, CART, CONFIRMATION, LOOK, PAYMENT, conversion_chances, transition_bounds
from demo.rum.plan import Plan
from demo.rum.workspace import generate

POSTCODE = PlantedCause(
    cause_id="refused_postcode",
    routes=("/checkout",),
    reasons=frozenset({"validation failure"}),
    pattern="is not a valid postcode",
    affected={"geo_country_iso_code": "GB"},
    effect=0.45,
    exposed_sessions=300,
    sessions_with_pattern=300,
    dropped_because=135,
    conversions_lost=90.0,
)
PRICE = PlantedCause(
    cause_id="price_error_safari",
    routes=("/product/{product}",),
    reasons=frozenset(),
    pattern="price.toFixed",
    affected={"browser_name": "Safari", "browser_version": "26.0"},
    effect=0.0,
    exposed_sessions=900,
    sessions_with_pattern=900,
    dropped_because=0,
    conversions_lost=0.0,
)
TRUTH = Truth((POSTCODE, PRICE), ("Loading chunk",), 0.05)
MESSAGE = "ValidationError: 'SW1 4AB' is not a valid postcode."
RIGHT = [
    Reported("drop_off", route="/checkout", reason="validation failure"),
    Reported("error", message=MESSAGE),
    Reported("impact", message=MESSAGE),
    Reported("place", message=MESSAGE, attributes={"geo_country_iso_code": "GB"}),
    Reported("error", message="TypeError: (evaluating 'price.toFixed')"),
    Reported(
        "place",
        message="TypeError: (evaluating 'price.toFixed')",
        attributes={"browser_name": "Safari", "browser_version": "26.0"},
    ),
]


def test_judge_finds_each_kind_by_which_a_cause_shows():
    outcome = judge(1, RIGHT, TRUTH)
    assert outcome.found == (
        ("drop_off", "refused_postcode"),
        ("error", "refused_postcode"),
        ("impact", "refused_postcode"),
        ("place", "refused_postcode"),
        ("error", "price_error_safari"),
        ("place", "price_error_safari"),
    )
    assert (outcome.missed, outcome.false) == ((), ())


def test_judge_misses_what_is_not_reported():
    assert judge(1, RIGHT[1:], TRUTH).missed == (("drop_off", "refused_postcode"),)


@pytest.mark.parametrize(
    "report",
    [
        Reported("drop_off", route="/cart", reason="validation failure"),
        Reported("drop_off", route="/checkout", reason="error"),
        Reported("drop_off", route="/product/{id}", reason="error"),
        Reported("impact", message="TypeError: (evaluating 'price.toFixed')"),
        Reported("error", message="ValidationError: This card number is not complete."),
        Reported("impact", message="ChunkLoadError: Loading chunk 7 failed."),
        Reported("place", message=MESSAGE, attributes={"geo_country_iso_code": "GB", "device_type": "mobile"}),
        Reported("place", message=MESSAGE, attributes={"geo_country_iso_code": "DE"}),
    ],
)
def test_judge_calls_false_what_belongs_to_no_cause(report):
    assert judge(1, [*RIGHT, report], TRUTH).false == (report,)


def test_judge_lets_a_defect_that_nobody_minds_be_called_a_bug():
    assert judge(1, [*RIGHT, Reported("error", message="ChunkLoadError: Loading chunk 7 failed.")], TRUTH).false == ()


def test_judge_expects_no_loss_too_small_to_be_seen():
    # 6 of 300 sessions, where 15 buy: a standard error is 3.8 sessions.
    small = Truth((PlantedCause(**{**_fields(POSTCODE), "conversions_lost": 6.0}),), (), 0.05)
    assert ("impact", "refused_postcode") not in judge(1, [], small).missed
    assert ("impact", "refused_postcode") in judge(1, [], TRUTH).missed


def _fields(cause):
    return {name: getattr(cause, name) for name in cause.__slots__}


def test_read_truth_reads_what_generate_writes(tmp_path):
    written = generate(Plan(2000, 1, seed=2), tmp_path / "shop")
    truth = read_truth(tmp_path / "shop" / "truth.yaml")
    assert [cause.cause_id for cause in truth.causes] == [each["id"] for each in written["causes"]]
    assert [cause.cause_id for cause in truth.causes] == list(CAUSES)[:7]
    fault = next(cause for cause in truth.causes if cause.cause_id == "regional_network_fault")
    assert fault.reasons == {"failed request", "error", "slow page", "poor LCP", "poor FCP", "poor TTFB"}
    assert fault.sessions_with_pattern > fault.exposed_sessions
    assert truth.conversion == written["conversion"]


def test_conversion_chances_are_those_of_walking_at_random():
    """A naive walk from the cart, many times over."""
    rng = np.random.default_rng(1)
    bounds = transition_bounds()[BUY]
    # Nobody leaves the page that is gone on from; from then on the desktop's own shares of leaving hold.
    leaving = np.array([0.18, 0.165, 0.177, 0.206, 0.25, 0.18, 0.12, 1.0, 0.35, 0.45])
    bought = 0
    for _ in range(20_000):
        page = CART
        while True:
            page = int((rng.random() >= bounds[page]).sum())
            bought += page == CONFIRMATION
            if rng.random() < leaving[page]:
                break
    assert abs(conversion_chances()[0, BUY, CART] - bought / 20_000) < 0.015


def test_conversion_chances_grow_along_the_way_and_with_the_wish():
    desktop = conversion_chances()[0]
    assert desktop[BUY, PAYMENT] > desktop[BUY, CART] > desktop[BUY, 0] > desktop[BROWSE, 0]
    assert desktop[LOOK, 0] == desktop[BROWSE, 0]
