import base64
import ipaddress
import json
import re
import sys
import threading
import urllib.parse
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from prodintel_lib.errors import ParameterError
from prodintel_lib.privacy import checksums
from prodintel_lib.privacy.config import PrivacyConfig, Rule
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser, open_pseudonymiser

sys.path.insert(0, str(Path(__file__).parent))
from canaries import CANARIES, find_canaries, forms_of
from look_alikes import LOOK_ALIKES

sys.path.pop(0)

KEY = bytes(range(32))
PSEUDONYMISER = Pseudonymiser(KEY)
FREE = [canary for canary in CANARIES if not canary.needs_field]


def named_forms(canary):
    field, value = canary.field, canary.value
    body = json.dumps({field: value})
    return {
        "json": body,
        "json in json": json.dumps({"body": body, "n": 1}),
        "json in a line": f"payload={body} end",
        "escaped json": json.dumps(f"sent {body}"),
        "python": f"got {{'{field}': '{value}'}}",
        "quoted": f'x {field}="{value}" y',
        "form": urllib.parse.urlencode({"a": "1", field: value, "z": "2"}),
        "query": f"GET /x?a=1&{urllib.parse.urlencode({field: value}, quote_via=urllib.parse.quote)} HTTP/1.1",
        "sql": f"UPDATE t SET {field} = '{value}' WHERE id = 4",
        "insert": f"INSERT INTO t (id, {field}) VALUES (4, '{value}')",
    }


def free_forms(canary):
    value = canary.value
    encoded = urllib.parse.quote(value, safe="")
    return {
        "log line": f"failed for {value} at step 3",
        "quoted": f"failed for '{value}'",
        "query": f"GET /x?q={encoded}&z=1",
        "path": f"/a/{encoded}/b",
        "stack trace": f"ValueError: {value}\n  at com.acme.Checkout.pay(Checkout.java:42)",
        "sql": f"SELECT 1 FROM t WHERE c = '{value}'",
        "span name": f"lookup {value}",
        "json key": json.dumps({value: 1}),
        "json list": json.dumps({"values": [1, value]}),
    }


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.kind)
def test_text_replaces_every_canary_in_its_field(canary):
    for form, text in named_forms(canary).items():
        made = PSEUDONYMISER.text(text)
        assert find_canaries(text.encode()) or canary.kind == "cvv", form
        assert find_canaries(made.encode()) == [], form
        assert PSEUDONYMISER.text(made) == made, form
        assert PSEUDONYMISER.may_hold(pl.Series([text]))[0], form


@pytest.mark.parametrize("canary", FREE, ids=lambda canary: canary.kind)
def test_text_replaces_every_telling_canary_without_a_field(canary):
    for form, text in free_forms(canary).items():
        made = PSEUDONYMISER.text(text)
        assert find_canaries(made.encode()) == [], form
        assert PSEUDONYMISER.text(made) == made, form
        assert PSEUDONYMISER.may_hold(pl.Series([text]))[0], form


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.kind)
def test_value_replaces_every_canary(canary):
    made = PSEUDONYMISER.value({"deep": [{canary.field: canary.value, "order_id": "ord_1f4f3520e731"}]})
    assert find_canaries(json.dumps(made).encode()) == []
    assert made["deep"][0]["order_id"] == "ord_1f4f3520e731"
    assert PSEUDONYMISER.value(made) == made


def test_value_replaces_a_short_pin_that_the_search_cannot_look_for():
    assert PSEUDONYMISER.value({"cvv": "8317", "otp": 123456}) == {"cvv": "0000", "otp": 0}


@pytest.mark.parametrize("line", LOOK_ALIKES)
def test_text_leaves_look_alikes_alone(line):
    assert PSEUDONYMISER.text(line) == line


def test_look_alikes_are_many():
    assert len(set(LOOK_ALIKES)) >= 60
    assert len({canary.kind for canary in CANARIES}) >= 50


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.kind)
def test_find_canaries_finds_each_form(canary):
    if canary.kind == "cvv":
        return
    for data in (
        canary.value.encode(),
        urllib.parse.quote(canary.value).encode(),
        json.dumps({"a": canary.value}).encode(),
        *(base64.b64encode(b"x" * count + canary.value.encode() + b" tail") for count in range(3)),
    ):
        assert canary.kind in find_canaries(data)


def test_forms_of_covers_the_escapes():
    assert {b"a%26%3C%22", b"a&amp;&lt;&quot;", b'a&<\\"', b"\\u0061\\u0026\\u003c\\u0022"} <= forms_of('a&<"')


@pytest.mark.parametrize("value", ["jane.doe@corp.com", "O'Neil+x@sub.corp.co.uk"])
def test_text_gives_an_email_at_a_reserved_domain(value):
    made = PSEUDONYMISER.text(f"to <{value}>;")
    assert re.fullmatch(r"to <user-[a-z2-7]{12}@example\.com>;", made)
    assert PSEUDONYMISER.text(f"{value.upper()}") == made[4:-2]


@pytest.mark.parametrize("value", ["4539578763621486", "5425 2334 3010 9903", "3742-454554-00126", "6011000990139424"])
def test_text_gives_a_card_that_passes_luhn(value):
    made = PSEUDONYMISER.text(f"card {value}.").removeprefix("card ").removesuffix(".")
    digits = re.sub("[ -]", "", made)
    assert checksums.is_card(digits)
    assert digits.startswith(("400000", "37828224", "6011000990139424"))
    assert [sign.isdigit() for sign in made] == [sign.isdigit() for sign in value]


@pytest.mark.parametrize(
    "value", ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR1420041010050500013M02606"]
)
def test_text_gives_an_iban_of_no_bank_that_passes_its_check(value):
    made = PSEUDONYMISER.text(f"to {value} now")[3:-4]
    assert checksums.is_iban(made.replace(" ", ""))
    assert (made[:2], len(made)) == (value[:2], len(value))
    assert made.replace(" ", "")[4:8] in {"0000", "TEST"}


def test_text_gives_addresses_for_documentation():
    assert ipaddress.ip_address(PSEUDONYMISER.text("2a00:23c7:9d84:5a01::9e21")) in ipaddress.ip_network(
        "2001:db8::/32"
    )
    assert PSEUDONYMISER.text("81.187.44.219:443").startswith(("192.0.2.", "198.51.100.", "203.0.113."))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("+1 415 868 2941", r"\+1 [2-9]\d\d 555 01\d\d"),
        ("(628) 868-3177", r"\([2-9]\d\d\) 555-01\d\d"),
        ("+44 7911 482913", r"\+44 7700 900\d{3}"),
        ("07911 482913", r"07700 900\d{3}"),
        ("+33 6 12 84 93 71", r"\+33 6 39 98 \d\d \d\d"),
        ("+49 30 91827364", r"\+99 9\d \d{8}"),
    ],
)
def test_text_gives_a_phone_number_kept_for_fiction(value, form):
    assert re.fullmatch(form, PSEUDONYMISER.text(value))


def test_text_gives_a_jwt_that_decodes():
    jwt = next(canary.value for canary in CANARIES if canary.kind == "jwt")
    head, payload, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in PSEUDONYMISER.text(jwt).split(".")
    )
    assert json.loads(head) == {"alg": "HS256", "typ": "JWT"}
    assert json.loads(payload)["fict"] is True
    assert len(signature) == 32


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        ),
        ("usr_7f3a9c1e5b20", r"usr_[0-9a-f]{12}"),
        ("usr_42", r"usr_990\d{12}"),
        ("48213", r"990\d{12}"),
        ("q7Zp0vKk2mWn", r"[a-z]\d[A-Z][a-z]\d[a-z][A-Z][a-z]\d[a-z][A-Z][a-z]"),
        ("hunter2", r"fict-[a-z2-7]{13}"),
    ],
)
def test_value_keeps_the_shape_of_an_id(value, form):
    assert re.fullmatch(form, PSEUDONYMISER.value(value, key_hint="user_id"))


def test_value_keeps_numbers_numbers():
    made = PSEUDONYMISER.value({"user_id": 48213, "lat": 51.608937, "lon": -1.244518, "password": True, "token": 3})
    assert type(made["user_id"]) is int
    assert -49 < made["lat"] < -48
    assert -124 < made["lon"] < -123
    assert (made["password"], made["token"]) == (True, 3)


def test_value_takes_a_name_for_a_persons_only_beside_what_is_personal():
    made = PSEUDONYMISER.value({"customer": {"name": "Jane Doe"}, "items": [{"name": "Blue mug"}]})
    assert made["items"] == [{"name": "Blue mug"}]
    first, last = made["customer"]["name"].split()
    assert PSEUDONYMISER.value({"first_name": "Jane", "email": ""})["first_name"] == first
    assert PSEUDONYMISER.value({"name": "Doe", "email": "a@b.co"})["name"] == last


def test_value_is_the_same_wherever_the_value_stands():
    secret = "q7Zp0vKk2mWn8sXy4dRt6gHj"
    expected = PSEUDONYMISER.value({"token": secret})["token"]
    assert PSEUDONYMISER.text(f"Authorization: Bearer {secret}") == f"Authorization: Bearer {expected}"
    assert PSEUDONYMISER.text(f"/cb?access_token={secret}&x=1") == f"/cb?access_token={expected}&x=1"
    assert PSEUDONYMISER.text(f'{{"body":"{{\\"token\\":\\"{secret}\\"}}"}}').count(expected) == 1
    assert Pseudonymiser(KEY).text(f"token={secret}") == f"token={expected}"
    assert Pseudonymiser(bytes(32)).text(f"token={secret}") != f"token={expected}"


def test_text_keeps_the_rest_of_a_json_text():
    assert (
        PSEUDONYMISER.text('{"a": 1.50, "b": [null, "é"], "pin": "1234"}')
        == '{"a": 1.5, "b": [null, "é"], "pin": "0000"}'
    )


def test_frame_replaces_by_column_and_keeps_what_joins():
    frame = pl.DataFrame(
        {
            "trace_id": ["4bf92f3577b34da6a3ce929d0e0e4736"] * 3,
            "service_version": ["81.187.44.219"] * 3,
            "user_id": ["usr_7f3a9c1e5b20", None, "usr_7f3a9c1e5b20"],
            "body": ["paid by marigold@brightwater.com", "nothing here", None],
            "http_response_status_code": [200, 500, 200],
        }
    )
    made = PSEUDONYMISER.frame(frame)
    assert made.schema == frame.schema
    assert_frame_equal(
        made.select("trace_id", "service_version", "http_response_status_code"),
        frame.select("trace_id", "service_version", "http_response_status_code"),
    )
    assert made["user_id"].to_list() == [
        PSEUDONYMISER.value("usr_7f3a9c1e5b20", key_hint="user_id"),
        None,
        made["user_id"][0],
    ]
    assert made["body"].to_list() == [PSEUDONYMISER.text("paid by marigold@brightwater.com"), "nothing here", None]
    assert "brightwater" not in str(made.rows())
    assert_frame_equal(PSEUDONYMISER.frame(made), made)


def test_frame_searches_a_version_that_is_none():
    made = PSEUDONYMISER.frame(pl.DataFrame({"service_version": ["120.0.6099.129", "4.7.0-rc1", "by a@corp.com"]}))
    assert made["service_version"].to_list()[:2] == ["120.0.6099.129", "4.7.0-rc1"]
    assert made["service_version"][2].endswith("@example.com")


def test_frame_takes_the_kinds_it_is_given():
    frame = pl.DataFrame({"who": ["48213"], "body": ["a@corp.com"]})
    made = PSEUDONYMISER.frame(frame, columns={"who": "id", "body": "keep"})
    assert made["body"].to_list() == ["a@corp.com"]
    assert re.fullmatch(r"990\d{12}", made["who"][0])


def test_frame_of_clean_lines_is_the_same_frame():
    frame = pl.DataFrame({"body": list(LOOK_ALIKES)})
    assert_frame_equal(PSEUDONYMISER.frame(frame), frame)


def test_rules_come_first_and_fields_can_be_kept():
    own = Pseudonymiser(KEY, [Rule(name="badge", pattern=r"badge ([A-Z]{2}[0-9]{4})")], keep=["session_id", "x_.*"])
    made = own.text("badge QX4711 opened")
    assert re.fullmatch(r"badge fict-[a-z2-7]{13} opened", made)
    assert own.may_hold(pl.Series(["badge QX4711 opened"]))[0]
    assert own.value({"session_id": "ses_1", "x_token": "abc", "token": "abc"}) == {
        "session_id": "ses_1",
        "x_token": "abc",
        "token": PSEUDONYMISER.value("abc", key_hint="token"),
    }


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [("(", "not a regular expression"), ("(?<=a)b", "without lookaround"), ("x*", "matches an empty text")],
)
def test_rule_refuses_a_pattern_that_does_not_work(pattern, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Rule(name="own", pattern=pattern)


def test_config_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="extra_forbidden"):
        PrivacyConfig.model_validate({"rule": []})
    with pytest.raises(ValidationError, match="is not a regular expression"):
        PrivacyConfig(keep=("(",))


def test_open_pseudonymiser_makes_the_key_once(tmp_path):
    made = open_pseudonymiser(tmp_path).text("a@corp.com")
    file = tmp_path / "lake" / ".privacy-key"
    assert len(file.read_bytes()) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert open_pseudonymiser(tmp_path).text("a@corp.com") == made
    assert [path.name for path in file.parent.iterdir()] == [".privacy-key"]


def test_open_pseudonymiser_gives_all_who_start_at_once_the_same_key(tmp_path):
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(open_pseudonymiser(tmp_path).text("a@corp.com"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


def test_open_pseudonymiser_refuses_a_damaged_key(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / ".privacy-key").write_bytes(b"short")
    with pytest.raises(ParameterError, match="has 5 bytes instead of 32"):
        open_pseudonymiser(tmp_path)


def test_open_pseudonymiser_says_where_no_key_can_be_made(tmp_path):
    (tmp_path / "lake").write_text("a file where a folder should be")
    with pytest.raises(ParameterError, match="can be neither read nor made"):
        open_pseudonymiser(tmp_path)


def test_open_pseudonymiser_of_made_up_data_needs_no_file(tmp_path):
    config = PrivacyConfig(made_up_data_phrase="demo")
    assert open_pseudonymiser(tmp_path, config).text("a@corp.com") == open_pseudonymiser(tmp_path, config).text(
        "a@corp.com"
    )
    assert list(tmp_path.iterdir()) == []


def test_pseudonymiser_refuses_a_key_of_another_length():
    with pytest.raises(ParameterError, match="has 32 bytes; this one has 3"):
        Pseudonymiser(b"abc")


FRAGMENTS = st.one_of(
    st.sampled_from([canary.value for canary in CANARIES]),
    st.sampled_from([f"{canary.field}={canary.value}" for canary in CANARIES]),
    st.sampled_from(LOOK_ALIKES),
    st.sampled_from(list(" \n\t,;&=:\"'\\/?%+{}[]()<>@|`")),
    st.text(max_size=8),
    st.text(alphabet="0123456789 -+().:abcdefABCDEFxX@%", max_size=24),
)
TEXTS = st.lists(FRAGMENTS, max_size=6).map("".join)


@given(TEXTS)
@example("\ud800 password=\udfff")
@example("[" * 5000)
@example("%25" * 2000 + "41")
def test_text_never_fails_and_is_idempotent(text):
    made = PSEUDONYMISER.text(text)
    assert PSEUDONYMISER.text(made) == made


@given(TEXTS)
def test_may_hold_is_true_of_all_that_text_changes(text):
    if PSEUDONYMISER.text(text) != text and text.isprintable():
        assert PSEUDONYMISER.may_hold(pl.Series([text]))[0]


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Nd", "L", "P", "S"]), max_size=20), st.sampled_from(FREE)
)
def test_text_leaves_what_stands_around_a_hit(around, canary):
    made = PSEUDONYMISER.text(f"{around} {canary.value} {around}")
    assert made.startswith(around + " ")
    assert made.endswith(" " + around)


@given(st.text(min_size=1), st.sampled_from(["password", "user_id", "token", "session_id"]))
def test_value_is_stable_and_recognises_its_own(value, field):
    made = PSEUDONYMISER.value(value, key_hint=field)
    assert Pseudonymiser(KEY).value(value, key_hint=field) == made
    assert PSEUDONYMISER.value(made, key_hint=field) == made


@given(st.from_regex(r"[a-z0-9._]{1,20}@[a-z0-9]{1,10}\.(com|de|co\.uk)", fullmatch=True))
def test_value_gives_different_people_different_addresses(address):
    other = "x" + address
    assert PSEUDONYMISER.value(address, key_hint="email") != PSEUDONYMISER.value(other, key_hint="email")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([canary.field for canary in CANARIES]) | st.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_value_never_fails(value):
    made = PSEUDONYMISER.value(value)
    assert type(made) is type(value)


PEOPLE = pl.DataFrame(
    {
        "attributes": ['{"first_name":"Perpetua","last_name":"Quillfeather"}', '{"display_name":"Blue Mug"}', None],
        "contact": ["thaddeus.okafor@corp.com", None, None],
        "body": [
            "called Perpetua back, Quillfeather agreed",
            "Thaddeus Okafor (thaddeus.okafor) left a Blue",
            "Mr Okafor",
        ],
    }
)


def test_frame_replaces_names_that_its_fields_give_away_where_they_stand_in_prose():
    made = Pseudonymiser(KEY).frame(PEOPLE)
    first, last = (json.loads(made["attributes"][0])[name] for name in ("first_name", "last_name"))
    assert made["body"][0] == f"called {first} back, {last} agreed"
    assert re.fullmatch(r"(Fict[a-z]+) (Fict[a-z]+) \(fict[a-z]+\.fict[a-z]+\) left a Blue", made["body"][1])
    assert made["body"][2] == "Mr Okafor", "half a name, known from a mailbox only, may be a role or a thing"
    assert_frame_equal(Pseudonymiser(KEY).frame(made), made)


def test_value_takes_the_summary_of_a_user_for_a_name():
    made = PSEUDONYMISER.value(
        {
            "agent": {"type": "user_reference", "summary": "Jane Doe"},
            "service": {"type": "service", "summary": "Jane Doe"},
        }
    )
    assert made["agent"]["summary"] == PSEUDONYMISER.value("Jane Doe", key_hint="full_name")
    assert made["service"]["summary"] == "Jane Doe"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("to=jane.doe@corp.xyz", r"to=user-[a-z2-7]{12}@example\.com"),
        ("people/a.b@corp.com.json", r"people/user-[a-z2-7]{12}@example\.com\.json"),
        ("icon@2x.png", r"icon@2x\.png"),
    ],
)
def test_text_tells_a_file_of_somebodys_from_an_icon(text, form):
    assert re.fullmatch(form, PSEUDONYMISER.text(text))


def test_text_replaces_a_nir_without_a_month():
    assert PSEUDONYMISER.text("nir 1134205954335 92") != "nir 1134205954335 92"


@given(TEXTS)
def test_filter_names_every_detector_that_finds_something(text):
    found = {name for name, detector in PSEUDONYMISER._detectors._all.items() if list(detector(text))}
    named = dict(PSEUDONYMISER._filter.candidates(pl.Series([text])))
    if text.isprintable():
        assert found <= named.get(text, frozenset())


@pytest.mark.parametrize("unit", ["A", "'", "%", "@", "@a.", " ", "é", "a=", "https://a@", '\\"', "AB12 "])
def test_text_of_a_megabyte_ends(unit):
    """Each of these took time by the square of its length once, or could: the test's own time limit is the proof."""
    signs = "%41 a=b :// eyJ bearer insert into t (a) values (1, 1.2.3.4 : :: "
    text = signs + unit * (1_000_000 // len(unit)) + " %41"
    assert len(PSEUDONYMISER.text(text)) > 900_000
