"""A workspace of nothing but hostile strings, replayed: nothing acts, and everything comes back as it was."""

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import mistune
import pytest
from gherkin.parser import Parser
from markdown_it import MarkdownIt

from prodintel_lib.privacy.pseudonymiser import open_pseudonymiser
from prodintel_lib.terminal import CONTROL
from prodintel_lib.workspace import open_workspace
from tests.hostile.estate import FRAGMENTS, INCIDENT, build_hostile_workspace, hostile_path

pytestmark = pytest.mark.slow

STEERS = {chr(code) for code in CONTROL} - {"\n"}
PRODINTEL = Path(sys.executable).with_name("prodintel")
READY = "document.documentElement.dataset.charts === 'drawn'"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of the replay and what the command said."""
    folder = tmp_path_factory.mktemp("hostile")
    build_hostile_workspace(folder / "workspace")
    done = subprocess.run(
        [PRODINTEL, "replay", INCIDENT, "--workspace", folder / "workspace", "--reports", folder / "reports"],
        capture_output=True,
        check=False,
        timeout=240,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(path.name for path in folder.iterdir()) == ["reports", "workspace"], "something else was written"
    return folder / "reports" / "incident_replay" / INCIDENT, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def workspace(run):
    return open_workspace(run[0].parents[2] / "workspace")


def strings_in(value):
    """Yield every string of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings_in(inner)


def requests_in(value):
    if isinstance(value, dict):
        if {"method", "path", "route"} <= value.keys():
            yield value
        for inner in value.values():
            yield from requests_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from requests_in(inner)


def sent(request):
    """Return what a request says on the wire, to compare the forms it is written in."""
    return json.dumps(
        [request[name] for name in ("id", "method", "route", "path")] + [request.get("body")], sort_keys=True
    )


def test_the_terminal_shows_no_control_characters(run):
    assert set(run[1]) & STEERS == set()
    assert "<img src=x onerror" in run[1], "the hostile file names were shown"


def test_every_python_file_is_a_program_of_ours(run):
    files = sorted((run[0] / "tests").glob("*.py"))
    assert len(files) >= 6
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"eval", "exec", "__import__", "compile", "os.system"}, path.name


def test_the_requests_of_all_forms_are_the_recorded_ones(run, workspace):
    """Python, JSON and Gherkin hold the same requests, and their bodies are those of the lake after pseudonyms."""
    tests = run[0] / "tests"
    module = ast.parse((tests / "inc_2024_1301.py").read_text(encoding="utf-8"))
    python = [ast.literal_eval(node.value) for node in module.body if isinstance(node, ast.Assign)]
    neutral = json.loads((tests / "scenarios.json").read_text(encoding="utf-8"))
    feature = Parser().parse((tests / "inc_2024_1301.feature").read_text(encoding="utf-8"))["feature"]
    steps = [step for child in feature["children"] for part in child.values() for step in part["steps"]]
    tables = [
        {row["cells"][0]["value"]: json.loads(row["cells"][1]["value"]) for row in step["dataTable"]["rows"]}
        for step in steps
        if "dataTable" in step and len(step["dataTable"]["rows"][0]["cells"]) == 2
    ]
    expected = {sent(request) for request in requests_in(neutral)}
    assert len(expected) >= 3
    assert {sent(request) for request in requests_in(python)} == expected
    assert {sent(request) for request in requests_in(tables)} == expected

    private = open_pseudonymiser(workspace.root, workspace.config.privacy)
    spans = private.frame(
        workspace.scan("spans").select("url_path", "http_request_body").collect("polars").to_native().unique()
    )
    paths = set(spans["url_path"].drop_nulls())
    recorded = {string for body in spans["http_request_body"].drop_nulls() for string in strings_in(json.loads(body))}
    for request in requests_in(neutral):
        assert request["path"] in paths
        kept = set(strings_in(request.get("body"))) - {"[masked]"}
        assert kept <= recorded
    met = {string for request in requests_in(neutral) for string in strings_in(request.get("body"))}
    assert len(met & set(FRAGMENTS)) >= 20, "hostile strings were really there"
    assert any(len(string) >= 1000 for string in met), "and a long one"


def test_the_feature_says_nothing_of_theirs_outside_its_tables(run):
    text = (run[0] / "tests" / "inc_2024_1301.feature").read_text(encoding="utf-8")
    feature = Parser().parse(text)["feature"]
    scenarios = [child["scenario"] for child in feature["children"] if "scenario" in child]
    named = json.loads((run[0] / "result.json").read_text())["scenarios"]
    assert [scenario["name"] for scenario in scenarios] == named
    said = [
        feature["name"],
        *(scenario["name"] for scenario in scenarios),
        *(s["text"] for c in scenarios for s in c["steps"]),
    ]
    assert [words for words in said if not re.fullmatch(r"[A-Za-z0-9_ ,.'()-]+", words)] == []
    assert all(not scenario["examples"] for scenario in scenarios)


def test_pytest_collects_the_tests(run, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=run[0] / "tests",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = json.loads((run[0] / "result.json").read_text())["scenarios"]
    assert len(re.findall(r"^test_\w+\.py::", done.stdout, re.MULTILINE)) == 2 * len(named)


def kinds_in(tokens):
    """Yield the kind and the text of every element of a Markdown tree, of mistune or of markdown-it."""
    for token in tokens:
        plain = (
            token if isinstance(token, dict) else {"type": token.type, "raw": token.content, "children": token.children}
        )
        yield plain["type"].removesuffix("_open").removesuffix("_close"), plain.get("raw", "")
        yield from kinds_in(plain.get("children") or ())


@pytest.mark.parametrize("name", ["summary.md", "tests/README.md"])
@pytest.mark.parametrize(
    "parse",
    [
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse,
        # Links without brackets too, as GitHub and chats make them.
        mistune.create_markdown(
            renderer=None, plugins=["url", "table", "strikethrough", "footnotes", "task_lists", "math"]
        ),
    ],
    ids=["markdown-it", "mistune"],
)
def test_markdown_holds_no_markup_of_theirs(run, name, parse):
    found = list(kinds_in(parse((run[0] / name).read_text(encoding="utf-8"))))
    ours = {"heading", "paragraph", "strong", "inline", "text", "text_special", "softbreak", "blank_line"}
    ours |= {"bullet_list", "list", "list_item", "block_text", "fence", "block_code", "code_inline", "codespan"}
    assert {kind for kind, _ in found} <= ours
    assert any("onerror" in text for _, text in found), "the hostile title was really there"


class Tags(HTMLParser):
    """Collects the elements and attributes of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def assert_outputs_hold_no_element_of_theirs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    pages = ["".join(output["data"]["text/html"]) for output in outputs if "text/html" in output.get("data", {})]
    assert len(pages) >= 6
    tags = {"div", "p", "span", "small", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "br"}
    tags |= {"strong", "b", "em", "code", "pre", "ul", "ol", "li", "details", "summary", "h3", "h4", "dl", "dt", "dd"}
    for page in pages:
        for tag, attributes in Tags(page).found:
            assert tag in tags
            assert attributes.keys() <= {"class", "style", "scope", "title", "colspan", "rowspan", "open"}
    assert any("&lt;" in page for page in pages), "the hostile names were really there"
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_the_notebooks_outputs_hold_no_element_of_theirs(run):
    assert_outputs_hold_no_element_of_theirs(run[0] / "notebook.ipynb")


@pytest.fixture(scope="module")
def page(run, chromium):
    """Return the report in a browser, and what it tried to do."""
    tried = {"requests": [], "errors": [], "dialogs": []}

    def route(request):
        if request.request.is_navigation_request() and request.request.url.startswith("file:"):
            request.continue_()
        else:
            tried["requests"].append(request.request.url)
            request.abort()

    def dismiss(dialog):
        tried["dialogs"].append(dialog.message)
        dialog.dismiss()

    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.route("**/*", route)
    opened.on("console", lambda said: tried["errors"].append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: tried["errors"].append(str(error)))
    opened.on("dialog", dismiss)
    opened.goto((run[0] / "report.html").as_uri())
    opened.wait_for_function(READY)
    return opened, tried


def test_the_report_does_nothing_but_show(page):
    opened, tried = page
    for mark in opened.locator("svg.marks path").all()[:60]:
        mark.dispatch_event("mousemove")
        mark.dispatch_event("mouseover")
    assert tried == {"requests": [], "errors": [], "dialogs": []}
    assert opened.evaluate("window.__pwned") is None
    shown = opened.locator("body").inner_text()
    assert "</script><script>window.__pwned=1</script>" in shown, "their text was really there, as text"


def test_the_report_holds_no_element_or_attribute_of_theirs(page):
    opened, _ = page
    elements = opened.evaluate(
        "[...document.querySelectorAll('*')].map(e => [e.localName, [...e.attributes].map(a => a.name)])"
    )
    tags = {tag for tag, _ in elements}
    names = {name for _, attributes in elements for name in attributes}
    assert tags & {"iframe", "object", "embed", "textarea", "base", "audio", "video", "foreignobject"} == set()
    assert [name for name in names if name.startswith("on") or name in {"srcdoc", "formaction", "ping"}] == []
    links = opened.evaluate(
        "[...document.querySelectorAll('[href],[src],[xlink\\\\:href],[action]')].map(e => "
        "e.getAttribute('href') || e.getAttribute('src') || e.getAttribute('xlink:href') || e.getAttribute('action'))"
    )
    assert [link for link in links if not re.match(r"#|https?://|data:image/(?:svg\+xml|png);base64,", link)] == []
    running = opened.evaluate("document.querySelectorAll('script:not([type=\"application/json\"])').length")
    assert running == 2, "the page's own script and the charts'"
    assert opened.evaluate("document.forms.length") == opened.evaluate(
        "document.querySelectorAll('form.vega-bindings').length"
    )
    titles = opened.evaluate("document.title")
    assert set(titles) & (STEERS - {chr(0x2028), chr(0x2029)}) == set()


def test_every_json_file_is_json(run):
    files = list(run[0].rglob("*.json"))
    assert {"result.json", "capsule.json", "run.json", "issue.json"} <= {path.name for path in files}
    for path in files:
        json.loads(path.read_text(encoding="utf-8"))


def test_ingest_accounts_for_hostile_files_without_steering_the_terminal(workspace):
    done = subprocess.run(
        [PRODINTEL, "ingest", "--workspace", workspace.root], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout + done.stderr) & STEERS == set()
    read, kept, quarantined = (
        int(figure.replace(",", ""))
        for figure in re.search(r"Rows read ([\d,]+) = kept ([\d,]+) \+ quarantined ([\d,]+)\.", done.stdout).groups()
    )
    assert read == kept + quarantined
    assert quarantined >= 2
    assert len(done.stdout.splitlines()) == 8, "a file name with a newline is one line"


def test_slo_and_authorization_are_found_by_hostile_routes(run):
    """The objectives and the token's route of prodintel.yaml hold, so that names were really followed."""
    neutral = json.loads((run[0] / "tests" / "scenarios.json").read_text(encoding="utf-8"))
    routes = {request["route"] for request in requests_in(neutral)}
    assert hostile_path("/api/sessions") in routes
    assert any(
        replacement.get("at") == "Authorization"
        for request in requests_in(neutral)
        for replacement in request["replacements"]
    )
