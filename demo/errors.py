"""What can go wrong with the shop as a whole."""

from __future__ import annotations

from prodintel_lib.errors import ProdintelError


class ShopError(ProdintelError):
    """A process of the shop did not start, or died."""

    exit_code = 1
