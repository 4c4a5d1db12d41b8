"""A stand-in for each kind of value: of the same form, from ranges that are reserved for fiction."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
import string
from typing import TYPE_CHECKING, Final

from prodintel_lib.privacy import checksums, national_ids
from prodintel_lib.privacy.fields import Kind
from prodintel_lib.privacy.keyed import is_placeholder
from prodintel_lib.privacy.known_names import KnownNames
from prodintel_lib.privacy.vendor_keys import VENDOR_KEY, VENDOR_PREFIX
from prodintel_lib.privacy.word_set import word_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.privacy.keyed import Keyed

RESERVED_DOMAIN: Final = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:example\.(?:com|org|net|edu)|[a-z0-9-]+\.(?:example|test|invalid)|example|localhost)",
    re.IGNORECASE,
)
# Numbers that payment providers publish for tests.
_TEST_CARDS: Final = word_set(
    "4242424242424242 4111111111111111 4012888888881881 4222222222222 4000056655665556 5555555555554444 "
    "5105105105105100 5200828282828210 2223003122003222 378282246310005 371449635398431 6011111111111117 "
    "6011000990139424 3056930009020004 36227206271667 38520000023237 30569309025904 3530111333300000 "
    "3566002020360505 6200000000000005"
)
_ZERO_BANK: Final = "TEST"
_DOCUMENTATION_V4: Final = ("192.0.2", "198.51.100", "203.0.113")
_DOCUMENTATION_V6: Final = ipaddress.ip_network("2001:db8::/32")
_NAME_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_FICTITIOUS_WORD: Final = re.compile(r"fict(?:[bdfgklmnprstvz][aeiou]){4}", re.IGNORECASE)
_HONORIFICS: Final = word_set("mr mrs ms miss dr prof sir herr frau mme jr sr von van de der den da di la le")
_STREET_WORDS: Final = word_set(
    "street st road rd avenue ave lane ln drive dr boulevard blvd square sq court ct way place pl apt apartment suite "
    "floor unit po box rue via calle platz weg straat the of north south east west"
)
_WHOLE_EMAIL: Final = re.compile(r"[^\s@:/?&=,;<>\"']{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
MIN_DECIMALS: Final = 2
_POLE: Final = {Kind.LATITUDE: -48, Kind.LONGITUDE: -123}
_AREA_CODES: Final = (201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 303, 304, 305, 307)
_JWT_MARK: Final = base64.urlsafe_b64encode(b'{"fict":true,"sub"').decode()
_PEM_MARK: Final = "ZmljdGl0aW91cy"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{2,31})(\s+)(\S.*)", re.DOTALL)
_COOKIE: Final = re.compile(r"([^=;,\s]+=\"?)([^;\"\r\n]*)")
_COOKIE_ATTRIBUTES: Final = word_set("path domain expires max-age samesite priority version")
_UNIX_OR_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class StandIns:
    """Stand-ins under one key. Every method returns the value itself where it is a stand-in already.

    Parameters
    ----------
    keyed : Keyed
    """

    def __init__(self, keyed: Keyed) -> None:
        self.keyed = keyed
        self.known_names = KnownNames()
        self._of_kind: dict[Kind, Callable[[str], str]] = {
            Kind.TEXT: _unchanged,
            Kind.KEEP: _unchanged,
            Kind.VERSION: _unchanged,
            Kind.SECRET: self.secret,
            Kind.ID: self.secret,
            Kind.PIN: self.pin,
            Kind.AUTHORIZATION: self.authorization,
            Kind.COOKIE: self.cookie,
            Kind.EMAIL: self.email,
            Kind.PHONE: self._phone_field,
            Kind.NAME: self.name,
            Kind.ADDRESS: self.address,
            Kind.POSTCODE: self.postcode,
            Kind.CARD: self._card_field,
            Kind.IBAN: self._iban_field,
            Kind.IP: self._ip_list,
            Kind.LATITUDE: lambda value: self.coordinate(value, Kind.LATITUDE),
            Kind.LONGITUDE: lambda value: self.coordinate(value, Kind.LONGITUDE),
            Kind.BIRTH_DATE: self.birth_date,
        }

    def email(self, value: str) -> str:
        """Return an address at example.com; letters' case does not matter to a mailbox."""
        local, separator, domain = value.rpartition("@")
        if not separator:
            local, separator, domain = value.rpartition("%40") if "%40" in value else ("", "", "")
        if not separator or RESERVED_DOMAIN.fullmatch(domain):
            return value
        self.known_names.add_mailbox(local)
        same = f"{local}@{domain}".lower()
        drawn = self.keyed.text("email", same, length=12, alphabet=string.ascii_lowercase + "234567")
        return f"user-{drawn}{separator}example.com"

    def card(self, value: str) -> str:
        """Return a number of the same length in a test range that passes Luhn."""
        digits = _digits_of(value)
        if digits in _TEST_CARDS:
            return value
        head = "37828224" if len(digits) == 15 else "400000"
        if digits.startswith(head) and checksums.passes_luhn(digits):
            return value
        body = head + self.keyed.digits("card", digits, length=len(digits) - len(head) - 1)
        return _in_places_of(value, body + checksums.luhn_digit(body))

    def iban(self, value: str) -> str:
        """Return an IBAN of the same country whose bank does not exist: zeros, or TEST where a bank has letters."""
        compact = "".join(sign for sign in value if sign.isalnum()).upper()
        country, account = compact[:2], compact[4:]
        bank = "".join("0" if sign.isdigit() else _ZERO_BANK[place] for place, sign in enumerate(account[:4]))
        if account.startswith(bank):
            return value
        digits = self.keyed.digits("iban", compact, length=len(account))
        letters = self.keyed.text("iban", compact, length=len(account), alphabet=string.ascii_uppercase)
        rest = "".join(
            digits[place] if sign.isdigit() else letters[place] for place, sign in enumerate(account) if place >= 4
        )
        return _in_places_of(value, country + checksums.iban_check(country, bank + rest) + bank + rest)

    def phone(self, value: str) -> str:
        """Return a number with the same digits in number and the same separators, from a range kept for fiction.

        Notes
        -----
        555-0100 to 555-0199 in North America, Ofcom's 07700 900xxx, Arcep's 06 39 98 xx xx; elsewhere the country
        code 999, which is not assigned, or a national number that begins with 0999.
        """
        digits = _digits_of(value)
        international = value.lstrip("( ").startswith(("+", "%2B", "%2b", "00"))
        if value.startswith(("%2B", "%2b")):
            return value[:3] + self.phone("+" + value[3:])[1:]
        if len(digits) < 7:
            return _in_places_of(value, "0" * len(digits))
        drawn = self.keyed.digits("phone", digits, length=len(digits))
        number = int(self.keyed.digits("phone area", digits, length=6))
        for head, length, fictitious, made in (
            ("1", 11, r"1[2-9]\d\d55501\d\d", f"1{_AREA_CODES[number % len(_AREA_CODES)]}55501{drawn[:2]}"),
            ("44", 12, r"447700900\d{3}", f"447700900{drawn[:3]}"),
            ("33", 11, r"3363998\d{4}", f"3363998{drawn[:4]}"),
        ):
            if international and digits.startswith(head) and len(digits) == length:
                return value if re.fullmatch(fictitious, digits) else _in_places_of(value, made)
        if international:
            return value if digits.startswith("999") else _in_places_of(value, "999" + drawn[3:])
        return self._national_phone(value, digits, drawn, number)

    def _national_phone(self, value: str, digits: str, drawn: str, number: int) -> str:
        if re.fullmatch(r"1?[2-9]\d\d55501\d\d|07700900\d{3}|063998\d{4}|0999\d*|55501\d\d", digits):
            return value
        if len(digits) == 11 and digits[0] == "0":
            made = f"07700900{drawn[:3]}"
        elif len(digits) == 10 and digits[0] == "0" and value.count(" ") + value.count(".") == 4:
            made = f"063998{drawn[:4]}"
        elif len(digits) == 10 and digits[0] != "0":
            made = f"{_AREA_CODES[number % len(_AREA_CODES)]}55501{drawn[:2]}"
        elif len(digits) == 7:
            made = f"55501{drawn[:2]}"
        else:
            made = "0999" + drawn[4:]
        return _in_places_of(value, made)

    def ip(self, value: str) -> str:
        """Return an address of the blocks for documentation (RFC 5737, RFC 3849)."""
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return value
        if value.startswith(_DOCUMENTATION_V4) or address in _DOCUMENTATION_V6 or address.is_unspecified:
            return value
        if address.version == 6:
            drawn = self.keyed.text("ipv6", address.exploded, length=16, alphabet="0123456789abcdef")
            return ipaddress.ip_address(
                "2001:db8:0:0:" + ":".join(drawn[place : place + 4] for place in range(0, 16, 4))
            ).compressed
        number = self.keyed.number("ipv4", value)
        return f"{_DOCUMENTATION_V4[number % 3]}.{number // 3 % 254 + 1}"

    def name(self, value: str) -> str:
        """Return a name with as many words, each from its own word: a first name is the same within a full name."""
        return _NAME_WORD.sub(lambda word: self._word(word.group(), _HONORIFICS), value)

    def address(self, value: str) -> str:
        """Return an address of the same form: its words and numbers changed, `Street` and the like kept."""
        if _FICTITIOUS_WORD.search(value):
            return value
        if not _NAME_WORD.search(value):
            return self.postcode(value)
        words = _NAME_WORD.sub(lambda word: self._word(word.group(), _STREET_WORDS), value)
        return re.sub(r"[0-9]+", lambda number: self._house_number(number.group()), words)

    def _house_number(self, value: str) -> str:
        return str(int(self.keyed.digits("house", value, length=4)) % 200 + 1)

    def _word(self, value: str, kept: frozenset[str]) -> str:
        if len(value) == 1 or value.lower() in kept or _FICTITIOUS_WORD.fullmatch(value):
            return value
        consonants = self.keyed.text("word", value.lower(), length=4, alphabet="bdfgklmnprstvz")
        vowels = self.keyed.text("vowels", value.lower(), length=4, alphabet="aeiou")
        made = "fict" + "".join(map("".join, zip(consonants, vowels, strict=True)))
        return made.upper() if value.isupper() else made.title() if value[0].isupper() else made

    def postcode(self, value: str) -> str:
        """Return a postcode with the same places for letters and digits that no post office serves: Z and zeros."""
        digits = iter(_digits_of(value))
        head = "".join(sign for _, sign in zip(range(2), digits, strict=False))
        rest = "".join(digits)
        letters = "".join(sign for sign in value if sign.isalpha())
        if set(letters) <= {"Z"} and set(head) <= {"0"}:
            return value
        drawn = iter("0" * len(head) + self.keyed.digits("postcode", value, length=len(rest)))
        return "".join(next(drawn) if _is_digit(sign) else "Z" if sign.isalpha() else sign for sign in value)

    def coordinate(self, value: str, kind: Kind) -> str:
        """Return a coordinate with as many decimals, within a degree of the ocean's most remote point."""
        try:
            number = float(value)
        except ValueError:
            return value
        pole = _POLE[kind]
        decimals = len(value.strip().partition(".")[2])
        # One decimal is eleven kilometres: too coarse for a person, and how a latency called `lat` is often written.
        if not abs(number) <= 180 or int(number) == pole or decimals < MIN_DECIMALS:
            return value
        # The last digit is not zero: a float keeps no trailing zeros, and the stand-in's length counts.
        body = self.keyed.digits(kind, repr(number), length=decimals - 1)
        return f"{pole}.{body}{self.keyed.number(kind, repr(number)) % 9 + 1}"

    def jwt(self, value: str) -> str:
        """Return three base64url parts that decode: a header, a payload that says it is fictitious, a signature."""
        head, _, rest = value.partition(".")
        payload = rest.partition(".")[0]
        if payload.startswith(_JWT_MARK):
            return value
        subject = self.keyed.text("jwt", value, length=16, alphabet="0123456789abcdef")
        signature = self.keyed.text("jwt signature", value, length=43, alphabet=string.ascii_letters + string.digits)
        body = json.dumps({"fict": True, "sub": subject}, separators=(",", ":"))
        return f"{_plain_header(head)}.{_base64url(body)}.{signature[:42]}A"

    def pem(self, value: str) -> str:
        """Return a block with the same label, lines and way of breaking them, that holds no key."""
        if _PEM_MARK in value:
            return value
        label = re.match(r"-----BEGIN ([A-Z0-9 ]+)-----", value)
        name = label.group(1) if label else "PRIVATE KEY"
        breaks = "\\n" if "\\n" in value else "\n" if "\n" in value else " "
        # 66 characters: with the mark a multiple of four, so that the body is base64.
        body = self.keyed.text("pem", value, length=66, alphabet=string.ascii_letters + string.digits)
        return breaks.join((f"-----BEGIN {name}-----", f"{_PEM_MARK}{body}", f"-----END {name}-----"))

    def authorization(self, value: str) -> str:
        """Return an Authorization value with its scheme kept and its credentials replaced."""
        found = _SCHEME.fullmatch(value)
        if found is None:
            return self.secret(value)
        scheme, space, credentials = found.groups()
        return scheme + space + self.credentials(scheme, credentials)

    def credentials(self, scheme: str, value: str) -> str:
        """Return the credentials of a scheme; those of Basic still decode to a name and a password."""
        if scheme.lower() != "basic":
            return re.sub(r'[^\s,="]{8,}(?=[\s,"]|$)', lambda part: self.secret(part.group()), value)
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error):
            return self.secret(value)
        user, colon, password = decoded.partition(":")
        if not colon:
            return self.secret(value)
        return base64.b64encode(f"{self.secret(user)}:{self.secret(password)}".encode()).decode()

    def cookie(self, value: str) -> str:
        """Return a Cookie or Set-Cookie value with the names and attributes kept and the values replaced."""
        if "=" not in value:
            return self.secret(value)
        return _COOKIE.sub(
            lambda pair: (
                pair.group()
                if pair.group(1).strip('="').lower() in _COOKIE_ATTRIBUTES
                else pair.group(1) + self.secret(pair.group(2))
            ),
            value,
        )

    def secret(self, value: str) -> str:
        """Return the stand-in for a token, password or id."""
        if value.startswith("eyJ") and value.count(".") == 2:
            return self.jwt(value)
        if value.startswith("-----BEGIN "):
            return self.pem(value)
        if _WHOLE_EMAIL.fullmatch(value):
            return self.email(value)
        if VENDOR_KEY.fullmatch(value):
            return self.vendor_key(value)
        return self.keyed.opaque(value)

    def vendor_key(self, value: str) -> str:
        """Return the stand-in for a vendor's key, its telling prefix kept; a live key's says it is for tests."""
        head = VENDOR_PREFIX.match(value)
        prefix = head.group() if head else ""
        return prefix.replace("_live_", "_test_") + self.keyed.opaque(value[len(prefix) :])

    def birth_date(self, value: str) -> str:
        """Return a date of birth in 1900, which says nothing of an age."""
        if not _UNIX_OR_DATE.match(value) or value.startswith("1900-"):
            return value
        number = self.keyed.number("birth date", value)
        return f"1900-{number % 12 + 1:02d}-{number // 12 % 28 + 1:02d}{value[10:]}"

    def pin(self, value: str) -> str:
        """Return zeros: so short a number leaves no room for a stand-in of its own."""
        return "0" * len(value) if value.isascii() and value.isdigit() else self.secret(value)

    def of_kind(self, value: str, kind: Kind, *, field: str = "") -> str:
        """Return the stand-in for a value of which the field's name says the kind.

        Parameters
        ----------
        value : str
        kind : Kind
        field : str
            The field's name.
        """
        if not value.strip() or is_placeholder(value.strip()):
            return value
        if kind is Kind.NATIONAL_ID:
            return national_ids.substitute_any(self.keyed, value, field=field) or self.secret(value)
        if kind in {Kind.NAME, Kind.ADDRESS} and "@" in value:
            return self.email(value)
        if kind is Kind.NAME and not _FICTITIOUS_WORD.search(value):
            self.known_names.add(value, field=field)
        return self._of_kind[kind](value)

    def _card_field(self, value: str) -> str:
        return self.card(value) if 12 <= len(_digits_of(value)) <= 19 else self.secret(value)

    def _iban_field(self, value: str) -> str:
        compact = "".join(sign for sign in value if sign.isalnum()).upper()
        return self.iban(value) if compact.isascii() and checksums.is_iban(compact) else self.secret(value)

    def _phone_field(self, value: str) -> str:
        return self.phone(value) if _digits_of(value) else value

    def _ip_list(self, value: str) -> str:
        return re.sub(r"[^,\s]+", lambda part: self.ip(part.group()), value)


def _unchanged(value: str) -> str:
    return value


def _is_digit(sign: str) -> bool:
    return "0" <= sign <= "9"


def _digits_of(value: str) -> str:
    return "".join(filter(_is_digit, value))


def _in_places_of(value: str, made: str) -> str:
    """Put new letters and digits in the places of the old ones; what separates them stays."""
    signs = iter(made)
    return "".join(next(signs, "") if sign.isascii() and sign.isalnum() else sign for sign in value)


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _plain_header(head: str) -> str:
    """Return a JWT's header with nothing but its algorithm and type: a key's id names a key."""
    try:
        decoded = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        decoded = {}
    names = decoded if isinstance(decoded, dict) else {}
    plain = re.compile(r"[A-Za-z0-9+]{1,8}")
    kept = {name: names[name] for name in ("alg", "typ") if plain.fullmatch(str(names.get(name, "")))}
    return _base64url(json.dumps(kept or {"alg": "HS256", "typ": "JWT"}, separators=(",", ":")))
