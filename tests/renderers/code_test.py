import ast

import pytest

from prodintel_lib.errors import RenderError, UnsafeValueError
from prodintel_lib.renderers import code
from prodintel_lib.renderers.code import Block, Filling, Piece, body_of, checked_name, fill, load, wrapped


def test_fill_puts_literals_names_lists_and_blocks_into_their_marks():
    source = (
        "def test_NAME_what(system):\n"
        '    SLOT("seen")\n'
        '    NAME_label = system.send(incident.NAME_request, SLOT("n"), NAMES("all"))\n'
        "\n"
        '    BLOCK("rest")\n'
    )
    rest = Block((Piece("a()\n", tuple(ast.parse("a()").body)), Piece("b()\n", tuple(ast.parse("b()").body))))

    piece = fill(
        source,
        Filling(
            values={"seen": "Users saw it.", "n": {"k": '"'}},
            names={"what": "it_works", "label": "answers", "request": "ORDER"},
            lists={"all": ["incident.A", "incident.B"]},
            blocks={"rest": rest},
        ),
    )

    assert piece.text == (
        "def test_it_works(system):\n"
        '    """Users saw it."""\n'
        '    answers = system.send(incident.ORDER, {"k": \'"\'}, [incident.A, incident.B])\n'
        "    a()\n"
        "    b()\n"
    )


def test_fill_separates_the_pieces_of_a_block_by_blank_lines():
    piece = Piece("a()\n", tuple(ast.parse("a()").body))

    filled = fill('x()\n\nBLOCK("rest")\n', Filling(blocks={"rest": Block((piece, piece), blank_lines=2)}))

    assert filled.text == "x()\n\n\na()\n\n\na()\n"


def test_fill_replaces_the_docstring_of_a_file():
    filled = fill('"""Old."""\n\nx = SLOT("x")\n', Filling(header="New.", values={"x": 1}))

    assert filled.text == '"""New."""\n\nx = 1\n'


def test_fill_catches_a_value_that_breaks_out_of_its_literal(monkeypatch):
    monkeypatch.setattr(code, "literal", lambda value, **_: f'"{value}"')

    with pytest.raises(RenderError, match="does not mean what its template and values say"):
        fill('x = SLOT("x")\n', Filling(values={"x": 'a", "b'}))
    with pytest.raises(RenderError, match="does not parse"):
        fill('x = SLOT("x")\n', Filling(values={"x": 'a"'}))


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a\n", "class", "\u00e9", "a" * 121, "__import__('os')"])
def test_checked_name_refuses_what_is_no_identifier(name):
    with pytest.raises(UnsafeValueError, match="plain identifier"):
        checked_name(name)


@pytest.mark.parametrize(
    ("source", "filling"),
    [
        ("NAME_a = 1\n", Filling(names={"a": "x = 2; y"})),
        ('NAMES("a")\n', Filling(lists={"a": ["incident.a()"]})),
    ],
)
def test_fill_refuses_a_name_that_is_more_than_a_name(source, filling):
    with pytest.raises(UnsafeValueError, match="plain identifier"):
        fill(source, filling)


@pytest.mark.parametrize("source", ["NAME_gone = 1\n", 'x = SLOT("gone")\n', 'NAMES("gone")\n', 'BLOCK("gone")\n'])
def test_fill_refuses_a_mark_without_an_entry(source):
    with pytest.raises(RenderError, match="mark `gone` has no entry"):
        fill(source, Filling())


@pytest.mark.parametrize("source", ["import os\nos.x or 1\n", "f'{x}'\n", "lambda: 0\n", "if x:\n    y()\n"])
def test_module_refuses_syntax_that_generated_tests_do_not_need(source):
    with pytest.raises(RenderError, match="kinds of syntax; it also holds"):
        fill(source, Filling()).module()


def test_body_of_names_a_function_that_is_not_there():
    with pytest.raises(RenderError, match="no function `gone`"):
        body_of(load("pieces.py"), "gone")


def test_wrapped_breaks_a_call_that_is_too_long():
    name = "a" * 60
    source = f"buyers = system.prepare(incident.{name}, [incident.{name}])\n"

    assert wrapped(fill(source, Filling())).text == (
        f"buyers = system.prepare(\n    incident.{name},\n    [incident.{name}],\n)\n"
    )


def test_wrapped_breaks_a_list_that_is_too_long_as_well():
    name = "a" * 60
    source = f"buyers = system.prepare(incident.n, [incident.{name}, incident.{name}])\n"

    assert wrapped(fill(source, Filling())).text == (
        "buyers = system.prepare(\n"
        "    incident.n,\n"
        f"    [\n        incident.{name},\n        incident.{name},\n    ],\n"
        ")\n"
    )


def test_load_turns_imports_into_those_of_the_files_beside():
    steps = load("feature_steps.py")

    assert "from replay_system import Answers, Customer, System\n" in steps
    assert "prodintel" not in steps
