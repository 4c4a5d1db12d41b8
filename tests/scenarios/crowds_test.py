import polars as pl
import pytest

from prodintel_lib.analyses.differences import Differences
from prodintel_lib.analyses.in_flight import count_company
from prodintel_lib.scenarios.crowds import find_crowd
from prodintel_lib.windows import Window

BASELINE, WINDOW = Window(0, 100_000_000), Window(100_000_000, 200_000_000)
NOTHING = Differences(WINDOW, BASELINE, ())


def requests(*, crowd, healthy=1, n=20):
    rows = []
    for group in range(n):
        for start_us, size, bad in (
            (group * 4_000_000, healthy, False),
            (100_000_000 + group * 4_000_000, crowd, True),
        ):
            rows += [(start_us + k, 1_000.0, "GET /s", bad) for k in range(size)]
    return pl.DataFrame(rows, schema=["time_us", "duration_ms", "route", "bad"], orient="row")


def crowd_of(frame):
    return find_crowd(frame, NOTHING, route="GET /s", window=WINDOW, baseline=BASELINE)


def test_count_company_counts_those_in_flight_at_the_start():
    frame = pl.DataFrame({"time_us": [0, 500, 1000, 5000], "duration_ms": [1.0, 3.0, 1.0, 1.0]})
    naive = [sum(a <= start < a + d * 1000 for a, d in frame.rows()) for start in frame["time_us"]]
    assert count_company(frame) == naive == [1, 2, 2, 1]


def test_find_crowd_finds_many_at_once():
    found = crowd_of(requests(crowd=10))
    assert (found.peak, found.healthy_p99, found.bad, found.cold) == (10, 1.0, 200, False)
    assert found.median_bad == pytest.approx(5.5)


@pytest.mark.parametrize(("crowd", "healthy"), [(1, 1), (3, 1), (10, 6)])
def test_find_crowd_is_none_where_healthy_requests_have_as_much_company(crowd, healthy):
    assert crowd_of(requests(crowd=crowd, healthy=healthy)) is None


def test_find_crowd_needs_five_bad_requests():
    assert crowd_of(requests(crowd=4, n=1)) is None
