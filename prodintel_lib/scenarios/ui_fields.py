"""What a form field asks for, and whether what was typed there may be told again.

The words of a field's name, test id, selector and input type decide, as they do for the fields of recorded rows
(`privacy.fields`). What asks for something personal, and what was masked, becomes a named form value.
"""

from __future__ import annotations

import re
from typing import Final

from prodintel_lib.privacy.fields import Kind, kind_of_field, words_of
from prodintel_lib.scenarios.ui_model import FormValue, Recorded, Target, Value

_MASKED: Final = re.compile(
    r"\[[^\]]*(masked|redacted|removed|hidden)[^\]]*\]|[*•●x]{3,}|<[^>]*(masked|redacted)[^>]*>", re.IGNORECASE
)
COUNTRY: Final = re.compile("[A-Z]{2}")
_NOT_IN_SLUG: Final = re.compile(r"[^a-z0-9]+")

# Names of form values by the words that ask for them; the first whose words are all there counts. The words are those
# of HTML's `autocomplete` tokens and of usual labels.
_ASKED: Final[tuple[tuple[str, str], ...]] = (
    ("card_expiry", "expiry"),
    ("card_expiry", "expires"),
    ("card_expiry", "expiration"),
    ("card_expiry", "cc exp"),
    ("card_expiry", "good until"),
    ("card_expiry", "valid until"),
    ("card_security_code", "security code"),
    ("card_security_code", "cc csc"),
    ("card_security_code", "cvc"),
    ("card_security_code", "cvv"),
    ("card_name", "name card"),
    ("card_name", "cc name"),
    ("card_name", "cardholder"),
    ("card_number", "card number"),
    ("card_number", "cc number"),
    ("email", "email"),
    ("email", "e mail"),
    ("phone", "phone"),
    ("phone", "telephone"),
    ("phone", "mobile number"),
    ("phone", "tel"),
    ("first_name", "first name"),
    ("first_name", "given name"),
    ("last_name", "last name"),
    ("last_name", "family name"),
    ("last_name", "surname"),
    ("full_name", "full name"),
    ("full_name", "your name"),
    ("postcode", "postcode"),
    ("postcode", "postal code"),
    ("postcode", "zip"),
    ("city", "address level 2"),
    ("region", "address level 1"),
    ("city", "city"),
    ("city", "town"),
    ("street", "street"),
    ("street", "address"),
)
_OF_ACOUNTRY: Final = frozenset({"postcode", "phone", "city", "region", "street", "iban", "national_id"})
_BY_KIND: Final = {
    Kind.EMAIL: "email",
    Kind.PHONE: "phone",
    Kind.NAME: "full_name",
    Kind.ADDRESS: "street",
    Kind.POSTCODE: "postcode",
    Kind.CARD: "card_number",
    Kind.PIN: "card_security_code",
    Kind.IBAN: "iban",
    Kind.BIRTH_DATE: "birth_date",
    Kind.NATIONAL_ID: "national_id",
    Kind.SECRET: "password",
    Kind.ID: "username",
}


def value_of_field(target: Target, recorded: str | None, *, input_type: str = "", country: str = "") -> Value:
    """Say what a field is to be given: the value as it was recorded, or the form value of a name.

    Parameters
    ----------
    target : Target
        The field.
    recorded : str or None
        What was typed or chosen; None where the source does not say.
    input_type : str, optional
        HTML's `type` or `autocomplete` of the field.
    country : str, optional
        Two letters: the country chosen in the same visit.

    Examples
    --------
    >>> value_of_field(Target(role="searchbox", name="Search"), "lamp")
    Recorded(source='recorded', text='lamp')
    >>> value_of_field(Target(role="textbox", name="Card number"), "4929 1234 5678 9012")
    FormValue(source='form_value', name='card_number', country='')
    """
    asked = asked_of_field(target, input_type=input_type)
    if asked:
        return FormValue(name=asked, country=country if asked in _OF_ACOUNTRY else "")
    if recorded is None or _MASKED.search(recorded):
        return FormValue(name=slug_of(target.name or target.test_id or target.selector, fallback="field"))
    return Recorded(text=recorded)


def asked_of_field(target: Target, *, input_type: str = "") -> str:
    """Return the name of the personal value a field asks for, empty where it asks for nothing personal."""
    for said in (input_type, target.name, target.test_id, target.selector):
        words = set(words_of(said))
        for name, asked in _ASKED:
            if words.issuperset(asked.split()):
                return name
        kind = kind_of_field(said) if said else None
        if kind in _BY_KIND:
            return _BY_KIND[kind]
    return ""


def country_chosen(target: Target, value: str | None) -> str:
    """Return the country that a field was given as two letters, empty where it is no such field.

    Examples
    --------
    >>> country_chosen(Target(role="combobox", name="Country"), "NL")
    'NL'
    """
    words = {word for said in (target.name, target.test_id) for word in words_of(said)}
    return value if value and "country" in words and COUNTRY.fullmatch(value) else ""


def slug_of(text: str, *, fallback: str) -> str:
    """Return the plain words of a text as a slug; the fallback where it has none.

    Examples
    --------
    >>> slug_of("/product/{id}", fallback="home"), slug_of("/", fallback="home"), slug_of("404", fallback="page")
    ('product_id', 'home', 'page_404')
    """
    slug = _NOT_IN_SLUG.sub("_", text.lower()).strip("_")
    if not slug:
        return fallback
    if not slug[0].isalpha():
        slug = f"{fallback}_{slug}"
    return slug[:80].rstrip("_")
