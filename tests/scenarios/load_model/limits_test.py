import numpy as np
import pytest
from scipy.stats import binom

from prodintel_lib.rollups.histograms import GROWTH
from prodintel_lib.scenarios.load_model.limits import (
    USUAL_STATUSES,
    build_thresholds,
    measure_endpoints,
    patience_ms,
)
from prodintel_lib.workspace import RouteSlo

from .made import answers_of

# How far a bin's value may be from what is in it, and a hair for the arithmetic.
RELATIVE_ERROR = 0.01 + 1e-9


def measured(*rows):
    return measure_endpoints(answers_of(*(("GET /x", *row) for row in rows)))["GET /x"]


def spread(n):
    """Return an answer of 1 ms, one of 2 ms and so on."""
    return measured(*((200, 1, float(ms)) for ms in range(1, n + 1)))


def test_measure_endpoints_counts_as_failed_what_a_run_would():
    one = measured((200, 950, 5.0), (404, 40, 5.0), (418, 2, 5.0), (503, 7, 5.0), (None, 1, 5.0))
    assert one.statuses == (200, 404)
    assert (one.requests, one.failed, one.timed) == (1000, 10, 990)
    assert one.statuses_known


def test_measure_endpoints_goes_by_failures_alone_where_no_status_is_known():
    one = measured((None, 50, 5.0))
    assert (one.statuses, one.statuses_known, one.failed) == (USUAL_STATUSES, False, 0)


@pytest.mark.parametrize(("seen", "statuses"), [(304, (200, 304)), (206, (200, 206)), (302, (302,))])
def test_measure_endpoints_expects_whole_answers_of_a_client_without_a_cache(seen, statuses):
    assert measured((seen, 50, 5.0)).statuses == statuses


def test_measure_endpoints_reads_quantiles_to_one_percent():
    one = spread(1000)
    assert one.quantile_ms(0.95) == pytest.approx(950, rel=RELATIVE_ERROR)
    assert one.quantile_ms(1) == pytest.approx(1000, rel=RELATIVE_ERROR)
    assert one.quantile_ms(0) == pytest.approx(1, rel=RELATIVE_ERROR)


@pytest.mark.parametrize(("n", "q"), [(1000, 0.95), (1000, 0.99), (368, 0.99), (100, 0.95)])
def test_measure_endpoints_has_the_order_statistic_above(n, q):
    # The rank that no more than 2.5 % of samples have their quantile above.
    rank = next(rank for rank in range(1, n + 1) if binom.cdf(rank - 1, n, q) >= 0.975)
    high = spread(n).quantile_high_ms(q)
    assert rank < high <= rank * GROWTH * (1 + 1e-9)


def test_measure_endpoints_has_no_upper_end_of_few():
    assert spread(367).quantile_high_ms(0.99) is None
    assert measured((200, 50, None)).quantile_high_ms(0.95) is None
    assert measured((200, 50, None)).quantile_ms(0.95) is None


def test_quantile_high_holds_in_repeated_samples():
    rng = np.random.default_rng(3)
    true_ms = float(np.exp(1.6448536269514722))
    held = [
        measured(*((200, 1, float(ms)) for ms in rng.lognormal(0, 1, 400))).quantile_high_ms(0.95) >= true_ms
        for _ in range(60)
    ]
    assert sum(held) >= 56


def test_patience_is_of_production_of_promises_and_ten_seconds():
    slow = measured((200, 900, 5.0), (200, 100, 30_000.0))
    assert patience_ms(measured((200, 10, 5.0)), []) == 10_000
    assert patience_ms(slow, []) == pytest.approx(30_000, rel=RELATIVE_ERROR)
    assert patience_ms(None, [RouteSlo(route="GET /x", latency_ms=60_000.5)]) == 60_001


def test_build_thresholds_of_production():
    made = build_thresholds(3, spread(1000), [])
    assert [(one.kind, one.percentile, one.origin, one.n, one.endpoint) for one in made] == [
        ("latency", 95.0, "production", 1000, 3),
        ("latency", 99.0, "production", 1000, 3),
        ("failures", None, "production", 1000, 3),
    ]
    assert made[0].limit > made[0].seen == pytest.approx(950, rel=RELATIVE_ERROR)
    assert (made[2].seen, made[2].limit) == (0, pytest.approx(0.003827, abs=1e-6))


def test_build_thresholds_keeps_promises():
    promised = [RouteSlo(route="GET /x", latency_ms=2.5, percentile=99, availability=0.99),
                RouteSlo(route="GET /x", latency_ms=1.5, percentile=50)]  # fmt: skip
    made = build_thresholds(0, spread(400), promised)
    assert [(one.percentile, one.limit, one.origin) for one in made if one.percentile != 95] == [
        (50.0, 1.5, "slo"),
        (99.0, 2.5, "slo"),
        (None, 0.01, "slo"),
    ]
    assert made[1].origin == "production"


def test_build_thresholds_asks_for_a_hundred_requests():
    assert build_thresholds(0, spread(99), []) == []
    assert [one.kind for one in build_thresholds(0, spread(100), [])] == ["latency", "failures"]
    slo = RouteSlo(route="GET /x", availability=0.9)
    assert [(one.kind, one.limit) for one in build_thresholds(0, spread(3), [slo])] == [("failures", 0.1)]
