import json
import re
from dataclasses import replace

import mistune
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from prodintel_lib.renderers.issue import UNVERIFIED, Issue, Reproduction, describe_issue, render_issue
from prodintel_lib.renderers.markdown import one_line
from prodintel_lib.renderers.triage import Decided
from tests.renderers.hostile import broken_texts
from tests.renderers.markdown_test import LIVE

MINIMAL = Reproduction(
    "minimal", "The minimal scenario", needs_toxiproxy=True, mattered=("condition a: 0 of 9 runs",), is_minimal=True
)


def ticket(text="words", *, owner=""):
    return Issue(
        incident_id="INC-1", title=text, fingerprint="0123456789abcdef", severity=Decided("high", text),
        category=Decided("business logic", text), owner=Decided(owner, text), summary=text, evidence=(text,), cause=text,
        cause_for=(text,), cause_against=(text,), remediation=text, verification=text,
        reproduction=replace(MINIMAL, says=text, mattered=(text,)), links=(("report.html", text),),
    )  # fmt: skip


def rendered(issue):
    files = {file.path: file.text for file in render_issue(issue)}
    return json.loads(files["issue.json"]), files["issue.md"]


def test_render_issue_gives_what_the_tracker_takes():
    data, body = rendered(ticket(owner="shop-team"))
    assert data["schema"] == "prodintel/issue/1"
    assert data["title"] == "words"
    assert data["labels"] == ["production-bug", "business-logic"]
    assert data["owner"] == {"name": "shop-team", "reason": "words"}
    assert data["severity"] == {"level": "high", "reason": "words"}
    assert data["reproduction"]["command"] == (
        "TOXIPROXY_URL=http://127.0.0.1:8474 pytest minimal --base-url http://127.0.0.1:8080"
    )
    assert data["body_file"] == "issue.md"
    assert "prodintel-0123456789abcdef" in body
    assert data["search"] == '"prodintel-0123456789abcdef" in:body'
    assert "- [report.html](report.html): words" in body


def test_render_issue_says_so_where_nobody_is_named_and_nothing_can_be_run():
    data, body = rendered(replace(ticket(), reproduction=None))
    assert data["owner"]["name"] is None
    assert "- Owner: unassigned: words" in body
    assert data["reproduction"] is None
    assert "No test could be made" in body


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(broken_texts, st.sampled_from(["", " fixes #1", "\n## @team\n", "](javascript:x)", "</details><img src=x>"]))
def test_render_issue_is_inert_whatever_production_said(text, more):
    # What nobody can see leaves no paragraph at all.
    assume(one_line(text + more))
    data, body = rendered(ticket(text + more + text or "x"))
    structure = rendered(ticket())[1]
    html, plain_html = str(mistune.html(body)), str(mistune.html(structure))

    def elements(page):
        return re.findall(r"</?\w+(?: href=\"[^\"]*\")?", page)

    assert elements(html) == elements(plain_html), "the same elements in the same order"
    words = re.sub(r"<code.*?</code>|<[^>]*>", " ", html, flags=re.DOTALL)
    for entity, letter in (("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"')):
        words = words.replace(entity, letter)
    assert not LIVE.search(words)
    assert not LIVE.search(data["title"])
    assert len(data["title"]) <= 180


def test_describe_issue_of_the_first_incident(demo_replay):
    issue = describe_issue(demo_replay.findings, demo_replay.scenarios.suite, owners={"integration": "payments"})
    assert issue.title.startswith("POST /api/orders: no answer in time or server errors")
    assert issue.category.value == "integration"
    assert issue.severity.value == "critical"
    assert (issue.owner.value, issue.owner.reason) == ("payments", "prodintel.yaml routes integration there")
    assert issue.labels == ("production-bug", "integration")
    assert issue.verification == UNVERIFIED
    assert issue.reproduction.folder == "tests"
    assert issue.reproduction.needs_toxiproxy
    assert any("users affected" in line and "95 % CI" in line for line in issue.evidence)
    assert not re.search(r"\d of \d|\d %", issue.title), "figures change; the title is how people find it"


def test_describe_issue_prefers_the_minimal_scenario(demo_replay):
    issue = describe_issue(
        demo_replay.findings,
        demo_replay.scenarios.suite,
        owners={},
        minimal=MINIMAL,
        verification="8 of 8 tests certified",
    )
    assert issue.reproduction == MINIMAL
    assert issue.owner == Decided("", "prodintel.yaml names no owner for integration")
    assert "Tests: 8 of 8 tests certified." in rendered(issue)[1]


def test_two_looks_at_one_incident_give_one_fingerprint(demo_replay, demo_workspace):
    from prodintel_lib.incident_replay import replay_incident

    again = replay_incident(demo_workspace, "INC-2024-1234")
    first, second = (describe_issue(each.findings, each.scenarios.suite, owners={}) for each in (demo_replay, again))
    assert first.fingerprint == second.fingerprint
    moved = replace(
        demo_replay.findings, digest="f" * 16, record=replace(demo_replay.findings.record, incident_id="P-9")
    )
    assert describe_issue(moved, demo_replay.scenarios.suite, owners={}).fingerprint == first.fingerprint
    assert render_issue(first) == render_issue(second)


@pytest.mark.parametrize("name", ["business logic", "business-logic", "Business_Logic"])
def test_owners_are_found_however_the_category_is_written(demo_replay, name):
    from prodintel_lib.renderers.issue import _owner

    assert _owner("business logic", {name: "shop"}).value == "shop"


def test_describe_issue_without_a_suite_says_what_users_got(demo_replay):
    issue = describe_issue(demo_replay.findings, None, owners={})
    assert issue.reproduction is None
    assert issue.title.startswith("POST /api/orders: server errors")
