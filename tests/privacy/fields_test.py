import pytest

from prodintel_lib.privacy.fields import Kind, kind_in_object, kind_of_field


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("password", Kind.SECRET),
        ("dbPassword", Kind.SECRET),
        ("password2", Kind.SECRET),
        ("http.request.header.x-api-key", Kind.SECRET),
        ("AWS_SECRET_ACCESS_KEY", Kind.SECRET),
        ("X-Forwarded-For", Kind.IP),
        ("customer.emailAddress", Kind.EMAIL),
        ("address_line1", Kind.ADDRESS),
        ("enduser.id", Kind.ID),
        ("user_id", Kind.ID),
        ("trace_id", Kind.KEEP),
        ("service_version", Kind.VERSION),
        ("token_type", None),
        ("max_token", None),
        ("email_verified", None),
        ("server.address", None),
        ("product_name", None),
        ("name", None),
        ("", None),
    ],
)
def test_kind_of_field_goes_by_the_last_words(name, kind):
    assert kind_of_field(name) is kind


def test_kind_in_object_takes_a_name_for_a_persons_below_or_beside_one():
    assert kind_in_object("name", "customer", dict.fromkeys(["name", "id"])) is Kind.NAME
    assert kind_in_object("name", "shippingContacts", dict.fromkeys(["name"])) is Kind.NAME
    assert kind_in_object("name", "items", dict.fromkeys(["name", "phone"])) is Kind.NAME
    assert kind_in_object("name", "items", dict.fromkeys(["name", "unit_price"])) is None
    assert kind_in_object("title", "customer", dict.fromkeys(["title", "email"])) is None
