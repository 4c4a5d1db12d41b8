"""What customers prefer to see: a row for whoever chose something, and none for whoever is here for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, MetaData, String, Table, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from demo.shop.assortment import CATEGORIES
from demo.shop.members import members
from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from sqlalchemy import Engine, RowMapping

    from demo.shop.policies import AuthPolicy

CURRENCIES: Final = ("EUR", "GBP", "USD")
USUAL: Final = {"currency": CURRENCIES[0], "category": CATEGORIES[0]}
_CURRENCY_BY_REGION: Final = {"GB": "GBP", "US": "USD"}

tables = MetaData()
_preferences = Table(
    "preferences",
    tables,
    Column("user_id", String, primary_key=True),
    Column("currency", String, nullable=False),
    Column("category", String, nullable=False),
)


class Preferences:
    """The customers' preferences; the members have chosen theirs.

    Parameters
    ----------
    database : Engine
    policy : AuthPolicy
    """

    def __init__(self, database: Engine, policy: AuthPolicy) -> None:
        self._database = database
        self._policy = policy
        rows = [
            {
                "user_id": member.user_id,
                "currency": _CURRENCY_BY_REGION.get(member.locale.partition("-")[2], USUAL["currency"]),
                "category": CATEGORIES[number % len(CATEGORIES)],
            }
            for number, member in enumerate(members())
        ]
        with database.begin() as connection:
            connection.execute(insert(_preferences).prefix_with("OR IGNORE"), rows)

    def read(self, user_id: str) -> dict[str, str]:
        """Return what a customer prefers, as a build's policy has it."""
        row = self._find(user_id)
        if self._policy.preferences == "assumed":
            return _described(row)
        return _described(row or USUAL)

    def save(self, user_id: str, wanted: dict[str, Any]) -> None:
        """Keep what a customer prefers; what is left out is the usual."""
        chosen = {name: wanted.get(name, usual) for name, usual in USUAL.items()}
        for name, known in (("currency", CURRENCIES), ("category", CATEGORIES)):
            if chosen[name] not in known:
                raise ProblemError(422, "Unprocessable Content", f"`{name}` has to be one of {', '.join(known)}")
        row = upsert(_preferences).values(user_id=user_id, **chosen)
        with self._database.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=chosen))

    def _find(self, user_id: str) -> RowMapping | None:
        query = select(_preferences).where(_preferences.c.user_id == user_id)
        with self._database.connect() as connection:
            return connection.execute(query).mappings().one_or_none()


def _described(preferences: Any) -> dict[str, str]:  # noqa: ANN401 - a row or the usual; nobody checked for none
    return {"currency": preferences["currency"], "category": preferences["category"]}
