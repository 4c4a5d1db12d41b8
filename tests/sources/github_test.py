import orjson
import pytest

from prodintel_lib.sources.github import read_github
from prodintel_lib.windows import parse_time

DEPLOYMENT = {
    "id": 88121,
    "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
    "ref": "v2.4.2",
    "task": "deploy",
    "environment": "production",
    "description": "drop the timeout",
    "created_at": "2025-09-29T12:19:40Z",
    "url": "https://api.github.com/repos/shop/payment/deployments/88121",
    "repository_url": "https://api.github.com/repos/shop/payment",
    "creator": {"login": "ada"},
    "payload": {},
}
REPOSITORY = {"name": "payment", "full_name": "shop/payment"}
STATUS = {
    "id": 1,
    "state": "success",
    "created_at": "2025-09-29T12:21:00Z",
    "environment": "production",
    "target_url": "https://ci.example/1",
    "description": "",
    "creator": {"login": "ci[bot]"},
}


def test_read_github_gives_a_row_a_deployment_and_a_row_a_status(stream):
    created = {"action": "created", "deployment": DEPLOYMENT, "repository": REPOSITORY}
    result = read_github(stream([created, {**created, "deployment_status": STATUS}]))
    frame = result.frames["changes"]
    assert (result.rows_read, result.kept) == (2, {"changes": 2})
    assert frame.drop("attributes").rows(named=True) == [
        {
            "time_us": parse_time("2025-09-29T12:19:40Z"),
            "source": "github",
            "change_id": "88121",
            "change_kind": "deployment",
            "service_name": "payment",
            "service_version": "v2.4.2",
            "deployment_environment_name": "production",
            "status": "created",
            "commit_id": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
            "description": "drop the timeout",
            "actor": "ada",
            "url": "https://api.github.com/repos/shop/payment/deployments/88121",
        },
        {
            "time_us": parse_time("2025-09-29T12:21:00Z"),
            "source": "github",
            "change_id": "88121",
            "change_kind": "deployment",
            "service_name": "payment",
            "service_version": "v2.4.2",
            "deployment_environment_name": "production",
            "status": "success",
            "commit_id": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
            "description": "drop the timeout",
            "actor": "ci[bot]",
            "url": "https://ci.example/1",
        },
    ]
    kept = orjson.loads(frame["attributes"][1])
    assert (kept["repository"], kept["deployment_status"]["state"]) == ("shop/payment", "success")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"payload": {"service": "payment-service", "version": "2.4.2"}}, ("payment-service", "2.4.2")),
        ({"payload": '{"app": "pay", "tag": "t1"}'}, ("pay", "t1")),
        ({"payload": "deploy it"}, ("payment", "v2.4.2")),
        ({"payload": None, "task": "deploy:card-service"}, ("card-service", "v2.4.2")),
        ({"payload": [], "task": None}, ("payment", "v2.4.2")),
    ],
)
def test_read_github_finds_the_service_and_its_version(stream, changes, expected):
    result = read_github(stream({"deployment": {**DEPLOYMENT, **changes}, "repository": REPOSITORY}))
    assert result.frames["changes"].select("service_name", "service_version").row(0) == expected


def test_read_github_reads_deployments_as_the_api_lists_them(stream):
    result = read_github(stream([DEPLOYMENT]))
    assert result.frames["changes"].select("change_id", "service_name", "status").rows() == [
        ("88121", "payment", "created")
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"ref": "refs/heads/main", "commits": []},
        {"deployment": {}},
        {"deployment": 5},
        5,
        {"deployment": {**DEPLOYMENT, "created_at": 5}},
    ],
)
def test_read_github_quarantines_other_documents(stream, document):
    result = read_github(stream(document))
    assert [(item.reason, item.line) for item in result.quarantined] == [("not a deployment, push or release", 1)]
    assert (result.rows_read, result.kept) == (1, {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deployment__payload", ("master", "production", "created", "Codertocat")),
        ("deployment__with-installation.payload", ("master", "production", "created", "Codertocat")),
        ("deployment__gh-pages.payload", ("gh-pages", "github-pages", "created", "github-pages[bot]")),
        ("deployment_status__payload", ("master", "production", "success", "Codertocat")),
        ("deployment_status__with-installation.payload", ("master", "production", "success", "Codertocat")),
        ("deployment_status__gh-pages.payload", ("master", "github-pages", "in_progress", "github-pages[bot]")),
    ],
)
def test_read_github_reads_recorded_webhooks(shared_data, stream, name, expected):
    result = read_github(stream((shared_data / "formats" / "github" / f"{name}.json").read_bytes()))
    columns = ("change_id", "service_name", "service_version", "deployment_environment_name", "status", "actor")
    assert result.frames["changes"].select(columns).rows() == [("145988746", "Hello-World", *expected)]


def test_read_github_reads_a_release_whose_action_is_no_text(stream):
    result = read_github(stream({"release": {}, "repository": {}, "action": []}))
    assert [(item.reason, item.line) for item in result.quarantined] == [("release without id or time", 1)]
