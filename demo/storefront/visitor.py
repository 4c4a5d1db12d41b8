"""Who is looking: the browser's basket by its cookie, and the customer's number once there was an order."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from flask import g, request

if TYPE_CHECKING:
    from flask import Flask, Response

    from demo.storefront.baskets import Basket, Baskets

BASKET_COOKIE: Final = "basket"
CUSTOMER_COOKIE: Final = "customer"
COUNTRY_HEADER: Final = "X-Client-Country"
KEPT_FOR_S: Final = 30 * 86_400
_CUSTOMER: Final = re.compile(r"cus_[0-9a-f]{12}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def remember_visitors(app: Flask, baskets: Baskets) -> None:
    """Give every request its basket, and set the cookies that are new."""

    @app.before_request
    def recognise() -> None:
        g.baskets = baskets
        g.new_cookies = {}

    @app.after_request
    def set_cookies(response: Response) -> Response:
        for name, value in g.get("new_cookies", {}).items():
            response.set_cookie(name, value, max_age=KEPT_FOR_S, httponly=True, samesite="Lax")
        return response


def basket() -> Basket:
    """Return the basket of the request; a new one where there is none yet."""
    if "basket" not in g:
        known = g.baskets.find(request.cookies.get(BASKET_COOKIE, ""))
        if known is None:
            g.new_cookies[BASKET_COOKIE], known = g.baskets.open()
        g.basket = known
    found: Basket = g.basket
    return found


def customer() -> str:
    """Return the customer's number, empty before the first order."""
    number = g.new_cookies.get(CUSTOMER_COOKIE) or request.cookies.get(CUSTOMER_COOKIE, "")
    return number if _CUSTOMER.fullmatch(number) else ""


def become_customer() -> None:
    """Give who has just ordered a number, by which the shop knows this browser from now on."""
    if not customer():
        g.new_cookies[CUSTOMER_COOKIE] = f"cus_{secrets.token_hex(6)}"


def country() -> str:
    """Return the country as the network in front of the shop says it; empty where it says none."""
    code = request.headers.get(COUNTRY_HEADER, "")
    return code if _COUNTRY.fullmatch(code) else ""
