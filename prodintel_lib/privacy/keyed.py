"""Keyed randomness: the same value gives the same characters under one key, and nothing without it."""

from __future__ import annotations

import hashlib
import re
import string
import uuid
from typing import Final

from prodintel_lib.errors import ParameterError

KEY_BYTES: Final = 32
PLACEHOLDER: Final = re.compile(
    r"\[[A-Za-z _-]{0,24}\]|<[A-Za-z _-]{0,24}>|\{[^{}]{0,64}\}|\$\{?\w{1,64}\}?|%\(?\w{0,32}\)?s|:[a-z]\w{0,31}|"
    r"[*•?.xX_-]{1,64}|[*•]{1,64}[A-Za-z0-9]{1,4}|%[ds]|"
    # The name of a class, as a printed object has it.
    r"(?:[a-z][a-z0-9_]*\.){2,}[A-Z][\w$]*(?:@[0-9a-f]{1,16})?",
)
_HARMLESS: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "anonymous",
        "are",
        "basic",
        "bearer",
        "cookie",
        "empty",
        "error",
        "expired",
        "failed",
        "false",
        "for",
        "from",
        "guest",
        "has",
        "invalid",
        "is",
        "its",
        "malformed",
        "match",
        "mismatch",
        "missing",
        "must",
        "n/a",
        "na",
        "nil",
        "no",
        "none",
        "not",
        "null",
        "ok",
        "or",
        "optional",
        "rejected",
        "required",
        "response",
        "revoked",
        "string",
        "the",
        "to",
        "true",
        "undefined",
        "unknown",
        "unset",
        "valid",
        "value",
        "was",
        "with",
    ]
)
# Prefixes that name the kind of an id and nobody: they stay, so that a reader still sees what it is.
_ID_PREFIX: Final = re.compile(
    r"(?:s|sess?|sessions?|sid|u|usr|users?|uid|cus?t?|customers?|m|mem|members?|vis|visitors?|anon|guest|dev|devices?)"
    r"(?:[_:-]|(?<=[a-z]{3})(?=[0-9]+\Z))"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX: Final = re.compile(r"[0-9a-f]{12,}|[0-9A-F]{12,}")
_LOWER_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_SHORT: Final = re.compile(r"fict-([a-z2-7]{8})([a-z2-7]{5})")
_NUMBER_MARK: Final = "990"
_NUMBER_LENGTH: Final = 15
MIN_SHAPED_LENGTH: Final = 12
MAX_SHAPED_LENGTH: Final = 4096


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for one: a mask, a template's slot, or a word that keeps no secret."""
    return value.lower() in _HARMLESS or PLACEHOLDER.fullmatch(value) is not None


class Keyed:
    """Characters drawn from a value under a key.

    Parameters
    ----------
    key : bytes
        32 bytes that stay in the workspace.

    Notes
    -----
    BLAKE2b in keyed mode (RFC 7693, section 2.5), which is a MAC: without the key, a guess cannot be tried.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ParameterError(
                f"A privacy key has {KEY_BYTES} bytes; this one has {len(key)}.",
                hint="restore the key file from a copy, or remove it: a new key gives new pseudonyms.",
            )
        self._key = key

    def number(self, kind: str, value: str, *, length_bytes: int = 32) -> int:
        """Return a number of up to 64 bytes that depends on kind, value and key."""
        # A lone surrogate is a value too: it has no UTF-8 form of its own.
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(message, key=self._key, digest_size=min(length_bytes, 64)).digest())

    def text(self, kind: str, value: str, *, length: int, alphabet: str) -> str:
        """Return `length` characters of an alphabet."""
        drawn: list[str] = []
        block = 0
        while len(drawn) < length:
            number = self.number(f"{kind}/{block}", value, length_bytes=64)
            for _ in range(min(64, length - len(drawn))):
                number, place = divmod(number, len(alphabet))
                drawn.append(alphabet[place])
            block += 1
        return "".join(drawn)

    def digits(self, kind: str, value: str, *, length: int) -> str:
        """Return `length` decimal digits."""
        return self.text(kind, value, length=length, alphabet=string.digits)

    def opaque(self, value: str) -> str:
        """Return the pseudonym of a token, a password or an id: of the same shape where that is long enough.

        A part of the pseudonym is a keyed check of the rest. It tells a pseudonym from a real value, so that nothing
        is changed twice.

        Notes
        -----
        UUIDs stay UUIDs, hexadecimal stays hexadecimal, and other values of 12 letters and digits or more keep
        length, character classes and punctuation. Whole numbers become numbers of 15 digits, which a double still
        holds exactly; a short value becomes ``fict-`` and 13 characters: there is no room for it and its check.
        """
        if not value or is_placeholder(value):
            return value
        prefix = _ID_PREFIX.match(value)
        rest = value[prefix.end() :] if prefix else ""
        if prefix and (any(sign.isdigit() for sign in rest) or _SHORT.fullmatch(rest)):
            return prefix.group() + self._body(rest)
        return self._body(value)

    def _body(self, value: str) -> str:
        if _UUID.fullmatch(value):
            return self._uuid(value)
        if value.isascii() and value.isdigit():
            return self._whole_number(value)
        if _HEX.fullmatch(value):
            upper = any(sign in "ABCDEF" for sign in value)
            return self._shaped(value, hexadecimal="0123456789ABCDEF" if upper else "0123456789abcdef")
        if (short := _SHORT.fullmatch(value)) and self._check_of(short.group(1)) == short.group(2):
            return value
        letters = sum(sign.isalnum() for sign in value)
        if letters >= MIN_SHAPED_LENGTH and len(value) <= MAX_SHAPED_LENGTH and value.isascii() and "\\" not in value:
            return self._shaped(value)
        body = self.text("short", value, length=8, alphabet=_LOWER_BASE32)
        return f"fict-{body}{self._check_of(body)}"

    def _check_of(self, body: str) -> str:
        return self.text("check", body, length=5, alphabet=_LOWER_BASE32)

    def _uuid(self, value: str) -> str:
        compact = value.replace("-", "").lower()
        check = self.text("uuid check", compact[:24], length=8, alphabet="0123456789abcdef")
        if compact[24:] == check:
            return value
        drawn = uuid.UUID(int=self.number("uuid", compact, length_bytes=16), version=4).hex[:24]
        check = self.text("uuid check", drawn, length=8, alphabet="0123456789abcdef")
        made = str(uuid.UUID(drawn + check))
        return made.upper() if value != value.lower() else made

    def _whole_number(self, value: str) -> str:
        length = max(_NUMBER_LENGTH, len(value))
        inner = length - len(_NUMBER_MARK) - 4
        body = value[len(_NUMBER_MARK) : -4]
        recognised = value.startswith(_NUMBER_MARK) and len(value) >= _NUMBER_LENGTH
        if recognised and self.digits("number check", body, length=4) == value[-4:]:
            return value
        body = self.digits("number", value, length=inner)
        return _NUMBER_MARK + body + self.digits("number check", body, length=4)

    def _shaped(self, value: str, *, hexadecimal: str = "") -> str:
        places = [place for place, sign in enumerate(value) if sign.isalnum()]
        checked = min(8, len(places) * 5 // 12)
        body, check = places[:-checked], places[-checked:]
        if self._fill(value, body, check, "shape check", hexadecimal) == value:
            return value
        made = self._fill(value, (), places, "shape", hexadecimal)
        return self._fill(made, body, check, "shape check", hexadecimal)

    def _fill(self, value: str, given: tuple[int, ...] | list[int], places: list[int], kind: str, alphabet: str) -> str:
        """Replace the characters at `places` by ones of their class, drawn from those at `given` (or from all)."""
        seed = "".join(value[place] for place in given) if given else value
        number = self.number(kind, seed, length_bytes=64)
        drawn, left = list(value), 64
        for block, place in enumerate(places):
            if left == 0:
                number, left = self.number(f"{kind}/{block}", seed, length_bytes=64), 64
            among = alphabet or _class_of(value[place])
            number, index = divmod(number, len(among))
            drawn[place] = among[index]
            left -= 1
        return "".join(drawn)


def _class_of(sign: str) -> str:
    if sign.isdigit():
        return string.digits
    return string.ascii_uppercase if sign.isupper() else string.ascii_lowercase
