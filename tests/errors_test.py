import pickle

import pytest

from prodintel_lib import errors
from prodintel_lib.errors import (
    ConditionError,
    MissingColumnsError,
    NoDataError,
    NotebookInputError,
    NotebookRunError,
    ParameterError,
    ProdintelError,
    RenderError,
    SourceFormatError,
    UnsafeValueError,
    near_match,
)


def test_prodintel_error_shows_its_message_and_then_the_hint():
    error = NoDataError("Nothing here.", hint="look elsewhere.")
    assert str(error) == "Nothing here.\nHint: look elsewhere."
    assert (error.message, error.hint) == ("Nothing here.", "look elsewhere.")
    assert str(NoDataError("Nothing here.")) == "Nothing here."


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (SourceFormatError, 2),
        (MissingColumnsError, 2),
        (ParameterError, 2),
        (NoDataError, 2),
        (UnsafeValueError, 2),
        (RenderError, 1),
        (NotebookRunError, 1),
        (NotebookInputError, 2),
        (ConditionError, 1),
    ],
)
def test_exit_code_tells_the_users_mistake_from_a_failure(kind, exit_code):
    assert issubclass(kind, ProdintelError)
    assert kind.exit_code == exit_code


def test_every_error_survives_another_process():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProdintelError)]
    assert len(kinds) == 10
    for kind in kinds:
        copy = pickle.loads(pickle.dumps(kind("what", hint="do")))
        assert (type(copy), str(copy)) == (kind, "what\nHint: do")


def test_in_table_names_columns_and_the_nearest():
    error = MissingColumnsError.in_table("spans", missing=["http_route", "zzz"], available=["route", "http_rout"])
    assert error.message == "Table `spans` needs columns `http_route`, `zzz`; it has columns `http_rout`, `route`."
    assert error.hint == "`http_route` may be `http_rout`."


def test_in_table_says_where_to_map_when_nothing_is_near():
    error = MissingColumnsError.in_table("spans", missing=["trace_id"], available=[])
    assert error.message == "Table `spans` needs column `trace_id`; it has no columns."
    assert error.hint == "map the columns in prodintel.yaml (`columns:`)."


def test_in_table_shortens_a_long_list():
    error = MissingColumnsError.in_table("t", missing=["m"], available=[f"column_{n:02}" for n in range(15)])
    assert error.message.endswith("`column_11` and 3 more.")


def test_unknown_names_the_nearest_and_the_place():
    error = ParameterError.unknown("key", "sorces", known=["sources", "name"], where="prodintel.yaml, line 2")
    assert error.message == "Unknown key `sorces` in prodintel.yaml, line 2; known: name, sources."
    assert error.hint == "did you mean `sources`?"


def test_unknown_lists_what_is_known_when_nothing_is_near():
    assert ParameterError.unknown("key", "x", known=["sources"]).hint == "use one of the known key names."
    assert ParameterError.unknown("key", "x", known=[]).message == "Unknown key `x`; known: none."


@pytest.mark.parametrize(("name", "expected"), [("otpl", "otlp"), ("github", "github"), ("zzz", None), ("", None)])
def test_near_match_finds_the_nearest_name(name, expected):
    assert near_match(name, ["otlp", "github", "pagerduty"]) == expected


def test_near_match_prefers_swapped_digits():
    assert near_match("INC-1243", ["INC-1433", "INC-1234", "INC-1240"]) == "INC-1234"
