import pytest
from nbformat import v4, write

from prodintel_lib.errors import ParameterError
from prodintel_lib.notebooks.parameters import Parameter, check_parameters, inspect_parameters

INCIDENT = Parameter("incident", "", "str", "the incident")
LIMIT = Parameter("limit", 60, "int", "rows")
SHARE = Parameter("share", 0.5, "float", "of requests")
STRICT = Parameter("strict", default=False, annotation="bool", comment="stop at doubts")
ROUTES = Parameter("routes", [], "list[str]", "routes to keep")
HOURS = Parameter("hours", [1], "list[int]", "hours to keep")
ALL = (INCIDENT, LIMIT, SHARE, STRICT, ROUTES, HOURS)


@pytest.fixture
def notebook_with(tmp_path):
    def write_it(*sources, tags=("parameters",)):
        path = tmp_path / "n.ipynb"
        cells = [v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
        write(v4.new_notebook(cells=[v4.new_markdown_cell("# Q?"), *cells]), path)
        return path

    return write_it


def test_inspect_parameters_reads_names_defaults_annotations_and_comments(notebook_with):
    path = notebook_with(
        'incident: str = ""  # the incident\nlimit: int = 60  # rows\nroutes: list[str] = []  # keep # these'
    )
    assert inspect_parameters(path) == (INCIDENT, LIMIT, Parameter("routes", [], "list[str]", "keep # these"))


def test_inspect_parameters_reads_a_negative_number_and_a_hash_in_text(notebook_with):
    path = notebook_with('shift: int = -5  # hours\nmark: str = "# no comment"  # a mark')
    assert [(p.default, p.comment) for p in inspect_parameters(path)] == [(-5, "hours"), ("# no comment", "a mark")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("limit: int = 60", "cell 2, line 1: `limit` has no comment"),
        ("limit = 60  # rows", r"line 1 should be `name: type = literal  # comment`; it is `limit = 60`"),
        ("limit: int = 30 + 30  # rows", r"the default of `limit` should be a literal; it is `30 \+ 30`"),
        ("limit: int = max(1, 2)  # rows", "should be a literal"),
        ("limit: dict = {}  # rows", "`limit` is annotated `dict`; known: str, int"),
        (
            'limit: int = "many"  # rows',
            r"the default of `limit` should be a whole number \(`int`\); it is 'many' \(str\)",
        ),
        ("limit: int = 1  # a\nlimit: int = 2  # b", "`limit` is set twice"),
        ("limit: int =  # rows", "line 1: invalid syntax"),
        ("import os", "it is `import os`"),
    ],
)
def test_inspect_parameters_refuses_what_is_not_an_annotated_literal_with_a_comment(notebook_with, source, message):
    with pytest.raises(ParameterError, match=message):
        inspect_parameters(notebook_with(source))


def test_inspect_parameters_needs_exactly_one_tagged_cell(notebook_with):
    with pytest.raises(ParameterError, match="should have one code cell tagged `parameters`; none has it"):
        inspect_parameters(notebook_with("limit: int = 1  # rows", tags=()))
    with pytest.raises(ParameterError, match="cells 2, 3 have it"):
        inspect_parameters(notebook_with("limit: int = 1  # rows", "share: float = 1.0  # of"))


def test_inspect_parameters_says_that_a_file_is_not_a_notebook(tmp_path):
    (tmp_path / "n.ipynb").write_text("no")
    with pytest.raises(ParameterError, match="should be a notebook, which is JSON"):
        inspect_parameters(tmp_path / "n.ipynb")
    with pytest.raises(ParameterError, match="There is no notebook"):
        inspect_parameters(tmp_path / "absent.ipynb")
    (tmp_path / "n.ipynb").write_text("[]")
    with pytest.raises(ParameterError, match="of format 4; it says None"):
        inspect_parameters(tmp_path / "n.ipynb")


def test_check_parameters_reads_text_as_annotated():
    given = {"hours": "1, 2", "routes": "/a,/b", "strict": "True", "share": "0.25", "limit": "60", "incident": "0060"}
    assert check_parameters(ALL, given) == {
        "incident": "0060",
        "limit": 60,
        "share": 0.25,
        "strict": True,
        "routes": ["/a", "/b"],
        "hours": [1, 2],
    }


def test_check_parameters_returns_only_what_is_given():
    assert check_parameters(ALL, {"limit": 5}) == {"limit": 5}
    assert check_parameters(ALL, {"routes": ""}) == {"routes": []}


def test_check_parameters_names_the_near_match():
    with pytest.raises(ParameterError, match=r"Unknown parameter `incidnet`.*\n.*did you mean `incident`") as caught:
        check_parameters(ALL, {"incidnet": "x"})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"incident": 60}, r"`incident` should be text \(`str`\); it is 60 \(int\)"),
        ({"limit": "6.5"}, "`limit` should be a whole number"),
        ({"limit": True}, r"it is True \(bool\)"),
        ({"share": "nan"}, "`share` should be a finite number"),
        ({"share": "inf"}, "`share` should be a finite number"),
        ({"strict": "yes"}, "`strict` should be true or false"),
        ({"strict": 1}, "`strict` should be true or false"),
        ({"hours": "1,x"}, "`hours` should be a whole number"),
        ({"routes": {"a": 1}}, "`routes` should be a list"),
        ({"x; import os": "1"}, "Unknown parameter `x; import os`"),
    ],
)
def test_check_parameters_refuses_a_value_that_does_not_fit(given, message):
    with pytest.raises(ParameterError, match=message):
        check_parameters(ALL, given)
