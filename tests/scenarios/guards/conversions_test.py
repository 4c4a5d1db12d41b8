import polars as pl

from prodintel_lib.scenarios.guards.conversions import choose_converting_route


def visits(converted, others):
    rows = [
        {"session_id": f"s{n}", "trace_id": trace, "converts": n < converted and trace is None}
        for n in range(converted + others)
        for trace in (f"t{n}", None)
    ]
    return pl.DataFrame(rows, schema={"session_id": pl.String(), "trace_id": pl.String(), "converts": pl.Boolean()})


def sent(*routes):
    """Return writes: of each route, by the traces of these visits."""
    rows = [{"session_id": None, "trace_id": f"t{n}", "route": route} for route, numbers in routes for n in numbers]
    return pl.DataFrame(rows, schema={"session_id": pl.String(), "trace_id": pl.String(), "route": pl.String()})


def test_choose_converting_route_takes_the_write_that_tells_converted_visits_apart():
    writes = sent(("POST /cart", range(40)), ("POST /orders", range(12)), ("POST /login", range(3)))
    assert choose_converting_route(visits(12, 28), writes) == "POST /orders"


def test_choose_converting_route_finds_none_where_everybody_sends_the_same():
    assert choose_converting_route(visits(12, 28), sent(("POST /cart", range(40)))) == ""


def test_choose_converting_route_finds_none_where_too_few_converted_or_nothing_is_linked():
    assert choose_converting_route(visits(9, 28), sent(("POST /orders", range(9)))) == ""
    assert choose_converting_route(visits(12, 28), sent(("POST /orders", range(100, 140)))) == ""


def test_choose_converting_route_links_by_session_where_traces_do_not():
    writes = sent(("POST /cart", range(40)), ("POST /orders", range(12)))
    by_session = writes.with_columns(pl.col("trace_id").str.replace("t", "s").alias("session_id"), trace_id=pl.lit("x"))
    assert choose_converting_route(visits(12, 28), by_session) == "POST /orders"
