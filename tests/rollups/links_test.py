from prodintel_lib.engines import collect
from prodintel_lib.rollups.links import (
    LINK_COUNTS_SCHEMA,
    LINKS_KEYS,
    LINKS_SCHEMA,
    build_doubtful_links,
    count_links,
)


def counts(frame):
    return collect(count_links(frame), schema=LINK_COUNTS_SCHEMA, sort_by=["spans"]).rows(named=True)


def links(frame):
    return collect(build_doubtful_links(frame), schema=LINKS_SCHEMA, sort_by=LINKS_KEYS).rows()


def test_count_links_tells_roots_orphans_and_own_parents_apart(spans):
    assert counts(
        spans(
            {"span_id": "a"},
            {"span_id": "b", "parent_span_id": "a"},
            {"span_id": "c", "parent_span_id": "gone"},
            {"span_id": "d", "parent_span_id": "gone"},
            {"span_id": "e", "parent_span_id": "e"},
            {"span_id": "f"},
            # Another trace has a span of that id, which is no parent here.
            {"span_id": "a", "trace_id": "u"},
            {"span_id": "g", "trace_id": "u", "parent_span_id": "b"},
        )
    ) == [
        {
            "spans": 8,
            "roots": 3,
            "orphans": 3,
            "own_parents": 1,
            "traces": 2,
            "traces_with_orphans": 2,
            "traces_with_several_roots": 1,
        }
    ]


def test_count_links_of_no_spans_gives_no_row(spans):
    assert counts(spans({"span_id": "a"}).head(0)) == []


def test_count_links_counts_a_child_once_whose_parent_came_twice(spans):
    rows = ({"span_id": "a"}, {"span_id": "a", "time_us": 5}, {"span_id": "b", "parent_span_id": "a"})
    assert counts(spans(*rows))[0]["spans"] == 3


def test_build_doubtful_links_gives_the_traces_in_which_time_stands_still(spans):
    assert links(
        spans(
            {"span_id": "a", "time_us": 5},
            {"span_id": "b", "time_us": 6, "parent_span_id": "a"},
            {"span_id": "c", "time_us": 6, "parent_span_id": "b"},
            {"span_id": "d", "time_us": 6, "parent_span_id": "d"},
            {"span_id": "e", "time_us": 6, "parent_span_id": "gone"},
            {"span_id": "a", "trace_id": "u"},
            {"span_id": "b", "trace_id": "u", "time_us": 1, "parent_span_id": "a"},
        )
    ) == [("t", "b", "a"), ("t", "c", "b")]
