import pytest

from prodintel_lib.scenarios.ui_fields import country_chosen, slug_of, value_of_field
from prodintel_lib.scenarios.ui_model import FormValue, Recorded, Target


def field(name="", **said):
    return Target(role="textbox", name=name, **said)


@pytest.mark.parametrize(
    ("target", "input_type", "asked"),
    [
        (field("E-mail"), "", "email"),
        (field("Your e-mail address"), "", "email"),
        (field("Card number"), "", "card_number"),
        (field("Name on card"), "", "card_name"),
        (field("Expiry date (MM/YY)"), "", "card_expiry"),
        (field("CVC"), "", "card_security_code"),
        (field("Postleitzahl"), "postal-code", "postcode"),
        (field("Ort"), "address-level2", "city"),
        (field("Full name"), "", "full_name"),
        (field("Stra\u00dfe", test_id="street-address"), "", "street"),
        (field("Passwort"), "password", "password"),
        (field("x", selector="#billing-phone"), "", "phone"),
    ],
)
def test_value_of_field_never_tells_what_is_personal(target, input_type, asked):
    assert value_of_field(target, "recorded all the same", input_type=input_type) == FormValue(name=asked)


@pytest.mark.parametrize("name", ["Search products", "Quantity", "Coupon code", "Country", "Sort by"])
def test_value_of_field_tells_what_is_not(name):
    assert value_of_field(field(name), "5") == Recorded(text="5")


@pytest.mark.parametrize("recorded", [None, "[masked]", "<REDACTED>", "\u2022\u2022\u2022\u2022", "***"])
def test_value_of_field_puts_a_form_value_for_what_was_masked(recorded):
    assert value_of_field(field("Delivery note"), recorded) == FormValue(name="delivery_note")


def test_value_of_field_keeps_an_emptied_field_empty():
    assert value_of_field(field("Coupon code"), "") == Recorded(text="")


def test_value_of_field_suits_the_country_where_that_matters():
    assert value_of_field(field("Postcode"), None, country="NL") == FormValue(name="postcode", country="NL")
    assert value_of_field(field("E-mail"), None, country="NL") == FormValue(name="email")


def test_country_chosen_reads_two_letters_of_a_field_for_countries():
    assert country_chosen(field("Country"), "NL") == "NL"
    assert country_chosen(field("Country"), "Netherlands") == ""
    assert country_chosen(field("Size"), "XL") == ""


def test_slug_of_is_a_name_whatever_the_text():
    assert slug_of("</script>\u2028", fallback="page") == "script"
    assert slug_of("\u4e2d", fallback="page") == "page"
    assert slug_of("a" * 200, fallback="page") == "a" * 80
