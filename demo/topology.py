"""Which services there are and who calls whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Node:
    """A process of the shop.

    Attributes
    ----------
    service : str
        Its name; also the name of the proxy before it.
    version : str
        What runs unless an incident's build says otherwise.
    dependencies : tuple of str
        The services it calls.
    http_names : {"new", "old", "none"}
        Which attribute names its telemetry uses: the stable ones, the ones before, or no telemetry at all. Real
        estates are mixed.
    """

    service: str
    version: str
    dependencies: tuple[str, ...] = ()
    http_names: Literal["new", "old", "none"] = "new"


GATEWAY: Final = "gateway"

NODES: Final = (
    Node("card-processor", "2024-11", http_names="none"),
    Node("auth", "3.3.1"),
    Node("payment", "2.4.1", ("card-processor",)),
    Node("catalogue", "4.7.0", ("payment",), http_names="old"),
    Node("orders", "3.9.2", ("catalogue", "payment")),
    Node(GATEWAY, "5.12.0", ("auth", "catalogue", "orders")),
)
