"""Reports of a workspace of nothing but hostile strings: written, with tests and pages, and nothing of it acts."""

import ast
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from tests.hostile.estate import FRAGMENTS, build_hostile_workspace
from tests.hostile.replay_test import PRODINTEL, READY, STEERS, assert_outputs_hold_no_element_of_theirs, kinds_in

pytestmark = pytest.mark.slow

VERBS = {
    "errors": "error_correlation",
    "anomalies": "anomalies",
    "health": "production_health",
    "load": "load_patterns",
}
# There is no history before the incident, so nothing of it stands out: a limit makes findings of it.
OPTIONS = {"anomalies": ["--detector", "fixed:0.02"]}
SUITES = {"errors": r"(?:EP|FE)-[0-9a-f]{10}|browser"}


class Run(NamedTuple):
    verb: str
    folder: Path
    said: str


@pytest.fixture(scope="module")
def hostile_workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile_reports")
    build_hostile_workspace(folder / "workspace")
    return folder


@pytest.fixture(scope="module", params=VERBS)
def run(request, hostile_workspace):
    """Run a verb: its name, the folder of the run and what the command said."""
    verb, folder = request.param, hostile_workspace
    done = subprocess.run(
        [
            PRODINTEL,
            verb,
            "--days",
            "2",
            "--workspace",
            folder / "workspace",
            "--reports",
            folder / "reports",
            *OPTIONS.get(verb, []),
        ],
        capture_output=True,
        check=False,
        timeout=300,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(path.name for path in folder.iterdir()) == ["reports", "workspace"], "something else was written"
    (made,) = (path.parent for path in (folder / "reports" / VERBS[verb]).glob("*/result.json"))
    return Run(verb, made, (done.stdout + done.stderr).decode())


def test_the_terminal_shows_no_control_characters(run):
    assert set(run.said) & STEERS == set()
    shown = [part for part in FRAGMENTS if len(part) > 4 and part.isprintable() and part in run.said]
    assert len(shown) > 3, "hostile words were shown"


def test_suites_stand_in_folders_of_ours_and_are_programs_of_ours(run):
    if run.verb not in SUITES:
        assert not (run.folder / "tests").exists(), (
            "a verb with tests needs a pattern of their names here (guards: tests/renderers/guards_test.py)"
        )
        return
    names = sorted(path.name for path in (run.folder / "tests").iterdir())
    assert names, "there is something to test"
    assert [name for name in names if not re.fullmatch(SUITES[run.verb], name)] == []
    for path in sorted((run.folder / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"eval", "exec", "__import__", "compile", "os.system"}, path.name


def test_the_notebooks_outputs_hold_no_element_of_theirs(run):
    assert_outputs_hold_no_element_of_theirs(run.folder / "notebook.ipynb")


def test_the_summary_holds_no_markup_of_theirs(run):
    parse = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse
    found = list(kinds_in(parse((run.folder / "summary.md").read_text(encoding="utf-8"))))
    ours = {"heading", "paragraph", "strong", "inline", "text", "text_special", "softbreak", "bullet_list", "list_item"}
    assert {kind for kind, _ in found} <= ours
    assert any("onerror" in text for _, text in found), "the hostile words were really there"


def test_the_pages_do_nothing_but_show(run, chromium):
    pages = sorted(run.folder.glob("*.html"))
    assert "report.html" in [page.name for page in pages]
    for page in pages:
        assert_page_does_nothing_but_show(page, chromium)


def assert_page_does_nothing_but_show(page, chromium):
    """Open a page, touch its marks, and look whether anything was asked for, said or run."""
    tried = []
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    opened.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else tried.append(asked.url))
    opened.on("console", lambda said: tried.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: tried.append(str(error)))
    opened.on("dialog", lambda dialog: (tried.append(dialog.message), dialog.dismiss()))
    opened.goto(page.as_uri())
    if page.name == "report.html":
        opened.wait_for_function(READY)
    for mark in opened.locator("svg.marks path").all()[:60]:
        mark.dispatch_event("mousemove")
        mark.dispatch_event("mouseover")
    names = opened.evaluate("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))")

    assert tried == []
    assert opened.evaluate("window.__pwned") is None
    assert [name for name in set(names) if name.startswith("on") or name in {"srcdoc", "formaction", "ping"}] == []
