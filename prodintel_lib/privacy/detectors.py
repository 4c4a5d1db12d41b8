"""Where personal data and secrets stand in free text: the exact checks. See filters.py for where they cannot."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from prodintel_lib.privacy import checksums, national_ids
from prodintel_lib.privacy.field_values import find_field_values, find_inserted_values
from prodintel_lib.privacy.fields import Kind
from prodintel_lib.privacy.vendor_keys import VENDOR_KEY
from prodintel_lib.privacy.word_set import word_set

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from prodintel_lib.privacy.stand_ins import StandIns


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text and what takes its place."""

    start: int
    end: int
    stand_in: str


ALL: Final = word_set(
    "blocks insertions fields encoded keys userinfo schemes emails ibans national_ids cards addresses phones ids"
)
"""The names of the detectors."""
# It begins where a word does: a long word without a percent sign is looked at once, not once from each of its letters.
_ENCODED: Final = re.compile(r"(?<![^\s\"'<>&=?%/{}])[^\s\"'<>&=?%/{}]*+(?:%[0-9A-Fa-f]{2}[^\s\"'<>&=?%/{}]*+)+")
_SPACED_KINDS: Final = frozenset(
    {Kind.NAME, Kind.ADDRESS, Kind.PHONE, Kind.CARD, Kind.IBAN, Kind.NATIONAL_ID, Kind.POSTCODE, Kind.COOKIE}
)
_LEFT: Final = r"(?<![0-9A-Za-z_])"
_RIGHT: Final = r"(?![0-9A-Za-z_])"
# What every national id has in it: most lines are done with at one look.
_NATIONAL_GATE: Final = re.compile(
    r"[0-9]{6}|-[0-9]{2}-[0-9]{4}|[A-Z]{2} [0-9]{2} [0-9]{2} |[0-9] [0-9]{2,3} [0-9]|[A-Z]{6}[0-9]{2}"
)
_SCHEME_WORDS: Final = ("bearer", "basic", "token", "apikey", "negotiate", "ntlm")
_BEFORE_WORD: Final = r"(?<![0-9A-Za-z])"

PEM: Final = r"-----BEGIN [A-Z0-9 ]{3,40}-----"
_PEM: Final = re.compile(
    PEM + r"(?:[A-Za-z0-9+/=\s:,.-]|\\+[nr])*?(?:-----END [A-Z0-9 ]{3,40}-----|(?![A-Za-z0-9+/=\s:,\\.-])|\Z)"
)
JWT: Final = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
_JWT: Final = re.compile(_BEFORE_WORD + JWT)
SCHEME: Final = r"(?i:bearer|basic|token|apikey|negotiate|ntlm)(?:\s|%20|\+){1,2}[A-Za-z0-9._~+/=-]{8}"
_SCHEME: Final = re.compile(
    _LEFT
    + r"(?P<scheme>(?i:bearer|basic|token|apikey|negotiate|ntlm))(?:\s|%20|\+){1,2}(?P<value>[A-Za-z0-9._~+/=-]{8,})"
)
USERINFO: Final = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@?#\"'<>]+@"
_USERINFO: Final = re.compile(
    r"(?<=://)(?P<user>[^\s/@:?#\"'<>]*)(?::(?P<password>[^\s/?#\"'<>]*))?@(?=[A-Za-z0-9\[{$%])"
)
EMAIL: Final = r"(?:@|%40)[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2}"
_LOCAL_PART: Final = re.compile(
    r"(?<![A-Za-z0-9_+-])(?:(?!%40|%3[AaDdCc]|%2[0267]|%[0-9A-F]{2})[A-Za-z0-9._%+'\u00c0-\u024f-]){1,64}\Z"
)
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9\u00c0-\u024f](?:[A-Za-z0-9\u00c0-\u024f-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_MAIL_ENDS: Final = word_set(
    "com org net edu gov io co info biz eu uk de fr it es nl be ch at pl se no fi dk ie us ca au jp"
)
_AT: Final = re.compile("@|%40")
_NOT_MAIL_ENDS: Final = word_set("png jpg jpeg gif svg webp js css map json py java go rb html scope service")
IBAN: Final = r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}"
_IBAN: Final = re.compile(_LEFT + r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?" + _RIGHT)
CARD_RUN: Final = r"(?:[3-6][0-9]{12,18}|2[2-7][0-9]{14})"
CARD_GROUPS: Final = r"[3-6][0-9]{3}[ -][0-9]{4,6}[ -][0-9]{4,5}"
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z_.-])(?<![0-9] )(?:" + CARD_RUN + r"|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|"
    r"3[47][0-9]{2}([ -])[0-9]{6}\2[0-9]{5}|3[0689][0-9]{2}([ -])[0-9]{6}\3[0-9]{4})(?![0-9A-Za-z_]|[.-][0-9])"
)
# Up to its seventh digit; `00` counts only where a country code and a space follow.
PHONE: Final = (
    r"(?:\+|%2[Bb])[1-9][0-9 ().-]{6}|(?:^|[^0-9A-Za-z_.+/-])00[1-9][0-9]{0,2} [0-9][0-9 ]{6}|"
    r"[2-9][0-9]{2}\) ?[0-9]{3}[-. ][0-9]{4}|"
    r"[2-9][0-9]{2}([-.])[2-9][0-9]{2}[-.][0-9]{4}|0[0-9]{2,4} [0-9]{3,4} [0-9]{3,4}|07[0-9]{3} [0-9]{6}|"
    r"0[1-9](?:[ .][0-9]{2}){4}"
)
_PHONE: Final = re.compile(
    r"(?<![0-9A-Za-z_.+/-])(?:"
    r"(?P<plus>(?:\+|%2[Bb])[1-9][0-9]{0,3}(?:[ .-]?\([0-9]{1,4}\))?(?:[ .-]?[0-9]{1,5}){1,6})|"
    r"(?P<zeros>00[1-9][0-9]{0,2} [0-9][0-9 ]{6,14}[0-9])|"
    r"(?P<nanp>(?:1[-. ])?(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[-. ][0-9]{4}|"
    r"[2-9][0-8][0-9]-[2-9][0-9]{2}-[0-9]{4}|[2-9][0-8][0-9]\.[2-9][0-9]{2}\.[0-9]{4}))|"
    r"(?P<uk>0[1-9][0-9]{3} [0-9]{6}|0[1-9][0-9]{2} [0-9]{3} [0-9]{4}|02[0-9] [0-9]{4} [0-9]{4}|"
    r"07[0-9]{3} [0-9]{3} [0-9]{3})|"
    r"(?P<fr>0[1-9](?:([ .])[0-9]{2})(?:\6[0-9]{2}){3})"
    r")(?![0-9A-Za-z_]|[.,:-][0-9])"
)
# Octets that can be a public address; the private, loopback and multicast ones belong to nobody.
_PUBLIC_HEAD: Final = r"(?:[1-9]|1[1-9]|[2-9][0-9]|1[013-9][0-9]|12[0-689]|2[01][0-9]|22[0-3])"
IPV4: Final = _PUBLIC_HEAD + r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
_IPV4: Final = re.compile(
    r"(?<![0-9A-Za-z_.])(?<![0-9A-Za-z]-)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]|\.[0-9A-Za-z]|-[A-Za-z])"
)
_VERSION_BEFORE: Final = re.compile(
    r"(?:(?:^|[\s(;,\"'])[A-Za-z][\w.+-]*/|[=~^<>!]=\s?|[~^]|@|"
    r"(?i:\b(?:version|versions|ver|v|release|build|driver|firmware|assembly|agent|upgraded to|rev)[ =:\"']{1,4}))$"
)
IPV6: Final = r"[23][0-9A-Fa-f]{3}:(?:(?:[0-9A-Fa-f]{1,4}:){3}|(?:[0-9A-Fa-f]{1,4}:){0,6}:)"
_IPV6: Final = re.compile(r"(?<![0-9A-Za-z_:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![0-9A-Za-z_:])")
PREFIXED_ID: Final = r"(?:sess?|session|sid|usr|user|uid|cus|cust|customer|mem|member|visitor|vis)[_:][0-9A-Za-z-]{8}"
_PREFIXED_ID: Final = re.compile(
    r"(?<![0-9A-Za-z_-])(?:sess?|session|sid|usr|user|uid|cus|cust|customer|mem|member|visitor|vis)[_:]"
    r"(?=[A-Za-z-]*[0-9])[0-9A-Za-z-]{8,64}(?![0-9A-Za-z_-])"
)
PATH_ID: Final = r"/(?:users?|customers?|members?|visitors?|sessions?|patients?|employees?|profiles?)/[A-Za-z_:-]*[0-9]"
_PATH_ID: Final = re.compile(
    r"(?<=/)(?:users?|customers?|members?|visitors?|sessions?|patients?|employees?|profiles?)/"
    r"(?P<value>(?!v[0-9]{1,2}(?:/|$))[A-Za-z_:.-]*[0-9][0-9A-Za-z_:.-]*)"
)
_NATIONAL: Final = tuple(
    (
        kind,
        re.compile(
            (rf"(?i:{kind.words})\W{{0,6}}(?:nummer|number|nr)?\W{{0,4}}" if kind.words else r"(?<![0-9A-Za-z_.-])")
            + rf"(?P<value>{kind.pattern})(?![0-9A-Za-z_]|[.-][0-9])"
        ),
    )
    for kind in national_ids.NATIONAL_IDS
)


class Detectors:
    """The exact checks, the most telling first.

    Parameters
    ----------
    stand_ins : StandIns
    kind_of : callable
        What a field's name says of its value.
    rewrite : callable
        A whole text with its values replaced, for what is encoded inside another text.
    """

    def __init__(
        self, stand_ins: StandIns, kind_of: Callable[[str], Kind | None], rewrite: Callable[[str], str]
    ) -> None:
        self._stand_ins = stand_ins
        self._kind_of = kind_of
        self._rewrite = rewrite
        self._all: dict[str, Callable[[str], Iterator[Span]]] = {
            "blocks": self._blocks,
            "insertions": self._insertions,
            "fields": self._fields,
            "encoded": self._encoded,
            "keys": self._keys,
            "userinfo": self._userinfo,
            "schemes": self._schemes,
            "emails": self._emails,
            "ibans": self._ibans,
            "national_ids": self._national_ids,
            "cards": self._cards,
            "addresses": self._addresses,
            "phones": self._phones,
            "ids": self._ids,
        }

    def find(self, text: str, among: Collection[str] = ALL) -> Iterator[Span]:
        """Yield what each detector finds, the most telling detectors first; spans may overlap.

        Parameters
        ----------
        text : str
        among : collection of str
            The names of the detectors to ask: those of which the filter says that they may find something.
        """
        for name, detector in self._all.items():
            if name in among:
                yield from detector(text)

    def _blocks(self, text: str) -> Iterator[Span]:
        if "-----BEGIN " in text:
            for found in _PEM.finditer(text):
                yield Span(found.start(), found.end(), self._stand_ins.pem(found.group()))

    def _insertions(self, text: str) -> Iterator[Span]:
        for field, start, end in find_inserted_values(text):
            yield from self._field(field, text[start:end], start, end)

    def _fields(self, text: str) -> Iterator[Span]:
        for field, start, end in find_field_values(text, self._kind_of):
            yield from self._field(field, text[start:end], start, end)

    def _field(self, field: str, value: str, start: int, end: int) -> Iterator[Span]:
        kind = self._kind_of(field)
        if kind is None or kind in {Kind.TEXT, Kind.VERSION} or _names_itself(field, value):
            return
        plain = _decoded(value) if kind in _SPACED_KINDS else unquote(value, errors="surrogateescape")
        made = self._stand_ins.of_kind(plain, kind, field=field)
        yield Span(start, end, value if made == plain else made if plain == value else _encoded_like(value, made))

    def _encoded(self, text: str) -> Iterator[Span]:
        if "%" not in text:
            return
        for found in _ENCODED.finditer(text):
            plain = _decoded(found.group())
            made = self._rewrite(plain)
            # What was looked at in plain is not looked at again in its encoded form.
            yield Span(
                found.start(), found.end(), found.group() if made == plain else _encoded_like(found.group(), made)
            )

    def _keys(self, text: str) -> Iterator[Span]:
        if "eyJ" in text:
            for found in _JWT.finditer(text):
                yield Span(found.start(), found.end(), self._stand_ins.jwt(found.group()))
        for found in VENDOR_KEY.finditer(text):
            yield Span(found.start(), found.end(), self._stand_ins.vendor_key(found.group()))

    def _userinfo(self, text: str) -> Iterator[Span]:
        if "://" not in text or "@" not in text:
            return
        for found in _USERINFO.finditer(text):
            for name in ("user", "password"):
                if found.group(name):
                    yield Span(*found.span(name), self._stand_ins.secret(found.group(name)))
            yield Span(found.end() - 1, found.end(), "@")

    def _schemes(self, text: str) -> Iterator[Span]:
        lower = text.lower()
        if not any(word in lower for word in _SCHEME_WORDS):
            return
        for found in _SCHEME.finditer(text):
            value = found["value"]
            mixed = any(sign.isdigit() for sign in value) or not (value.islower() or value.istitle() or value.isupper())
            if mixed or len(value) > 24:
                yield Span(*found.span("value"), self._stand_ins.credentials(found["scheme"], value))

    def _emails(self, text: str) -> Iterator[Span]:
        position = 0
        for sign in _AT.finditer(text):
            # From the sign outwards: elsewhere in a long text there is no address.
            domain = _DOMAIN.match(text, sign.end()) if sign.start() >= position else None
            local = domain and _LOCAL_PART.search(text, max(position, sign.start() - 64), sign.start())
            if not domain or not local:
                continue
            start, position = local.start(), domain.end()
            value = text[start:position]
            remote = value.startswith("git@") and text[position : position + 1] in {":", "/"}
            rest, _, end = value.rpartition(".")
            if end.lower() in _NOT_MAIL_ENDS:
                # `jane@corp.com.json` is a file of hers, `icon@2x.png` an icon.
                if rest.rpartition(".")[2].lower() not in _MAIL_ENDS:
                    continue
                value, position = rest, start + len(rest)
            if not remote:
                yield Span(start, position, self._stand_ins.email(value))

    def _ibans(self, text: str) -> Iterator[Span]:
        for found in _IBAN.finditer(text):
            value = found.group()
            # Words in capitals may follow: the country says how long it is.
            for end in range(len(value), 14, -1):
                if checksums.is_iban(value[:end].replace(" ", "")) and not value[end - 1].isspace():
                    yield Span(found.start(), found.start() + end, self._stand_ins.iban(value[:end]))
                    break

    def _national_ids(self, text: str) -> Iterator[Span]:
        if _NATIONAL_GATE.search(text) is None:
            return
        for kind, pattern in _NATIONAL:
            for found in pattern.finditer(text):
                made = national_ids.substitute(self._stand_ins.keyed, kind, found["value"])
                if made is not None:
                    yield Span(*found.span("value"), made)

    def _cards(self, text: str) -> Iterator[Span]:
        for found in _CARD.finditer(text):
            if checksums.is_card(re.sub(r"[ -]", "", found.group())):
                yield Span(found.start(), found.end(), self._stand_ins.card(found.group()))

    def _addresses(self, text: str) -> Iterator[Span]:
        for found in _IPV4.finditer(text) if text.count(".") > 2 else ():
            value = found.group()
            if _is_public(value) and not _VERSION_BEFORE.search(text[max(0, found.start() - 40) : found.start()]):
                yield Span(found.start(), found.end(), self._stand_ins.ip(value))
        if text.count(":") > 1:
            for found in _IPV6.finditer(text):
                if _is_public(found.group()):
                    yield Span(found.start(), found.end(), self._stand_ins.ip(found.group()))

    def _phones(self, text: str) -> Iterator[Span]:
        for found in _PHONE.finditer(text):
            value = found.group()
            # The next number of a list may have been taken along: no phone number has more than 15 digits (E.164).
            while len(re.findall(r"[0-9]", value.removeprefix("%2B"))) > 15 and re.search(r"[ .-]", value):
                value = re.sub(r"[ .-][^ .-]*\Z", "", value)
            digits = len(re.findall(r"[0-9]", value.removeprefix("%2B").removeprefix("%2b")))
            separated = re.search(r"[0-9][ ().-]+[0-9]", value) is not None
            if 7 <= digits <= 15 and (separated or digits >= 10):
                yield Span(found.start(), found.start() + len(value), self._stand_ins.phone(value))

    def _ids(self, text: str) -> Iterator[Span]:
        for found in _PREFIXED_ID.finditer(text):
            yield Span(found.start(), found.end(), self._stand_ins.secret(found.group()))
        for found in _PATH_ID.finditer(text):
            yield Span(*found.span("value"), self._stand_ins.secret(found["value"]))


def _names_itself(field: str, value: str) -> bool:
    """Say whether a value is a program's name for itself: a stack trace quotes `token=self.token`."""
    return re.fullmatch(r"[A-Za-z_.]+", value) is not None and value.rpartition(".")[2] == field.rpartition(".")[2]


def _decoded(value: str) -> str:
    """Return a URL-encoded value; a plus in it is a space, one at its start a phone number's."""
    if "%" not in value and not re.search(r"\w\+\w", value):
        return value
    spaced = value if " " in value else value[:1] + value[1:].replace("+", " ")
    return unquote(spaced, errors="surrogateescape")


def _encoded_like(value: str, made: str) -> str:
    """Return a value URL-encoded as the old one was: what was not encoded there is not encoded here."""
    plus = "+" in value[1:] and "%20" not in value
    safe = "".join(sign for sign in "!#$&'()*,/:;=?@[]~|" if sign in value)
    encoded = quote(made, safe=safe, errors="surrogateescape")
    return encoded.replace("%20", "+") if plus else encoded


@lru_cache(maxsize=65536)
def _is_public(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    documentation = value.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) or value.lower().startswith("2001:db8:")
    return (address.is_global and not address.is_multicast) or documentation
