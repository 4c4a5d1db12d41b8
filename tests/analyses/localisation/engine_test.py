from itertools import product

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.localisation import localise
from prodintel_lib.analyses.localisation.scoring import strength_of
from prodintel_lib.errors import ParameterError

from . import naive

VALUES = {
    "browser": ("Chrome", "Safari", "Firefox"),
    "region": ("eu", "us", "asia", "africa"),
    "device": ("phone", "desk"),
    "release": ("1", "2", "3"),
}
NAMES = list(VALUES)
BASELINE = {"baseline_bad": "baseline_bad", "baseline_total": "baseline_total"}


def make_cells(*causes, per_cell=200, usual=0.02, rate=0.3, now=None):
    """Every combination once, with exactly the share of bad events that is planted; a cause is a dict."""
    rows = []
    for values in product(*VALUES.values()):
        row = dict(zip(NAMES, values, strict=True))
        is_hit = any(all(row[name] == value for name, value in cause.items()) for cause in causes)
        share = rate if is_hit else now or usual
        rows.append({**row, "bad": round(per_cell * share), "total": per_cell,
                     "baseline_bad": round(per_cell * usual), "baseline_total": per_cell})  # fmt: skip
    return pl.DataFrame(rows)


def found(result):
    return sorted((cause.attributes for cause in result.causes), key=str)


@pytest.mark.parametrize("options", [BASELINE, {}], ids=["baseline", "one time"])
@pytest.mark.parametrize(
    "causes",
    [
        [{"browser": "Safari"}],
        [{"browser": "Safari", "region": "eu"}],
        [{"browser": "Safari", "device": "phone", "release": "3"}],
        [{"browser": "Safari", "region": "eu"}, {"region": "us", "release": "3"}],
        [{"browser": "Safari", "region": "eu"}, {"browser": "Safari", "region": "us"}],
        [{"region": "africa"}, {"browser": "Firefox", "release": "2"}, {"browser": "Safari", "device": "phone", "release": "1"}],
    ],
)  # fmt: skip
def test_localise_finds_exactly_what_was_planted(causes, options):
    result = localise(make_cells(*causes), dimensions=NAMES, **options)
    assert found(result) == sorted(causes, key=str)
    assert result.verdict == "localised"


def test_localise_measures_a_cause():
    result = localise(make_cells({"browser": "Safari"}), dimensions=NAMES, **BASELINE)
    (cause,) = result.causes
    assert (cause.bad, cause.total, cause.rate, cause.rate_elsewhere) == (1440, 4800, 0.3, 0.02)
    assert cause.rate_before == pytest.approx(0.02, abs=0.0005)
    assert cause.lift == pytest.approx(15, rel=0.02)
    assert cause.low < cause.lift < cause.high
    assert cause.excess == pytest.approx(1344, rel=0.01)
    assert cause.coverage == pytest.approx(1.0, abs=0.01)
    assert cause.p_value < 1e-100
    assert (result.bad, result.total) == (1440 + 192, 14_400)


def test_localise_without_baseline_compares_with_the_rest():
    (cause,) = localise(make_cells({"browser": "Safari"}), dimensions=NAMES).causes
    assert np.isnan(cause.rate_before)
    assert cause.lift == pytest.approx(15, rel=0.01)
    assert cause.coverage == pytest.approx(1344 / 1632)


@pytest.mark.parametrize("options", [BASELINE, {}], ids=["baseline", "one time"])
def test_localise_is_silent_where_nothing_is_the_matter(options):
    chance = np.random.default_rng(7)
    frame = make_cells(per_cell=500)
    noisy = frame.with_columns(bad=pl.Series(chance.binomial(500, 0.02, frame.height)))
    result = localise(noisy, dimensions=NAMES, **options)
    assert (result.causes, result.verdict) == ((), "nothing")
    assert result.summary.startswith("No combination of browser, region, device, release stands out (")


def test_localise_says_everywhere_where_all_became_worse():
    result = localise(make_cells(now=0.1), dimensions=NAMES, **BASELINE)
    assert (result.causes, result.verdict) == ((), "everywhere")


def test_localise_blames_what_changed_and_not_what_was_always_so():
    always = pl.when(pl.col("region") == "eu").then(60).otherwise(0)
    frame = make_cells({"browser": "Safari"}).with_columns(pl.col("bad") + always, pl.col("baseline_bad") + always)
    assert found(localise(frame, dimensions=NAMES, **BASELINE)) == [{"browser": "Safari"}]
    assert found(localise(frame, dimensions=NAMES)) == [{"browser": "Safari"}, {"region": "eu"}]


def test_localise_finds_a_release_that_was_not_there_before():
    frame = make_cells({"release": "3"}).with_columns(
        pl.when(pl.col("release") == "3").then(0).otherwise(pl.col(name)).alias(name) for name in BASELINE
    )
    assert found(localise(frame, dimensions=NAMES, **BASELINE)) == [{"release": "3"}]


def test_localise_prefers_the_attribute_that_explains_the_one_it_coincides_with():
    frame = pl.DataFrame(
        [("iOS", "Safari", 190, 1000), ("iOS", "Chrome", 1, 60), ("macOS", "Safari", 19, 100), ("Windows", "Chrome", 40, 4000)],
        schema=["os", "browser", "bad", "total"], orient="row",
    )  # fmt: skip
    assert found(localise(frame, dimensions=["os", "browser"])) == [{"browser": "Safari"}]


def test_localise_says_what_cannot_be_told_apart():
    frame = pl.DataFrame(
        [("iOS", "Safari", 190, 1000), ("Windows", "Chrome", 40, 4000)],
        schema=["os", "browser", "bad", "total"], orient="row",
    )  # fmt: skip
    (cause,) = localise(frame, dimensions=["browser", "os"]).causes
    assert cause.attributes == {"browser": "Safari"}
    assert cause.also == ({"os": "iOS"},)


def test_localise_leaves_out_a_healthy_fringe():
    frame = pl.DataFrame(
        [("4000", "1", 300, 1000), ("4000", "0", 1, 60), ("500", "1", 10, 900), ("500", "0", 10, 900)],
        schema=["bitrate", "p2p", "bad", "total"], orient="row",
    )  # fmt: skip
    assert found(localise(frame, dimensions=["bitrate", "p2p"])) == [{"bitrate": "4000", "p2p": "1"}]
    affected = frame.with_columns(bad=pl.Series([300, 18, 10, 10]))
    assert found(localise(affected, dimensions=["bitrate", "p2p"])) == [{"bitrate": "4000"}]


def test_localise_finds_a_drop_of_successes():
    frame = make_cells({"browser": "Safari", "region": "eu"}, usual=0.1, rate=0.02)
    result = localise(frame, dimensions=NAMES, worse="lower", **BASELINE)
    (cause,) = result.causes
    assert cause.attributes == {"browser": "Safari", "region": "eu"}
    assert cause.lift == pytest.approx(0.2, rel=0.05)
    assert cause.excess == pytest.approx(96, rel=0.02)
    assert localise(frame, dimensions=NAMES, **BASELINE).causes == ()


def test_localise_ignores_what_is_too_small_a_part():
    frame = make_cells({"browser": "Safari"}, {"browser": "Chrome", "region": "eu"})
    assert found(localise(frame, dimensions=NAMES, min_coverage=0.25, **BASELINE)) == [{"browser": "Safari"}]
    both = [{"browser": "Chrome", "region": "eu"}, {"browser": "Safari"}]
    assert found(localise(frame, dimensions=NAMES, **BASELINE)) == both


def test_localise_keeps_a_cause_whole_that_hits_one_half_harder():
    frame = make_cells({"browser": "Safari"}).with_columns(
        pl.when(pl.col("browser") != "Safari")
        .then(pl.col("bad"))
        .otherwise(pl.when(pl.col("device") == "phone").then(94).otherwise(26))
        .alias("bad")
    )
    assert found(localise(frame, dimensions=NAMES, **BASELINE)) == [{"browser": "Safari"}]


def test_localise_sees_a_small_cause_behind_a_large_one():
    frame = make_cells({"browser": "Safari"}, per_cell=1000, rate=0.2).with_columns(
        pl.when((pl.col("browser") == "Chrome") & (pl.col("region") == "eu"))
        .then(125)
        .otherwise(pl.col("bad"))
        .alias("bad")
    )
    both = [{"browser": "Chrome", "region": "eu"}, {"browser": "Safari"}]
    assert found(localise(frame, dimensions=NAMES)) == both


def test_localise_believes_less_where_counts_are_dispersed():
    frame = make_cells({"browser": "Safari"}, per_cell=10, rate=0.2)
    assert found(localise(frame, dimensions=NAMES, **BASELINE)) == [{"browser": "Safari"}]
    assert localise(frame, dimensions=NAMES, dispersion=4.0, **BASELINE).causes == ()


def test_localise_never_names_a_missing_value():
    frame = make_cells({"browser": "Safari"}).with_columns(
        pl.when(pl.col("browser") == "Safari").then(None).otherwise(pl.col("browser")).alias("browser")
    )
    assert localise(frame, dimensions=["browser"]).causes == ()


def test_localise_takes_a_dimension_without_any_value():
    frame = make_cells({"browser": "Safari"}).with_columns(plan=pl.lit(None, pl.String))
    assert found(localise(frame, dimensions=["plan", "browser"])) == [{"browser": "Safari"}]


@pytest.mark.parametrize("options", [BASELINE, {}], ids=["baseline", "one time"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_localise_finds_nothing_where_all_are_alike(share, options):
    frame = make_cells(usual=share, rate=share)
    assert localise(frame, dimensions=NAMES, **options).verdict == "nothing"


def test_localise_heeds_its_bounds():
    cells = make_cells({"browser": "Safari", "region": "eu"}, {"region": "us", "release": "3"})
    assert len(localise(cells, dimensions=NAMES, max_causes=1, **BASELINE).causes) == 1
    assert all(len(cause.attributes) == 1 for cause in localise(cells, dimensions=NAMES, max_attributes=1).causes)


def test_localise_answers_the_same_in_any_order():
    chance = np.random.default_rng(3)
    frame = make_cells({"browser": "Safari", "region": "eu"}, {"region": "us", "release": "3"})
    frame = frame.with_columns(bad=pl.Series(chance.binomial(200, frame["bad"].to_numpy() / 200)))
    first = localise(frame, dimensions=NAMES)
    assert localise(frame.sample(fraction=1.0, shuffle=True, seed=1), dimensions=NAMES) == first
    turned = localise(frame, dimensions=NAMES[::-1])
    assert found(turned) == found(first)


@pytest.mark.parametrize("seed", range(8))
def test_localise_agrees_with_exhaustion_on_one_cause(seed):
    chance = np.random.default_rng(seed)
    cause = {name: VALUES[name][chance.integers(len(VALUES[name]))] for name in chance.choice(NAMES, 2, replace=False)}
    frame = make_cells(cause)
    frame = frame.with_columns(bad=pl.Series(chance.binomial(200, frame["bad"].to_numpy() / 200)))

    def strength(bad, expected):
        return float(strength_of(np.array([float(bad)]), np.array([float(expected)]), 1)[0])

    best = naive.strongest(frame, NAMES, 3, strength)
    assert [frozenset(one.items()) for one in found(localise(frame, dimensions=NAMES))] == [best]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("max_attributes", 0, "`max_attributes` must be 1 or more; got 0"),
        ("max_causes", 0, "`max_causes` must be 1 or more"),
        ("min_coverage", 0.0, "`min_coverage` must be above 0"),
        ("min_contrast", 1.0, "`min_contrast` must be above 1"),
        ("max_p", 1.0, "`max_p` must be between 0 and 1"),
        ("dispersion", 0.5, "`dispersion` must be 1 or more"),
        ("worse", "up", "`worse` must be `higher` or `lower`; got up"),
    ],
)
def test_localise_refuses_limits_that_mean_nothing(name, value, says):
    with pytest.raises(ParameterError, match=says):
        localise(make_cells(), dimensions=NAMES, **{name: value})
