import polars as pl

from prodintel_lib.analyses.error_patterns.members import KEPT_TRACES, MAX_ROWS_PER_TRACE, Members


def rows(traces, pattern_no=0, **given):
    texts = {"trace_id": "", "session_id": "", "route": "", "user_id": "", "client_key": ""}
    whole = [{"pattern_no": pattern_no, "time_us": 1, **texts, **given, "trace_id": trace} for trace in traces]
    return pl.DataFrame(whole)


def trace(number):
    return f"{number:024x}{(number * 2654435761) % 2**32:08x}"


def test_members_keep_the_traces_with_the_smallest_last_bits_whatever_the_pattern():
    traces = [trace(number) for number in range(1000)]
    every = Members.of(pl.concat([rows(traces), rows(traces[::2], pattern_no=1)])).rows
    first = every.filter(pl.col("pattern_no") == 0)
    assert first["sample_key"].to_list() == sorted(int(name[-8:], 16) / 2**32 for name in traces)[:KEPT_TRACES]
    second = set(every.filter(pl.col("pattern_no") == 1)["trace_id"])
    largest = first["sample_key"].max()
    shared = {name for name in traces[::2] if int(name[-8:], 16) / 2**32 <= largest}
    assert shared <= second & set(first["trace_id"])


def test_members_keep_all_rows_of_a_trace_up_to_a_bound():
    assert Members.of(rows([trace(1)] * 3 + [trace(2)])).rows.height == 4
    assert Members.of(rows([trace(1)] * 80)).rows.height == MAX_ROWS_PER_TRACE


def test_members_of_errors_without_a_trace_are_sessions_else_clients():
    every = pl.concat([rows([""], session_id="s", client_key="user u"), rows([""], client_key="user u"), rows([""])])
    assert Members.of(every).rows["member"].sort().to_list() == ["s", "user u"]


def test_members_of_parts_add_up_to_those_of_the_whole():
    traces = [trace(number) for number in range(900)]
    parts = [Members.of(rows(traces[start : start + 300])) for start in (600, 0, 300)]
    assert (parts[0] + parts[1] + parts[2]).rows.equals(Members.of(rows(traces)).rows)
