"""What is planted: each cause, its size, and how it shows.

`effect` is the share of those exposed who leave because of it, besides those who would have left anyway. The truth that
is written counts them one by one, since the draw that ends a session says which cause it fell to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Cause:
    """One planted cause.

    Attributes
    ----------
    cause_id : str
    what : str
        A sentence.
    share : float
        Of the views (or attempts) it can befall, those that it does.
    effect : float
        Share of those exposed who leave because of it.
    routes : tuple of str
        Where it makes people leave; empty for everywhere.
    reasons : tuple of str
        As what an analysis may report it: ``slow_page``, ``bad_vital``, ``error``, ``validation``, ``failed_request``,
        ``rage_click``, ``back_and_forth``.
    pattern : str
        A part of the message of the error it shows as; empty where it shows as none.
    affected : mapping
        The attributes it is confined to, by canonical column; an hour is ``local_hour``.
    """

    cause_id: str
    what: str
    share: float
    effect: float
    routes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    pattern: str = ""
    affected: Mapping[str, str] = field(default_factory=dict)


SLOW_CHECKOUT: Final = "slow_checkout_mobile"
REFUSED_POSTCODE: Final = "refused_postcode"
PAYMENT_ERROR: Final = "payment_error_safari"
COUPON_LOOP: Final = "coupon_loop"
REGIONAL_FAULT: Final = "regional_network_fault"
NEW_USER_ERROR: Final = "new_user_error"
PRICE_ERROR: Final = "price_error_safari"
BOT_CRAWL: Final = "bot_crawl"
EXPERIMENT: Final = "experiment_with_effect"

FAULT_COUNTRY: Final = "PL"
FAULT_HOURS: Final = (18, 21)
PRICE_ERROR_VERSION: Final = "26.0"
POSTCODE_COUNTRY: Final = "GB"
# Of the people who meet a form that is in one piece, the share of those who would have left but stay.
EXPERIMENT_SAVES: Final = 0.45

_CAUSES: Final = (
    Cause(
        SLOW_CHECKOUT,
        "The checkout takes several seconds to load on phones, and people leave.",
        share=0.35,
        effect=0.28,
        routes=("/checkout",),
        reasons=("slow_page", "bad_vital"),
        affected={"device_type": "mobile"},
    ),
    Cause(
        REFUSED_POSTCODE,
        "The address form refuses British postcodes that hold a space, however often they are sent.",
        share=0.45,
        effect=0.45,
        routes=("/checkout",),
        reasons=("validation",),
        pattern="is not a valid postcode",
        affected={"geo_country_iso_code": POSTCODE_COUNTRY},
    ),
    Cause(
        PAYMENT_ERROR,
        "In Safari the payment page reads a price that is not there yet and loses its button.",
        share=0.35,
        effect=0.40,
        routes=("/payment",),
        reasons=("error",),
        pattern="undefined is not an object (evaluating 'total.amount.toFixed')",
        affected={"browser_name": "Safari"},
    ),
    Cause(
        COUPON_LOOP,
        "Applying a coupon asks for it again: people press the button over and over, and leave.",
        share=0.40,
        effect=0.35,
        routes=("/cart",),
        reasons=("rage_click",),
    ),
    Cause(
        REGIONAL_FAULT,
        "In the evening peak the network of one country loses requests and slows pages.",
        share=0.50,
        effect=0.20,
        reasons=("failed_request", "error", "slow_page", "bad_vital"),
        pattern="NetworkError: load of ",
        affected={"geo_country_iso_code": FAULT_COUNTRY, "local_hour": f"{FAULT_HOURS[0]}-{FAULT_HOURS[1]}"},
    ),
    Cause(
        NEW_USER_ERROR,
        "The home page fails for visitors who have no preferences yet.",
        share=0.20,
        effect=0.20,
        routes=("/",),
        reasons=("error",),
        pattern="no preferences of visitor",
        affected={"user_is_new": "true"},
    ),
    Cause(
        PRICE_ERROR,
        "In one version of Safari the product page reads its price too early; it shows a moment later.",
        share=0.15,
        effect=0.0,
        routes=("/product/{product}",),
        pattern="undefined is not an object (evaluating 'price.toFixed')",
        affected={"browser_name": "Safari", "browser_version": PRICE_ERROR_VERSION},
    ),
    Cause(BOT_CRAWL, "Machines fetch the assortment: some say so in their agent, some show by their rhythm.", 1.0, 0.0),
    Cause(
        EXPERIMENT,
        "Half of the visitors get the checkout in one piece, and more of them buy.",
        share=0.5,
        effect=0.0,
    ),
)
CAUSES: Final[Mapping[str, Cause]] = {cause.cause_id: cause for cause in _CAUSES}


def planted_causes(*, without: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the ids of all causes but some, in the order of the table.

    Raises
    ------
    ParameterError
        If one that is left out is unknown.
    """
    absent = set(without)
    for name in sorted(absent):
        if name not in CAUSES:
            raise ParameterError.unknown("cause", name, known=CAUSES)
    return tuple(name for name in CAUSES if name not in absent)
