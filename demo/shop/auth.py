"""The auth service: sessions of guests and of registered customers."""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from demo.shop.database import open_database
from demo.shop.members import LOCALES, hash_password, members
from demo.shop.policies import AuthPolicy, read_policy
from demo.shop.preferences import Preferences, tables
from demo.shop.problems import ProblemError
from demo.shop.requests import bearer_token, json_object, text
from demo.shop.tickets import Tickets
from demo.shop.tickets import tables as ticket_tables

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy import Engine, RowMapping

    from demo.shop.settings import ServiceSettings

THREADS = 24

logger = logging.getLogger(__name__)

_tables = MetaData()
for _part in (tables, ticket_tables):
    for _table in _part.tables.values():
        _table.to_metadata(_tables)
_members = Table(
    "members",
    _tables,
    Column("email", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("account_age_days", Integer, nullable=False),
    Column("previous_orders", Integer, nullable=False),
)
_sessions = Table(
    "sessions",
    _tables,
    Column("token_hash", String, primary_key=True),
    Column("session_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("account_age_days", Integer, nullable=False),
    Column("previous_orders", Integer, nullable=False),
)


def create_app(settings: ServiceSettings) -> Flask:
    """Build the service."""
    database = open_database("auth", _tables, pool_size=16, pool_timeout_s=5)
    _register_members(database)
    policy = read_policy(AuthPolicy, settings.policy)
    preferences, tickets = Preferences(database, policy), Tickets(database, policy)
    app = Flask(settings.service)

    @app.post("/sessions")
    def start_session() -> ResponseReturnValue:
        body = json_object()
        locale = body.get("locale", LOCALES[0])
        if locale not in LOCALES:
            raise ProblemError(422, "Unprocessable Content", f"`locale` has to be one of {', '.join(LOCALES)}")
        person = _sign_in(database, body) if "email" in body else _new_guest(locale)
        token = secrets.token_urlsafe(24)
        session_id = f"ses_{uuid.uuid4().hex[:16]}"
        session = {"session_id": session_id, **person}
        with database.begin() as connection:
            connection.execute(insert(_sessions).values(token_hash=_hash_token(token), **session))
        tickets.issue(session_id)
        return jsonify({**session, "token": token}), 201

    @app.get("/sessions/current")
    def current_session() -> ResponseReturnValue:
        row = _find_session(database)
        return jsonify({name: value for name, value in row.items() if name != "token_hash"})

    @app.get("/preferences")
    def show_preferences() -> ResponseReturnValue:
        session = _find_session(database)
        tickets.require(session["session_id"])
        return jsonify(preferences.read(session["user_id"]))

    @app.put("/preferences")
    def save_preferences() -> ResponseReturnValue:
        user_id = _find_session(database)["user_id"]
        preferences.save(user_id, json_object())
        return jsonify(preferences.read(user_id))

    return app


def _find_session(database: Engine) -> RowMapping:
    query = select(_sessions).where(_sessions.c.token_hash == _hash_token(bearer_token()))
    with database.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise ProblemError(401, "Unauthorized", "the session is unknown or over")
    return row


def _sign_in(database: Engine, body: dict[str, Any]) -> dict[str, object]:
    email, password = text(body, "email"), text(body, "password")
    with database.connect() as connection:
        row = connection.execute(select(_members).where(_members.c.email == email)).mappings().one_or_none()
    if row is None or not secrets.compare_digest(row["password_hash"], hash_password(password, email)):
        logger.warning("Sign-in refused: wrong e-mail address or password")
        raise ProblemError(401, "Unauthorized", "the e-mail address or the password is wrong")
    return _person(row)


def _person(row: RowMapping) -> dict[str, object]:
    return {name: row[name] for name in ("user_id", "locale", "account_age_days", "previous_orders")}


def _new_guest(locale: str) -> dict[str, object]:
    return {
        "user_id": f"usr_{uuid.uuid4().hex[:12]}",
        "locale": locale,
        "account_age_days": 0,
        "previous_orders": 0,
    }


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _register_members(database: Engine) -> None:
    rows = [
        {
            "email": member.email,
            "user_id": member.user_id,
            "password_hash": hash_password(member.password, member.email),
            "locale": member.locale,
            "account_age_days": member.account_age_days,
            "previous_orders": member.previous_orders,
        }
        for member in members()
    ]
    with database.begin() as connection:
        connection.execute(insert(_members).prefix_with("OR IGNORE"), rows)
