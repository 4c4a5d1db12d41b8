"""Schemas inferred from answers: what they say, what they keep quiet about, and that a validator agrees."""

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodintel_lib.scenarios.monitors.answer_schema import breaks, infer_schema, places, unseen_bound
from tests.renderers.hostile import json_values, texts


def without_dialect(schema):
    assert schema.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    return schema


def test_infer_schema_says_types_and_members_that_were_always_there():
    answers = [{"id": n, "note": "x" * n} if n % 2 else {"id": n} for n in range(60)]
    assert without_dialect(infer_schema(answers)) == {
        "type": "object",
        "properties": {"id": {"type": "integer", "minimum": 0}, "note": {"type": "string"}},
        "required": ["id"],
    }


def test_infer_schema_of_few_answers_says_types_alone():
    assert without_dialect(infer_schema([{"id": 1, "tags": ["a"]}] * 10)) == {
        "type": "object",
        "properties": {"id": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}},
    }


def test_infer_schema_closes_a_set_of_values_that_nothing_new_came_to():
    answers = [{"status": ("paid", "pending")[n % 2]} for n in range(200)]
    told = infer_schema(answers)["properties"]["status"]
    assert told["enum"] == ["paid", "pending"]
    bound = 1 - 0.05 ** (1 / 100)
    assert told["$comment"] == (f"seen in 200 answers; another value comes with a chance of at most {bound:.3f} (95 %)")
    assert round(bound, 3) == 0.030


@pytest.mark.parametrize(
    "statuses",
    [
        ["paid"] * 199 + ["odd"],
        ["paid"] * 100 + ["pending"] * 100,
        [f"s{n % 11}" for n in range(220)],
        ["paid"] * 100,
    ],
    ids=["one was seen once", "the second half is new", "there are many", "half of the answers are too few"],
)
def test_infer_schema_leaves_a_set_open(statuses):
    told = infer_schema([{"status": status} for status in statuses])["properties"]["status"]
    assert told == {"type": "string"}


def test_infer_schema_counts_answers_and_not_the_items_of_their_lists():
    # A thousand items, but ten answers: nothing is known of others.
    told = infer_schema([{"items": [{"kind": "a"}] * 100} for _ in range(10)])
    assert told["properties"]["items"]["items"] == {"type": "object", "properties": {"kind": {"type": "string"}}}


def test_infer_schema_says_nothing_of_the_values_of_stand_ins_and_masks():
    answers = [{"token": "[masked]", "name": "Person"}] * 200
    told = infer_schema(answers, replaced=frozenset({"/name"}))["properties"]
    assert told == {"name": {"type": "string"}, "token": {"type": "string"}}


def test_infer_schema_names_formats():
    answers = [
        {"at": f"2025-01-{n % 28 + 1:02}T10:00:00Z", "id": f"00000000-0000-4000-8000-{n:012}"} for n in range(60)
    ]
    told = infer_schema(answers)["properties"]
    assert (told["at"]["format"], told["id"]["format"]) == ("date-time", "uuid")
    assert breaks(infer_schema(answers), {"at": "yesterday", "id": answers[0]["id"]})


def test_infer_schema_takes_an_object_of_many_members_for_a_dictionary():
    answers = [{"stock": {f"p{n * 3 + k}": k for k in range(3)}} for n in range(60)]
    stock = infer_schema(answers)["properties"]["stock"]
    assert stock == {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}


def test_infer_schema_holds_lists_filled_that_never_were_empty():
    filled = [{"items": [n]} for n in range(60)]
    assert breaks(infer_schema(filled), {"items": []})
    assert not breaks(infer_schema([*filled, {"items": []}]), {"items": []})


def test_infer_schema_says_the_sign_of_numbers_and_no_range():
    answers = [{"left": n + 1, "change": n - 5.5} for n in range(60)]
    told = infer_schema(answers)["properties"]
    assert told == {"change": {"type": "number"}, "left": {"type": "integer", "minimum": 0}}


def test_unseen_bound_is_the_exact_binomial_one():
    assert (1 - unseen_bound(30)) ** 30 == pytest.approx(0.05)
    assert unseen_bound(0) == 1.0


def test_places_name_lists_by_a_star():
    assert list(places({"a/b": [{"c": 1}, {"c": 2}], "d": None})) == [("/a~1b/*/c", 1), ("/a~1b/*/c", 2), ("/d", None)]


@given(answers=st.lists(json_values(texts), min_size=1, max_size=60))
def test_infer_schema_is_kept_by_all_it_was_inferred_from(answers):
    schema = infer_schema(answers)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert all(validator.is_valid(answer) for answer in answers)
    assert not any(breaks(schema, answer) for answer in answers)


@given(answers=st.lists(json_values(texts), min_size=1, max_size=6), other=json_values(texts))
def test_breaks_judges_as_the_validator_does(answers, other):
    schema = infer_schema(answers * 20)
    assert breaks(schema, other) is not jsonschema.Draft202012Validator(schema).is_valid(other)
