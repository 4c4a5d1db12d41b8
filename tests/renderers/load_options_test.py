"""The options of a load test: what they mean, and what is refused."""

import json

import pytest

from prodintel_lib.renderers.load_tests import render_model
from prodintel_lib.renderers.templates.load_options import (
    OptionError,
    compression,
    duration_s,
    fillable,
    multiplier,
    positive,
    read_model,
    run_of,
    start,
)
from prodintel_lib.scenarios.load_model.model import EventMultiplier, LoadDefaults
from tests.renderers.load_models import make_model

NONE = {
    "scale": "",
    "compress": "",
    "start": "",
    "length": "",
    "event": "",
    "seed": "",
    "latency_factor": "",
    "allow_writes": False,
    "out": "load_run",
}
CURVE = {"time_zone": "Europe/Vienna", "local_start_s": 82_800, "bucket_s": 60.0, "sessions": [1.0] * 180}


def model_of(**changed):
    return json.loads(render_model(make_model(**changed)))


def test_run_of_takes_the_models_defaults():
    defaults = LoadDefaults(scale=2, compress=3, start_s=0.5, length_s=1.5, multiplier=4, seed=9)
    run = run_of(NONE, None, model_of(defaults=defaults))
    assert run.target == "http://127.0.0.1:8080"
    assert (run.latency_factor, run.out) == (1.0, "load_run")
    assert vars(run.setting) == {
        "scale": 2,
        "compress": 3,
        "multiplier": 4,
        "start_s": 0.5,
        "length_s": 1.5,
        "seed": 9,
    }
    assert run.setting.run_s == 0.5


def test_run_of_takes_what_is_asked_for():
    asked = {"scale": "0.5", "compress": "24h=10m", "start": "08:00", "length": "1s", "event": "2.5", "seed": "0"}
    run = run_of(NONE | asked | {"latency_factor": "3"}, "http://localhost:1/shop/", model_of())
    assert run.target == "http://localhost:1/shop"
    assert run.latency_factor == 3
    assert vars(run.setting) == {
        "scale": 0.5,
        "compress": 144.0,
        "multiplier": 2.5,
        "start_s": 0.0,
        "length_s": 1.0,
        "seed": 0,
    }


def test_run_of_writes_beyond_loopback_only_where_allowed():
    far = "http://staging.invalid"
    with pytest.raises(OptionError, match="is beyond loopback and this load writes: add --allow-writes"):
        run_of(NONE, far, model_of())
    assert run_of(NONE | {"allow_writes": True}, far, model_of()).target == far


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e999", "two", "", "1_0_"])
def test_positive_refuses_what_is_not_above_0(value):
    with pytest.raises(OptionError, match="--scale is a number above 0, for instance 2; got"):
        positive("--scale", value)


def test_positive_with_a_least_takes_it():
    assert positive("--seed", "0", least=0) == 0
    with pytest.raises(OptionError, match="--seed is a number of 0 or more"):
        positive("--seed", "-1", least=0)


@pytest.mark.parametrize(
    ("text", "wanted"), [("24h", 86_400), ("10m", 600), ("90s", 90), ("600", 600), ("1.5d", 129_600)]
)
def test_duration_s_reads_units(text, wanted):
    assert duration_s("--length", text) == wanted


@pytest.mark.parametrize("text", ["", "h", "10x", "1h30m", "-1h"])
def test_duration_s_refuses_what_is_none(text):
    with pytest.raises(OptionError, match="--length is a number above 0"):
        duration_s("--length", text)


def test_compression_reads_a_number_or_two_durations():
    assert compression("144") == compression("24h=10m") == 144
    with pytest.raises(OptionError, match="--compress is a number above 0"):
        compression("24h=")


def test_multiplier_reads_the_name_of_an_event_or_a_number():
    model = model_of(events=(EventMultiplier(name="black_friday", title="Black Friday", ratio=3.5, n=24),))
    assert multiplier("black_friday", model) == multiplier("Black-Friday", model) == 3.5
    assert multiplier("2", model) == 2
    with pytest.raises(OptionError, match=r"the name of an event \(black_friday\); got 'black friday'"):
        multiplier("black friday", model)


def test_start_is_an_hour_of_the_curves_clock():
    # The curve begins at 23:00 and lasts three hours.
    assert [start(text, CURVE) for text in ("23:00", "23:30", "00:00", "1:59")] == [0, 1_800, 3_600, 10_740]


@pytest.mark.parametrize("text", ["02:00", "22:59"])
def test_start_refuses_an_hour_outside_the_curve(text):
    with pytest.raises(OptionError, match=f"the curve begins at 23:00 and ends before {text}"):
        start(text, CURVE)


@pytest.mark.parametrize("text", ["24:00", "8", "08:60", "noon", "08:30:00"])
def test_start_refuses_what_is_no_hour(text):
    with pytest.raises(OptionError, match="--start is an hour of Europe/Vienna, for instance 08:30; got"):
        start(text, CURVE)


def test_fillable_says_which_values_a_variant_needs():
    model = model_of()
    variant = fillable(model["endpoints"][3], model["endpoints"][3]["variants"][0])
    assert variant["method"] == "POST"
    assert variant["needs"] == ["token", "cart"]
    assert variant["replacements"] == [
        {"into": "header", "at": "Authorization", "extracted": "token", "prefix": "Bearer "},
        {"into": "path", "at": "2", "extracted": "cart", "prefix": ""},
        {"into": "body", "at": "/key", "fresh": "uuid", "length": 36},
        {"into": "body", "at": "/card", "masked": "card"},
    ]


def test_read_model_keeps_what_a_body_has_of_nothing(tmp_path):
    path = tmp_path / "load_model.json"
    path.write_text(render_model(make_model()))
    model, digest = read_model(path)
    assert model["endpoints"][2]["variants"][0]["body"] == {"item": None, "n": 1}
    path.write_text(path.read_text() + " ")
    assert len(digest) == 16
    assert read_model(path)[1] != digest


@pytest.mark.parametrize(
    ("text", "said"), [("{", "load_model.json is not JSON"), ("[]", "load_model.json is no load model of schema")]
)
def test_read_model_refuses_what_is_none(tmp_path, text, said):
    path = tmp_path / "load_model.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=said):
        read_model(path)
