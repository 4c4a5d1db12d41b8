"""Which attribute of a span goes into which column, and what stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prodintel_lib.sources.otlp_values import INT_ALIASES, RESERVED, TEXT_ALIASES, any_value, as_text, int64

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodintel_lib.sources.model import Json

# Attributes that mean a column only together with the span's kind, and URLs, which hold several.
COMPOSITE: Final = frozenset(
    {"http.target", "http.url", "url.full", "net.peer.name", "net.peer.port", "net.host.name", "net.host.port"}
)
# Instrumentation emits a few hundred different lists of keys. Data that has more would only fill the memory.
MAX_PLANS: Final = 2048


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the attributes of one list of keys go.

    Attributes
    ----------
    texts, ints : tuple of (position, column)
        Attributes that are the only one for their column.
    plain : tuple of (position, key)
        Attributes without a column.
    special : tuple of int
        Positions of all others.
    """

    texts: tuple[tuple[int, list[Json]], ...]
    ints: tuple[tuple[int, list[Json]], ...]
    plain: tuple[tuple[int, str], ...]
    special: tuple[int, ...]


class SpanAttributes:
    """Splits the attributes of spans into columns and the rest.

    Spans of one instrumentation have the same keys in the same order, so where each goes is found once for a list of
    keys and then only carried out.

    Parameters
    ----------
    columns : mapping of str to list
        The columns of the table under construction.
    """

    def __init__(self, columns: Mapping[str, list[Json]]) -> None:
        self._columns = columns
        self._texts = {key: columns[name] for key, name in TEXT_ALIASES.items()}
        self._ints = {key: columns[name] for key, name in INT_ALIASES.items()}
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def split(self, pairs: Sequence[Json], row: int, kind: str) -> dict[str, Json]:
        """Put attributes into their columns and return those that have none.

        Where two names of one column come (old and new conventions side by side), the first one counts; the other is
        returned if it says something else.
        """
        try:
            return self._split(pairs, row, kind)
        except (KeyError, AttributeError):
            # A pair without a value is rare enough to be paid for only where it occurs.
            whole = [{"key": pair["key"], "value": pair.get("value") or {}} for pair in pairs]
            return self._split(whole, row, kind)

    def _split(self, pairs: Sequence[Json], row: int, kind: str) -> dict[str, Json]:
        keys = tuple([pair["key"] for pair in pairs])
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(keys)
        own: dict[str, Json] = {}
        for position, column in plan.texts:
            value = pairs[position]["value"].get("stringValue")
            if type(value) is str:
                column[row] = value
            else:
                self._place(keys[position], any_value(pairs[position]["value"]), own, row)
        for position, column in plan.ints:
            number = int64(pairs[position]["value"].get("intValue"))
            if number is not None:
                column[row] = number
            else:
                self._place(keys[position], any_value(pairs[position]["value"]), own, row)
        for position, key in plan.plain:
            value = pairs[position]["value"].get("stringValue")
            own[key] = any_value(pairs[position]["value"]) if value is None else value
        if plan.special:
            self._place_special(pairs, plan.special, own, row, kind)
        return own

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        texts: list[tuple[int, list[Json]]] = []
        ints: list[tuple[int, list[Json]]] = []
        plain: list[tuple[int, str]] = []
        special: list[int] = []
        named = [TEXT_ALIASES.get(key) or INT_ALIASES.get(key) for key in keys]
        for position, (key, name) in enumerate(zip(keys, named, strict=True)):
            if name is not None and named.count(name) == 1:
                (texts if key in TEXT_ALIASES else ints).append((position, self._columns[name]))
            elif name is None and key not in COMPOSITE and key not in RESERVED:
                plain.append((position, key))
            else:
                special.append(position)
        plan = _Plan(tuple(texts), tuple(ints), tuple(plain), tuple(special))
        if len(self._plans) < MAX_PLANS:
            self._plans[keys] = plan
        return plan

    def _place_special(
        self, pairs: Sequence[Json], positions: tuple[int, ...], own: dict[str, Json], row: int, kind: str
    ) -> None:
        composite: dict[str, Json] = {}
        for position in positions:
            key, value = pairs[position]["key"], any_value(pairs[position]["value"])
            if key in COMPOSITE and value is not None:
                composite[key] = value
            else:
                self._place(key, value, own, row)
        if composite:
            self._resolve(composite, own, row, kind)

    def _place(self, key: str, value: Json, own: dict[str, Json], row: int) -> None:
        """Put an attribute into its column if that is free or says the same, or else into `own`."""
        texts, ints = self._texts.get(key), self._ints.get(key)
        number = int64(value) if ints is not None else None
        if value is not None and texts is not None and texts[row] in {None, as_text(value)}:
            texts[row] = as_text(value)
        elif ints is not None and number is not None and ints[row] in {None, number}:
            ints[row] = number
        else:
            own[f"{key}_" if key in RESERVED else key] = value

    def _resolve(self, composite: dict[str, Json], own: dict[str, Json], row: int, kind: str) -> None:
        """Read old attributes whose meaning depends on the span's kind, and whole URLs."""
        # Until 1.20 `net.peer` was whom a client calls, but on a server span whom it is called by.
        side = "net.host" if kind in {"server", "consumer"} else "net.peer"
        for key, value in composite.items():
            if key == "http.target":
                path, _, query = as_text(value).partition("?")
                self._fill("url_path", path, row)
                self._fill("url_query", query, row)
            elif key in {"http.url", "url.full"}:
                own[key] = value
                self._read_url(as_text(value), row, kind)
            elif key == f"{side}.name":
                self._fill("server_address", as_text(value), row)
            elif key == f"{side}.port" and int64(value) is not None:
                self._fill("server_port", int64(value), row)
            else:
                own[key] = value

    def _read_url(self, url: str, row: int, kind: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return
        self._fill("url_path", parts.path, row)
        self._fill("url_query", parts.query, row)
        if kind == "client" and parts.hostname:
            self._fill("server_address", parts.hostname, row)
            self._fill("server_port", port, row)

    def _fill(self, column: str, value: str | int | None, row: int) -> None:
        values = self._columns[column]
        if value and values[row] is None:
            values[row] = value
