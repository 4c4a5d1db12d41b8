"""HAR of browsers and proxies."""

import orjson
import pytest

from prodintel_lib.sources.har import NOT_A_HAR, NOT_A_PAGE, NOT_AN_ENTRY, read_har_parts
from prodintel_lib.sources.parts import joined_parts

TIME_US = 1_759_155_600_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
PAGE = {
    "id": "page_1",
    "title": "Cart",
    "startedDateTime": "2025-09-29T16:20:00.000+02:00",
    "pageTimings": {"onContentLoad": 208, "onLoad": 270.5},
}


def entry(url="https://shop.example/cart?step=2", **changes):
    made = {
        "pageref": "page_1",
        "startedDateTime": "2025-09-29T14:20:00.250Z",
        "time": 41.5,
        "request": {
            "method": "GET",
            "url": url,
            "headers": [
                {"name": "User-Agent", "value": AGENT},
                {"name": "Accept-Language", "value": "de-DE,de;q=0.5"},
                {"name": "Referer", "value": "https://shop.example/product/7"},
                {"name": "Cookie", "value": "token=secret"},
            ],
        },
        "response": {"status": 200, "content": {"mimeType": "text/html; charset=utf-8", "size": 9}},
        "timings": {"blocked": -1, "dns": 2, "connect": 3, "ssl": 2, "send": 1, "wait": 10.5, "receive": 7},
    }
    return made | changes


def har(*entries, pages=(PAGE,)):
    return {"log": {"version": "1.2", "creator": {"name": "x"}, "pages": list(pages), "entries": list(entries)}}


def read(stream, *documents):
    return joined_parts(read_har_parts(stream(*documents)))


def rows(result):
    return [
        {key: cell for key, cell in row.items() if cell is not None} for row in result.frames["rum_events"].to_dicts()
    ]


def test_read_har_reads_pages_and_their_requests(stream):
    result = read(stream, har(entry(), entry("https://shop.example/api/cart")))
    view, document, request = rows(result)
    assert (
        view.items()
        >= {
            "time_us": TIME_US,
            "event_kind": "view",
            "view_id": "page_1",
            "url_path": "/cart",
            "url_query": "step=2",
            "page_title": "Cart",
            "duration_ms": 270.5,
            "ttfb_ms": 16.5,
            "referrer": "https://shop.example/product/7",
            "browser_name": "Firefox",
            "browser_language": "de-DE",
        }.items()
    )
    assert orjson.loads(view["attributes"]) == {"onContentLoad": 208}
    assert (document["event_kind"], document["request_path"]) == ("request", "/cart")
    assert (
        request.items()
        >= {
            "time_us": TIME_US + 250_000,
            "url_path": "/cart",
            "request_path": "/api/cart",
            "http_request_method": "GET",
            "http_response_status_code": 200,
            "duration_ms": 41.5,
            "view_id": "page_1",
        }.items()
    )
    assert view["session_id"] == request["session_id"] == view["visitor_id"]
    assert "secret" not in orjson.dumps(rows(result)).decode()


def test_read_har_takes_a_proxys_answer_of_html_for_a_view(stream):
    page, image = rows(read(stream, har(entry(), entry("https://shop.example/a.png"), pages=())))
    assert (page["event_kind"], page["url_path"], page["ttfb_ms"]) == ("view", "/cart", 16.5)
    assert (image["event_kind"], image["url_path"], image["request_path"]) == ("request", "/product/7", "/a.png")


def test_read_har_names_a_session_by_its_beginning(stream):
    ids = [rows(read(stream, har(made)))[0]["session_id"] for made in (entry(), entry("/other"))]
    other = dict(PAGE, startedDateTime="2025-09-29T14:21:00Z")
    assert ids[0] == ids[1] != rows(read(stream, har(entry(), pages=(other,))))[0]["session_id"]


def test_read_har_keeps_a_request_that_failed(stream):
    (row,) = rows(read(stream, har(entry(response={"status": 0, "_error": "net::ERR_FAILED"}), pages=())))
    assert "http_response_status_code" not in row
    assert orjson.loads(row["attributes"])["error"] == "net::ERR_FAILED"


def test_read_har_quarantines_pages_and_entries_one_by_one(stream):
    result = read(stream, har(entry(), 7, entry(startedDateTime="soon"), pages=(PAGE, {"id": "p"}, 5)), {"log": 1})
    assert [item.reason for item in result.quarantined] == [
        NOT_A_PAGE, NOT_A_PAGE, NOT_AN_ENTRY, NOT_AN_ENTRY, NOT_A_HAR,
    ]  # fmt: skip
    assert (result.rows_read, result.kept) == (7, {"rum_events": 2})


FILES = {
    "data__flows__corrupted_gzip_body": (1, 0),
    "data__flows__diff_data": (0, 5),
    "data__flows__error_log": (0, 2),
    "data__flows__event_stream": (0, 2),
    "data__flows__incomplete_log": (0, 4),
    "data__flows__successful_log": (1, 1),
    "data__flows__websocket": (0, 3),
    "data__har_files__charles": (1, 0),
    "data__har_files__chrome": (1, 3),
    "data__har_files__firefox": (1, 14),
    "data__har_files__insomnia": (1, 0),
    "data__har_files__postdata": (0, 1),
    "data__har_files__safari": (1, 19),
    "data__har_files__with-bom": (0, 1),
}


@pytest.mark.parametrize("name", FILES)
def test_read_har_reads_what_browsers_and_proxies_write(shared_data, stream, name):
    result = read(stream, (shared_data / "formats" / "har" / f"{name}.har").read_bytes())
    kinds = [row["event_kind"] for row in rows(result)]
    assert (kinds.count("view"), kinds.count("request"), result.quarantined) == (*FILES[name], ())
