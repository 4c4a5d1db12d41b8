import polars as pl
import pytest

from prodintel_lib.analyses.blast import contrast_attributes, contrast_numbers, measure_blast_radius
from prodintel_lib.windows import Window

WINDOW, BASELINE = Window(100, 200), Window(0, 100)


def requests(rows):
    return pl.DataFrame(
        rows,
        schema=["time_us", "route", "bad", "user_id", "session_id", "service_version"],
        orient="row",
        schema_overrides={"user_id": pl.String, "session_id": pl.String},
    )


def test_measure_blast_radius_counts_people_once_and_only_in_the_window():
    blast = measure_blast_radius(
        requests(
            [
                (50, "GET /a", True, "u0", "s0", "1"),
                (110, "GET /a", True, "u1", "s1", "2"),
                (120, "GET /a", True, "u1", "s1", "2"),
                (130, "GET /a", False, "u2", "s2", "2"),
                (140, "GET /b", False, None, None, "2"),
                (200, "GET /a", True, "u3", "s3", "2"),
            ]
        ),
        window=WINDOW,
        baseline=BASELINE,
    )
    assert (blast.users.hits, blast.users.n) == (1, 2)
    assert (blast.sessions.hits, blast.sessions.n) == (1, 2)
    assert (blast.requests.hits, blast.requests.n) == (2, 4)
    assert blast.routes.select("route", "requests", "bad", "baseline_share", "baseline_requests").rows() == [
        ("GET /a", 3, 2, 1.0, 1),
        ("GET /b", 1, 0, None, 0),
    ]


def test_measure_blast_radius_without_users_says_so():
    blast = measure_blast_radius(requests([(110, "GET /a", True, None, None, "1")]), window=WINDOW, baseline=BASELINE)
    assert blast.users.n == 0
    assert "users" not in blast._repr_html_()


def test_contrast_attributes_ranks_the_value_that_fails():
    frame = pl.DataFrame(
        {
            "bad": [True] * 40 + [False] * 160,
            "context_region": ["eu"] * 40 + ["us"] * 160,
            "context_device": ["mobile", "desktop"] * 100,
            "context_only": ["one"] * 200,
        }
    )
    found = contrast_attributes(frame)
    assert found.row(0)[:4] == ("region", "eu", 40, 40)
    assert found.filter(pl.col("attribute") == "device")["effect"].to_list() == pytest.approx([0, 0], abs=0.01)
    assert "only" not in found["attribute"].to_list()


def test_blast_radius_html_escapes_routes():
    blast = measure_blast_radius(
        requests([(110, "GET /<script>", True, "u", "s", "1")]), window=WINDOW, baseline=BASELINE
    )
    assert "<script>" not in blast._repr_html_()
    assert "GET /&lt;script&gt;" in blast._repr_html_()


def test_contrast_numbers_finds_the_number_that_sets_bad_requests_apart():
    frame = pl.DataFrame(
        {
            "bad": [True] * 40 + [False] * 40,
            "number_items": [float(n) for n in range(40, 80)] + [float(n) for n in range(40)],
            "number_age": [1.0, 2.0] * 40,
        }
    )
    assert contrast_numbers(frame).rows() == [("items", 59.5, 19.5, 40, 40, 1.0), ("age", 1.5, 1.5, 40, 40, 0.0)]


def test_measure_blast_radius_counts_requests_by_the_version_they_passed_through():
    rows = requests(
        [
            (50, "GET /a", False, "u", "s", "1"),
            (110, "GET /a", True, "u", "s", "1"),
            (120, "GET /a", False, "u", "s", "1"),
        ]
    ).with_columns(pl.Series("trace_id", ["t0", "t1", "t2"]))
    calls = pl.DataFrame(
        {
            "trace_id": ["t0", "t1", "t1", "t2", "t2"],
            "caller": ["pay", "pay", "pay", "pay", "web"],
            "caller_version": ["1.0", "1.1", "1.1", "1.0", "7"],
        }
    )
    found = measure_blast_radius(rows, window=WINDOW, baseline=BASELINE, calls=calls).versions
    assert found.select("version", "requests", "bad", "baseline_requests").rows() == [
        ("pay 1.1", 1, 1, 0),
        ("pay 1.0", 1, 0, 1),
    ]
