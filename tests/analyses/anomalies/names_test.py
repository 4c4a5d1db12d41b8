import math

import pytest

from prodintel_lib.analyses.anomalies import (
    DETECTOR_NAMES,
    Combined,
    FixedThreshold,
    Percentile,
    default_threshold,
    detector_named,
    parse_threshold,
)
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window


@pytest.mark.parametrize("name", [name for name in DETECTOR_NAMES if name != "fixed"])
def test_detector_named_gives_each_its_events(name):
    events = (Window(0, 5),)
    detector = detector_named(name.upper(), events=events)
    assert detector.events == events
    assert detector.unit in {"-log10 p", "z", "beyond"}


def test_detector_named_takes_a_value_after_a_colon():
    assert detector_named("combined") == Combined()
    assert detector_named("percentile:99.5") == Percentile(99.5)
    assert detector_named("fixed:0.9") == FixedThreshold(upper=0.9)
    assert detector_named("fixed:10..90") == FixedThreshold(upper=90.0, lower=10.0)
    assert detector_named("fixed:10..") == FixedThreshold(lower=10.0)


def test_detector_named_names_the_nearest():
    with pytest.raises(ParameterError, match=r"Unknown detector `combind`.*\nHint: did you mean `combined`"):
        detector_named("combind")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fixed", "`fixed` needs a number where it has ``"),
        ("fixed:high", "`fixed:high` needs a number where it has `high`"),
        ("fixed:90..10", "must be below the upper"),
        ("percentile:12", "between 50 and 100; it is 12"),
        ("percentile:nan", "needs a number"),
        ("z-score:3", "takes no value"),
    ],
)
def test_detector_named_refuses_what_it_cannot_use(name, said):
    with pytest.raises(ParameterError, match=said):
        detector_named(name)


@pytest.mark.parametrize(
    ("text", "unit", "threshold"),
    [
        ("3-sigma", "z", 3.0),
        ("3.5 sigma", "z", 3.5),
        ("3\u03c3", "-log10 p", 2.5687),
        ("4", "-log10 p", 4.0),
        ("6", "z", 6.0),
        ("1e-4", "-log10 p", 4.0),
        ("0.0027", "z", 2.99998),
        ("p99.9", "-log10 p", 3.0),
        ("P99.9", "z", 3.29053),
        ("1", "beyond", 1.0),
    ],
)
def test_parse_threshold_reads_it_on_the_detectors_scale(text, unit, threshold):
    assert parse_threshold(text, unit) == pytest.approx(threshold, abs=1e-4)


@pytest.mark.parametrize("text", ["0-sigma", "0", "-3", "p100", "p40", "inf"])
def test_parse_threshold_refuses_what_is_none(text):
    with pytest.raises(ParameterError, match="is not a threshold"):
        parse_threshold(text, "z")


@pytest.mark.parametrize("text", ["", "three", "nan"])
def test_parse_threshold_refuses_words(text):
    with pytest.raises(ParameterError, match="needs a number"):
        parse_threshold(text, "z")


def test_parse_threshold_has_no_meaning_for_fixed_limits():
    with pytest.raises(ParameterError, match=r"has no meaning.*\nHint: leave the threshold out"):
        parse_threshold("3-sigma", "beyond")


def test_default_threshold_is_the_same_chance_on_each_scale():
    assert default_threshold("-log10 p") == 4.0
    assert -math.log10(math.erfc(default_threshold("z") / math.sqrt(2))) == pytest.approx(4.0, abs=0.01)
    assert default_threshold("beyond") == 1.0
