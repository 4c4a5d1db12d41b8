"""Secrets are masked before a body may become evidence."""

from __future__ import annotations

import json
from typing import Final

MASK: Final = "[masked]"
SECRET_KEYS: Final = frozenset({"token", "password", "card_token"})


def masked_body(raw: bytes) -> str | None:
    """Return a JSON body with the values of secret keys masked at any depth; None when it is not JSON.

    Examples
    --------
    >>> masked_body(b'{"card_token": "tok_1", "quantity": 2}')
    '{"card_token":"[masked]","quantity":2}'
    """
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return json.dumps(_masked(body), separators=(",", ":"), ensure_ascii=False)


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: MASK if key in SECRET_KEYS else _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value
