"""Replace personal data and secrets by stable stand-ins: in a text, in a JSON value, in a frame."""

from __future__ import annotations

import hashlib
import json
import re
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.privacy.config import PrivacyConfig, Rule
from prodintel_lib.privacy.detectors import ALL, Detectors, Span
from prodintel_lib.privacy.fields import Kind, kind_in_object, kind_of_field
from prodintel_lib.privacy.filters import LineFilter
from prodintel_lib.privacy.key_file import read_or_create_key
from prodintel_lib.privacy.keyed import Keyed
from prodintel_lib.privacy.stand_ins import StandIns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

LAKE_FOLDER: Final = "lake"
MAX_ENCODINGS: Final = 3
MAX_ROUNDS: Final = 4
MAX_REMEMBERED_CHARS: Final = 128
REMEMBERED_TEXTS: Final = 16_384
MIN_SECRET_NUMBER: Final = 100_000
_VERSION: Final = re.compile(r"[vV]?[0-9]{1,8}(?:[.+_-][0-9A-Za-z]{1,40}){0,8}")
# No detector finds anything in so short a word.
_SHORT_WORD: Final = re.compile(r"[A-Za-z_]{0,15}")
_JSON_START: Final = re.compile(r"\s*[\[{]")
_WHOLE_VALUE_KINDS: Final = frozenset(Kind) - {Kind.TEXT, Kind.KEEP, Kind.VERSION}


class Pseudonymiser:
    """Replaces personal data and secrets by stand-ins of the same form.

    The same value has the same stand-in under one key; a stand-in is left alone; without the key nobody can tell what
    was there.

    Parameters
    ----------
    key : bytes
        32 bytes.
    rules : sequence of Rule
        Further values to replace.
    keep : sequence of str
        Fields to leave alone: names, or regular expressions for whole names.

    Examples
    --------
    >>> Pseudonymiser(bytes(32)).text("trace 4bf92f3577b34da6a3ce929d0e0e4736 took 12 ms")
    'trace 4bf92f3577b34da6a3ce929d0e0e4736 took 12 ms'
    """

    def __init__(self, key: bytes, rules: Sequence[Rule] = (), *, keep: Sequence[str] = ()) -> None:
        self._stand_ins = StandIns(Keyed(key))
        self._detectors = Detectors(self._stand_ins, self._kind_of, self._inner_text)
        self._depth: ContextVar[int] = ContextVar("depth", default=0)
        self._rules = tuple((rule, re.compile(rule.pattern)) for rule in rules)
        self._keep = re.compile("|".join(f"(?:{name})" for name in keep), re.IGNORECASE) if keep else None
        # Fields repeat their values from row to row.
        self._remembered = lru_cache(maxsize=REMEMBERED_TEXTS)(self._settled)
        self._name = lru_cache(maxsize=REMEMBERED_TEXTS)(self._renamed)
        self._filter = LineFilter([rule.pattern for rule in rules])

    def text(self, value: str) -> str:
        """Return a text with what is personal or secret replaced, and every other character as it was.

        A text that is JSON is taken apart; where something in it is replaced, it is written again in compact form
        or with spaces, as it was.
        """
        if _SHORT_WORD.fullmatch(value) and not self._rules:
            return value
        # What is encoded within another text is followed less deep: only whole texts are worth remembering.
        remembered = len(value) <= MAX_REMEMBERED_CHARS and not self._depth.get()
        return self._remembered(value) if remembered else self._settled(value)

    def _settled(self, value: str) -> str:
        for _ in range(MAX_ROUNDS):
            before, value = value, self._rewritten(value)
            # A stand-in may end a value where the old one ran into the next: what that uncovers is replaced too.
            if value == before:
                break
        return value

    def _rewritten(self, text: str, among: Collection[str] = ALL) -> str:
        if _JSON_START.match(text):
            rewritten = self._json_text(text)
            if rewritten is not None:
                return rewritten
        return _replaced(text, self._spans(text, among))

    def value(self, value: JsonValue, *, key_hint: str = "") -> JsonValue:
        """Return a JSON value with what is personal or secret replaced, JSON inside strings included.

        Parameters
        ----------
        value : JSON value
        key_hint : str
            The name of the field that holds it.
        """
        return self._walk(value, key_hint, self._kind_of(key_hint) if key_hint else None)

    def frame(self, frame: pl.DataFrame, *, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
        """Return a frame with what is personal or secret replaced in its text columns.

        Parameters
        ----------
        frame : polars.DataFrame
        columns : mapping of column to kind, optional
            ``text`` to search the values, ``keep`` to leave them, or the kind that all values have, such as ``id``.
            Columns that are not in it are judged by their name: trace ids, names of services and their like are
            kept, user and session ids replaced, all others searched.

        Returns
        -------
        polars.DataFrame
            The same rows, columns and types.
        """
        given = columns or {}
        kinds = {
            name: Kind(given[name]) if name in given else self._kind_of(name) or Kind.TEXT
            for name, dtype in frame.schema.items()
            if dtype == pl.String()
        }
        made = frame.with_columns(**{name: self._series(frame[name], kind) for name, kind in kinds.items()})
        # Only now are the names known that the fields of these rows give away.
        prose = [name for name, kind in kinds.items() if kind is Kind.TEXT]
        return made.with_columns(**{name: self._without_names(made[name]) for name in prose})

    def may_hold(self, series: pl.Series) -> pl.Series:
        """Say of each text whether it may hold something to replace; where not, it certainly holds nothing."""
        return self._filter.may_hold(series)

    def _inner_text(self, text: str) -> str:
        """Return what was URL-encoded in a text, replaced; encodings within encodings end at a depth."""
        if self._depth.get() >= MAX_ENCODINGS:
            return text
        token = self._depth.set(self._depth.get() + 1)
        try:
            return self.text(text)
        finally:
            self._depth.reset(token)

    def _kind_of(self, name: str) -> Kind | None:
        if self._keep is not None and self._keep.fullmatch(name):
            return Kind.KEEP
        return kind_of_field(name)

    def _series(self, series: pl.Series, kind: Kind) -> pl.Series:
        if kind is Kind.KEEP:
            return series
        values = series.drop_nulls().unique()
        if kind is Kind.TEXT:
            changed = self._changed_texts(values)
        else:
            made = {value: self._field(value, series.name, kind) for value in values}
            changed = {value: stand_in for value, stand_in in made.items() if stand_in != value}
        if not changed:
            return series
        return series.replace(list(changed), list(changed.values()))

    def _changed_texts(self, values: pl.Series) -> dict[str, str]:
        """Return what changes of many texts, as `text` would: the filter says which detectors to ask of which."""
        changed: dict[str, str] = {}
        origins: dict[str, list[str]] = {}
        for round_number in range(MAX_ROUNDS):
            texts = values if round_number == 0 else pl.Series(origins.keys(), dtype=pl.String())
            again: dict[str, list[str]] = {}
            for text, among in self._filter.candidates(texts):
                made = self._rewritten(text, among)
                if made != text:
                    again.setdefault(made, []).extend(origins.get(text, [text]))
            changed |= {origin: made for made, told in again.items() for origin in told}
            if not again:
                break
            origins = again
        return changed

    def _without_names(self, series: pl.Series) -> pl.Series:
        """Replace the names that were met in fields where they stand in running text."""
        known = self._stand_ins.known_names
        if not known:
            return series
        values = series.drop_nulls().unique()
        changed = {}
        for text in values.filter(values.str.contains_any(known.words)):
            spans = (Span(*place, self._stand_ins.name(text[slice(*place)])) for place in known.find(text))
            made = _replaced(text, spans)
            if made != text:
                changed[text] = made
        return series.replace(list(changed), list(changed.values())) if changed else series

    def _walk(self, value: JsonValue, name: str, kind: Kind | None) -> JsonValue:
        if kind is Kind.KEEP:
            return value
        if isinstance(value, dict):
            return {
                self._name(inner): self._walk(held, inner, self._kind_in(inner, name, value))
                for inner, held in value.items()
            }
        if isinstance(value, list):
            return [self._walk(held, name, kind) for held in value]
        if isinstance(value, str):
            return self._field(value, name, kind or Kind.TEXT)
        if isinstance(value, int | float) and not isinstance(value, bool) and kind is not None:
            return self._number(value, name, kind)
        return value

    def _renamed(self, name: str) -> str:
        """Return a field's name, which may hold a value too: `failures.jane@corp.example`."""
        return name if _SHORT_WORD.fullmatch(name) and not self._rules else _replaced(name, self._spans(name))

    def _kind_in(self, name: str, parent: str, siblings: Mapping[str, JsonValue]) -> Kind | None:
        kind = self._kind_of(name)
        return kind if kind is not None else kind_in_object(name, parent, siblings)

    def _field(self, value: str, name: str, kind: Kind) -> str:
        # A version of four numbers reads like an address.
        if kind is Kind.VERSION and _VERSION.fullmatch(value):
            return value
        if kind in _WHOLE_VALUE_KINDS and not _JSON_START.match(value):
            made = self._stand_ins.of_kind(value, kind, field=name)
            if made != value:
                return made
            if kind in _UNSEARCHED:
                return value
        return self.text(value)

    def _number(self, value: float, name: str, kind: Kind) -> int | float:
        if kind in {Kind.LATITUDE, Kind.LONGITUDE}:
            made = self._stand_ins.coordinate(repr(value), kind)
            return type(value)(made)
        if not isinstance(value, int) or value < 0 or (kind is Kind.SECRET and value < MIN_SECRET_NUMBER):
            return value
        if kind in {Kind.PIN, Kind.POSTCODE}:
            return 0
        if kind is Kind.PHONE:
            return int(self._stand_ins.phone(f"+{value}")[1:])
        made = self._stand_ins.of_kind(str(value), kind, field=name)
        return int(made) if made.isascii() and made.isdigit() else value

    def _json_text(self, text: str) -> str | None:
        """Return a JSON text with its values replaced, None where it is no JSON."""
        try:
            before = json.loads(text)
            after = self._walk(before, "", None)
            if after == before:
                return text
            spaced = re.search(r'"\s*:\s', text) is not None
            separators = (", ", ": ") if spaced else (",", ":")
            return json.dumps(after, ensure_ascii=text.isascii(), separators=separators)
        except (ValueError, RecursionError):
            return None

    def _spans(self, text: str, among: Collection[str] = ALL) -> Iterator[Span]:
        for rule, pattern in self._rules:
            for found in pattern.finditer(text):
                place = found.span(1 if pattern.groups else 0)
                yield Span(*place, self._stand_ins.of_kind(text[slice(*place)], rule.kind))
        yield from self._detectors.find(text, among)


# What a name says is all there is to these: their stand-ins would only be mistaken for something else.
_UNSEARCHED: Final = frozenset({Kind.SECRET, Kind.ID, Kind.PIN, Kind.CARD, Kind.IBAN, Kind.NATIONAL_ID, Kind.PHONE})


def _replaced(text: str, spans: Iterator[Span]) -> str:
    """Put the stand-ins in their places; where spans overlap, the first one found holds."""
    taken: list[Span] = []
    covered = bytearray(len(text))
    for span in spans:
        if span.start < span.end and covered.find(1, span.start, span.end) < 0:
            taken.append(span)
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
    if not taken:
        return text
    parts, position = [], 0
    for span in sorted(taken, key=lambda span: span.start):
        parts += [text[position : span.start], span.stand_in]
        position = span.end
    return "".join((*parts, text[position:]))


def open_pseudonymiser(workspace_root: Path, config: PrivacyConfig | None = None) -> Pseudonymiser:
    """Return the pseudonymiser of a workspace; its key is made at the first call.

    Parameters
    ----------
    workspace_root : Path
    config : PrivacyConfig, optional
        What prodintel.yaml says of privacy.

    Raises
    ------
    ParameterError
        If the key cannot be read or made.
    """
    config = config or PrivacyConfig()
    if config.made_up_data_phrase is not None:
        key = hashlib.blake2b(config.made_up_data_phrase.encode(), digest_size=32, person=b"prodintel").digest()
    else:
        key = read_or_create_key(workspace_root / LAKE_FOLDER)
    return Pseudonymiser(key, config.rules, keep=config.keep)
