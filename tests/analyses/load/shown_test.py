from dataclasses import replace

import numpy as np
import polars as pl

from prodintel_lib.analyses.load import measure_profiles
from prodintel_lib.analyses.load.model import PEAKS_SCHEMA
from prodintel_lib.windows import Window

S = 1_000_000
MONDAY_S = 1_761_523_200


def load_of(arrivals_of, hours, per_hour):
    """Return a load with so many requests in each hour, evenly spread, from Monday 00:00 UTC on."""
    times = np.concatenate(
        [
            MONDAY_S + hour * 3600 + np.arange(n) * 3600 // n
            for hour, n in enumerate(per_hour * (hours // len(per_hour)))
        ]
    )
    window = Window(MONDAY_S * S, (MONDAY_S + hours * 3600) * S)
    return measure_profiles(arrivals_of(times, ["/a"] * len(times)), window=window, time_zone="UTC")


def test_profiles_says_first_how_much_and_when(arrivals_of):
    day = [180] * 24
    day[14], day[3] = 720, 120
    page = load_of(arrivals_of, 24, day)._repr_html_()
    assert page.startswith(
        '<p class="lead">Requests come at 0.0556 a second on average, most from 14:00 to 15:00 (0.200), least from '
        "03:00 to 04:00 (0.0333): 2025-10-27 00:00:00-2025-10-28 00:00:00 UTC, hours in UTC.</p>"
    )


def test_profiles_names_the_likeliest_of_the_hours_that_may_be_the_busiest(arrivals_of):
    peaks = [("peak", 14, 0.2, None, None, 0.7, 9), ("peak", 9, 0.1, None, None, 0.3, 9)]
    load = load_of(arrivals_of, 24, [180] * 24)
    several = replace(load, peaks=pl.DataFrame(peaks, schema=PEAKS_SCHEMA, orient="row"))
    assert "on average, most from 14:00 to 15:00 (0.200): 2025-10-27" in several._repr_html_()


def test_profiles_of_a_short_time_says_no_hour_and_why_there_is_no_forecast(arrivals_of):
    times = MONDAY_S + np.arange(600)
    window = Window(MONDAY_S * S, (MONDAY_S + 600) * S)
    page = measure_profiles(arrivals_of(times, ["/a"] * 600), window=window, time_zone="UTC")._repr_html_()
    assert page.startswith('<p class="lead">Requests come at 1 a second on average: 2025-10-27')
    assert "There is no forecast: 10 min 00 s were recorded without a gap" in page
    assert "Every hour of the day" not in page
