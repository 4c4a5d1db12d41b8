import re
from collections import Counter

import polars as pl
import pytest

from prodintel_lib.analyses.journeys.routes import learn_routes


def routes(paths, *, bad=0):
    frame = pl.DataFrame({"url_path": list(paths), "views": 5, "bad": bad}, schema_overrides={"url_path": pl.String})
    return learn_routes(frame)["route"].to_list()


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/orders/1234567", "/orders/{id}"),
        ("/o/9b2f6c1a-77e0-4c1b-9d1e-0123456789ab/pay", "/o/{id}/pay"),
        ("/f/5c1e9a0d41f25c1e9a0d41f2.png", "/f/{id}.png"),
        ("/u/jane@corp.example/edit", "/u/{id}/edit"),
        ("/day/2025-11-21", "/day/{id}"),
        ("/1234567/7654321/1234567", "/{id}/{id}/{id}"),
        ("/cart/", "/cart"),
        ("/cart;jsessionid=0123456789ABCDEF", "/cart"),
        ("/", "/"),
        ("about:blank", "about:blank"),
        ("/v2/users", "/v2/users"),
        ("/checkout/step-2", "/checkout/step-2"),
    ],
)
def test_learn_routes_of_a_single_path_takes_only_sure_ids(path, route):
    assert routes([path]) == [route]


def test_learn_routes_needs_three_of_a_kind_for_short_ids():
    assert routes(["/p/17", "/p/18"]) == ["/p/17", "/p/18"]
    assert routes(["/p/17", "/p/18", "/p/19", "/p/new"]) == ["/p/{id}"] * 3 + ["/p/new"]
    assert routes(["/p/sku-17", "/p/sku-18", "/p/sku-19"]) == ["/p/{id}"] * 3


def test_learn_routes_keeps_steps_and_a_handful_of_names_apart():
    steps = [f"/checkout/step{number}" for number in range(1, 6)]
    names = [f"/category/{name}" for name in ("bags", "belts", "coats", "hats", "scarves", "shirts", "shoes", "socks")]
    assert routes([*steps, *names]) == [*steps, *names]


def test_learn_routes_makes_a_catalogue_of_many_names_a_slot():
    words = ("red", "blue", "green", "black", "white")
    products = [f"/product/{one}-{two}-shirt" for one in words for two in words]
    assert routes([*products, "/product/search"]) == ["/product/{name}"] * 25 + ["/product/search"]
    assert routes(products[:19]) == products[:19]


def test_learn_routes_looks_below_slots_at_all_values_together():
    paths = [f"/users/{number}/orders/{number + 1}" for number in range(10, 15)] + ["/users/10/settings"]
    assert routes(paths) == ["/users/{id}/orders/{id}"] * 5 + ["/users/{id}/settings"]


def test_learn_routes_keeps_a_sites_own_pages_beside_a_catalogue_under_the_root():
    products = [f"/{one}-{two}" for one in "abcdefgh" for two in "abcdefgh"]
    pages = ["/cart", "/checkout", "/about"]
    assert routes([*products, *pages]) == ["/{name}"] * 64 + pages


def test_learn_routes_learns_nothing_from_paths_that_were_never_shown():
    scanned = [f"/try-{one}-{two}" for one in "abcdefgh" for two in "abcdefgh"]
    assert routes(scanned, bad=5) == scanned


def test_learn_routes_of_nothing_is_nothing():
    assert routes([]) == []


def test_learn_routes_of_a_real_blog(shared_data):
    """Its tags and its posts are two pages; its projects, which are few, stay what they are."""
    shown, failed = Counter(), Counter()
    log = (shared_data / "access-logs" / "apache_combined.log").read_text(encoding="utf-8", errors="replace")
    for path, status in re.findall(r'"GET ([^ ?"]+)[^"]*" ([0-9]{3})', log):
        shown[path] += 1
        failed[path] += int(status) >= 400
    frame = pl.DataFrame(
        [(path, n, failed[path]) for path, n in shown.items()], schema=["url_path", "views", "bad"], orient="row"
    )
    learned = dict(learn_routes(frame).iter_rows())
    assert learned["/blog/tags/puppet"] == "/blog/tags/{name}"
    assert learned["/blog/geekery/ssl-latency.html"] == "/blog/geekery/{name}.html"
    assert learned["/projects/xdotool/"] == "/projects/xdotool"
    assert learned["/articles/dynamic-dns-with-dhcp/"] == "/articles/dynamic-dns-with-dhcp"


def test_learn_routes_of_a_real_agency(shared_data):
    """Its missions have numbers; its sections have names."""
    log = (shared_data / "access-logs" / "nasa_19950801.tsv").read_text(encoding="utf-8", errors="replace")
    shown = Counter(line.split("\t")[4] for line in log.splitlines()[1:])
    frame = pl.DataFrame(list(shown.items()), schema=["url_path", "views"], orient="row").with_columns(bad=0)
    learned = dict(learn_routes(frame).iter_rows())
    assert learned["/shuttle/missions/sts-70/mission-sts-70.html"].startswith("/shuttle/missions/{id}/")
    assert learned["/history/apollo/apollo-13/apollo-13.html"].startswith("/history/apollo/{id}/")
    assert learned["/shuttle/countdown/"] == "/shuttle/countdown"
    assert learned["/history/history.html"] == "/history/history.html"


def test_learn_routes_gives_one_slot_to_ids_of_which_some_look_like_names():
    orders = [f"/order/ord_{tail}/confirmation" for tail in ("8f3k1a", "kqzwxy", "77a1bc", "abcdef", "9k2l3m")]
    seen = pl.DataFrame({"url_path": [*orders, "/order/new/confirmation"], "views": 1, "bad": 0})
    assert learn_routes(seen)["route"].to_list() == ["/order/{id}/confirmation"] * 5 + ["/order/new/confirmation"]


def test_learn_routes_gives_one_slot_to_names_and_numbers_that_lead_to_the_same_pages():
    names = [f"/item/some-thing-{chr(97 + place)}" for place in range(20)]
    seen = pl.DataFrame({"url_path": [*names, "/item/10", "/item/11", "/item/12"], "views": 1, "bad": 0})
    assert set(learn_routes(seen)["route"]) == {"/item/{name}"}
