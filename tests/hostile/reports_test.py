"""The errors of a workspace of nothing but hostile strings: reported and made into tests, and nothing of it acts."""

import ast
import re
import subprocess

import pytest
from markdown_it import MarkdownIt

from tests.hostile.estate import build_hostile_workspace
from tests.hostile.replay_test import PRODINTEL, READY, STEERS, assert_outputs_hold_no_element_of_theirs, kinds_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of the run and what the command said."""
    folder = tmp_path_factory.mktemp("hostile_errors")
    build_hostile_workspace(folder / "workspace")
    done = subprocess.run(
        [PRODINTEL, "errors", "--days", "2", "--workspace", folder / "workspace", "--reports", folder / "reports"],
        capture_output=True,
        check=False,
        timeout=300,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(path.name for path in folder.iterdir()) == ["reports", "workspace"], "something else was written"
    (made,) = (path.parent for path in (folder / "reports" / "error_correlation").glob("*/result.json"))
    return made, (done.stdout + done.stderr).decode()


def test_the_terminal_shows_no_control_characters(run):
    assert set(run[1]) & STEERS == set()
    assert "<img src=x onerror" in run[1], "hostile words were shown"


def test_suites_stand_in_folders_of_ours_and_are_programs_of_ours(run):
    folders = sorted(path.name for path in (run[0] / "tests").iterdir())
    assert folders, "there is something to test"
    assert [name for name in folders if not re.fullmatch(r"(?:EP|FE)-[0-9a-f]{10}|browser", name)] == []
    for path in sorted((run[0] / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"eval", "exec", "__import__", "compile", "os.system"}, path.name


def test_the_notebooks_outputs_hold_no_element_of_theirs(run):
    assert_outputs_hold_no_element_of_theirs(run[0] / "notebook.ipynb")


def test_the_summary_holds_no_markup_of_theirs(run):
    parse = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse
    found = list(kinds_in(parse((run[0] / "summary.md").read_text(encoding="utf-8"))))
    ours = {"heading", "paragraph", "strong", "inline", "text", "text_special", "softbreak", "bullet_list", "list_item"}
    assert {kind for kind, _ in found} <= ours
    assert any("onerror" in text for _, text in found), "the hostile words were really there"


def test_the_report_does_nothing_but_show(run, chromium):
    tried = []
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    opened.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else tried.append(asked.url))
    opened.on("console", lambda said: tried.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: tried.append(str(error)))
    opened.on("dialog", lambda dialog: (tried.append(dialog.message), dialog.dismiss()))
    opened.goto((run[0] / "report.html").as_uri())
    opened.wait_for_function(READY)
    for mark in opened.locator("svg.marks path").all()[:60]:
        mark.dispatch_event("mousemove")
        mark.dispatch_event("mouseover")
    names = opened.evaluate("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))")

    assert tried == []
    assert opened.evaluate("window.__pwned") is None
    assert [name for name in set(names) if name.startswith("on") or name in {"srcdoc", "formaction", "ping"}] == []
