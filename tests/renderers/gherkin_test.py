import json
import math

import pytest
from gherkin.parser import Parser
from hypothesis import given
from hypothesis import strategies as st
from pytest_bdd.feature import get_feature

from prodintel_lib.errors import UnsafeValueError
from prodintel_lib.renderers.gherkin import cell, entries, render_feature, table
from tests.renderers.hostile import broken_texts, json_values, texts
from tests.renderers.suites import make_suite


def read_rows(lines):
    source = "\n".join(["Feature: f", "  Scenario: s", "    Given x", *lines])
    step = Parser().parse(source)["feature"]["children"][0]["scenario"]["steps"][0]
    return [[found["value"] for found in row["cells"]] for row in step["dataTable"]["rows"]]


@given(st.lists(json_values(broken_texts), min_size=1, max_size=4))
def test_cell_comes_back_through_the_parser(values):
    rows = read_rows(table([("name", cell(value)) for value in values]))

    assert [json.loads(came) for _, came in rows] == values


@given(json_values(broken_texts))
def test_cell_is_one_line_of_printable_ascii(value):
    assert all(" " <= char <= "~" for char in cell(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a|b", '"a\\|b"'),
        ("\n", '"\\\\n"'),
        (" x ", '" x "'),
        ("", '""'),
        ({"a": 1.0}, '{"a": 1.0}'),
        ("\x7f", '"\\\\u007f"'),
    ],
)
def test_cell_exactly(value, text):
    assert cell(value) == text


def test_cell_refuses_what_json_cannot_say():
    with pytest.raises(UnsafeValueError, match="A table cell holds JSON"):
        cell(math.nan)


def test_entries_are_aligned_where_they_are_short():
    assert entries({"a": 1, "rate": "x"}) == ["      | a    | 1   |", '      | rate | "x" |']


@given(texts)
def test_no_text_of_production_becomes_a_step_a_tag_or_a_title(text):
    suite = make_suite()
    hostile = suite.model_copy(
        update={
            "title": text,
            "scenarios": tuple(
                scenario.model_copy(
                    update={"title": text, "seen": text, "symptom": scenario.symptom.model_copy(update={"words": text})}
                )
                for scenario in suite.scenarios
            ),
        }
    )

    def skeleton(feature):
        return [line for line in feature.splitlines() if not line.lstrip().startswith("|")]

    assert skeleton(render_feature(hostile)[0]) == skeleton(render_feature(suite)[0])


def test_render_feature_is_read_by_pytest_bdd(tmp_path):
    path = tmp_path / "inc.feature"
    path.write_text(render_feature(make_suite())[0])
    feature = get_feature(str(tmp_path), "inc.feature")

    assert list(feature.scenarios) == [scenario.id for scenario in make_suite().scenarios]
    steps = [step.name for step in feature.scenarios["accepted_orders_are_paid_once_after_recovery"].steps]
    assert steps[:2] == ["the request start_session", "the request fill_cart"]
    assert steps[-8:] == [
        "what users saw",
        "3 customers as buyers who sent",
        "the condition card_processor_hangs holds",
        "the buyers send place_order in turn as orders",
        "the conditions are lifted",
        "the buyers send place_order until recovered as later_orders",
        "the later_orders show that it recovered",
        "read_order shows what became of the orders",
    ]
