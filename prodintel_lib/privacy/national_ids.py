"""National ids that a form alone gives away, and their stand-ins from ranges that are never issued."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodintel_lib.privacy.keyed import Keyed

_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_SIGNS: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
# Agenzia delle Entrate: what a sign at an odd place counts; a digit counts as the letter of its number.
_CF_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


@dataclass(frozen=True, slots=True)
class NationalId:
    """One kind of id.

    Attributes
    ----------
    name : str
    pattern : str
        How it is written, for a regular expression without groups, with spaces and dashes where people put them.
    is_issued : callable
        Whether the compact form can belong to a person.
    is_fictitious : callable
        Whether the compact form is a stand-in.
    make : callable
        Keyed digits to a stand-in's compact form, with as many characters as the real one.
    words : str
        Where the form alone gives too little away: the words one of which must stand before it.
    """

    name: str
    pattern: str
    is_issued: Callable[[str], bool]
    is_fictitious: Callable[[str], bool]
    make: Callable[[str], str]
    words: str = ""


def _is_ssn(compact: str) -> bool:
    area, group, serial = compact[:3], compact[3:5], compact[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _dni(number: str, letter: str = "") -> str:
    return f"{letter}{number}{_DNI_LETTERS[int({'X': '0', 'Y': '1', 'Z': '2'}.get(letter, '') + number) % 23]}"


def _is_dni(compact: str) -> bool:
    letter, number = ("", compact[:-1]) if compact[0].isdigit() else (compact[0], compact[1:-1])
    return _dni(number, letter) == compact


def _hetu(head: str, number: str) -> str:
    return head + number + _HETU_SIGNS[int(head[:6] + number) % 31]


def _is_hetu(compact: str) -> bool:
    return _is_day(compact[:2], compact[2:4]) and _hetu(compact[:7], compact[7:10]) == compact


def _nir(number: str) -> str:
    return f"{number}{97 - int(number) % 97:02d}"


def _is_nir(compact: str) -> bool:
    month = int(compact[3:5])
    # Where a certificate of birth says no month, INSEE writes 20, 30 to 42 or 50 and more.
    known = 1 <= month <= 12 or month == 20 or 30 <= month <= 42 or 50 <= month < 99
    return known and _nir(compact[:13]) == compact


def _codice_fiscale(head: str) -> str:
    ranks = [int(sign) if sign.isdigit() else ord(sign) - ord("A") for sign in head]
    return head + chr(ord("A") + (sum(_CF_ODD[rank] for rank in ranks[::2]) + sum(ranks[1::2])) % 26)


def _bsn(head: str) -> str:
    """Return nine digits that pass the eleven test, from seven."""
    for last in range(100):
        number = f"{head}{last:02d}"
        if _passes_eleven(number):
            return number
    raise AssertionError(head)


def _passes_eleven(number: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(sign) for weight, sign in zip(weights, number, strict=True)) % 11 == 0


def _pesel(head: str) -> str:
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    return f"{head}{-sum(weight * int(sign) for weight, sign in zip(weights, head, strict=True)) % 10}"


def _is_pesel(compact: str) -> bool:
    return _is_day(compact[4:6], f"{int(compact[2:4]) % 20:02d}") and _pesel(compact[:10]) == compact


def _is_day(day: str, month: str) -> bool:
    try:
        date(2000, int(month), int(day))
    except ValueError:
        return False
    return True


NATIONAL_IDS: Final = (
    NationalId(
        name="us_ssn",
        pattern=r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
        is_issued=_is_ssn,
        # Areas from 900 are never given as an SSN, and the groups 01 to 09 not as another tax number either.
        is_fictitious=lambda compact: compact >= "900" and "01" <= compact[3:5] <= "09",
        make=lambda digits: f"9{digits[:2]}0{int(digits[2]) % 9 + 1}{digits[3:7]}",
    ),
    NationalId(
        name="uk_nino",
        pattern=r"[A-CEGHJ-PQR-TW-Z][A-CEGHJ-NPQR-TW-Z] [0-9]{2} [0-9]{2} [0-9]{2} [A-D]",
        is_issued=lambda compact: "Q" not in compact[:2],
        is_fictitious=lambda compact: compact.startswith("QQ"),
        make=lambda digits: f"QQ{digits[:6]}{'ABCD'[int(digits[6]) % 4]}",
    ),
    NationalId(
        name="es_dni",
        pattern=r"[0-9]{8}-?[A-HJ-NP-TV-Z]",
        is_issued=_is_dni,
        is_fictitious=lambda compact: compact.startswith("0000"),
        make=lambda digits: _dni(f"0000{digits[:4]}"),
    ),
    NationalId(
        name="es_nie",
        pattern=r"[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]",
        is_issued=_is_dni,
        is_fictitious=lambda compact: compact[1:4] == "000",
        make=lambda digits: _dni(f"000{digits[:4]}", "XYZ"[int(digits[4]) % 3]),
    ),
    NationalId(
        name="it_codice_fiscale",
        pattern=r"[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]",
        is_issued=lambda compact: _codice_fiscale(compact[:15]) == compact,
        # There is no country of birth Z999.
        is_fictitious=lambda compact: compact.startswith("FCTFCT") and compact[11:15] == "Z999",
        make=lambda digits: _codice_fiscale(f"FCTFCT{digits[:2]}A{int(digits[2:4]) % 28 + 1:02d}Z999"),
    ),
    NationalId(
        name="fi_hetu",
        pattern=r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]",
        is_issued=_is_hetu,
        # Individual numbers from 900 are set aside for tests.
        is_fictitious=lambda compact: compact[7] == "9",
        make=lambda digits: _hetu(f"{int(digits[:2]) % 28 + 1:02d}01{digits[2:4]}-", f"9{digits[4:6]}"),
    ),
    NationalId(
        name="fr_nir",
        pattern=r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        is_issued=_is_nir,
        is_fictitious=lambda compact: compact[3:5] == "99",
        make=lambda digits: _nir(f"1{digits[:2]}9999{digits[2:8]}"),
    ),
    NationalId(
        name="nl_bsn",
        pattern=r"[0-9]{9}",
        is_issued=_passes_eleven,
        is_fictitious=lambda compact: compact.startswith("9999"),
        make=lambda digits: _bsn(f"9999{digits[:3]}"),
        words="bsn|burgerservicenummer|sofinummer",
    ),
    NationalId(
        name="pl_pesel",
        pattern=r"[0-9]{11}",
        is_issued=_is_pesel,
        # Month 92 is December of the 1800s.
        is_fictitious=lambda compact: compact[2:4] == "92",
        make=lambda digits: _pesel(f"{digits[:2]}92{int(digits[2:4]) % 28 + 1:02d}{digits[4:8]}"),
        words="pesel",
    ),
)
_SEPARATOR: Final = re.compile(r"[ -]")
_WHOLE: Final = tuple((kind, re.compile(kind.pattern)) for kind in NATIONAL_IDS)


def substitute(keyed: Keyed, kind: NationalId, value: str) -> str | None:
    """Return the stand-in for an id as it is written, the id itself if it is one already, None if it is no id."""
    compact = value if kind.name == "fi_hetu" else _SEPARATOR.sub("", value)
    if kind.is_fictitious(compact):
        return value
    if not kind.is_issued(compact):
        return None
    made = iter(kind.make(keyed.digits(kind.name, compact, length=10)))
    if kind.name == "fi_hetu":
        return "".join(made)
    return "".join(sign if _SEPARATOR.match(sign) else next(made) for sign in value)


def substitute_any(keyed: Keyed, value: str, *, field: str = "") -> str | None:
    """Return the stand-in for a value that is known to be an id, or None where its form is unknown.

    Parameters
    ----------
    keyed : Keyed
    value : str
    field : str
        The name of its field: kinds that need a word are looked for where the field has it.
    """
    for kind, pattern in _WHOLE:
        if kind.words and not re.search(kind.words, field, re.IGNORECASE):
            continue
        if pattern.fullmatch(value) and (made := substitute(keyed, kind, value)) is not None:
            return made
    if value.isascii() and value.isdigit() and len(value) == 9:
        dashed = substitute_any(keyed, f"{value[:3]}-{value[3:5]}-{value[5:]}")
        return dashed.replace("-", "") if dashed else None
    return None
