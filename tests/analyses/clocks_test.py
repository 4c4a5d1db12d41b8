import random

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.clocks import ClockOffset, estimate_clock_offsets, find_clock_offsets
from prodintel_lib.rollups.clocks import CLOCK_EDGES_SCHEMA, correct_clocks
from prodintel_lib.tables import SPANS, conform

MS = 1000
S = 1_000_000


def edge(caller, callee, *, pairs=100, outside=100, quartiles_us=(2.3 * S, 2.4 * S, 2.5 * S)):
    return dict(zip(CLOCK_EDGES_SCHEMA, (caller, callee, pairs, outside, *quartiles_us), strict=True))


def estimate(*edges):
    return estimate_clock_offsets(pl.DataFrame(list(edges), schema=CLOCK_EDGES_SCHEMA))


def test_estimate_clock_offsets_gives_the_median_with_its_interval():
    found = estimate(edge("gateway", "stock"))
    # 1.96 * sqrt(pi / 2) / 1.349 * 200 ms / sqrt(100)
    assert found.offsets == (ClockOffset("stock", "gateway", 2_400_000, 2_363_581, 2_436_419, 100, 100),)
    assert found.sentences() == (
        (
            "The clock of stock is 2.400 s ahead of gateway (n 100 pairs of a call and its answer, "
            "95 % CI 2.364 s to 2.436 s); its times were corrected."
        ),
    )
    assert "2,400.0 ms" in found._repr_html_()


@pytest.mark.parametrize(
    "changes",
    [
        {"outside": 59},
        {"pairs": 3, "outside": 3},
        {"quartiles_us": (-1.0 * S, 2.4 * S, 2.5 * S)},
        {"quartiles_us": (900.0, 1000.0, 1100.0)},
        {"pairs": 4, "outside": 4, "quartiles_us": (1.0 * S, 2.0 * S, 9.0 * S)},
    ],
    ids=["not most", "too few", "both signs", "a millisecond", "interval with zero"],
)
def test_estimate_clock_offsets_abstains_where_clocks_need_not_differ(changes):
    found = estimate(edge("gateway", "stock", **changes))
    assert found.offsets == ()
    pairs = changes.get("pairs", 100)
    assert found.sentences() == (f"The clocks of 2 services agree (n {pairs} pairs of a call and its answer).",)


def test_estimate_clock_offsets_adds_up_along_the_service_graph():
    agree = {"outside": 0, "quartiles_us": (0.0, 0.0, 0.0)}
    found = estimate(
        edge("gateway", "orders", pairs=400, outside=400, quartiles_us=(-31.0 * MS, -30.0 * MS, -29.0 * MS)),
        edge("orders", "stock", pairs=100, quartiles_us=(49.0 * MS, 50.0 * MS, 51.0 * MS)),
        edge("orders", "pay", pairs=200, **agree),
        # Fewer calls tell the same pair of services less well.
        edge("gateway", "stock", pairs=50, **agree),
        edge("billing", "archive", pairs=9, outside=9),
    )
    assert found.by_service_us == {"archive": 2_400_000, "orders": -30_000, "pay": -30_000, "stock": 20_000}
    by_name = {offset.service_name: offset for offset in found.offsets}
    assert (by_name["archive"].reference, by_name["stock"].reference) == ("billing", "gateway")
    half_us = {name: (offset.high_us - offset.low_us) / 2 for name, offset in by_name.items()}
    assert half_us["stock"] == pytest.approx((half_us["orders"] ** 2 + (2 * half_us["orders"]) ** 2) ** 0.5, abs=1)
    assert by_name["orders"].sentence.startswith("The clock of orders is 30.0 ms behind gateway (n 400 pairs")


def test_estimate_clock_offsets_goes_against_the_calls_too():
    found = estimate(edge("gateway", "stock", pairs=500, outside=500), edge("cron", "stock", pairs=20, outside=20))
    assert found.by_service_us == {"stock": 2_400_000}
    assert found.services == 3


def test_estimate_clock_offsets_without_calls_says_that_nothing_can_be_compared():
    found = estimate()
    assert (found.offsets, found.pairs, found.services) == ((), 0, 0)
    assert "could not be compared" in found._repr_html_()


def test_find_clock_offsets_are_gone_after_the_correction():
    chance, rows = random.Random(7), []
    for number in range(300):
        at_us, ms = chance.randrange(3600 * S), chance.uniform(5, 50)
        common = {"trace_id": f"{number:032x}", "status_code": "ok"}
        call = {**common, "span_id": "a", "span_kind": "client", "service_name": "gateway"}
        answer = {**common, "span_id": "b", "parent_span_id": "a", "span_kind": "server", "service_name": "stock"}
        rows.append({**call, "time_us": at_us, "duration_ms": ms})
        outside_us = int(ms * 300)
        before_us = chance.randrange(outside_us)
        rows.append({**answer, "time_us": at_us + before_us - 2_400_000, "duration_ms": ms - outside_us / 1000})
    spans = nw.from_native(conform(pl.DataFrame(rows, infer_schema_length=None), SPANS).lazy())
    found = find_clock_offsets(spans)
    (offset,) = found.offsets
    assert offset.service_name == "stock"
    assert offset.low_us <= -2_400_000 <= offset.high_us
    assert (offset.pairs, offset.outside) == (300, 300)
    assert find_clock_offsets(correct_clocks(spans, found.by_service_us)).offsets == ()
