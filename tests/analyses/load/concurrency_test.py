"""How many sessions and requests are under way at once."""

import polars as pl
import pytest

from prodintel_lib.analyses.load import measure_concurrency
from prodintel_lib.errors import MissingColumnsError, NoDataError

S = 1_000_000
SCHEMA = {"session_key": pl.Int64, "time_us": pl.Int64, "duration_ms": pl.Float64}


def steps(*rows):
    return pl.DataFrame([(key, int(at * S), ms) for key, at, ms in rows], schema=SCHEMA, orient="row")


def test_measure_concurrency_counts_sessions_from_first_request_to_last_answer():
    # One from 0 to 10 s, one from 4 to 6 s, and, after a gap in the record, one from 100 to 102 s.
    found = measure_concurrency(
        steps((1, 0, 500.0), (1, 9, 1000.0), (2, 4, 2000.0), (3, 100, 2000.0)),
    )
    assert found.open_s == 12.0
    assert (found.sessions.most, found.sessions.most_us, found.sessions.n) == (2, 4 * S, 3)
    assert found.sessions.mean == pytest.approx((10 + 2 + 2) / 12)
    assert found.sessions.p95 == 2
    # Under way: 0.5, 1, 2 and 2 s of the 12.
    assert (found.requests.most, found.requests.n, found.unknown) == (1, 4, 0)
    assert found.requests.mean == pytest.approx(5.5 / 12)


def test_measure_concurrency_lets_one_end_before_another_begins_in_the_same_moment():
    found = measure_concurrency(steps((1, 0, 1000.0), (2, 1, 1000.0), (3, 2, 1000.0)))
    assert (found.sessions.most, found.requests.most, found.sessions.mean) == (1, 1, 1.0)


def test_measure_concurrency_counts_what_begins_and_ends_in_one_moment():
    found = measure_concurrency(steps((1, 5, None), (2, 5, None), (3, 5, None)))
    assert (found.open_s, found.sessions.most, found.sessions.mean) == (0.0, 3, 3.0)


def test_measure_concurrency_without_durations_says_nothing_of_requests():
    found = measure_concurrency(steps((1, 0, None), (1, 8, None), (2, 4, None)))
    assert (found.requests, found.unknown) == (None, 3)
    assert (found.open_s, found.sessions.most) == (8.0, 2)
    assert "durations were not recorded" in found._repr_html_()
    assert found.to_dict()["requests"] is None


def test_measure_concurrency_says_how_many_durations_are_unknown():
    found = measure_concurrency(steps((1, 0, 1000.0), (1, 2, None)))
    assert (found.unknown, found.requests.n) == (1, 2)
    shown = found._repr_html_()
    assert "1 without a duration" in shown
    assert "1970-01-01 00:00:00 UTC; 95 %: up to 1" in shown


def test_measure_concurrency_is_littles_law_for_requests():
    rows = [(n, 0.1 * n, 700.0) for n in range(1000)]
    found = measure_concurrency(steps(*rows))
    # Ten a second, each under way for 0.7 s.
    assert found.requests.mean == pytest.approx(7.0, rel=0.01)
    assert found.requests.most == 7


def test_measure_concurrency_refuses_what_it_cannot_read():
    with pytest.raises(MissingColumnsError, match="duration_ms"):
        measure_concurrency(steps().drop("duration_ms"))
    with pytest.raises(NoDataError, match="there are 0"):
        measure_concurrency(steps())
