"""Reading what a client sent: the right type or a 422 that names the field."""

from __future__ import annotations

from typing import Any

from flask import request

from demo.shop.problems import ProblemError


def json_object() -> dict[str, Any]:
    """Return the request's JSON object."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ProblemError(400, "Bad Request", "the body has to be a JSON object")
    return body


def text(body: dict[str, Any], name: str) -> str:
    """Return a non-empty text field."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ProblemError(422, "Unprocessable Content", f"`{name}` has to be a text")
    return value


def optional_text(body: dict[str, Any], name: str) -> str:
    """Return a text field; what is not there is empty."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise ProblemError(422, "Unprocessable Content", f"`{name}` has to be a text")
    return value


def whole_number(body: dict[str, Any], name: str, *, least: int, most: int) -> int:
    """Return a whole number between `least` and `most`."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ProblemError(422, "Unprocessable Content", f"`{name}` has to be a whole number from {least} to {most}")
    return value


def objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a field that is a list of at least one object."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise ProblemError(422, "Unprocessable Content", f"`{name}` has to be a list of objects")
    return value


def cart_line(body: dict[str, Any]) -> tuple[str, int]:
    """Return which product is wanted, and how many of it."""
    return text(body, "product_id"), whole_number(body, "quantity", least=1, most=20)


def bearer_token() -> str:
    """Return the bearer token of the request; 401 without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ProblemError(401, "Unauthorized", "a bearer token is needed; POST /api/sessions gives one")
    return token
