import polars as pl
import pytest

from prodintel_lib.analyses.load import measure_payloads
from prodintel_lib.rollups.arrivals import PAYLOAD_SIZES_SCHEMA


def sizes(*rows):
    return pl.DataFrame(list(rows), schema=PAYLOAD_SIZES_SCHEMA, orient="row")


def test_measure_payloads_gives_means_exactly_and_percentiles_to_one_per_cent():
    found = measure_payloads(
        sizes(
            ("GET /", "response", 345, 98, 98_000),
            ("GET /", "response", 576, 2, 202_000),
            ("GET /", "response", None, 5, 0),
            ("GET /b", "response", None, 9, 0),
        )
    )
    row = found.frame.row(0, named=True)
    assert (found.frame.height, found.left_out) == (1, 1)
    assert (row["n"], row["unknown"], row["mean_bytes"]) == (100, 5, 3000.0)
    assert row["p50_bytes"] == row["p95_bytes"] == pytest.approx(1000, rel=0.011)
    assert row["p99_bytes"] == pytest.approx(101_000, rel=0.011)
    assert "GET /" in found._repr_html_()


def test_measure_payloads_says_that_no_size_is_known():
    found = measure_payloads(sizes(("GET /", "response", None, 5, 0)))
    assert found.frame.is_empty()
    assert "The size of no body is known" in found._repr_html_()
