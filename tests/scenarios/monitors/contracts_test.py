import json

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.monitors.contracts import CHECKS, build_contract, parse_document
from prodintel_lib.workspace import open_workspace

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/things": {"parameters": [], "get": {"responses": {}}, "post": {"responses": {}}},
        "/things/{id}": {"get": {"responses": {}}, "delete": {"responses": {}}, "x-note": {}},
    },
}
YAML = """\
openapi: 3.0.3
info: {title: t, version: 2024-01-31}
paths:
  /things:
    get:
      responses:
        200: {description: fine}
"""


@pytest.fixture
def workspace(tmp_path):
    def make(*lines):
        (tmp_path / "prodintel.yaml").write_text("\n".join(["name: w", *lines]) + "\n", encoding="utf-8")
        return open_workspace(tmp_path)

    return make


def test_build_contract_is_none_where_no_document_is_named(workspace):
    assert build_contract(workspace()) is None


def test_build_contract_copies_a_file_and_counts_what_it_holds(workspace, tmp_path):
    (tmp_path / "api.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")

    contract = build_contract(workspace("openapi: api.json"))

    assert (contract.kind, contract.location, contract.document) == ("file", "api.json", DOCUMENT)
    assert (contract.reads, contract.writes, contract.sign_in, contract.checks) == (2, 2, None, CHECKS)
    assert "document" not in contract.model_dump()
    same = build_contract(workspace("openapi: ./api.json"))
    assert same.input_digest == contract.input_digest


def test_build_contract_leaves_a_url_to_be_read_when_the_checks_run(workspace):
    contract = build_contract(workspace("openapi: https://shop.example/v1/openapi.json"))

    assert (contract.kind, contract.location) == ("url", "https://shop.example/v1/openapi.json")
    assert (contract.document, contract.reads, contract.writes) == (None, None, None)


def test_build_contract_knows_how_to_sign_in_without_a_recording(workspace):
    sign_in = build_contract(
        workspace("openapi: http://127.0.0.1/o", "auth: {route: POST /api/sessions, pointer: /token}")
    ).sign_in

    assert (sign_in.header, sign_in.prefix, sign_in.pointer, sign_in.request) == (
        "Authorization",
        "Bearer ",
        "/token",
        None,
    )


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../api.json", "leaves the workspace"),
        ("/etc/hostname", "leaves the workspace"),
        ("missing.json", "cannot be read"),
        ("ftp://shop.example/api.json", "has to be a file or http"),
        ("https://me:secret@shop.example/api.json", "has to be a file or http"),
        ("file:///etc/passwd", "has to be a file or http"),
    ],
)
def test_build_contract_refuses_a_document_from_elsewhere(workspace, location, said):
    with pytest.raises(ParameterError, match=said):
        build_contract(workspace(f"openapi: {json.dumps(location)}"))


def test_build_contract_refuses_a_link_out_of_the_workspace(workspace, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.json"
    outside.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    (tmp_path / "api.json").symlink_to(outside)

    with pytest.raises(ParameterError, match="leaves the workspace"):
        build_contract(workspace("openapi: api.json"))


def test_parse_document_reads_yaml_as_json_would_have_it():
    document = parse_document(YAML.encode(), where="api.yaml")

    assert document["paths"]["/things"]["get"]["responses"] == {"200": {"description": "fine"}}
    assert document["info"]["version"] == "2024-01-31"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "is no OpenAPI document"),
        ('{"openapi": "4.0.0", "paths": {"/": {}}}', "is no OpenAPI document"),
        ('{"swagger": "1.2", "paths": {"/": {}}}', "is no OpenAPI document"),
        ('{"openapi": "3.1.0", "paths": {}}', "has no `paths`"),
        ("a: [", "is neither JSON nor YAML"),
        ("a: &a [*a]", "unfolds to more than|is neither JSON nor YAML"),
        (json.dumps(DOCUMENT | {"x": [{"$ref": "other.json#/a"}]}), r"refers to 'other\.json#/a'"),
        (json.dumps(DOCUMENT | {"x": {"$ref": "http://169.254.169.254/"}}), "refers to 'http://169"),
    ],
)
def test_parse_document_refuses_what_is_none(content, said):
    with pytest.raises(ParameterError, match=said):
        parse_document(content.encode(), where="api")


@pytest.mark.parametrize("version", ["2.0"])
def test_parse_document_takes_swagger(version):
    assert parse_document(json.dumps({"swagger": version, "paths": {"/": {}}}).encode(), where="a")["swagger"] == "2.0"
