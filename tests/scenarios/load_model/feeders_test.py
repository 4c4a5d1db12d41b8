import pytest

from prodintel_lib.scenarios.load_model import feeders
from prodintel_lib.scenarios.load_model.feeders import build_feeders, find_sendable
from prodintel_lib.scenarios.load_model.model import Variant
from prodintel_lib.scenarios.model import Extracted, Fresh, Masked, Replacement

from .made import answers_of, exchange, exchanges_of, shopper


def feeder_of(*exchanges, statuses=(200,), **options):
    made = build_feeders(exchanges_of(*([one] for one in exchanges), **options), {exchanges[0].endpoint: statuses})
    return made[exchanges[0].endpoint]


def test_build_feeders_replaces_what_varies_and_counts_what_is_left():
    made = build_feeders(
        exchanges_of(*(shopper(number) for number in range(5))),
        {"POST /orders": (201,), "GET /orders/{id}": (200,), "POST /sessions": (201,), "GET /products/{id}": (200,)},
    )
    assert made["GET /orders/{id}"].variants == (
        Variant(
            path="/orders/{order_id}",
            replacements=(Replacement(into="path", at="1", value=Extracted(name="order_id")),),
            n=5,
        ),
    )
    assert made["POST /orders"].variants == (
        Variant(
            path="/orders",
            body={"lines": [{"product": "p-1000", "count": 1}], "key": "{fresh}"},
            replacements=(Replacement(into="body", at="/key", value=Fresh(format="uuid", length=36)),),
            n=5,
        ),
    )
    assert [(one.body, one.n) for one in made["POST /sessions"].variants] == [
        ({"locale": "de"}, 3),
        ({"locale": "fr"}, 2),
    ]
    assert made["GET /products/{id}"].variants == (Variant(path="/products/p-1000", n=5),)


def test_build_feeders_keeps_a_number_a_number():
    def visit(number):
        return (
            exchange(f"v{number}", "POST", "/carts", body={}, answer={"cart": 50_000 + number}),
            exchange(f"v{number}", "POST", "/orders", body={"cart": 50_000 + number, "tip": True}),
        )

    (variant,) = build_feeders(
        exchanges_of(*map(visit, range(3))), {"POST /orders": (200,), "POST /carts": (200,)}
    )["POST /orders"].variants  # fmt: skip
    assert variant.body == {"cart": 0, "tip": True}


def test_build_feeders_leaves_masked_values_out_where_there_are_others():
    plain = exchange("a", "POST", "/in", body={"user": "x"})
    masked = exchange("b", "POST", "/in", body={"user": "x", "pass": "[masked]"})
    both = feeder_of(plain, masked, masked)
    assert ([one.body for one in both.variants], both.sendable, both.masked) == ([{"user": "x"}], 3, 2)
    alone = feeder_of(masked)
    assert alone.variants[0].body == {"user": "x", "pass": "{pass}"}
    assert alone.variants[0].replacements == (Replacement(into="body", at="/pass", value=Masked(name="pass")),)
    assert alone.masked == 0


@pytest.mark.parametrize(
    ("options", "kept", "needed"),
    [
        ({"body": {"password": "hunter2"}}, (), {"password"}),
        ({"body": {"password": "hunter2"}}, ("pass.*",), set()),
        ({"body": {"pins": [{"otp": "123456"}]}}, (), {"otp"}),
        ({"query": (("access_token", "abc"),), "body": {}}, (), {"access_token"}),
        ({"headers": (("x-api-key", "abc"),), "body": {}}, (), {"x_api_key"}),
        ({"body": {"token_type": "bearer", "next_token": "abc"}}, (), set()),
    ],
)
def test_build_feeders_never_sends_the_stand_in_of_a_secret(options, kept, needed):
    (variant,) = feeder_of(exchange("a", "POST", "/in", **options), kept_fields=kept).variants
    assert {part.value.name for part in variant.replacements} == needed
    assert not needed or "hunter2" not in variant.model_dump_json()


def test_build_feeders_sends_the_refused_after_the_others_and_never_the_failed():
    good = [exchange(f"g{n}", "GET", "/c", query=(("code", "GOOD"),)) for n in range(2)]
    refused = [exchange(f"r{n}", "GET", "/c", query=(("code", "NO"),), status=404) for n in range(5)]
    failed = [exchange("f", "GET", "/c", query=(("code", "BOOM"),), status=500, bad=True)]
    odd = [exchange("o", "GET", "/c", query=(("code", "ODD"),), status=418)]
    made = feeder_of(*good, *refused, *failed, *odd, statuses=(200, 404))
    assert [(dict(one.query)["code"], one.n) for one in made.variants] == [("GOOD", 2), ("NO", 5)]
    assert (made.seen, made.sendable) == (9, 7)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (exchange("a", "POST", "/x"), "no body was recorded"),
        (exchange("a", "POST", "/x", body_is="other"), "the bodies that were recorded are no JSON, or were cut"),
        (exchange("a", "_OTHER", "/x", body_is="none"), "`_OTHER` is no method that can be sent"),
        (exchange("a", "GET", "about:blank"), "no path was recorded"),
        (exchange("a", "GET", "/x", status=500), "none of the recorded requests was answered as healthy ones are"),
    ],
)
def test_build_feeders_says_why_there_is_none(one, why):
    made = feeder_of(one)
    assert (made.variants, made.why_none) == ((), why)


def test_build_feeders_sends_without_a_body_what_is_known_to_have_none():
    assert feeder_of(exchange("a", "POST", "/out", body_is="none")).variants == (Variant(path="/out", n=1),)
    assert feeder_of(exchange("a", "DELETE", "/out")).variants == (Variant(path="/out", n=1),)
    # Where its answers were captured, and bodies of others, one would have been too.
    out = exchange("a", "POST", "/out", answer={"ok": True})
    assert build_feeders(exchanges_of([out]), {"POST /out": (200,)})["POST /out"].variants == ()
    other = exchange("a", "POST", "/in", body={"x": 1})
    assert build_feeders(exchanges_of([out, other]), {"POST /out": (200,)})["POST /out"].variants != ()


def test_build_feeders_keeps_the_most_frequent(monkeypatch):
    monkeypatch.setattr(feeders, "MAX_VARIANTS", 2)
    asked = [exchange(f"v{n}", "GET", "/s", query=(("q", word),)) for n, word in enumerate("aaabbc")]
    made = feeder_of(*asked)
    assert [(one.query[0][1], one.n) for one in made.variants] == [("a", 3), ("b", 2)]
    assert made.sent == 5


def test_build_feeders_shares_the_bytes_out(monkeypatch):
    size = len(Variant(path="/s", query=(("q", "a" * 9),), n=1).model_dump_json())
    monkeypatch.setattr(feeders, "MAX_FEEDER_BYTES", 3 * size)
    asked = [
        [exchange(f"{path}{n}", "GET", path, query=(("q", str(n) * 9),)) for n in range(4)] for path in ("/s", "/t")
    ]
    made = build_feeders(exchanges_of(*asked), {"GET /s": (200,), "GET /t": (200,)})
    assert [len(made[name].variants) for name in ("GET /s", "GET /t")] == [2, 1]
    monkeypatch.setattr(feeders, "MAX_FEEDER_BYTES", 0)
    made = build_feeders(exchanges_of(*asked), {"GET /s": (200,), "GET /t": (200,)})
    assert [len(made[name].variants) for name in ("GET /s", "GET /t")] == [1, 1]


def test_find_sendable_names_what_has_something_to_send():
    asked = exchanges_of([exchange("a", "GET", "/x"), exchange("a", "POST", "/y")])
    assert find_sendable(asked) == {"GET /x"}
    refused = exchanges_of([exchange("a", "GET", "/x", status=404)], answers=answers_of(("GET /x", 404, 3, None)))
    assert find_sendable(refused) == {"GET /x"}


def test_build_feeders_leaves_out_headers_that_cannot_be_sent():
    odd = (("x y", "a"), ("token\r\nx", "secret"), ("x-a", "b\r\nc: d"), ("x-b", "größer"), ("x-token", "s3cret"))
    (variant,) = feeder_of(exchange("a", "GET", "/x", headers=odd)).variants
    assert variant.headers == (("x-b", "größer"), ("x-token", "{x_token}"))
    assert [part.at for part in variant.replacements] == ["x-token"]
