"""The generated contract checks, rendered and run against a small system that keeps its contract or breaks it."""

import http.server
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.monitor_contracts import contract_files
from prodintel_lib.renderers.suite import RenderedFile
from prodintel_lib.renderers.templates.monitor_contract_system import base_path, foreign_reference, without_servers
from prodintel_lib.scenarios.model import Request
from prodintel_lib.scenarios.monitors.contracts import Contract, SignIn

THING = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
}

pytestmark = pytest.mark.timeout(900)


def answer(schema):
    return {"description": "fine", "content": {"application/json": {"schema": schema}}}


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "things", "version": "1"},
    "servers": [{"url": "https://never.asked.example/v1"}],
    "security": [{"token": []}],
    "paths": {
        "/things": {
            "servers": [{"url": "https://never.asked.example/v2"}],
            "get": {
                "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": answer({"type": "array", "items": THING}), "401": {"description": "who?"}},
            },
            "delete": {"responses": {"204": {"description": "gone"}, "401": {"description": "who?"}}},
        }
    },
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
}
SIGN_IN = SignIn(
    header="Authorization",
    prefix="Bearer ",
    pointer="/token",
    request=Request(id="sign_in", method="POST", route="/v1/in", path="/v1/in", body={"guest": True}),
)


def contract(**changes):
    settings = {"kind": "file", "location": "api.json", "document": DOCUMENT, "sign_in": SIGN_IN, "max_examples": 3}
    return Contract(**settings | {"input_digest": "0123456789ab"} | changes)


class Things(http.server.BaseHTTPRequestHandler):
    """Answers as the server's `behaviour` says."""

    def do_GET(self):
        self.server.seen.append(f"{self.command} {urlsplit(self.path).path}")
        self.server.asked.append(self.path)
        behaviour = self.server.behaviour
        if self.path == "/openapi.json":
            self._send(200, DOCUMENT)
        elif self.headers.get("Authorization") != "Bearer t0" and behaviour != "open":
            self._send(401, {})
        elif behaviour == "failing":
            self._send(500, {})
        elif behaviour == "redirecting":
            self._send(302, {}, Location="http://127.0.0.1:9/")
        else:
            self._send(200, [{"id": "one" if behaviour == "drifted" else 1, "name": "n"}])

    def do_POST(self):
        self.server.seen.append(f"{self.command} {self.path}")
        assert self.rfile.read(int(self.headers["Content-Length"])) == b'{"guest": true}'
        self._send(201, {} if self.server.behaviour == "without a token" else {"token": "t0"})

    def do_DELETE(self):
        self.server.seen.append(f"{self.command} {self.path}")
        self._send(204 if self.headers.get("Authorization") == "Bearer t0" else 401, None)

    def _send(self, status, document, **headers):
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def things(behaviour="healthy"):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Things)
    server.behaviour, server.seen, server.asked = behaviour, [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(folder, made, *options, **environment):
    folder.mkdir(exist_ok=True)
    write_files([RenderedFile(path, text) for path, text in contract_files(made).items()], folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
    return subprocess.run(
        command,
        cwd=folder / "contract",
        env={**os.environ, "NO_PROXY": "*", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_contract_files_are_the_same_bytes_for_the_same_contract():
    files = contract_files(contract())

    assert files == contract_files(contract())
    assert sorted(files) == [
        "contract/README.md",
        "contract/conftest.py",
        "contract/contract.json",
        "contract/monitor_contract_system.py",
        "contract/openapi.json",
        "contract/pytest.ini",
        "contract/replay_requests.py",
        "contract/test_contract.py",
        "contract/ui_target.py",
    ]
    assert "prodintel_lib" not in "".join(files.values())
    assert json.loads(files["contract/openapi.json"]) == DOCUMENT
    assert "contract/openapi.json" not in contract_files(contract(kind="url", document=None))


def test_contract_files_hold_hostile_texts_as_data_alone():
    hostile = "api\u2028</script>~~~\n# x"
    files = contract_files(
        contract(location=hostile, document={**DOCUMENT, "info": {"title": hostile, "version": "1"}})
    )

    assert json.loads(files["contract/contract.json"])["location"] == hostile
    assert json.loads(files["contract/openapi.json"])["info"]["title"] == hostile
    assert all(text.isascii() for text in files.values())
    assert "\n# x" not in files["contract/README.md"]


@pytest.mark.slow
def test_contract_checks_pass_where_the_contract_is_kept(tmp_path):
    with things() as (url, server):
        done = run(tmp_path, contract(), "--base-url", url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert server.seen[0] == "POST /v1/in"
    # The path of the document's server is kept, its host is not; and nothing that writes is sent.
    assert set(server.seen[1:]) == {"GET /v1/things"}


@pytest.mark.slow
def test_contract_checks_send_what_writes_only_where_that_is_allowed(tmp_path):
    with things() as (url, server):
        done = run(tmp_path, contract(), "--base-url", url, "--allow-writes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "DELETE /v1/things" in server.seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("drifted", "Response violates schema"),
        ("failing", "Server error"),
        ("open", "API accepts requests without authentication"),
        ("redirecting", "Undocumented status code"),
    ],
)
def test_contract_checks_fail_where_it_is_broken(tmp_path, behaviour, said):
    with things(behaviour) as (url, _):
        done = run(tmp_path, contract(), "--base-url", url)

    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout


@pytest.mark.slow
def test_contract_checks_say_that_nothing_was_judged(tmp_path):
    with things() as (url, _):
        refused = run(tmp_path, contract(), "--base-url", url, AUTH_TOKEN="none")
        unread = run(tmp_path, contract(kind="url", document=None, location=f"{url}/nothing"), "--base-url", url)
    with things("without a token") as (url, _):
        unsigned = run(tmp_path, contract(), "--base-url", url)

    assert refused.returncode == 2, refused.stdout
    assert "its healthy answers were not seen" in refused.stdout
    assert unread.returncode == 2, unread.stdout
    assert "could not judge: the contract at" in unread.stdout + unread.stderr
    assert unsigned.returncode == 2, unsigned.stdout
    assert "could not judge: signing in was answered 201 and gave no token" in unsigned.stdout + unsigned.stderr


@pytest.mark.slow
def test_contract_checks_read_a_document_from_its_url(tmp_path):
    with things() as (url, server):
        made = contract(kind="url", document=None, location=f"{url}/openapi.json")
        done = run(tmp_path, made, "--base-url", url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert server.seen[0] == "GET /openapi.json"


@pytest.mark.slow
def test_contract_checks_refuse_a_target_beyond_loopback_and_nobody_answering_is_wrong(tmp_path):
    beyond = run(tmp_path, contract(), BASE_URL="http://shop.example")
    gone = run(tmp_path, contract(), "--base-url", "http://127.0.0.1:9")

    assert beyond.returncode not in {0, 1}, beyond.stdout
    assert "is beyond loopback" in beyond.stdout + beyond.stderr
    assert gone.returncode == 1, gone.stdout
    assert "nobody can sign in" in gone.stdout + gone.stderr


@pytest.mark.slow
def test_contract_checks_ask_the_same_in_every_run_and_else_where_another_seed_is_given(tmp_path):
    asked = []
    for n, options in enumerate([(), (), ("--contract-seed", "7")]):
        with things() as (url, server):
            done = run(tmp_path / str(n), contract(), "--base-url", url, "--examples", "20", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        asked.append(server.asked)

    assert len(asked[0]) > 20
    assert asked[0] == asked[1]
    assert asked[0] != asked[2]


@pytest.mark.parametrize(
    ("document", "location", "path"),
    [
        ({}, "", ""),
        ({"servers": [{"url": "https://a.example/v1/"}]}, "", "/v1"),
        ({"servers": [{"url": "/v2"}]}, "", "/v2"),
        ({"servers": [{"url": "v3"}]}, "https://a.example/docs/openapi.json", "/docs/v3"),
        ({"servers": [{"url": "https://a/{b}", "variables": {"b": {"default": "x"}}}]}, "", "/x"),
        ({"basePath": "/old/"}, "", "/old"),
    ],
)
def test_base_path_is_that_of_the_first_server(document, location, path):
    assert base_path(document, location) == path


def test_without_servers_leaves_no_host_to_ask():
    operation = {"servers": [{"url": "http://x"}], "responses": {}}
    document = {"servers": 1, "host": 2, "basePath": 3, "paths": {"/a": {"servers": 4, "get": operation}}}

    assert without_servers(document) == {"paths": {"/a": {"get": {"responses": {}}}}}


def test_foreign_reference_finds_what_leads_out():
    assert foreign_reference({"a": [{"$ref": "#/a"}]}) == ""
    assert foreign_reference({"a": [{"$ref": "file:///etc/passwd"}]}) == "file:///etc/passwd"
