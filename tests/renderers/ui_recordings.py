"""Renderings without a browser: what their tests ask of page and visitor, written down as the calls they come from."""

import ast
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

from gherkin.parser import Parser

from prodintel_lib.renderers.ui_calls import Call, calls_of
from prodintel_lib.renderers.ui_gherkin import STEPS, WATCHING
from prodintel_lib.scenarios.ui_model import FormValue

# A page that names the way, and a visitor that notes what is asked of it.
NODE_STUB = """
const said = [];
const page = {
  getByRole: (role, options) => ["role", role, options.name, options.exact],
  getByTestId: (id) => ["test_id", id],
  locator: (selector) => ["selector", selector],
  getByLabel: (label, options) => ["label", label, options.exact],
};
const visitor = new Proxy({}, { get: (_, method) => async (...given) => said.push([method, given]) });
const formValues = (key) => ({ form_value: key });
const told = {};
const test = (name, details, body) => Object.assign(told, { name, details, body });
test.use = (options) => Object.assign(told, { use: options });
"""


FIRST = {"visit": "path", "reside": "country", "think": "seconds"}


def asked(call: Call) -> list:
    """Return a call as plain data: the method, the ways, the arguments."""
    ways = [[way.by, way.text, way.name] for way in call.ways]
    arguments = {name: {"form_value": v.key} if isinstance(v, FormValue) else v for name, v in call.arguments}
    return [call.method, ways, arguments]


def asked_by_scenario(scenario) -> list:
    return [asked(call) for call in calls_of(scenario.steps)]


class _Page:
    def get_by_role(self, role, *, name, exact):
        assert exact is True
        return _Way("role", role, name)

    def get_by_test_id(self, test_id):
        return _Way("test_id", test_id, "")

    def locator(self, selector):
        return _Way("selector", selector, "")

    def get_by_label(self, label, *, exact):
        assert exact is True
        return _Way("label", label, "")


class _Way(tuple):
    __slots__ = ()

    def __new__(cls, *parts):
        return super().__new__(cls, parts)


class _FormValues:
    def __getitem__(self, key):
        return {"form_value": key}


class _Visitor:
    def __init__(self):
        self.said = []

    def __getattr__(self, method):
        def note(*given, **named):
            ways = [list(part) for part in given if isinstance(part, _Way)]
            plain = [part for part in given if not isinstance(part, _Way)]
            names = ["route", "limits"] if method.startswith("expect_") else [FIRST.get(method, "value")]
            self.said.append([method, ways, dict(zip(names, plain, strict=False)) | named])

        return note


def asked_by_python(source: str) -> tuple[str, dict, list]:
    """Run a rendered module's one test against stand-ins; return its name, its client and what it asked."""
    # The marks of a suite are registered by its own conftest.
    mark = SimpleNamespace(client=lambda data: lambda test: test, writes=lambda test: test)
    names: dict = {"pytest": SimpleNamespace(mark=mark)}
    exec(compile(source.replace("\nimport pytest\n", "\n", 1), "rendered", "exec"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    visitor = _Visitor()
    fixtures = {"page": _Page(), "visitor": visitor, "form_values": _FormValues()}
    taken = test.__code__.co_varnames[: test.__code__.co_argcount]
    test(**{name: fixtures[name] for name in taken})
    return test.__name__, names["CLIENT"], visitor.said


def asked_by_feature(feature: str) -> dict[str, SimpleNamespace]:
    """Read a rendered feature; return by scenario its client, its tags and what its steps ask."""
    methods = {words.partition(" ")[2]: method for method, words in STEPS.items()}
    methods[f"no error occurred{WATCHING}"] = "expect_no_errors"
    found = {}
    for child in Parser().parse(feature)["feature"]["children"]:
        scenario = child["scenario"]
        told = SimpleNamespace(client={}, said=[], tags=[tag["name"] for tag in scenario["tags"]])
        for step in scenario["steps"]:
            rows = step.get("dataTable", {"rows": []})["rows"]
            data = {row["cells"][0]["value"]: json.loads(row["cells"][1]["value"]) for row in rows}
            if step["text"] == "the client":
                told.client = data
            elif step["text"] in methods:
                told.said.append([methods[step["text"]], *_parted(data)])
            else:
                assert step["text"] == "what production shows"
        found[scenario["name"]] = told
    return found


def _parted(data: dict) -> list:
    ways = [["role", data.pop("role"), data.pop("name")]] if "role" in data else []
    ways += [[by, data.pop(by), ""] for by in ("test_id", "selector", "label") if by in data]
    if "form_value" in data:
        data["value"] = {"form_value": data.pop("form_value")}
    return [ways, data]


def asked_by_typescript(specs: dict[str, str], node: str, folder: Path) -> dict[str, SimpleNamespace]:
    """Run rendered specs in Node against stand-ins; return by name the client, the tag and what they ask."""
    found = {}
    for name, source in specs.items():
        body = source.replace('import { test } from "./ui_visitor";', NODE_STUB)
        assert body != source
        script = folder / f"{name}.mjs"
        script.write_text(
            body + "await told.body({ page, visitor, formValues });\n"
            "process.stdout.write(JSON.stringify({ ...told, said }));\n",
            encoding="utf-8",
        )
        done = subprocess.run([node, str(script)], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        found[told["name"]] = SimpleNamespace(
            client=told.get("use", {}).get("client", {}),
            tag=told["details"].get("tag"),
            description=told["details"]["annotation"]["description"],
            said=[_as_asked(method, given) for method, given in told["said"]],
        )
    return found


def _as_asked(camel: str, given: list) -> list:
    method = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in camel)
    ways = [[part[0], part[1], part[2] if part[0] == "role" else ""] for part in given if isinstance(part, list)]
    plain = [part for part in given if not isinstance(part, list)]
    if method in {"fill", "choose"}:
        return [method, ways, {"value": plain[0]}]
    names = ["route", "limits"] if method == "expect_vitals" else [FIRST.get(method, "route")]
    options = plain.pop() if plain and isinstance(plain[-1], dict) and method != "expect_vitals" else {}
    return [method, ways, dict(zip(names, plain, strict=False)) | options]


def program(source: str) -> str:
    """Return the tree of a rendered module with every literal taken out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)
