"""`prodintel monitors` on the demo: what it leaves behind, and what it says."""

import json
import re

import jsonschema
import pytest

from prodintel_lib.errors import NoDataError
from prodintel_lib.monitors_command import write_monitors
from prodintel_lib.terminal import Terminal
from prodintel_lib.workspace import open_workspace

PRODUCT, ORDERS, PAGE = "GET /api/products/{product_id}", "POST /api/orders", "GET /api/orders/{order_id}"


@pytest.fixture(scope="module")
def made(demo_workspace, tmp_path_factory):
    reports = tmp_path_factory.mktemp("reports")
    said = []
    terminal = Terminal()
    terminal.say = lambda text="": said.append(text)
    folder = write_monitors(demo_workspace, window="28d", reports=reports, terminal=terminal)
    return folder, "\n".join(said)


def index(made):
    return json.loads((made[0] / "monitors.json").read_text())


def by_endpoint(made):
    return {each["endpoint"]: each for each in index(made)["endpoints"]}


def test_write_monitors_leaves_a_suite_named_by_its_days(made):
    folder, said = made
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d", folder.name)
    assert folder.parent.name == "monitors"
    assert {"README.md", "monitors.json", "result.json", "endpoints"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in folder.parent.iterdir() if path.name.endswith(".partial")] == []
    assert f"pytest {folder}/endpoints --base-url http://127.0.0.1:8080" in said


def test_write_monitors_finds_what_is_promised_and_what_is_busy(made):
    found = by_endpoint(made)
    assert found[PRODUCT]["reasons"][0] == "promised in prodintel.yaml"
    assert found["POST /api/sessions"]["reasons"][0].endswith("% of the traffic")
    assert (found[PRODUCT]["writes"], found[PRODUCT]["signs_in"], found[PRODUCT]["every_min"]) == (False, True, 5)
    assert (found[ORDERS]["writes"], found[ORDERS]["every_min"]) == (True, 60)


def test_write_monitors_holds_latency_to_promises_and_else_to_production(made):
    checks = {name: {each["id"]: each for each in one["checks"]} for name, one in by_endpoint(made).items()}
    assert checks[ORDERS]["latency"]["says"].startswith("takes at most 2,500 ms, as prodintel.yaml promises for 99 %")
    assert "the upper bound of the 99th percentile in production" in checks[PAGE]["latency"]["says"]
    assert all(each["false_alarm"] <= 1e-4 for one in checks.values() for each in one.values())


def test_write_monitors_finds_the_rules_of_the_shop(made):
    rules = {
        name: [each["says"] for each in one["checks"] if each["kind"] == "rule"]
        for name, one in by_endpoint(made).items()
    }
    assert rules[PRODUCT] == ["/product_id is segment 2 of the path"]
    assert "/amount is the sum of /items/*/quantity times /unit_price" in rules["POST /api/cart/items"]
    assert "/order_id is /order_id of POST /api/orders" in rules[PAGE]
    assert "/amount is /amount of POST /api/orders" in rules[PAGE]


def test_write_monitors_writes_schemas_of_the_dialect_without_secrets(made):
    files = sorted((made[0] / "endpoints" / "schemas").iterdir())
    assert len(files) >= 5
    for file in files:
        schema = json.loads(file.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
    sessions = json.loads((made[0] / "endpoints" / "schemas" / "post_api_sessions_201.json").read_text())
    assert sessions["properties"]["token"] == {"type": "string"}
    assert sessions["required"] == ["session_id", "token", "user_id"]


def test_write_monitors_makes_idempotency_keys_anew(made):
    requests = json.loads((made[0] / "endpoints" / "monitor_data.json").read_text())["requests"]
    orders = [request for request in requests.values() if request["route"] == "/api/orders"]
    assert orders
    for request in orders:
        assert {"into": "body", "at": "/idempotency_key", "fresh": "uuid"} in request["replacements"]


def test_write_monitors_says_what_it_left_out_and_why(made):
    folder, said = made
    left_out = {each["what"]: each["why"] for each in index(made)["left_out"]}
    assert left_out["GET /api/search"].startswith("not critical: ")
    for what, why in left_out.items():
        assert f"    {what}: {why}" in said
    assert "without a monitor: GET /api/search" in (folder / "README.md").read_text()


def test_write_monitors_says_how_much_time_was_healthy(made):
    assert re.search(r"Healthy time: \d+ of \d+ recorded minutes; \d+\.\d were in open incidents", made[1])


def test_write_monitors_of_an_empty_window_says_so(demo_workspace, tmp_path):
    with pytest.raises(NoDataError, match="Nothing was recorded in 2020-01-01"):
        write_monitors(demo_workspace, window="2020-01-01/2020-01-02", reports=tmp_path, terminal=Terminal())
    assert list(tmp_path.iterdir()) == []


def test_write_monitors_leaves_nothing_of_people(made, demo_workspace):
    # Sessions and users of the lake are named nowhere in what was written.
    spans = open_workspace(demo_workspace).scan("spans").select("session_id", "user_id").unique().collect().to_native()
    known = {str(value) for column in ("session_id", "user_id") for value in spans[column] if value}
    written = "".join(path.read_text() for path in made[0].rglob("*") if path.is_file())
    words = set(re.findall(r"[A-Za-z0-9_-]{8,}", written))
    assert len(known) > 100
    assert words & known == set()
