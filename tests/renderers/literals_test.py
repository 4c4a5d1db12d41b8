import ast
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodintel_lib.errors import UnsafeValueError
from prodintel_lib.renderers.literals import docstring, is_plain, literal, literal_node, quoted
from tests.renderers.hostile import broken_texts, json_values

VALUES = json_values(broken_texts) | st.tuples(broken_texts, json_values(broken_texts))


@given(VALUES)
def test_literal_means_its_value_and_nothing_else(value):
    text = literal(value)

    assert repr(ast.literal_eval(text)) == repr(value)
    assert ast.dump(ast.parse(text, mode="eval").body) == ast.dump(literal_node(value))


@given(VALUES)
def test_literal_holds_no_character_that_hides_or_reorders_text(value):
    assert all(" " <= char <= "~" or char == "\n" or "\u00c0" <= char <= "\u017f" for char in literal(value))


@given(st.lists(VALUES, min_size=1, max_size=20))
@settings(max_examples=15)
def test_literal_is_formatted_as_the_formatter_would(values):
    source = "".join(f"NAME_{n} = {literal({'k': v}, used=len(f'NAME_{n} = '))}\n" for n, v in enumerate(values))
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"],
        input=source.encode(),
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode() == source


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", '"it\'s"'),
        ('say "hi"', "'say \"hi\"'"),
        ("both ' and \"", '"both \' and \\""'),
        ("tab\tnul\0esc\x1b", '"tab\\tnul\\x00esc\\x1b"'),
        ("Köln\u2028\ud800\U0001f600", '"Köln\\u2028\\ud800\\U0001f600"'),
        (1e16, "1e16"),
        (1e-7, "1e-07"),
        (-0.0, "-0.0"),
        (True, "True"),
        ((1,), "(1,)"),
        ([], "[]"),
        ({"a": [None, {"b": -2}]}, '{"a": [None, {"b": -2}]}'),
    ],
)
def test_literal_exactly(value, text):
    assert literal(value) == text


def test_literal_breaks_lines_where_they_are_too_long():
    words = "word " * 30

    assert literal({"key": words, "n": 1}) == (
        f'{{\n    "key": (\n        "{"word " * 22}"\n        "{"word " * 8}"\n    ),\n    "n": 1,\n}}'
    )


class Sly(str):
    def __repr__(self):
        return "__import__('os').abort()"

    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "needs a finite number; got nan"),
        (-math.inf, "needs a finite number; got -inf"),
        (10**4000, "may have 4000 digits"),
        ({1: 2}, "has string keys; got a int"),
        (b"bytes", "got bytes"),
        (Sly("x"), "got Sly"),
        ({Sly("x"): 1}, "has string keys; got a Sly"),
        (object(), "got object"),
    ],
)
def test_literal_refuses_what_is_no_plain_value(value, message):
    with pytest.raises(UnsafeValueError, match=message):
        literal([value])


def test_literal_refuses_what_is_nested_too_deeply():
    value = []
    for _ in range(50):
        value = [value]

    with pytest.raises(UnsafeValueError, match="40 levels deep"):
        literal(value)


@given(broken_texts)
def test_docstring_means_its_text(text):
    assert ast.literal_eval(docstring(text)) == text


def test_docstring_is_triple_quoted_only_where_its_text_is_plain():
    assert docstring("Plain.\n\nText.") == '"""Plain.\n\nText."""'
    assert docstring("It's.") == '"It\'s."'
    assert not is_plain("tab\t")
    assert not is_plain("back\\slash")


def test_quoted_prefers_double_quotes():
    assert quoted("'\"") == '"\'\\""'
