import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.faults.toxics import (
    HTTP_TYPES,
    TYPES,
    Bandwidth,
    HttpLatency,
    HttpStatus,
    Latency,
    LimitData,
    ResetPeer,
    SlowClose,
    Timeout,
    Toxic,
    parse_toxic,
    revise_toxic,
)


def test_parse_toxic_fills_in_the_defaults_of_toxiproxy():
    assert parse_toxic({"type": "latency", "attributes": {"latency": 100}}) == Toxic(
        name="latency_downstream",
        type="latency",
        stream="downstream",
        toxicity=1.0,
        attributes=Latency(latency_ms=100, jitter_ms=0),
    )


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("latency", {"latency": 5, "jitter": 2}, Latency(latency_ms=5, jitter_ms=2)),
        ("timeout", {"timeout": 7}, Timeout(timeout_ms=7)),
        ("timeout", {}, Timeout(timeout_ms=0)),
        ("reset_peer", {"timeout": 7}, ResetPeer(timeout_ms=7)),
        ("bandwidth", {"rate": 10}, Bandwidth(rate_kb_per_s=10)),
        ("slow_close", {"delay": 3}, SlowClose(delay_ms=3)),
        ("limit_data", {"bytes": 9}, LimitData(limit_bytes=9)),
        ("http_latency", {"latency_ms": 30}, HttpLatency(latency_ms=30, jitter_ms=0, rate=1.0, seed=0)),
        (
            "http_status",
            {"status": 503, "rate": 0.25, "seed": 3, "method": "post", "path_prefix": "/charges", "body": "no"},
            HttpStatus(status=503, rate=0.25, seed=3, method="post", path_prefix="/charges", body="no"),
        ),
    ],
)
def test_parse_toxic_reads_every_type(kind, attributes, expected):
    toxic = parse_toxic({"type": kind, "stream": "upstream", "attributes": attributes})

    assert toxic.attributes == expected
    assert toxic.name == f"{kind}_upstream"
    assert parse_toxic(toxic.as_json()) == toxic


def test_http_types_are_the_ones_a_toxiproxy_lacks():
    assert HTTP_TYPES == ("http_latency", "http_status")
    assert set(TYPES) - set(HTTP_TYPES) == {
        "latency",
        "timeout",
        "reset_peer",
        "bandwidth",
        "slow_close",
        "limit_data",
    }


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        ("latency", {"latencyms": 5}, r"Unknown attribute `latencyms` in toxic type `latency`; known: jitter, latency"),
        ("latency", {"latency": -1}, r"`latency` of toxic type `latency` is a whole number from 0 to .*it got -1"),
        ("latency", {"latency": 1.5}, r"it got 1\.5"),
        ("latency", {"latency": True}, r"it got True"),
        ("latency", {"latency": "5"}, r"it got '5'"),
        ("bandwidth", {}, r"`rate` of toxic type `bandwidth` is a whole number from 1 .*it got nothing"),
        ("bandwidth", {"rate": 0}, r"it got 0"),
        ("http_latency", {}, r"`latency_ms` of toxic type `http_latency` .*it got nothing"),
        ("http_latency", {"latency_ms": 1, "rate": 1.01}, r"`rate` .*a number from 0 to 1; it got 1\.01"),
        ("http_latency", {"latency_ms": 1, "path_prefix": "charges"}, r"`path_prefix` .*starts with a slash"),
        ("http_status", {"status": 101}, r"`status` .*from 200 to 599; it got 101"),
        ("http_status", {"status": 503, "content_type": "a\r\nset-cookie: b"}, r"`content_type` .*printable ASCII"),
        ("http_status", {"status": 503, "method": "GET /"}, r"`method` .*name of an HTTP method"),
    ],
)
def test_parse_toxic_refuses_attributes_it_cannot_use(kind, attributes, message):
    with pytest.raises(ParameterError, match=message):
        parse_toxic({"type": kind, "attributes": attributes})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"a toxic is a JSON object; it got \[\]"),
        ({"type": "latency", "attributes": 3}, r"`attributes` is a JSON object; it got 3"),
        ({"type": "latency", "atributes": {}}, r"Unknown field `atributes` in a toxic.*\n.*did you mean `attributes`"),
        ({"type": "latency", "stream": "sideways"}, r"^stream was invalid, can be either upstream or downstream$"),
        ({"type": "delay"}, r"^invalid toxic type$"),
        ({}, r"^invalid toxic type$"),
        ({"type": "latency", "toxicity": 1.5}, r"`toxicity` is the share of connections.*it got 1\.5"),
        ({"type": "latency", "name": "a/b"}, r"`name` is 'a/b'"),
    ],
)
def test_parse_toxic_refuses_documents_it_cannot_use(document, message):
    with pytest.raises(ParameterError, match=message):
        parse_toxic(document)


def test_revise_toxic_keeps_what_is_left_out():
    toxic = parse_toxic({"type": "http_latency", "attributes": {"latency_ms": 30, "seed": 4}})

    revised = revise_toxic(toxic, {"attributes": {"rate": 0.5}})

    assert revised.attributes == HttpLatency(latency_ms=30, seed=4, rate=0.5)
    assert revised.toxicity == 1.0
    assert revise_toxic(revised, {"toxicity": 0.25}).attributes == revised.attributes


def test_revise_toxic_refuses_an_unknown_attribute():
    toxic = parse_toxic({"type": "timeout"})

    with pytest.raises(ParameterError, match=r"Unknown attribute `rate`"):
        revise_toxic(toxic, {"attributes": {"rate": 1}})
