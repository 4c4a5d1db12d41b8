"""How a load test differs from what production had."""

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.load_patterns.shape import LoadShape, describe_run_of, parse_compress
from prodintel_lib.scenarios.load_model.model import (
    EventMultiplier,
    LoadArc,
    LoadClass,
    LoadCurve,
    LoadDefaults,
    LoadEndpoint,
    LoadModel,
    LoadState,
    Variant,
)

HOUR = 3600


def model(*, hours=24, begin_s=0, events=()):
    endpoint = LoadEndpoint(
        label="GET /", method="GET", route="/", variants=(Variant(path="/", n=1),), statuses=(200,),
        patience_ms=10_000, requests=300,
    )  # fmt: skip
    state = LoadState(after=("<start>",), visits=100, end_logit=-40.0, arcs=(LoadArc(endpoint=0, weight=1.0, state=1),))
    last = LoadState(after=("GET /",), visits=100, end_logit=0.0, arcs=())
    one = LoadClass(
        id="everybody", name="everybody", weight=1.0, sessions=100, session_correlation=0.0,
        step_bounds=(1,), end_shift=(0.0, 0.0), states=(state, last),
    )  # fmt: skip
    curve = LoadCurve(
        start_us=0, end_us=hours * HOUR * 1_000_000, time_zone="Europe/Berlin", local_start_s=begin_s,
        bucket_s=HOUR, sessions=(36.0,) * (hours - 1) + (72.0,), source="spans",
    )  # fmt: skip
    return LoadModel(
        generator="test", input_digest="0" * 12, curve=curve, events=events, endpoints=(endpoint,), gaps=(),
        classes=(one,), longest=10, defaults=LoadDefaults(length_s=hours * HOUR), sessions=100, requests=300,
    )  # fmt: skip


@pytest.mark.parametrize(("said", "times"), [("24h=10m", 144.0), ("5m=100s", 3.0), ("3", 3.0), ("1.5", 1.5)])
def test_parse_compress_reads_a_ratio(said, times):
    assert parse_compress(said) == times


@pytest.mark.parametrize("said", ["0", "-2", "24h", "24h=", "=10m", "fast", "1e3", "nan", ""])
def test_parse_compress_refuses_what_is_no_ratio(said):
    with pytest.raises(ParameterError, match=r"compress|length of time"):
        parse_compress(said)


def test_defaults_for_is_production_where_nothing_is_asked():
    assert LoadShape().defaults_for(model()) == LoadDefaults(length_s=24 * HOUR)


def test_defaults_for_begins_at_an_hour_of_the_business_clock():
    said = LoadShape(scale=2, compress="24h=10m", start="18:30", length="6h").defaults_for(model(begin_s=2 * HOUR))
    assert (said.scale, said.compress) == (2.0, 144.0)
    assert (said.start_s, said.length_s) == (16.5 * HOUR, 6 * HOUR)


def test_defaults_for_takes_the_hour_of_the_next_day_where_the_curve_begins_after_it():
    assert LoadShape(start="01:00").defaults_for(model(begin_s=23 * HOUR)).start_s == 2 * HOUR


def test_defaults_for_refuses_an_hour_that_the_curve_does_not_hold():
    with pytest.raises(ParameterError, match=r"does not reach 18:00: it begins at 09:00 \(Europe/Berlin\)"):
        LoadShape(start="18:00").defaults_for(model(hours=2, begin_s=9 * HOUR))
    with pytest.raises(ParameterError, match="`start` is an hour"):
        LoadShape(start="25:00").defaults_for(model())


def test_defaults_for_cuts_a_length_to_the_curve():
    assert LoadShape(length="2w").defaults_for(model()).length_s == 24 * HOUR


def test_defaults_for_multiplies_by_an_event_by_name_or_number():
    sale = EventMultiplier(name="black_friday", title="black-friday", ratio=3.25, n=96)
    known = model(events=(sale,))
    assert LoadShape(event="black-friday").defaults_for(known).multiplier == 3.25
    assert LoadShape(event="black_friday").defaults_for(known).multiplier == 3.25
    assert LoadShape(event="2.5").defaults_for(known).multiplier == 2.5
    with pytest.raises(ParameterError, match="black-fryday"):
        LoadShape(event="black-fryday").defaults_for(known)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_defaults_for_refuses_a_scale_that_is_no_size(scale):
    with pytest.raises(ParameterError, match="`scale` is a number above 0"):
        LoadShape(scale=scale).defaults_for(model())


def test_describe_run_of_says_what_would_be_sent():
    shaped = model()
    shaped = shaped.model_copy(update={"defaults": LoadShape(scale=2, compress="24h=10m").defaults_for(shaped)})
    # 23 hours of 36 and one of 72: 900 sessions of 3 requests, twice as many a second, a 144th of the time.
    assert describe_run_of(shaped) == (
        "About 12 sessions (38 requests) in 10 min 00 s, up to 2.4 new sessions a minute: 2 times production's rate, "
        "its curve 144 times faster."
    )
