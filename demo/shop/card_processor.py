"""A stand-in for the external card processor. It belongs to somebody else, so it has no telemetry."""

from __future__ import annotations

import math
import random
import threading
import time
import uuid
from typing import TYPE_CHECKING

from flask import Flask, jsonify

from demo.shop.problems import ProblemError
from demo.shop.requests import json_object, text

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from demo.shop.settings import ServiceSettings

THREADS = 96
MEDIAN_S = 0.11
LONGEST_S = 0.29
DECLINED = "tok_declined"


class Ledger:
    """What was charged: one charge a key, however often it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._charge_ids: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        self._announced: set[str] = set()

    def charge(self, idempotency_key: str) -> str:
        """Charge, or return the charge already made with this key."""
        with self._lock:
            self._asked[idempotency_key] = self._asked.get(idempotency_key, 0) + 1
            return self._charge_ids.setdefault(idempotency_key, f"ch_{uuid.uuid4().hex[:14]}")

    def is_first(self, idempotency_key: str) -> bool:
        """Say whether a wallet's charge is asked for the first time; from then on it is not."""
        with self._lock:
            is_first = idempotency_key not in self._announced
            self._announced.add(idempotency_key)
            return is_first

    def entries(self) -> list[dict[str, str | int]]:
        """Return every charge and how often it was asked for."""
        with self._lock:
            return [
                {"idempotency_key": key, "charge_id": charge_id, "asked": self._asked[key]}
                for key, charge_id in self._charge_ids.items()
            ]


def create_app(settings: ServiceSettings) -> Flask:
    """Build the stand-in."""
    ledger = Ledger()
    app = Flask(settings.service)

    @app.post("/v1/charges")
    def charge() -> ResponseReturnValue:
        body = json_object()
        key = text(body, "idempotency_key")
        time.sleep(_thinking_time_s(key))
        if text(body, "card_token").startswith(DECLINED):
            raise ProblemError(402, "Payment Required", "the card was declined")
        if body.get("method") == "wallet" and ledger.is_first(key):
            # As some do: the request was understood, so it is a 200, and what became of it is in the body.
            return jsonify({"status": "error", "error": "the wallet's issuer is busy; ask again"}), 200
        return jsonify({"charge_id": ledger.charge(key), "status": "approved"}), 201

    @app.get("/v1/charges")
    def list_charges() -> ResponseReturnValue:
        return jsonify({"charges": ledger.entries()})

    return app


def _thinking_time_s(key: str) -> float:
    rng = random.Random(key)  # noqa: S311 - a delay, not a secret
    return min(rng.lognormvariate(math.log(MEDIAN_S), 0.35), LONGEST_S)
