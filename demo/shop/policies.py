"""What may differ between two builds of a service, as values.

A build of the shop is a policy per service. A policy names the strategy and its figures; the service's code holds the
strategies. So that a policy can be read where the fault is, each field says what it changes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from prodintel_lib.errors import ParameterError


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When to stop asking a dependency that keeps failing.

    Attributes
    ----------
    window_calls : int
        How many of the last calls are judged.
    min_calls : int
        How many calls there have to be before they are judged.
    failure_share : float
        The share of failures from which the breaker opens.
    open_s : float
        How long it stays open before one call may probe.
    """

    window_calls: int = 10
    min_calls: int = 4
    failure_share: float = 0.4
    open_s: float = 2.0


@dataclass(frozen=True, slots=True)
class PaymentPolicy:
    """How payment deals with the card processor.

    Attributes
    ----------
    processor_timeout_s : float or None
        How long to wait for the card processor; None waits for ever.
    connection_during_charge : {"held", "released"}
        Whether the database connection is kept while the card processor is asked.
    when_unreachable : {"fail", "settle_later"}
        Whether a charge that got no answer fails, or is kept as pending and settled in the background.
    breaker : BreakerPolicy or None
        Guards the calls to the card processor; None asks it every time.
    receipts : {"read", "status_only"}
        Whether an answer of the card processor is read for what it says, or a 200 is taken for a charge.
    """

    processor_timeout_s: float | None = 2.0
    connection_during_charge: Literal["held", "released"] = "released"
    when_unreachable: Literal["fail", "settle_later"] = "fail"
    breaker: BreakerPolicy | None = None
    receipts: Literal["read", "status_only"] = "read"


@dataclass(frozen=True, slots=True)
class OrdersPolicy:
    """How orders keeps carts and shows orders.

    Attributes
    ----------
    coupons : {"off", "counted_by_id", "keyed_ascii", "keyed_utf8"}
        Whether carts take coupons, and how a redemption is told from another: by a number, or by a key made of the
        session and the code in this encoding.
    cart : {"rows", "document", "versioned_document"}
        A row a line; or all lines in one document, written over what was read, or only if nobody else wrote since.
    shipments : {"hidden", "per_item", "joined"}
        Whether an order shows where its items are, and whether it asks the database for each or for all at once.
    statement_latency_ms : float
        What each statement takes on its way, as to a database in another building.
    refused_coupons : {"forgotten", "noted", "noted_leaking"}
        Whether a code that does not exist is written down, and whether the connection for that is given back.
    pool_size : int
    pool_timeout_s : float
        How many connections there are, and how long a request waits for one.
    delivery : {"undispatched", "by_carrier"}
        Whether an order is handed to the carrier of its shipping method.
    express_carrier : str
        The configured carrier of the method ``express``.
    confirmation : {"none", "latin_1", "utf_8"}
        Whether a worker confirms orders one after another, and how it encodes what it sends.
    price_pages : {"one_call", "first_page", "all_pages"}
        How prices of many products are read: in one call, or in pages of which the first or all are read.
    """

    coupons: Literal["off", "counted_by_id", "keyed_ascii", "keyed_utf8"] = "off"
    cart: Literal["rows", "document", "versioned_document"] = "rows"
    shipments: Literal["hidden", "per_item", "joined"] = "hidden"
    statement_latency_ms: float = 0.0
    refused_coupons: Literal["forgotten", "noted", "noted_leaking"] = "forgotten"
    pool_size: int = 24
    pool_timeout_s: float = 5.0
    delivery: Literal["undispatched", "by_carrier"] = "undispatched"
    express_carrier: str = "swift-express"
    confirmation: Literal["none", "latin_1", "utf_8"] = "none"
    price_pages: Literal["one_call", "first_page", "all_pages"] = "one_call"


@dataclass(frozen=True, slots=True)
class CataloguePolicy:
    """How the catalogue searches, shows prices and knows the stock.

    Attributes
    ----------
    search : {"shared", "replica", "replica_coalesced"}
        With the connections and the cache of everything else; or on a replica with few connections, where every miss
        asks the database, or one a word asks while the others wait or are given what is stale.
    search_latency_ms : float
        What a search takes on the replica.
    taxed_regions : str
        The regions, with commas between, for which the flag ``taxed-prices`` is on at the start.
    tax_rates : {"by_language", "by_region"}
        Which keys the table of tax rates has.
    warehouse_connections : int
        How many requests may ask the warehouse for its stock at once.
    warehouse_latency_ms : float
        What the warehouse takes to answer.
    """

    search: Literal["shared", "replica", "replica_coalesced"] = "shared"
    search_latency_ms: float = 0.0
    taxed_regions: str = ""
    tax_rates: Literal["by_language", "by_region"] = "by_region"
    warehouse_connections: int = 3
    warehouse_latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """How auth knows its customers.

    Attributes
    ----------
    preferences : {"optional", "assumed"}
        Whether a customer without preferences is given the usual ones, or is taken to have some.
    tickets : {"none", "renewed", "never_renewed"}
        Whether preferences are read with a ticket, and whether one that is over is renewed.
    ticket_life_s : float
    """

    preferences: Literal["optional", "assumed"] = "optional"
    tickets: Literal["none", "renewed", "never_renewed"] = "none"
    ticket_life_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GatewayPolicy:
    """How the gateway quotes.

    Attributes
    ----------
    quotes : {"uncached", "kept_by_country", "kept_by_cart"}
        Whether a quote is kept for a moment, and what it is remembered by.
    """

    quotes: Literal["uncached", "kept_by_country", "kept_by_cart"] = "uncached"


Policy = PaymentPolicy | OrdersPolicy | CataloguePolicy | AuthPolicy | GatewayPolicy
P = TypeVar("P", OrdersPolicy, CataloguePolicy, AuthPolicy, GatewayPolicy)


def write_policy(policy: Policy) -> str:
    """Write a policy as the JSON that a service reads from its environment."""
    return json.dumps(asdict(policy))


def read_payment_policy(written: str) -> PaymentPolicy:
    """Read payment's policy; nothing written means the defaults.

    Raises
    ------
    ParameterError
        If it has a field that payment does not know.
    """
    fields: dict[str, Any] = json.loads(written) if written else {}
    try:
        if fields.get("breaker") is not None:
            fields["breaker"] = BreakerPolicy(**fields["breaker"])
        return PaymentPolicy(**fields)
    except TypeError as error:
        raise ParameterError(
            f"Payment cannot read its policy: {error}.", hint="build it with demo.shop.policies.write_policy."
        ) from error


def read_policy(kind: type[P], written: str) -> P:
    """Read the policy of a service other than payment; nothing written means the defaults.

    Raises
    ------
    ParameterError
        If it has a field that the service does not know.
    """
    try:
        return kind(**(json.loads(written) if written else {}))
    except TypeError as error:
        raise ParameterError(
            f"{kind.__name__} cannot be read: {error}.", hint="build it with demo.shop.policies.write_policy."
        ) from error
