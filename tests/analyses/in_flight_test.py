import polars as pl

from prodintel_lib.analyses.in_flight import count_company, count_in_flight, peak_in_flight
from prodintel_lib.windows import Window

# Times in µs, durations in ms: a from 0 to 10, b from 5 to 8, c from 8 (as b ends) to 20.
REQUESTS = pl.DataFrame(
    {"time_us": [0, 5000, 8000], "duration_ms": [10.0, 3.0, 12.0], "route": ["GET /a", "GET /a", "GET /b"]}
)


def test_count_in_flight_follows_starts_and_ends():
    assert count_in_flight(REQUESTS).rows() == [(0, 1), (5000, 2), (8000, 2), (10_000, 1), (20_000, 0)]


def test_peak_in_flight_counts_the_routes_own_requests_that_began_in_the_window():
    assert peak_in_flight(REQUESTS, "GET /a", Window(0, 9000)) == 2
    assert peak_in_flight(REQUESTS, "GET /a", Window(1, 9000)) == 1
    assert peak_in_flight(REQUESTS, "GET /c", Window(0, 9000)) == 0


def test_count_company_counts_the_request_itself():
    assert count_company(REQUESTS) == [1, 2, 2]
