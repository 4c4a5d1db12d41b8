"""Which pattern follows from which."""

import polars as pl

from prodintel_lib.analyses.error_patterns.cascades import with_roots


def patterns(**first_shares):
    rows = list(first_shares.items())
    return pl.DataFrame(rows, schema={"pattern_id": pl.String, "first_share": pl.Float64}, orient="row")


def members(**traces):
    rows = [(name, trace) for name, held in traces.items() for trace in held]
    return pl.DataFrame(rows, schema={"pattern_id": pl.String, "trace_id": pl.String}, orient="row")


def follows_of(frame, seen):
    return dict(with_roots(frame, seen).select("pattern_id", "follows").iter_rows())


def test_with_roots_names_the_root_that_most_of_a_patterns_traces_hold():
    frame = patterns(gateway=0.0, database=1.0, cache=0.9)
    seen = members(gateway=["a", "b", "c", "d"], database=["a", "b", "c"], cache=["d", "e"])
    assert follows_of(frame, seen) == {"gateway": "database", "database": "", "cache": ""}


def test_with_roots_wants_at_least_half_of_the_traces():
    frame = patterns(gateway=0.0, database=1.0)
    assert follows_of(frame, members(gateway=["a", "b", "c"], database=["a"]))["gateway"] == ""
    assert follows_of(frame, members(gateway=["a", "b"], database=["a"]))["gateway"] == "database"


def test_with_roots_counts_a_trace_once_and_passes_over_errors_without_one():
    frame = patterns(gateway=0.0, one=1.0, other=1.0)
    seen = members(gateway=["a", "b", "c", "", ""], one=["a", "a", "a", "", ""], other=["b", "c"])
    assert follows_of(frame, seen)["gateway"] == "other"


def test_with_roots_takes_half_first_for_a_root_and_unknown_too():
    frame = patterns(half=0.5, unknown=None, database=1.0)
    seen = members(half=["a"], unknown=["a"], database=["a"])
    assert follows_of(frame, seen) == {"half": "", "unknown": "", "database": ""}


def test_with_roots_keeps_the_order_of_the_rows():
    frame = patterns(z=1.0, a=0.0, m=1.0)
    assert with_roots(frame, members(a=["t"], z=["t"]))["pattern_id"].to_list() == ["z", "a", "m"]
