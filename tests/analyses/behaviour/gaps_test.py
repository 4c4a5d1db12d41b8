import numpy as np
import pytest

from prodintel_lib.analyses.behaviour.gaps import ANY, GapCurve, fit_gap, fit_gaps

from .made import log_of

RNG = np.random.default_rng


def test_fit_gap_finds_lognormal_gaps():
    curve = fit_gap(RNG(1).lognormal(2.0, 0.5, 4000))
    assert curve.family == "lognormal"
    assert curve.parameters == pytest.approx((2.0, 0.5), abs=0.03)
    assert curve.n == 4000
    assert curve.ks < 0.02


def test_fit_gap_finds_gamma_gaps():
    curve = fit_gap(RNG(2).gamma(4.0, 2.5, 4000))
    assert curve.family == "gamma"
    assert curve.parameters == pytest.approx((4.0, 2.5), rel=0.06)


def test_fit_gap_finds_weibull_gaps():
    curve = fit_gap(8.0 * RNG(3).weibull(2.5, 4000))
    assert curve.family == "weibull"
    assert curve.parameters == pytest.approx((2.5, 8.0), rel=0.04)


def test_fit_gap_keeps_what_was_seen_where_no_curve_fits():
    gaps_s = np.concatenate([np.full(500, 1.0), np.full(500, 60.0)]) + RNG(4).uniform(0, 0.1, 1000)
    curve = fit_gap(gaps_s)
    assert curve.family == "quantiles"
    assert curve.ks == 0.0
    assert curve.quantiles_s(np.array([0.25, 0.75])).tolist() == pytest.approx([1.05, 60.05], abs=0.02)


def test_fit_gap_takes_gaps_of_no_time_as_they_are():
    curve = fit_gap(np.array([0.0] * 50 + [1.0] * 50))
    assert curve.family == "quantiles"
    assert curve.quantiles_s(np.array([0.0, 0.4, 0.6, 1.0])).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_fit_gap_of_one_gap_repeats_it():
    assert fit_gap(np.array([7.0])).quantiles_s(np.array([0.0, 0.5, 1.0])).tolist() == [7.0, 7.0, 7.0]


def test_quantiles_s_draws_what_was_seen_even_where_a_curve_describes_it():
    gaps_s = 0.3 + RNG(5).exponential(3.0, 150)
    curve = fit_gap(gaps_s)
    assert curve.family != "quantiles"
    assert curve.quantiles_s(np.array([0.0, 0.1, 0.5])).tolist() == np.quantile(gaps_s, [0.0, 0.1, 0.5]).tolist()
    # No gap is under 0.3 s; the curve that describes them knows nothing of that.
    assert curve.described_s(np.array([0.001])).item() < 0.2


def test_fit_gap_names_no_curve_that_fifty_gaps_tell_apart_from_what_was_seen():
    # Two humps: further from each curve than fifty gaps of its own would be, nearer than if it were known beforehand.
    gaps_s = np.concatenate([np.linspace(2.0, 3.5, 25), np.linspace(4.5, 6.5, 25)])
    assert fit_gap(gaps_s).family == "quantiles"


def test_described_s_cuts_a_curve_at_the_longest_gap_seen():
    curve = GapCurve("lognormal", (0.0, 1.0), (0.0, 1.0), (0.1, 3.0), 3.0, 100, 0.01)
    assert curve.described_s(np.array([1.0])).tolist() == pytest.approx([3.0])
    # Half of what lies under 3 s: P(X < x) = P(X < 3) / 2 = 0.432.
    assert curve.described_s(np.array([0.5])).tolist() == pytest.approx([0.84262], abs=1e-4)


def test_described_s_of_no_curve_is_what_was_seen():
    assert fit_gap(np.array([1.0, 3.0])).described_s(np.array([0.5])).tolist() == [2.0]


def test_fit_gaps_goes_by_transition_then_by_what_follows_then_by_the_rest():
    paths = [("ab", [1.0])] * 50 + [("cb", [2.0])] * 30 + [("db", [2.0])] * 20 + [("be", [9.0])] * 10
    log = log_of(*paths)
    gaps = fit_gaps(log, rng=RNG(0))
    a, b = 0, 1
    assert set(gaps.curves) == {(a, b), (ANY, b)}
    assert (gaps.curves[a, b].n, gaps.curves[ANY, b].n) == (50, 50)
    assert gaps.curves[ANY, b].seconds == (2.0,) * 50
    assert (gaps.rest.n, gaps.rest.longest_s) == (10, 9.0)


def test_fit_gaps_takes_all_gaps_for_the_rest_where_none_is_left():
    gaps = fit_gaps(log_of(*[("ab", [1.0])] * 60), rng=RNG(0))
    assert gaps.rest.n == 60


def test_fit_gaps_of_single_requests_has_none():
    gaps = fit_gaps(log_of("a", "b"), rng=RNG(0))
    assert (gaps.rest, gaps.curves, gaps.session_correlation) == (None, {}, 0.0)


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_fit_gaps_measures_how_alike_the_gaps_of_a_session_are(correlation):
    rng = RNG(6)
    own, shared = rng.standard_normal((600, 6)), rng.standard_normal((600, 1))
    gaps_s = np.exp(2 + np.sqrt(1 - correlation) * own + np.sqrt(correlation) * shared)
    log = log_of(*[("a" * 7, row.tolist()) for row in gaps_s])
    assert fit_gaps(log, rng=rng).session_correlation == pytest.approx(correlation, abs=0.04)


def test_to_dict_names_transitions_and_says_null_for_any():
    log = log_of(*[("ab", [1.0])] * 50, *[("cb", [2.0])] * 50, *[("bb", [2.0])] * 49, *[("db", [2.0])] * 2)
    shown = fit_gaps(log, rng=RNG(0)).to_dict(log.endpoints)
    assert [(curve["from"], curve["to"], curve["n"]) for curve in shown["curves"]] == [
        (None, "b", 51),
        ("a", "b", 50),
        ("c", "b", 50),
    ]
