"""Access logs as text and as JSON."""

import gzip

import orjson
import pytest

from prodintel_lib.sources.access_json import read_access_json_parts
from prodintel_lib.sources.access_logs import NOT_A_LINE, is_access_log, is_asset, is_page, read_access_log_parts
from prodintel_lib.sources.parts import joined_parts

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
TIME_US = 1_759_155_600_000_000
FIREFOX = {
    "user_agent_original": AGENT,
    "browser_name": "Firefox",
    "browser_version": "144.0",
    "os_name": "Linux",
    "device_type": "desktop",
}


def line(request="GET /cart?step=2 HTTP/1.1", status=200, *, referrer="-", agent=AGENT, user="-", tail=""):
    return f'192.0.2.7 - {user} [29/Sep/2025:16:20:00 +0200] "{request}" {status} 512 "{referrer}" "{agent}"{tail}'.encode()


def read(stream, *lines):
    return joined_parts(read_access_log_parts(stream(*lines)))


def only(result):
    assert result.quarantined == ()
    assert result.kept == {"rum_events": 1}
    return {name: value for name, value in result.frames["rum_events"].row(0, named=True).items() if value is not None}


def reasons(result):
    return [(item.reason, item.line) for item in result.quarantined]


def test_read_access_log_reads_a_page_view(stream):
    row = only(read(stream, line(referrer="https://shop.example/")))
    assert row == FIREFOX | {
        "time_us": TIME_US,
        "event_kind": "view",
        "user_bucket": 6,
        "visitor_id": f"192.0.2.7 {AGENT}",
        "url_path": "/cart",
        "url_query": "step=2",
        "referrer": "https://shop.example/",
        "http_request_method": "GET",
        "http_response_status_code": 200,
        "client_address": "192.0.2.7",
        "attributes": '{"bytes":512,"protocol":"HTTP/1.1"}',
    }


def test_read_access_log_reads_a_request_with_the_page_it_came_from(stream):
    made = line("POST /api/cart?id=7 HTTP/2.0", 503, referrer="https://shop.example/product/7?x=1", user="ann")
    row = only(read(stream, made))
    assert {name: row.get(name) for name in ("event_kind", "url_path", "request_path", "user_id", "visitor_id")} == {
        "event_kind": "request",
        "url_path": "/product/7",
        "request_path": "/api/cart",
        "user_id": "ann",
        "visitor_id": f"192.0.2.7 {AGENT}",
    }
    assert orjson.loads(row["attributes"]) == {"bytes": 512, "protocol": "HTTP/2.0", "request_query": "id=7"}


@pytest.mark.parametrize(
    ("request_line", "status", "expected"),
    [
        ("GET / HTTP/1.1", 200, "view"),
        ("GET /product/7.5 HTTP/1.1", 304, "view"),
        ("GET /app.html HTTP/1.1", 206, "view"),
        ("GET https://shop.example HTTP/1.1", 200, "view"),
        ("GET /old HTTP/1.1", 301, "request"),
        ("GET /gone HTTP/1.1", 404, "request"),
        ("HEAD / HTTP/1.1", 200, "request"),
        ("GET /app.js?v=3 HTTP/1.1", 200, "request"),
        ("GET /LOGO.PNG HTTP/1.1", 200, "request"),
        ("GET /robots.txt HTTP/1.1", 200, "request"),
        ("GET /api/products HTTP/1.1", 200, "request"),
        ("GET /capital HTTP/1.1", 200, "view"),
    ],
)
def test_read_access_log_tells_pages_from_the_rest(stream, request_line, status, expected):
    assert only(read(stream, line(request_line, status)))["event_kind"] == expected


def test_is_page_and_is_asset_agree_with_the_columns():
    assert is_page("GET", 200, "/product/7")
    assert not is_page("GET", None, "/product/7")
    assert not is_page("GET", 200, "/a.css")
    assert is_asset("/a.css")
    assert not is_asset("/a.css/b")


def test_read_access_log_takes_no_page_from_an_asset_s_referrer(stream):
    row = only(read(stream, line("GET /a.png HTTP/1.1", referrer="https://elsewhere.example/post")))
    assert "url_path" not in row


def test_read_access_log_tells_bots_by_their_agent_and_by_its_absence(stream):
    made = read(stream, line(agent="Mozilla/5.0 (compatible; Googlebot/2.1)"), line(agent="-"), line())
    assert made.frames["rum_events"]["user_agent_synthetic_type"].to_list() == ["bot", "bot", None]


def test_read_access_log_reads_the_common_format_and_a_virtual_host(stream):
    common = b'2001:db8::1 - ann lee [29/Sep/2025:14:20:00 +0000] "GET / HTTP/1.0" 200 -'
    hosted = b"shop.example:443 " + line()
    first, second = read(stream, common, hosted).frames["rum_events"].to_dicts()
    assert (first["client_address"], first["user_id"], first["time_us"], first["user_agent_synthetic_type"]) == (
        "2001:db8::1",
        "ann lee",
        TIME_US,
        None,
    )
    assert first["attributes"] == '{"protocol":"HTTP/1.0"}'
    assert orjson.loads(second["attributes"])["host"] == "shop.example:443"


def test_read_access_log_keeps_hostile_texts_as_they_are(stream):
    row = only(read(stream, line(r"GET /a\"b HTTP/1.1", agent=r"x \"y\" \\ {}", tail=' "rt=0.1" \\"')))
    assert row["user_agent_original"] == r'x "y" \\ {}'
    assert orjson.loads(row["attributes"])["rest"] == '"rt=0.1" \\"'


def test_read_access_log_keeps_a_request_that_is_none(stream):
    row = only(read(stream, line(r"\x16\x03\x01", 400)))
    assert ("request_path" in row, orjson.loads(row["attributes"])["request"]) == (False, r"\x16\x03\x01")


def test_read_access_log_quarantines_what_is_no_line(stream):
    result = read(
        stream, line(), b"", b"Out of memory", line().replace(b"Sep", b"Xyz"), line().replace(b"2025", b"1970")
    )
    assert reasons(result) == [(NOT_A_LINE, 3), (NOT_A_LINE, 4), (NOT_A_LINE, 5)]
    assert (result.rows_read, result.kept) == (4, {"rum_events": 1})


def test_read_access_log_says_where_a_damaged_file_ends(stream):
    file = stream()
    file.path.write_bytes(gzip.compress(b"\n".join([line()] * 3))[:-12])
    result = joined_parts(read_access_log_parts(file))
    assert [item.reason for item in result.quarantined][-1] == "truncated gzip data"
    assert result.rows_read == sum(result.kept.values()) + len(result.quarantined)


def test_read_access_log_gives_parts(stream):
    parts = list(read_access_log_parts(stream(line(), b"?", line(), line()), part_rows=2))
    assert [(part.rows_read, part.kept, len(part.quarantined)) for part in parts] == [
        (2, {"rum_events": 1}, 1),
        (2, {"rum_events": 2}, 0),
    ]


def test_read_access_log_reads_a_real_one(shared_data, stream):
    result = read(stream, (shared_data / "access-logs" / "apache_combined.log").read_bytes())
    assert (result.rows_read, result.kept, result.quarantined) == (9988, {"rum_events": 9988}, ())
    events = result.frames["rum_events"]
    people = events.filter(events["user_agent_synthetic_type"].is_null())
    assert people["event_kind"].value_counts().sort("event_kind").rows() == [("request", 5543), ("view", 1804)]


@pytest.mark.parametrize("head", [b"", b"192.0.2.1 GET /", b'{"a": 1}', b"time,service\n1,2"])
def test_is_access_log_is_false_for_others(head):
    assert not is_access_log(head)


NGINX = {
    "time_iso8601": "2025-09-29T16:20:00+02:00",
    "remote_addr": "10.0.0.1",
    "http_x_forwarded_for": "192.0.2.7, 10.0.0.9",
    "request": "GET /cart?step=2 HTTP/1.1",
    "status": 200,
    "http_referer": "",
    "http_user_agent": AGENT,
    "request_time": "0.25",
    "body_bytes_sent": 512,
}
CADDY = {
    "ts": 1759155600.0,
    "request": {
        "remote_ip": "192.0.2.7",
        "method": "POST",
        "uri": "/api/cart",
        "headers": {"User-Agent": [AGENT], "Referer": ["https://shop.example/product/7"]},
    },
    "status": 503,
    "duration": 0.25,
}
TRAEFIK = {
    "StartUTC": "2025-09-29T14:20:00.000000001Z",
    "ClientHost": "192.0.2.7",
    "RequestMethod": "GET",
    "RequestPath": "/app.js",
    "DownstreamStatus": 200,
    "Duration": 250_000_000,
    "request_User-Agent": AGENT,
}
LOCAL = {"time_local": "29/Sep/2025:16:20:00 +0200", "remote_addr": "192.0.2.7", "request_uri": "/", "status": "200"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (NGINX, {"event_kind": "view", "url_path": "/cart", "url_query": "step=2"}),
        (
            CADDY,
            {"event_kind": "request", "url_path": "/product/7", "request_path": "/api/cart", "duration_ms": 250.0},
        ),
        (TRAEFIK, {"event_kind": "request", "request_path": "/app.js", "duration_ms": 250.0}),
        (LOCAL | {"method": "GET"}, {"event_kind": "view", "url_path": "/"}),
    ],
    ids=["nginx", "caddy", "traefik", "time_local"],
)
def test_read_access_json_reads_the_servers_spellings(stream, document, expected):
    row = only(joined_parts(read_access_json_parts(stream(document))))
    assert row.items() >= (expected | {"time_us": TIME_US, "client_address": "192.0.2.7"}).items()


def test_read_access_json_keeps_the_server_s_time_of_a_view_as_an_attribute(stream):
    row = only(joined_parts(read_access_json_parts(stream(NGINX))))
    assert "duration_ms" not in row
    assert orjson.loads(row["attributes"])["request_time"] == "0.25"


def test_read_access_json_tells_a_bot_by_an_empty_agent_only_where_the_field_is(stream):
    rows = [NGINX | {"http_user_agent": "-"}, LOCAL]
    made = joined_parts(read_access_json_parts(stream(*rows))).frames["rum_events"]
    assert made["user_agent_synthetic_type"].to_list() == ["bot", None]


def test_read_access_json_quarantines_what_it_cannot_read(stream):
    rows = [{"status": 200}, {**NGINX, "time_iso8601": "soon"}, [1], {**NGINX, "time_iso8601": "1970-01-01T00:00:00Z"}]
    result = joined_parts(read_access_json_parts(stream(*rows, b"{")))
    assert (result.rows_read, len(result.quarantined)) == (5, 5)
