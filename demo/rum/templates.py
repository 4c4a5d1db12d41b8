"""The kinds of event the shop's front end reports; what varies between two of a kind comes from the view."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import polars as pl

from demo.rum.pages import ACCOUNT, CART, CATEGORY, CHECKOUT, CONFIRMATION, HELP, HOME, PAYMENT, PRODUCT, SEARCH

# Slots in texts: the product that is shown, the visitor, a number.
PRODUCT_SLOT: Final = "{product}"
VISITOR_SLOT: Final = "{visitor}"
NUMBER_SLOT: Final = "{number}"
_ASSETS: Final = "https://shop.example/assets"


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of event: the values all events of it share, by canonical column; None where it has none."""

    event_kind: str
    event_name: str
    action_type: str | None = None
    target_role: str | None = None
    target_name: str | None = None
    target_test_id: str | None = None
    error_type: str | None = None
    exception_message: str | None = None
    exception_stacktrace: str | None = None
    error_source: str | None = None
    http_request_method: str | None = None
    request_path: str | None = None


def _action(kind: str, role: str | None, name: str | None, test_id: str | None) -> Template:
    return Template("action", "user_action", kind, role, name, test_id)


def _request(method: str, path: str) -> Template:
    return Template("request", "request", http_request_method=method, request_path=path)


def _error(kind: str, message: str, place: str, *, source: str = "exception", name: str | None = None) -> Template:
    stack = f"{kind}: {message}\n    at {place}" if place else None
    return Template(
        "error", "exception", error_type=kind, exception_message=message, exception_stacktrace=stack,
        error_source=source, target_role="textbox" if name else None, target_name=name,
    )  # fmt: skip


VIEW: Final = Template("view", "page_view")
VITAL: Final = Template("vital", "web_vital")
SCROLL: Final = _action("scroll", None, None, None)
# What leads to each page.
LEADING_TO: Final = {
    HOME: _action("click", "link", "Home", "nav-home"),
    SEARCH: _action("submit", "searchbox", "Search the shop", "search"),
    CATEGORY: _action("click", "link", "Shop by category", "nav-category"),
    PRODUCT: _action("click", "link", "Show the product", "product-card"),
    CART: _action("click", "button", "Add to cart", "add-to-cart"),
    CHECKOUT: _action("click", "button", "Go to checkout", "to-checkout"),
    PAYMENT: _action("click", "button", "Continue to payment", "to-payment"),
    CONFIRMATION: _action("click", "button", "Pay now", "pay"),
    ACCOUNT: _action("click", "link", "Your account", "nav-account"),
    HELP: _action("click", "link", "Help", "nav-help"),
}
CART_LINK: Final = _action("click", "link", "Cart", "nav-cart")
TYPES_SEARCH: Final = _action("change", "searchbox", "Search the shop", "search")
ADDRESS_FIELDS: Final = tuple(
    _action("change", "textbox", name, test_id)
    for name, test_id in (("Full name", "name"), ("Street", "street"), ("Postcode", "postcode"), ("E-mail", "email"))
)
CARD_FIELDS: Final = tuple(
    _action("change", "textbox", name, test_id)
    for name, test_id in (("Card number", "card"), ("Expiry date", "expiry"))
)
TYPES_COUPON: Final = _action("change", "textbox", "Coupon code", "coupon")
APPLIES_COUPON: Final = _action("click", "button", "Apply coupon", "apply-coupon")
NEXT_IMAGE: Final = _action("click", "button", "Next image", "next-image")
ADDED: Final = Template("custom", "add_to_cart")
PURCHASE: Final = Template("custom", "purchase")

RECOMMENDS: Final = _request("GET", "/api/recommendations")
SUGGESTS: Final = _request("GET", "/api/suggest")
REVIEWS: Final = _request("GET", f"/api/products/{PRODUCT_SLOT}/reviews")
POSTS_CART: Final = _request("POST", "/api/cart")
POSTS_COUPON: Final = _request("POST", "/api/coupons")
POSTS_CHECKOUT: Final = _request("POST", "/api/checkout")
POSTS_PAYMENT: Final = _request("POST", "/api/payments")
GETS_SESSION: Final = _request("GET", "/api/session")

RESIZE: Final = _error(
    "Error", "ResizeObserver loop completed with undelivered notifications.", "", source="console"
)  # fmt: skip
CHUNK: Final = _error(
    "ChunkLoadError", f"Loading chunk {NUMBER_SLOT} failed.", f"o.onerror ({_ASSETS}/runtime.js:1:2210)"
)
MISTYPED_EMAIL: Final = _error(
    "ValidationError", "Enter an e-mail address such as name@example.org.", "", source="validation", name="E-mail"
)
MISTYPED_CARD: Final = _error(
    "ValidationError", "This card number is not complete.", "", source="validation", name="Card number"
)
REFUSED: Final = _error(
    "ValidationError", f"'SW{NUMBER_SLOT} 4AB' is not a valid postcode.", "", source="validation", name="Postcode"
)
TOTAL: Final = _error(
    "TypeError",
    "undefined is not an object (evaluating 'total.amount.toFixed')",
    f"renderTotal ({_ASSETS}/payment.js:114:27)",
)
PRICE: Final = _error(
    "TypeError", "undefined is not an object (evaluating 'price.toFixed')", f"showPrice ({_ASSETS}/product.js:58:19)"
)
PREFERENCES: Final = _error(
    "Error", f"no preferences of visitor {VISITOR_SLOT}", f"readPreferences ({_ASSETS}/home.js:31:11)"
)
NETWORK: Final = _error(
    "NetworkError",
    f"NetworkError: load of https://shop.example/api/session?n={NUMBER_SLOT} was cut off",
    f"fetchSession ({_ASSETS}/session.js:12:5)",
    source="network",
)

TEMPLATES: Final = (
    VIEW, VITAL, SCROLL, *LEADING_TO.values(), CART_LINK, TYPES_SEARCH, *ADDRESS_FIELDS, *CARD_FIELDS, TYPES_COUPON,
    APPLIES_COUPON, NEXT_IMAGE, ADDED, PURCHASE, RECOMMENDS, SUGGESTS, REVIEWS, POSTS_CART, POSTS_COUPON,
    POSTS_CHECKOUT, POSTS_PAYMENT, GETS_SESSION, RESIZE, CHUNK, MISTYPED_EMAIL, MISTYPED_CARD, REFUSED, TOTAL, PRICE,
    PREFERENCES, NETWORK,
)  # fmt: skip
CODES: Final = {template: code for code, template in enumerate(TEMPLATES)}


def templates_frame() -> pl.DataFrame:
    """Return the shared values of all kinds, a row each, in the order of TEMPLATES."""
    rows = [asdict(template) for template in TEMPLATES]
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
