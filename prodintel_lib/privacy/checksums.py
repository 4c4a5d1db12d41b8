"""Check digits: what tells a card, an IBAN or a national id from any other number."""

from __future__ import annotations

from typing import Final

_IBAN_LENGTHS: Final = dict(
    pair.split(":")
    for pair in [
        "AD:24",
        "AE:23",
        "AL:28",
        "AT:20",
        "AZ:28",
        "BA:20",
        "BE:16",
        "BG:22",
        "BH:22",
        "BR:29",
        "BY:28",
        "CH:21",
        "CR:22",
        "CY:28",
        "CZ:24",
        "DE:22",
        "DK:18",
        "DO:28",
        "EE:20",
        "EG:29",
        "ES:24",
        "FI:18",
        "FO:18",
        "FR:27",
        "GB:22",
        "GE:22",
        "GI:23",
        "GL:18",
        "GR:27",
        "GT:28",
        "HR:21",
        "HU:28",
        "IE:22",
        "IL:23",
        "IQ:23",
        "IS:26",
        "IT:27",
        "JO:30",
        "KW:30",
        "KZ:20",
        "LB:28",
        "LC:32",
        "LI:21",
        "LT:20",
        "LU:20",
        "LV:21",
        "LY:25",
        "MC:27",
        "MD:24",
        "ME:22",
        "MK:19",
        "MR:27",
        "MT:31",
        "MU:30",
        "NL:18",
        "NO:15",
        "PK:24",
        "PL:28",
        "PS:29",
        "PT:25",
        "QA:29",
        "RO:24",
        "RS:22",
        "SA:24",
        "SC:31",
        "SE:24",
        "SI:19",
        "SK:24",
        "SM:27",
        "ST:25",
        "SV:28",
        "TL:23",
        "TN:24",
        "TR:26",
        "UA:29",
        "VA:22",
        "VG:24",
        "XK:20",
    ]
)


def luhn_digit(digits: str) -> str:
    """Return the digit that makes `digits` pass (ISO/IEC 7812-1, annex B).

    Examples
    --------
    >>> luhn_digit("424242424242424")
    '2'
    """
    doubled = sum(sum(divmod(int(sign) * 2, 10)) for sign in digits[-1::-2])
    return str(-(doubled + sum(int(sign) for sign in digits[-2::-2])) % 10)


def passes_luhn(digits: str) -> bool:
    """Say whether the last digit is the check digit of those before it."""
    return luhn_digit(digits[:-1]) == digits[-1]


def is_card(digits: str) -> bool:
    """Say whether a number has the leading digits and the length of a payment card, and passes Luhn."""
    length = len(digits)
    head = int(digits[:4])
    fits = (
        (digits[0] == "4" and length in {13, 16, 19})
        or ((5100 <= head < 5600 or 2221 <= head <= 2720) and length == 16)
        or (digits[:2] in {"34", "37"} and length == 15)
        or ((head == 6011 or digits[:2] == "65" or 6440 <= head < 6500) and 16 <= length <= 19)
        or (digits[:2] == "62" and 16 <= length <= 19)
        or (3528 <= head <= 3589 and 16 <= length <= 19)
        or ((3000 <= head <= 3059 or digits[:2] in {"36", "38", "39"}) and length == 14)
    )
    return fits and len(set(digits)) > 1 and passes_luhn(digits)


def iban_check(country: str, account: str) -> str:
    """Return the two check digits (ISO 13616, ISO/IEC 7064 mod 97-10)."""
    return f"{98 - _mod97(f'{account}{country}00'):02d}"


def is_iban(compact: str) -> bool:
    """Say whether a value without spaces is an IBAN: country, its length, and the remainder 1."""
    wanted = _IBAN_LENGTHS.get(compact[:2])
    return wanted is not None and len(compact) == int(wanted) and _mod97(compact[4:] + compact[:4]) == 1


def _mod97(signs: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in signs)) % 97
