import json
from dataclasses import replace

import polars as pl
import pytest

from prodintel_lib.analyses.behaviour import find_behaviour
from prodintel_lib.analyses.load.model import EVENTS_SCHEMA
from prodintel_lib.rollups.load_steps import LOAD_STEPS_SCHEMA
from prodintel_lib.scenarios.load_model import (
    LoadDefaults,
    LoadModel,
    build_load_model,
    choose_curve,
    describe_left_out,
)
from prodintel_lib.scenarios.load_model.events import build_events
from prodintel_lib.scenarios.load_model.flows import Flows
from prodintel_lib.scenarios.model import Extract, Extracted, Masked, Replacement
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.workspace import RouteSlo

from .made import answers_of, exchange, exchanges_of, shopper

S = 1_000_000
AUTH = Authorization("X-Auth", "Bearer ", "POST /sessions", "/token")
SHOPPERS = [shopper(number) for number in range(6)]
DIGEST = "0123456789ab"


def steps_of(visitors):
    rows = [
        (f"{visitor[0].request.session_id}|1", place + 1, number * 60 * S + place * 5 * S, one.endpoint,
         5.0 if place else None, 10.0)
        for number, visitor in enumerate(visitors)
        for place, one in enumerate(visitor)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=LOAD_STEPS_SCHEMA, orient="row")


def build(visitors=SHOPPERS, *, asked=None, **options):
    steps = steps_of(visitors)
    chosen = {
        "curve": choose_curve(steps, profiles=None, time_zone="UTC", source="spans"),
        "behaviour": find_behaviour(steps, max_classes=1),
        "exchanges": asked or exchanges_of(*visitors),
        "digest": DIGEST,
        **options,
    }
    return build_load_model(**chosen)


class Profiles:
    """The part of LoadProfiles that knows events."""

    def __init__(self, *rows):
        blank = dict.fromkeys(EVENTS_SCHEMA)
        self.events = pl.DataFrame([{**blank, **row} for row in rows], schema=EVENTS_SCHEMA)


def test_build_load_model_puts_the_parts_together():
    model = build(authorization=AUTH)
    assert [one.label for one in model.endpoints] == [
        "GET /orders/{id}",
        "GET /products/{id}",
        "POST /orders",
        "POST /sessions",
    ]
    order = model.endpoints[2]
    assert (order.method, order.route, order.requests, order.patience_ms) == ("POST", "/orders", 6, 10_000)
    assert order.statuses == (201,)
    assert order.extracts == (Extract(name="order_id", pointer="/order_id"),)
    assert (model.sessions, model.requests, model.longest) == (6, 24, 40)
    assert model.defaults == LoadDefaults(length_s=len(model.curve.sessions) * model.curve.bucket_s)
    assert sum(model.curve.sessions) == 6


def test_build_load_model_sends_the_token_with_everything_but_the_login():
    model = build(authorization=AUTH)
    assert (model.login.endpoint, model.login.value) == (3, "token")
    header = Replacement(into="header", at="X-Auth", value=Extracted(name="token", prefix="Bearer "))
    for place, endpoint in enumerate(model.endpoints):
        assert [header in variant.replacements for variant in endpoint.variants] == [place != 3] * len(
            endpoint.variants
        )
    assert model.endpoints[3].extracts == (Extract(name="token", pointer="/token"),)


def test_build_load_model_adds_the_login_that_no_session_asked_for():
    visitors = [visitor[1:] for visitor in SHOPPERS]
    counted = answers_of(*((one.endpoint, one.request.status, 1, 12.0) for visitor in SHOPPERS for one in visitor))
    model = build(visitors, asked=exchanges_of(*SHOPPERS, answers=counted), authorization=AUTH)
    assert model.endpoints[model.login.endpoint].label == "POST /sessions"
    assert model.endpoints[model.login.endpoint].variants
    assert model.login.endpoint == len(model.endpoints) - 1


def test_build_load_model_says_that_the_login_was_not_recorded():
    visitors = [visitor[1:] for visitor in SHOPPERS]
    model = build(visitors, authorization=AUTH)
    assert model.login is None
    assert "`POST /sessions`, which authorises a session, was not recorded: nothing is authorised." in model.left_out


def test_build_load_model_has_no_login_that_cannot_be_sent():
    visitors = [(exchange(f"v{n}", "POST", "/sessions"), exchange(f"v{n}", "GET", "/x")) for n in range(4)]
    model = build(visitors, authorization=AUTH)
    assert model.login is None
    assert model.endpoints[0].variants[0].replacements == ()
    assert model.left_out[1] == (
        "`POST /sessions`, which authorises a session, cannot be sent again: nothing is authorised."
    )


def test_build_load_model_replaces_a_header_that_was_captured():
    sent = [(exchange(f"v{n}", "POST", "/sessions", body={}, answer={"token": "[masked]"}),
             exchange(f"v{n}", "GET", "/x", headers=(("x-auth-token", "recorded"), ("accept", "a")))) for n in range(3)]  # fmt: skip
    model = build(sent, authorization=replace(AUTH, header="X-Auth-Token"))
    (variant,) = model.endpoints[0].variants
    assert variant.headers == (("accept", "a"),)
    assert [(part.at, part.value) for part in variant.replacements] == [
        ("X-Auth-Token", Extracted(name="token", prefix="Bearer "))
    ]


def test_build_load_model_gives_the_token_a_name_of_its_own():
    taken = Flows(extracts={"GET /orders/{id}": (Extract(name="token", pointer="/cancel/token"),)})
    model = build(asked=replace(exchanges_of(*SHOPPERS), flows=taken), authorization=AUTH)
    assert model.login.value == "post_sessions_token"
    known = Flows(extracts={"POST /sessions": (Extract(name="bearer", pointer="/token"),)})
    model = build(asked=replace(exchanges_of(*SHOPPERS), flows=known), authorization=AUTH)
    assert model.login.value == "bearer"
    assert model.endpoints[3].extracts == (Extract(name="bearer", pointer="/token"),)


def test_build_load_model_takes_promises_of_its_routes():
    slo = RouteSlo(route="POST /orders", latency_ms=700, percentile=99)
    model = build(slos=[slo, RouteSlo(route="GET /elsewhere", latency_ms=1)])
    assert [(one.endpoint, one.percentile, one.limit, one.origin) for one in model.thresholds] == [(2, 99, 700, "slo")]


def test_build_load_model_is_the_same_to_the_byte():
    first, second = (build(authorization=AUTH).model_dump_json(by_alias=True) for _ in range(2))
    assert first == second
    content = json.loads(build(authorization=AUTH).model_dump_json(by_alias=True, exclude_none=True))
    assert LoadModel.model_validate(content) == build(authorization=AUTH)


def test_build_load_model_of_a_span_without_a_method_has_an_endpoint_without_variants():
    behaviour = find_behaviour(steps_of([(exchange("a", "GET", "/x"), exchange("a", "GET", "/y"))]), max_classes=1)
    odd = replace(behaviour, endpoints=("GET /x", "tick"))
    counted = answers_of(("GET /x", 200, 5, 1.0), ("tick", None, 3, 1.0)).with_columns(
        pl.when(pl.col("endpoint") == "tick").then(pl.lit("")).otherwise("method").alias("method")
    )
    model = build(behaviour=odd, asked=exchanges_of([exchange("a", "GET", "/x")], answers=counted))
    assert (model.endpoints[1].method, model.endpoints[1].route, model.endpoints[1].variants) == ("GET", "tick", ())
    assert model.left_out[0] == (
        "`tick` (37.5 % of all requests) is not sent: no request of the sample has a method and a path. "
        "Sessions end before it."
    )


def test_describe_left_out_says_what_is_not_sent_and_why():
    visitors = [(exchange(f"v{n}", "GET", "/x"), exchange(f"v{n}", "POST", "/y"),
                 exchange(f"v{n}", "POST", "/card", body={"number": "[masked]"}),
                 exchange(f"v{n}", "POST", "/in", body={"as": "[masked]" if n else "guest"})) for n in range(4)]  # fmt: skip
    seen = build(visitors)
    assert describe_left_out(seen) == (
        "`POST /y` (25.0 % of all requests) is not sent: no body was recorded. Sessions end before it.",
        "`POST /card` needs SECRET_NUMBER: every recorded request had a value that was masked or is secret.",
        "`POST /in`: 3 of 4 recorded requests had a value that was masked or is secret; only the others are sent.",
        "No thresholds for `GET /x`, `POST /card`, `POST /in`, `POST /y`: fewer than 100 requests each.",
    )
    assert seen.endpoints[1].variants[0].replacements[0].value == Masked(name="number")


def test_describe_left_out_tells_what_sessions_go_on_without():
    left = [(exchange(f"v{n}", "GET", "/x"),) for n in range(4)]
    whole = [(*one, exchange(one[0].request.session_id, "POST", "/y")) for one in left]
    counted = answers_of(("GET /x", 200, 300, None), ("POST /y", 200, 100, 1.0), ("GET /cron", 200, 100, 1.0))
    assert build(left, asked=exchanges_of(*whole, answers=counted)).left_out == (
        "`GET /cron` (20.0 % of all requests) is not sent: no request names a visitor. Sessions go on without it.",
        "`POST /y` (20.0 % of all requests) is not sent: no body was recorded. Sessions go on without it.",
        "No thresholds of latency for `GET /x`: too few durations were recorded.",
    )


def test_describe_left_out_tells_what_the_learned_sessions_lack():
    visitors = [(exchange(f"v{n}", "GET", "/x"), exchange(f"v{n}", "GET", "/rare")) for n in range(4)]
    assert build([one[:1] for one in visitors], asked=exchanges_of(*visitors)).left_out[0] == (
        "`GET /rare` (50.0 % of all requests) is not sent: the sessions that behaviour was learned from never asked for "
        "it. Sessions go on without it."
    )


def test_describe_left_out_tells_of_the_long_tail(monkeypatch):
    monkeypatch.setattr("prodintel_lib.scenarios.load_model.feeders.MAX_VARIANTS", 2)
    asked = [(exchange(f"v{n}", "GET", "/s", query=(("q", word),)),) for n, word in enumerate("aabbcdef")]
    failed = [(exchange("f", "GET", "/s", status=500, bad=True),)]
    assert build([*asked, *failed]).left_out[:2] == (
        (
            "`GET /s` is sent in 2 variants, the most frequent: they stand for 50.0 % of 8 recorded requests. A cache "
            "will be hit more often."
        ),
        (
            "`GET /s`: 1 of 9 recorded requests were not answered as healthy ones are, or not all that they sent is on "
            "record; they are not sent."
        ),
    )


def test_build_events_names_those_whose_ratio_is_known():
    profiles = Profiles(
        {"event": "Black Friday!", "ratio": 3.5, "ratio_low": 2.0, "ratio_high": 6.0, "n": 5},
        {"event": "black-friday", "ratio": 2.0, "ratio_low": None, "ratio_high": float("inf"), "n": 1},
        {"event": "sale", "ratio": None, "n": 0},
        {"event": "quiet", "ratio": float("inf"), "n": 3},
    )
    assert [(one.name, one.title, one.ratio, one.low, one.high, one.n) for one in build_events(profiles)] == [
        ("black_friday", "Black Friday!", 3.5, 2.0, 6.0, 5),
        ("black_friday_2", "black-friday", 2.0, None, None, 1),
    ]
    assert build_events(None) == ()
    assert "`sale`, `quiet`: how many times the usual traffic came is not known." in build(profiles=profiles).left_out


@pytest.mark.parametrize("digest", ["", "not hex", "0" * 11])
def test_build_load_model_needs_a_digest(digest):
    with pytest.raises(ValueError, match="input_digest"):
        build(digest=digest)
