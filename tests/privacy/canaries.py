"""Values to plant in sources, and a search for them in whatever is written afterwards."""

import base64
import html
import json
import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class Canary:
    """One planted value: its kind, and the name of a field it may stand in."""

    kind: str
    value: str
    field: str
    needs_field: bool = False


CANARIES = (
    Canary("email", "marigold.fenwick@brightwater-corp.com", "email"),
    Canary("email_plus", "t.okafor+billing@northgate.co.uk", "contact_email"),
    Canary("email_upper", "Ludovica.Bianchi@Posta-Certa.IT", "emailAddress"),
    Canary("phone_us", "+1 415 868 2941", "phone"),
    Canary("phone_us_plain", "+14158682947", "mobile"),
    Canary("phone_us_national", "(628) 868-3177", "phoneNumber"),
    Canary("phone_uk", "+44 7911 482913", "tel"),
    Canary("phone_de", "+49 30 91827364", "telephone"),
    Canary("phone_fr", "+33 6 12 84 93 71", "msisdn"),
    Canary("name_full", "Perpetua Quillfeather", "full_name", needs_field=True),
    Canary("name_first", "Thaddeusina", "first_name", needs_field=True),
    Canary("name_last", "Winterbottomley", "lastName", needs_field=True),
    Canary("name_holder", "Ottoline Vandersloot", "cardholder_name", needs_field=True),
    Canary("street", "4711 Quince Orchard Terrace", "street", needs_field=True),
    Canary("shipping_address", "88 Larkspur Crescent Didcot", "shipping_address", needs_field=True),
    Canary("postcode", "OX11 7QJ", "postcode", needs_field=True),
    Canary("card_visa", "4539578763621486", "card_number"),
    Canary("card_visa_spaced", "4716 4615 8332 2103", "pan"),
    Canary("card_mastercard", "5425233430109903", "cardNumber"),
    Canary("card_amex", "374245455400126", "credit_card"),
    Canary("cvv", "8317", "cvv", needs_field=True),
    Canary("iban_de", "DE89370400440532013000", "iban"),
    Canary("iban_gb_spaced", "GB29 NWBK 6016 1331 9268 19", "iban"),
    Canary("iban_nl", "NL91ABNA0417164300", "iban"),
    Canary("ssn", "536-22-8726", "ssn"),
    Canary("ssn_plain", "536228731", "ssn", needs_field=True),
    Canary("nino", "AB 12 34 56 C", "national_insurance_number"),
    Canary("dni", "54362315K", "dni"),
    Canary("nie", "X2482300W", "nie"),
    Canary("codice_fiscale", "RSSMRA85T10A562S", "codice_fiscale"),
    Canary("hetu", "131052-308T", "hetu"),
    Canary("nir", "255081416802538", "nir"),
    Canary("bsn", "111222333", "bsn", needs_field=True),
    Canary("pesel", "44051401359", "pesel", needs_field=True),
    Canary("ipv4", "81.187.44.219", "client_ip"),
    Canary("ipv6", "2a00:23c7:9d84:5a01:1c2f:77ff:fe3b:9e21", "remote_addr"),
    Canary("latitude", "51.608937", "latitude", needs_field=True),
    Canary("longitude", "-1.244518", "lng", needs_field=True),
    Canary("birth_date", "1987-03-29", "date_of_birth", needs_field=True),
    Canary("password", "correct-Horse!battery9", "password", needs_field=True),
    Canary("password_short", "hunter2!", "pwd", needs_field=True),
    Canary("secret", "wJalrXUtnFEMIK7MDENGbPxRfiCYzq", "client_secret", needs_field=True),
    Canary("opaque_token", "q7Zp0vKk2mWn8sXy4dRt6gHj", "access_token", needs_field=True),
    Canary("bearer", "Bearer 9fQz7LmX2pRvT8sKd3WbYh", "authorization"),
    Canary("basic", "Basic bWFyaWdvbGQ6aHVudGVyMg==", "Authorization"),
    Canary("cookie", "sid=Jx81kQpLm4Zr; cart=Vb72nWqTe9Ys", "cookie", needs_field=True),
    Canary(
        "jwt",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtYXJpZ29sZCIsImlhdCI6MTUxNjIzOTAyMn0."
        "KMUFsIDTnFmyG3nMiGM6H9FNFUROf3wh7SmqJp-QV30",
        "id_token",
    ),
    Canary("aws_access_key", "AKIAQ4FDPGZ6XWHT2MLC", "aws_access_key_id"),
    Canary("gcp_key", "AIzaSyD3kR8vQ2mXp7Lw9TzN4bHc6JfY1sGuEoA", "key"),
    Canary("github_token", "ghp_4f8Kd2LmQz7RvXw9TbNc6HjYp3SgUe1AoWi5", "github_token"),
    Canary("github_fine", "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789", "pat"),
    Canary("slack_token", "xoxb-284719305526-918273645546-Kd82LmQz7RvXw9TbNc6HjYp3", "slack"),
    Canary("slack_webhook", "hooks.slack.com/services/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", "webhook"),
    Canary("stripe_key", "sk_live_51Kd82LmQz7RvXw9TbNc6HjYp3", "stripe_key"),
    Canary("gitlab_token", "glpat-Kd82LmQz7RvXw9TbNc6H", "gitlab"),
    Canary("sendgrid_key", "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", "sendgrid"),
    Canary("npm_token", "npm_Kd82LmQz7RvXw9TbNc6HjYp3SgUe1AoWi5Kd", "npm"),
    Canary("openai_key", "sk-proj-Kd82LmQz7RvXw9TbNc6HjYp3SgUe1AoWi5Kd82Lm", "openai"),
    Canary("userinfo", "postgres://ledger:Wq8zLm4Kd2vX@db.internal:5432/ledger", "dsn"),
    Canary("query_secret", "https://api.internal/v1/export?api_key=Zr7Qp2Lm9Xw4&format=csv", "url"),
    Canary(
        "pem",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAz7Qp2Lm9Xw4Kd82RvTbNc6HjYp3SgUe1AoWi5\n-----END RSA PRIVATE KEY-----",
        "private_key",
    ),
    Canary("user_id", "usr_7f3a9c1e5b20", "user_id"),
    Canary("session_id", "ses_4d8e2f6a1b3c5d70", "session_id"),
    Canary("session_uuid", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "sessionId", needs_field=True),
)

# Of a value that holds more than the secret, the part that must not be found.
_NEEDLES = {
    "bearer": ("9fQz7LmX2pRvT8sKd3WbYh",),
    "basic": ("bWFyaWdvbGQ6aHVudGVyMg",),
    "cookie": ("Jx81kQpLm4Zr", "Vb72nWqTe9Ys"),
    "userinfo": ("Wq8zLm4Kd2vX",),
    "query_secret": ("Zr7Qp2Lm9Xw4",),
    "pem": ("MIIEowIBAAKCAQEAz7Qp2Lm9Xw4Kd82RvTbNc6HjYp3SgUe1AoWi5",),
    "cvv": (),  # four digits turn up anywhere; its own test looks at the field
}


def needles_of(canary: Canary) -> tuple[str, ...]:
    """Return what of a canary must not be found."""
    return _NEEDLES.get(canary.kind, (canary.value,))


def forms_of(value: str) -> set[bytes]:
    """Return the bytes by which a value may be found: plain, URL-encoded, JSON- and HTML-escaped, base64."""
    escaped = {
        value,
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote(value),
        urllib.parse.quote_plus(value),
        urllib.parse.quote(value, safe="").lower(),
        json.dumps(value)[1:-1],
        json.dumps(json.dumps(value))[1:-1].strip('\\"'),
        html.escape(value),
        html.escape(html.escape(value)),
        "".join(f"&#{ord(sign)};" for sign in value),
        "".join(f"\\u{ord(sign):04x}" for sign in value),
    }
    return {form.encode() for form in escaped} | _base64_forms(value.encode())


def _base64_forms(data: bytes) -> set[bytes]:
    """Return the characters that a value has in base64 at each of the three alignments, whatever stands around it."""
    forms = set()
    for skipped in range(3):
        padded = b"\0" * skipped + data
        whole = len(padded) * 8 // 6
        first = -(-skipped * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(padded)[first:whole])
    return forms


def find_canaries(data: bytes) -> list[str]:
    """Return the kinds of the canaries that a file's bytes hold, in any of the forms."""
    return [
        canary.kind
        for canary in CANARIES
        if any(form in data for needle in needles_of(canary) for form in forms_of(needle))
    ]
