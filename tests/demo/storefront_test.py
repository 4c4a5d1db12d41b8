"""The front end by HTTP: its pages, the basket, the beacons, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from demo.errors import ShopError
from demo.storefront import BUILDS, running
from demo.storefront.beacons import LARGEST_BYTES
from demo.storefront.builds import STATIC

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ADDRESS = {
    "email": "ann@shop.example",
    "name": "Ann Example",
    "address": "High Street 1",
    "city": "London",
    "postcode": "SW1A 1AA",
    "country": "GB",
}
CARD = {
    "card_name": "Ann Example",
    "card_number": "4242 4242 4242 4242",
    "card_expiry": "12/34",
    "card_code": "123",
}
RECORD = {"timeUnixNano": "1", "eventName": "browser.page_view", "attributes": []}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with running("fixed") as url:
        yield url


@contextmanager
def browser(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        yield client


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    with browser(base_url) as opened:
        yield opened


def beacon(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": list(records)}]}]}


def text_of(page: httpx.Response, element_id: str) -> str:
    (found,) = re.findall(rf'id="{element_id}"[^>]*>([^<]*)<', page.text)
    return found


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Good things, few of them"),
        ("/search?q=cedar+lamp", "2 found for “cedar lamp”"),
        ("/search?q=hovercraft", "0 found for “hovercraft”"),
        ("/category/audio", "Audio"),
        ("/product/prd_101", "Aurora headphones"),
        ("/cart", "Basket"),
    ],
)
def test_pages_answer_with_their_heading(client: httpx.Client, path: str, heading: str) -> None:
    page = client.get(path)

    assert page.status_code == 200
    assert re.findall("<h1>(.*?)</h1>", page.text) == [heading]


@pytest.mark.parametrize("path", ["/product/prd_999", "/category/boats", "/order/ord_1/confirmation", "/nowhere"])
def test_pages_that_are_not_there_say_so(client: httpx.Client, path: str) -> None:
    page = client.get(path)

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not Found</h1>" in page.text


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(client: httpx.Client) -> None:
    for path in ("/", "/product/prd_101", "/cart", "/nowhere", "/static/beacon.js"):
        page = client.get(path)
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))

        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert page.headers["x-content-type-options"] == "nosniff"
        if page.headers["content-type"].startswith("text/html"):
            assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|https?://", page.text) == []


def test_search_escapes_what_was_searched_for(client: httpx.Client) -> None:
    page = client.get("/search", params={"q": '"><script>alert(1)</script>'})

    assert "<script>alert" not in page.text
    assert "0 found for “&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;”" in page.text


def test_category_lists_the_cheapest_first_when_asked(client: httpx.Client) -> None:
    page = client.get("/category/audio", params={"sort": "price"})
    prices = [float(price) for price in re.findall(r'class="price">€([0-9.]+)<', page.text)]

    assert len(prices) == 12
    assert prices == sorted(prices)


def test_suggest_puts_names_that_begin_so_first(client: httpx.Client) -> None:
    names = [found["name"] for found in client.get("/api/suggest", params={"q": "pan"}).json()["suggestions"]]

    assert names == ["Aurora pan", "Basalt pan", "Cedar pan"]
    assert client.get("/api/suggest", params={"q": " "}).json() == {"suggestions": []}
    first = client.get("/api/suggest", params={"q": "cedar s"}).json()["suggestions"][0]
    assert first == {"name": "Cedar speaker", "url": "/product/prd_106"}


def test_price_is_the_one_of_the_shelf(client: httpx.Client) -> None:
    assert client.get("/api/products/prd_101/price").json() == {"amount": 15.95, "currency": "EUR"}
    assert client.get("/api/products/prd_999/price").status_code == 404


def test_basket_adds_changes_and_removes(client: httpx.Client) -> None:
    added = client.post("/api/cart/items", json={"product_id": "prd_101", "quantity": 2})
    assert added.status_code == 201
    assert added.json()["lines"] == {"prd_101": 3190}
    client.post("/api/cart/items", json={"product_id": "prd_102", "quantity": 1})
    changed = client.put("/api/cart/items/prd_101", json={"quantity": 1}).json()
    assert (changed["count"], changed["lines"]) == (2, {"prd_101": 1595, "prd_102": 3695})
    assert client.put("/api/cart/items/prd_102", json={"quantity": 0}).json()["lines"] == {"prd_101": 1595}
    assert text_of(client.get("/cart"), "total") == "€20.90"


def test_basket_belongs_to_one_browser(base_url: str) -> None:
    with browser(base_url) as one, browser(base_url) as other:
        one.post("/api/cart/items", json={"product_id": "prd_101", "quantity": 1})

        assert text_of(one.get("/"), "basket-count") == "1"
        assert text_of(other.get("/"), "basket-count") == "0"


def test_basket_cookie_is_not_for_scripts_and_an_unknown_one_is_replaced(base_url: str) -> None:
    with httpx.Client(base_url=base_url, trust_env=False, cookies={"basket": "no such"}) as client:
        (given,) = client.get("/").headers.get_list("set-cookie")

    assert re.fullmatch(r"basket=[\w-]{24}; Expires=[^;]+; Max-Age=2592000; HttpOnly; Path=/; SameSite=Lax", given)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"product_id": "prd_999", "quantity": 1}, 404),
        ({"product_id": "prd_101", "quantity": 21}, 422),
        ({"product_id": "prd_101", "quantity": "1"}, 422),
        ([], 400),
    ],
)
def test_basket_refuses_what_it_cannot_hold(client: httpx.Client, body: object, status: int) -> None:
    assert client.post("/api/cart/items", json=body).status_code == status
    assert text_of(client.get("/"), "basket-count") == "0"


def test_coupon_takes_its_share_off_and_an_unknown_one_is_refused(client: httpx.Client) -> None:
    client.post("/api/cart/items", json={"product_id": "prd_102", "quantity": 4})

    redeemed = client.post("/api/cart/coupon", json={"code": " welcome10 "}).json()
    assert (redeemed["coupon"], redeemed["goods_cents"], redeemed["discount_cents"]) == ("WELCOME10", 14780, 1478)
    assert (redeemed["shipping_cents"], redeemed["total_cents"]) == (0, 13302)
    unknown = client.post("/api/cart/coupon", json={"code": "WELCOME20"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no coupon WELCOME20")


def test_order_goes_from_the_basket_to_its_confirmation(client: httpx.Client) -> None:
    client.post("/api/cart/items", json={"product_id": "prd_101", "quantity": 1})
    client.post("/api/cart/coupon", json={"code": "SAVE5"})

    assert client.get("/payment").headers["location"] == "/checkout"
    assert client.post("/checkout", data=ADDRESS | {"city": " "}).status_code == 422
    sent = client.post("/checkout", data=ADDRESS)
    assert (sent.status_code, sent.headers["location"]) == (303, "/payment")
    paid = client.post("/payment", data=CARD)
    assert paid.status_code == 303
    done = client.get(paid.headers["location"])

    assert "Ann Example in London" in done.text
    assert text_of(done, "total") == "€20.11"
    assert re.findall('data-customer="(cus_[0-9a-f]{12})"', done.text) == [client.cookies["customer"]]
    assert text_of(done, "basket-count") == "0"
    assert client.post("/payment", data=CARD).status_code == 409, "the same basket was bought twice"


def test_order_of_another_is_not_shown(base_url: str) -> None:
    with browser(base_url) as one, browser(base_url) as other:
        one.post("/api/cart/items", json={"product_id": "prd_101", "quantity": 1})
        one.post("/checkout", data=ADDRESS)
        where = one.post("/payment", data=CARD).headers["location"]

        assert one.get(where).status_code == 200
        assert other.get(where).status_code == 404


def test_payment_says_that_the_bank_refused_and_keeps_the_basket(client: httpx.Client) -> None:
    client.post("/api/cart/items", json={"product_id": "prd_101", "quantity": 1})
    client.post("/checkout", data=ADDRESS)

    refused = client.post("/payment", data=CARD | {"card_number": "4000 0000 0000 0002"})

    assert refused.status_code == 402
    assert 'role="alert">Your bank has refused the card.' in refused.text
    assert "0002" not in refused.text
    assert text_of(refused, "basket-count") == "1"


def test_country_is_told_only_as_two_letters(client: httpx.Client) -> None:
    def told(code: str) -> list[str]:
        return re.findall('data-country="([^"]*)"', client.get("/", headers={"X-Client-Country": code}).text)

    assert told("NL") == ["NL"]
    assert told('NL"><b>') == [""]


def test_telemetry_appends_a_line_a_beacon(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    with running("fixed", telemetry=told) as url, browser(url) as client:
        assert client.post("/telemetry", json=beacon(RECORD)).status_code == 204
        assert client.post("/telemetry", content=json.dumps(beacon(RECORD, RECORD), indent=2)).status_code == 204

    assert [json.loads(line) for line in told.read_text().splitlines()] == [beacon(RECORD), beacon(RECORD, RECORD)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"resourceLogs": [{}]}', 400),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": {}}]}]}]}', 400),
        (b'{"resourceLogs": [], "resourceSpans": []}', 400),
        (b" " * (LARGEST_BYTES + 1), 413),
    ],
)
def test_telemetry_refuses_what_is_no_beacon(tmp_path: Path, body: bytes, status: int) -> None:
    told = tmp_path / "told.jsonl"
    with running("fixed", telemetry=told) as url, browser(url) as client:
        refused = client.post("/telemetry", content=body)

    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert not told.exists()


@pytest.mark.parametrize("build", BUILDS.values(), ids=lambda build: build.name)
def test_builds_differ_in_two_scripts_and_their_version(build) -> None:
    with running(build.name) as url, browser(url) as client:
        version = client.get("/healthz").json()["version"]
        scripts = {name: client.get(f"/build/{name}").text for name in ("price.js", "postcode.js")}

    assert version == build.version == {"faulty": "2.9.0", "fixed": "2.9.1"}[build.name]
    assert ("isSafari" in scripts["price.js"]) == (build.name == "faulty")
    assert ("? ?[0-9][A-Z]{2}$" in scripts["postcode.js"]) == (build.name == "fixed")


def test_build_script_stays_in_its_folder(client: httpx.Client) -> None:
    assert client.get("/build/%2e%2e/faulty/price.js").status_code == 404


def test_running_closes_its_port(base_url: str) -> None:
    with running("fixed") as url:
        address = urlsplit(url)
        assert (address.hostname, url != base_url) == ("127.0.0.1", True)

    with pytest.raises(ConnectionRefusedError), socket.create_connection((address.hostname, address.port)):
        pytest.fail("the port is still open")


def test_running_says_that_the_port_is_taken(base_url: str) -> None:
    with (
        pytest.raises(ShopError, match=r"cannot listen on port [0-9]+: Address already in use"),
        running("fixed", port=urlsplit(base_url).port),
    ):
        pytest.fail("two servers on one port")


@pytest.mark.proof
def test_storefront_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    command = [sys.executable, "-m", "demo", "storefront", "--build", "faulty", "--json", "--telemetry", str(told)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = json.loads(process.stdout.readline())["base_url"]
            assert httpx.get(f"{url}/healthz").json()["version"] == "2.9.0"
            assert httpx.post(f"{url}/telemetry", json=beacon(RECORD)).status_code == 204
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()

    assert json.loads(told.read_text()) == beacon(RECORD)


def test_vendor_names_the_licence_and_version_of_what_it_holds() -> None:
    table = (STATIC / "vendor" / "README.md").read_text()

    assert "| 6.2.3 | Apache-2.0, `web-vitals.LICENSE` |" in table
    assert (STATIC / "vendor" / "web-vitals.LICENSE").read_text().split()[:2] == ["Apache", "License"]
    assert (STATIC / "vendor" / "web-vitals.iife.js").read_text().startswith("var webVitals=")
