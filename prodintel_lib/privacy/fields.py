"""What the name of a field says of its value: which words mean personal data or a secret."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from prodintel_lib.privacy.word_set import word_set

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """How a value is replaced."""

    TEXT = "text"
    KEEP = "keep"
    VERSION = "version"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    ID = "id"
    PIN = "pin"
    AUTHORIZATION = "authorization"
    COOKIE = "cookie"
    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"
    ADDRESS = "address"
    POSTCODE = "postcode"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP = "ip"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    BIRTH_DATE = "birth_date"


# The last words of a field's name decide: `access_token` is a secret, `token_type` and `token_count` are not.
_TAILS: Final[dict[Kind, str]] = {
    Kind.SECRET: (
        "password passwd passwort pwd pass passphrase passcode secret token jwt bearer apikey api_key access_key "
        "secret_key private_key encryption_key signing_key account_key shared_access_key subscription_key auth_key "
        "license_key x_api_key credential credentials csrf xsrf csrftoken xsrftoken authtoken accesstoken "
        "refreshtoken idtoken signature sig nonce_secret client_secret recovery_code backup_code verification_code "
        "auth_code session_key sessionkey"
    ),
    Kind.PIN: "pin cvv cvc cvv2 cvc2 otp totp security_code",
    Kind.AUTHORIZATION: "authorization proxy_authorization",
    Kind.COOKIE: "cookie cookies set_cookie session_cookie",
    Kind.ID: (
        "user_id userid usr_id customer_id customerid member_id visitor_id session_id sessionid sess_id sid "
        "jsessionid phpsessid patient_id employee_id subscriber_id person_id passenger_id device_id advertising_id "
        "anonymous_id previous_session_id account_number username user_name user_login login_name enduser_id "
        "idfa gaid imei imsi iccid mac_address passport passport_number licence_number license_number connect_sid"
    ),
    Kind.EMAIL: "email emails e_mail mail_address email_address email_to email_from mailto recipient_email",
    Kind.PHONE: "phone phones phone_number phonenumber telephone tel mobile mobile_number msisdn fax cell_phone",
    Kind.NAME: (
        "first_name firstname last_name lastname full_name fullname given_name givenname family_name familyname "
        "middle_name surname maiden_name customer_name cardholder card_holder cardholder_name holder_name "
        "account_holder contact_name recipient_name shipping_name billing_name display_name patient_name "
        "employee_name passenger_name nickname"
    ),
    Kind.ADDRESS: (
        "address street street_address street_name address_line address_line1 address_line2 address1 address2 "
        "address_line_1 address_line_2 home_address postal_address shipping_address billing_address "
        "delivery_address mailing_address house_number"
    ),
    Kind.POSTCODE: "postcode post_code postal_code postalcode zip zipcode zip_code plz",
    Kind.CARD: "card_number cardnumber credit_card creditcard ccnum cc_number pan",
    Kind.IBAN: "iban",
    Kind.NATIONAL_ID: (
        "ssn social_security_number national_id nationalid tax_id taxid nino national_insurance_number bsn pesel dni "
        "nie codice_fiscale hetu personnummer nir insee steuer_id"
    ),
    Kind.IP: (
        "ip_address ipaddress client_ip clientip remote_ip remote_addr user_ip source_ip src_ip x_forwarded_for "
        "forwarded_for x_real_ip true_client_ip cf_connecting_ip client_address client_addr"
    ),
    Kind.LATITUDE: "lat latitude",
    Kind.LONGITUDE: "lon lng long longitude",
    Kind.BIRTH_DATE: "birth_date birthdate date_of_birth dob birthday",
}
_KIND_OF: Final = {tuple(words.split("_")): kind for kind, listed in _TAILS.items() for words in listed.split()}
_LONGEST: Final = max(map(len, _KIND_OF))
# `server.address`, `memory_address` and their like name machines.
_MACHINES: Final = word_set(
    "server host network memory local bind listen listening socket peer remote destination source base target "
    "contract wallet upstream node bus virtual physical stack return instruction program load fault base start end"
)
_NOT_SECRET: Final = word_set("max min total used prompt completion input output num next unexpected per")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words that mean a person's data only where the object around them is about a person.
_AMBIGUOUS: Final = {
    "name": Kind.NAME,
    "line1": Kind.ADDRESS,
    "line2": Kind.ADDRESS,
    "city": Kind.ADDRESS,
    "town": Kind.ADDRESS,
    "number": Kind.TEXT,
    "summary": Kind.TEXT,
}
# What an object says of itself where it stands for a person: PagerDuty's `user_reference` has the name as `summary`.
_PERSON_TYPES: Final = word_set("user users user_reference person people contact member")
_PERSONAL: Final = word_set(
    "user customer person people member contact recipient shipping billing passenger patient employee owner sender "
    "receiver buyer seller author guest visitor subscriber profile address cardholder payer payee applicant "
    "assignee committer responder commander reporter requester approver reviewer"
)
_PERSONAL_KINDS: Final = frozenset(
    {Kind.EMAIL, Kind.PHONE, Kind.NAME, Kind.ADDRESS, Kind.POSTCODE, Kind.NATIONAL_ID, Kind.BIRTH_DATE}
)
# What joins rows, and what people ask for by name.
KEPT_FIELDS: Final = word_set("time_us trace_id span_id parent_span_id traceid spanid parentspanid incident_id")


@lru_cache(maxsize=16384)
def kind_of_field(name: str) -> Kind | None:
    """Return what a field's name says of its value, None where it says nothing.

    Examples
    --------
    >>> kind_of_field("http.request.header.x-api-key"), kind_of_field("token_type"), kind_of_field("server.address")
    (<Kind.SECRET: 'secret'>, None, None)
    """
    if name.lower() in KEPT_FIELDS:
        return Kind.KEEP
    words = words_of(name[-256:])
    if words and words[-1] == "version":
        return Kind.VERSION
    if len(words) > 1 and words[-1].isdigit() and words[-2:] not in _KIND_OF:
        # `password2`, `email_1`: one of several.
        words = words[:-1]
    for count in range(min(_LONGEST, len(words)), 0, -1):
        kind = _KIND_OF.get(words[-count:])
        if kind is not None:
            before = words[-count - 1] if len(words) > count else ""
            if kind is Kind.ADDRESS and words[-1] == "address" and before in _MACHINES:
                return None
            return None if kind is Kind.SECRET and before in _NOT_SECRET else kind
    return None


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, however they are joined."""
    return tuple(word.lower() for word in _WORD.findall(name))


def kind_in_object(name: str, parent: str, siblings: Mapping[str, object]) -> Kind | None:
    """Return what a field means within its object: a `name` beside an e-mail, or below `customer`, is a person's.

    Parameters
    ----------
    name : str
    parent : str
        The name of the field that holds the object.
    siblings : mapping
        The object.
    """
    kind = kind_of_field(name)
    if kind is not None or name.lower() not in _AMBIGUOUS:
        return kind
    said = siblings.get("type")
    if name.lower() in {"name", "summary"} and isinstance(said, str) and said in _PERSON_TYPES:
        return Kind.NAME
    owners = words_of(parent)
    if owners and (owners[-1] in _PERSONAL or owners[-1].removesuffix("s") in _PERSONAL):
        return _AMBIGUOUS[name.lower()]
    if any(kind_of_field(sibling) in _PERSONAL_KINDS for sibling in siblings):
        return _AMBIGUOUS[name.lower()]
    return None


def field_pattern() -> str:
    """Return a pattern without lookaround that every field name with a kind ends on, whatever joins its words."""
    tails = {"[^a-z0-9]?".join(words) for words in _KIND_OF}
    shortest = [tail for tail in tails if not any(tail != other and tail.endswith(other) for other in tails)]
    return "(?:" + "|".join(sorted(shortest)) + ")"


def personal_pattern() -> str:
    """Return a pattern for the names of objects that are about a person."""
    return "(?:" + "|".join(sorted(_PERSONAL)) + ")"
