import pytest

from prodintel_lib.privacy.checksums import iban_check, is_card, is_iban, luhn_digit, passes_luhn
from prodintel_lib.privacy.keyed import Keyed
from prodintel_lib.privacy.national_ids import NATIONAL_IDS, substitute, substitute_any

KEYED = Keyed(bytes(32))


def test_luhn_digit_is_that_of_the_standards_example():
    assert luhn_digit("7992739871") == "3"
    assert passes_luhn("79927398713")
    assert not passes_luhn("79927398710")


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("4111111111111111", True),
        ("378282246310005", True),
        ("36227206271667", True),
        ("2223003122003222", True),
        ("4111111111111112", False),
        ("1111111111111117", False),
        ("41111111111111", False),
        ("0000000000000000", False),
    ],
)
def test_is_card_asks_for_scheme_length_and_check_digit(digits, expected):
    assert is_card(digits) is expected


def test_is_iban_asks_for_country_length_and_check_digits():
    assert iban_check("GB", "WEST12345698765432") == "82"
    assert is_iban("GB82WEST12345698765432")
    assert not is_iban("GB83WEST12345698765432")
    assert not is_iban("GB82WEST1234569876543")
    assert not is_iban("ZZ82WEST12345698765432")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("us_ssn", "536-22-8726"),
        ("uk_nino", "AB 12 34 56 C"),
        ("es_dni", "54362315K"),
        ("es_nie", "X2482300W"),
        ("it_codice_fiscale", "RSSMRA85T10A562S"),
        ("fi_hetu", "131052-308T"),
        ("fr_nir", "2 55 08 14 168 025 38"),
        ("nl_bsn", "111222333"),
        ("pl_pesel", "44051401359"),
    ],
)
def test_substitute_gives_a_stand_in_that_no_one_has(kind, value):
    entry = next(entry for entry in NATIONAL_IDS if entry.name == kind)
    made = substitute(KEYED, entry, value)
    assert made is not None
    assert made != value
    assert [sign.isdigit() for sign in made] == [sign.isdigit() for sign in value]
    assert entry.is_fictitious(made if kind == "fi_hetu" else made.replace(" ", "").replace("-", ""))
    assert substitute(KEYED, entry, made) == made
    if kind not in {"us_ssn", "uk_nino", "fr_nir"}:
        assert entry.is_issued(made)


@pytest.mark.parametrize("value", ["000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000"])
def test_substitute_leaves_numbers_that_are_never_issued(value):
    assert substitute(KEYED, NATIONAL_IDS[0], value) is None


def test_substitute_any_needs_the_fields_name_for_some():
    assert substitute_any(KEYED, "44051401359") is None
    assert substitute_any(KEYED, "44051401359", field="pesel") is not None
    assert substitute_any(KEYED, "536228726").isdigit()
