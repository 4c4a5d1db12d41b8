import polars as pl

from prodintel_lib.analyses.behaviour import find_behaviour
from prodintel_lib.rollups.load_steps import LOAD_STEPS_SCHEMA
from prodintel_lib.scenarios.load_model.model import LoadEndpoint, Login, Variant
from prodintel_lib.scenarios.load_model.needed_values import guard_values
from prodintel_lib.scenarios.model import Extract, Extracted, Replacement

S = 1_000_000
NAMES = ("GET /list", "GET /order", "POST /order")


def endpoint(label, *, takes=(), gives=(), variants=1):
    replacements = tuple(Replacement(into="query", at=name, value=Extracted(name=name)) for name in takes)
    method, _, route = label.partition(" ")
    return LoadEndpoint(
        label=label, method=method, route=route, statuses=(200,), patience_ms=1, requests=1,
        variants=(Variant(path=route, replacements=replacements, n=1),) * variants,
        extracts=tuple(Extract(name=name, pointer=f"/{name}") for name in gives),
    )  # fmt: skip


def behaviour_of(*paths):
    """Return a model of sessions that ask for the endpoints with these letters: l, o and p."""
    rows = [
        (f"s{number:04d}|1", place + 1, (number * 100 + place) * S, NAMES["lop".index(letter)], None, None)
        for number, path in enumerate(paths)
        for place, letter in enumerate(path)
    ]
    return find_behaviour(pl.DataFrame(rows, schema=LOAD_STEPS_SCHEMA, orient="row"), max_classes=1)


# One of four looks at an old order first.
RETURNING = behaviour_of(*["lpo", "lpo", "po", "o"] * 50)


def test_guard_values_lets_the_giver_come_first():
    found = guard_values(
        RETURNING, [endpoint("GET /list"), endpoint("GET /order", takes=["id"]), endpoint("POST /order", gives=["id"])],
        login=None,
    )  # fmt: skip
    assert [(one.endpoint, one.needs, one.used_by) for one in found.guards] == [(1, 2, None)]
    assert found.guards[0].sessions == 200
    (sentence,) = found.said
    assert sentence.startswith(
        "`GET /order` is asked for only after `POST /order`, whose answer gives its `id`; without"
    )
    assert 22 < float(sentence.split("without that rule ")[1].split(" ")[0]) < 28


def test_guard_values_adds_nothing_where_it_is_so_anyway():
    always = behaviour_of(*["lpo", "po"] * 50)
    endpoints = [endpoint("GET /list"), endpoint("GET /order", takes=["id"]), endpoint("POST /order", gives=["id"])]
    assert (
        guard_values(always, endpoints, login=None).guards,
        guard_values(always, endpoints, login=None).said,
    ) == ((), ())


def test_guard_values_says_where_several_give_a_value():
    found = guard_values(
        RETURNING,
        [
            endpoint("GET /list", gives=["id"]),
            endpoint("GET /order", takes=["id"]),
            endpoint("POST /order", gives=["id"]),
        ],
        login=None,
    )
    assert found.guards == ()
    assert found.said[0].startswith(
        "`GET /order` takes `id` of an earlier answer; sessions without one end before it: 2"
    )


def test_guard_values_leaves_out_the_login_and_what_cannot_be_sent():
    endpoints = [endpoint("GET /list"), endpoint("GET /order", takes=["id"]), endpoint("POST /order", gives=["id"])]
    assert guard_values(RETURNING, endpoints, login=Login(endpoint=2, value="token")).guards == ()
    unsent = [*endpoints[:2], endpoint("POST /order", gives=["id"], variants=0)]
    assert guard_values(RETURNING, unsent, login=None).guards == ()
