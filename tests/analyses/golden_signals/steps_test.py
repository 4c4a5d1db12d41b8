import numpy as np
import pytest

from prodintel_lib.analyses.golden_signals.steps import choose_step_s

from . import made
from .made import MINUTE_US


def step_s(per_minute, minutes, quiet=0):
    times = np.arange(minutes, dtype=np.int64) * MINUTE_US
    rows = made.requests(
        [{"bucket_us": int(at), "requests": per_minute} for at in times]
        + [{"bucket_us": int(at), "requests": quiet, "route": "GET /quiet"} for at in times if quiet]
    )
    production = made.production(rows, window=(0, minutes * MINUTE_US))
    counts = rows.select("service_name", "route", "bucket_us", "requests")
    return choose_step_s(production, counts.insert_column(0, made.grain("route", len(rows))))


@pytest.mark.parametrize(
    ("per_minute", "minutes", "step"),
    [(200, 60, 60), (50, 60, 180), (1, 60, 180), (200, 900, 180), (1, 10, 60), (200, 1, 60)],
)
def test_choose_step_s_fills_steps_but_keeps_enough_of_them(per_minute, minutes, step):
    assert step_s(per_minute, minutes) == step


def test_choose_step_s_fills_those_of_the_quieter_routes_too():
    assert step_s(500, 60, quiet=70) == 120
