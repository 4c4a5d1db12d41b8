import json

import pytest

from prodintel_lib.analyses.golden_signals import measure_golden_signals
from prodintel_lib.errors import NoDataError, ParameterError

from . import made
from .made import HOUR_US, MINUTE_US, metric


def both():
    rows = made.requests([{"bucket_us": at * MINUTE_US, "requests": 20, "failed": at % 2} for at in range(60)])
    return made.production(rows, window=(0, HOUR_US), metrics=metric("memory.utilization", [0.5] * 60))


def test_measure_golden_signals_measures_all_four():
    golden = measure_golden_signals(both())
    assert golden.latency.frame["n"].to_list() == [1200] * 2
    assert golden.traffic.frame["n"].to_list() == [1200] * 2
    assert golden.errors.frame["failed"].to_list() == [30] * 2
    assert golden.saturation.frame["risk"].to_list() == ["ok"]
    assert golden.digest == "made"


def test_measure_golden_signals_is_the_same_twice_and_plain_json():
    first, second = (json.dumps(measure_golden_signals(both()).to_dicts(), sort_keys=True) for _ in range(2))
    assert first == second


def test_measure_golden_signals_of_metrics_alone_has_saturation_alone():
    production = made.production(window=(0, HOUR_US), metrics=metric("memory.utilization", [0.5] * 60))
    golden = measure_golden_signals(production)
    assert golden.saturation.frame.height == 1
    assert golden.latency.frame.is_empty()
    assert golden.latency._repr_html_() == golden.traffic._repr_html_()
    assert "No request was recorded in the window" in golden._repr_html_()


def test_measure_golden_signals_of_some_services():
    golden = measure_golden_signals(both(), services=["shop"], max_routes=0)
    assert golden.latency.frame.select("grain", "service_name").rows() == [("service", "shop")]
    assert golden.latency.routes_left_out == 1


def test_measure_golden_signals_of_nothing_says_what_to_do():
    with pytest.raises(
        NoDataError, match="Neither a request nor a metric was recorded in 1970-01-01 00:00:00-01:00:00"
    ):
        measure_golden_signals(made.production(window=(0, HOUR_US)))


def test_measure_golden_signals_needs_a_number_of_routes():
    with pytest.raises(ParameterError, match="`max_routes` must be 0 or more; got -1"):
        measure_golden_signals(both(), max_routes=-1)


def test_golden_signals_html_shows_every_signal():
    shown = measure_golden_signals(both())._repr_html_()
    for name in ("Latency", "Traffic", "Errors", "Saturation", "memory.utilization", "GET /a"):
        assert name in shown
