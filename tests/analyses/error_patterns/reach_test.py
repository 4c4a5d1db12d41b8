import narwhals as nw
import polars as pl

from prodintel_lib.analyses.error_patterns.reach import SAMPLED, measure_reach
from prodintel_lib.tables import SPANS, conform
from prodintel_lib.windows import Window

MINUTE_US = 60_000_000
WINDOW = Window(0, 60 * MINUTE_US)


def reach(requests, members):
    rows = [
        {
            "trace_id": trace, "span_id": "1", "span_kind": "server", "duration_ms": 1.0, "time_us": minute * MINUTE_US,
            "http_route": route, "http_request_method": "GET", "http_response_status_code": status, "session_id": session,
        }
        for trace, minute, route, status, session in requests
    ]  # fmt: skip
    spans = nw.from_native(conform(pl.DataFrame(rows, infer_schema_length=None), SPANS).lazy())
    sample = pl.DataFrame(
        [(pattern, trace, number / 1000) for number, (pattern, trace) in enumerate(members)],
        schema=["pattern_id", "trace_id", "sample_key"],
        orient="row",
    )
    return measure_reach(spans, sample, window=WINDOW)


def test_measure_reach_counts_requests_that_failed_for_the_asker():
    requests = [
        ("a", 1, "/x", 500, None),
        ("b", 2, "/x", 200, None),
        ("c", 3, "/x", 404, None),
        ("d", 4, "/x", None, None),
    ]
    found = reach(requests, [("EP-1", trace) for trace in "abcdd"])["EP-1"]
    assert (found.reached.hits, found.reached.n) == (2, 3)
    assert found.mended.n == 0


def test_measure_reach_follows_a_session_to_its_next_try_of_the_route():
    requests = [
        ("a", 1, "/x", 422, "s"), ("later", 2, "/x", 422, "s"), ("again", 3, "/x", 200, "s"),
        ("b", 1, "/x", 422, "t"), ("other", 2, "/y", 200, "t"), ("fine", 4, "/x", 200, "t"),
        ("c", 1, "/x", 422, "u"), ("late", 12, "/x", 200, "u"),
        ("d", 1, "/x", 200, "v"), ("e", 2, "/x", 200, "v"),
    ]  # fmt: skip
    found = reach(requests, [("EP-1", trace) for trace in "abcd"])["EP-1"]
    assert (found.mended.hits, found.mended.n) == (1, 2)


def test_measure_reach_looks_up_no_more_than_a_sample_and_nothing_without_traces():
    many = [(f"t{number:03}", 1, "/x", 500, None) for number in range(80)]
    assert reach(many, [("EP-1", trace) for trace, *_ in many])["EP-1"].reached.n == SAMPLED
    assert reach(many, [("EP-1", "")]) == {}
