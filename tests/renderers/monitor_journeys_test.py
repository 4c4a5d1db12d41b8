"""The generated monitors of journeys: how they are rendered, and when they raise an alarm."""

import ast
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from prodintel_lib.renderers.monitor_journeys import journey_files
from prodintel_lib.renderers.templates.monitor_journey_walks import BadMomentWarning, Walks
from prodintel_lib.scenarios.monitors.journeys import JourneyMonitor, JourneyMonitors
from prodintel_lib.scenarios.ui_model import (
    Budget,
    Click,
    ExpectNoErrors,
    ExpectRoute,
    ExpectVitals,
    Target,
    UiProvenance,
    UiScenario,
    Visit,
)

HOSTILE = 'a"""\n\u2028</script>~~~\n# x'


def scenario(name="home_cart", *, role="link", title="Visitors go / > /cart"):
    return UiScenario(
        id=name,
        title=title,
        kind="journey",
        priority="P1",
        seen="2 of 3 sessions took this journey.",
        steps=(
            Visit(path="/"),
            Click(target=Target(role=role, name=HOSTILE)),
            ExpectRoute(route="/cart"),
            ExpectVitals(route="/cart", budgets=(Budget(metric="lcp_ms", budget=800, limit=900, n=99),)),
            ExpectNoErrors(),
        ),
        provenance=UiProvenance(generator="prodintel", finding_id="j", input_digest="0123456789ab"),
    )


def monitors(*scenarios):
    return JourneyMonitors(
        title="Critical journeys",
        monitors=tuple(
            JourneyMonitor(scenario=each, converts=False, every_min=15, slow_false_alarm=0.00000625)
            for each in scenarios
        ),
    )


def test_journey_files_are_the_same_bytes_for_the_same_monitors():
    files = journey_files(monitors(scenario()))

    assert files == journey_files(monitors(scenario()))
    assert sorted(files) == [
        "journeys/README.md",
        "journeys/conftest.py",
        "journeys/monitor_journey_walks.py",
        "journeys/monitors.json",
        "journeys/pytest.ini",
        "journeys/test_home_cart.py",
        "journeys/ui_conftest.py",
        "journeys/ui_form_values.json",
        "journeys/ui_page.js",
        "journeys/ui_target.py",
        "journeys/ui_visitor.py",
    ]
    assert "prodintel_lib" not in "".join(files.values())
    assert json.loads(files["journeys/monitors.json"])["slow_walks"] == 4
    assert journey_files(JourneyMonitors()) == {}


@pytest.mark.parametrize(("role", "marks"), [("link", ["client"]), ("button", ["client", "writes"])])
def test_journey_files_make_a_walk_and_a_test_that_judges_it(role, marks):
    text = journey_files(monitors(scenario(role=role, title=HOSTILE)))["journeys/test_home_cart.py"]

    tree = ast.parse(text)
    walk, test = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert (walk.name, test.name) == ("walk", "test_home_cart")
    assert [argument.arg for argument in walk.args.args] == ["page", "visitor", "form_values"]
    assert [ast.unparse(each).removeprefix("pytest.mark.").partition("(")[0] for each in test.decorator_list] == marks
    assert ast.unparse(test.body[-1]) == "walks.judge(walk)"
    assert "{'lcp_ms': [800.0, 900.0]}" in ast.unparse(walk)
    assert text.isascii()


class Plan:
    """Walks that go as planned: an error to raise, or what was slow."""

    def __init__(self, *walks):
        self.left = list(walks)
        self.opened = 0

    @contextmanager
    def open(self):
        self.opened += 1
        yield None, SimpleNamespace(slow={})

    def walk(self, page, visitor, form_values):
        planned = self.left.pop(0)
        if isinstance(planned, Exception):
            raise planned
        visitor.slow.update({what: f"{what} is slow" for what in planned})


def judge(plan):
    Walks(plan.open, {}, broken=2, slow=4).judge(plan.walk)


def test_walks_end_with_the_first_that_goes_well():
    plan = Plan([])

    judge(plan)

    assert plan.opened == 1


def test_walks_that_break_off_twice_are_an_alarm():
    plan = Plan(AssertionError("no button"), AssertionError("no answer"))

    with pytest.raises(AssertionError, match=r"broke off 2 times\n\nwalk 1: no button\n\nwalk 2: no answer"):
        judge(plan)


def test_a_walk_that_breaks_off_once_is_told():
    plan = Plan(AssertionError("no button"), [])

    with pytest.warns(BadMomentWarning, match="broke off once: no button"):
        judge(plan)
    assert plan.opened == 2


def test_walks_with_the_same_page_slow_each_time_are_an_alarm():
    plan = Plan(["/ lcp_ms", "/cart lcp_ms"], ["/ lcp_ms"], ["/ lcp_ms", "/a ttfb_ms"], ["/ lcp_ms"])

    with (
        pytest.warns(BadMomentWarning, match="slow once: /cart lcp_ms is slow"),
        pytest.raises(AssertionError, match=r"slow in each of 4 walks: / lcp_ms is slow$"),
    ):
        judge(plan)


def test_walks_with_another_page_slow_each_time_are_none():
    plan = Plan(["/ lcp_ms"], ["/cart lcp_ms"])

    with pytest.warns(BadMomentWarning, match=r"slow once: / lcp_ms is slow$"):
        judge(plan)
    assert plan.opened == 2
