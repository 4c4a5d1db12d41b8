"""The system whose contract is checked: its OpenAPI document, who asks, and what the answers were."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import httpx
import schemathesis
import yaml
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from prodintel_lib.renderers.templates.replay_requests import (
    MISSING,
    SetUpError,
    UnreachableError,
    at_pointer,
    fill,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemathesis.schemas import BaseSchema

HERE = Path(__file__).parent
READS = ["GET", "HEAD"]
METHODS = {"get", "head", "delete", "options", "patch", "post", "put", "trace", "query"}
CHECKS = {
    check.__name__: check
    for check in (
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        ignored_auth,
    )
}
MAX_DOCUMENT_BYTES = 20_000_000
DEADLINE_S = 10.0


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say."""

    base_url: str
    loopback: bool
    allow_writes: bool
    allow_sign_in: bool
    examples: int | None
    seed: int | None


class SecretValues(dict[str, str]):
    """Values for what was masked in the recording: SECRET_<NAME>."""

    def __missing__(self, name: str) -> str:
        """Look in the environment."""
        variable = f"SECRET_{name.upper()}"
        if variable not in os.environ:
            raise SetUpError(f"signing in needs {variable} in the environment, or AUTH_TOKEN.")
        return os.environ[variable]


@dataclass
class ContractSystem:
    """The system whose contract is checked; `answers` counts the statuses of each operation."""

    settings: Settings
    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    @cached_property
    def contract(self) -> dict[str, Any]:
        """What is checked, and how much is asked."""
        data: dict[str, Any] = json.loads((HERE / "contract.json").read_text(encoding="utf-8"))
        return data

    @cached_property
    def schema(self) -> BaseSchema:
        """The operations to check; those that write only where that is allowed."""
        document = self._document()
        schema: BaseSchema = schemathesis.openapi.from_dict(
            without_servers(document), config=self._config(base_path(document, self._location()))
        )
        return schema if self.settings.allow_writes else schema.include(method=READS)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What authorises: AUTH_TOKEN of the environment, else the token that signing in gives."""
        sign_in = self.contract["sign_in"]
        if sign_in is None:
            return {}
        token = os.environ.get("AUTH_TOKEN") or self._sign_in(sign_in)
        return {sign_in["header"]: f"{sign_in['prefix']}{token}"}

    def judge(self, case: schemathesis.Case[Any]) -> None:
        """Send a generated request, and hold the answer to the document."""
        response = case.call(headers=dict(self.headers))
        self.answers[case.operation.label][response.status_code] += 1
        case.validate_response(
            response, checks=[CHECKS[name] for name in self.contract["checks"]], headers=dict(self.headers)
        )

    def _config(self, path: str) -> SchemathesisConfig:
        settings, contract = self.settings, self.contract
        varied = settings.seed is not None
        project = ProjectConfig(
            base_url=settings.base_url + path,
            request_timeout=contract["deadline_ms"] / 1000,
            # A redirect may lead anywhere; the document says whether it may be one.
            max_redirects=0,
            generation=GenerationConfig(
                max_examples=settings.examples or contract["max_examples"],
                deterministic=not varied,
                database="none",
                # Who has no authorisation is tried by a check of its own.
                with_security_parameters=False,
            ),
            # To try other methods than those of the document would be to write.
            phases=PhasesConfig(coverage=CoveragePhaseConfig(unexpected_methods=set())),
        )
        seed = settings.seed if settings.seed is not None else contract["seed"]
        return SchemathesisConfig(seed=seed, projects=ProjectsConfig(default=project))

    def _location(self) -> str:
        return str(self.contract["location"]) if self.contract["kind"] == "url" else ""

    def _document(self) -> dict[str, Any]:
        if self.contract["kind"] == "file":
            document = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
        else:
            document = read_document(self._location())
        if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
            raise SetUpError("the contract is no OpenAPI document: it has no paths.")
        if foreign := foreign_reference(document):
            raise SetUpError(f"the contract refers to {plain(foreign[:120])}: bundle it into one document.")
        return document

    def _sign_in(self, sign_in: dict[str, Any]) -> str:
        settings, request = self.settings, sign_in["request"]
        if request is None:
            raise SetUpError("nobody was recorded signing in: put a token into AUTH_TOKEN.")
        if not (settings.loopback or settings.allow_sign_in or settings.allow_writes):
            raise SetUpError("signing in beyond loopback needs --allow-sign-in, or a token in AUTH_TOKEN.")
        path, headers, body = fill(request, {}, SecretValues())
        try:
            response = httpx.request(
                request["method"],
                settings.base_url + path,
                headers=list(headers.items()),
                content=None if body is None else json.dumps(body).encode(),
                timeout=DEADLINE_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"nobody can sign in: {plain(str(error))}.") from error
        if response.is_server_error:
            raise UnreachableError(f"nobody can sign in: {response.status_code}.")
        try:
            token = at_pointer(response.json(), sign_in["pointer"])
        except (ValueError, RecursionError):
            token = MISSING
        if not response.is_success or not isinstance(token, str):
            raise SetUpError(f"signing in was answered {response.status_code} and gave no token.")
        return token


_PREPARED: dict[str, ContractSystem] = {}


def prepare(settings: Settings) -> ContractSystem:
    """Keep the system for the module of tests, whose tests are made while it is imported."""
    return _PREPARED.setdefault("system", ContractSystem(settings))


def prepared() -> ContractSystem:
    """Return the system that the command line asked for."""
    return _PREPARED["system"]


def read_document(url: str) -> object:
    """Read a document in JSON or YAML from its URL."""
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=DEADLINE_S, follow_redirects=False) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                content += part
                if len(content) > MAX_DOCUMENT_BYTES:
                    raise SetUpError(f"the contract at {plain(url)} is larger than {MAX_DOCUMENT_BYTES:,} bytes.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SetUpError(f"the contract at {plain(url)} cannot be read: {plain(str(error))}.") from error
    try:
        return json.loads(content)
    except ValueError:
        pass
    try:
        return json.loads(json.dumps(yaml.safe_load(bytes(content)), default=str))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise SetUpError(f"the contract at {plain(url)} is neither JSON nor YAML.") from error


def foreign_reference(document: object) -> str:
    """Return a reference that leads out of the document; empty where none does."""
    waiting = [document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            reference = each.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#"):
                return reference
            waiting.extend(each.values())
    return ""


def base_path(document: Mapping[str, Any], location: str) -> str:
    """Return the path below which a document's own paths lie; its host is never asked, only the target's."""
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], dict):
        url = str(servers[0].get("url", ""))
        for name, variable in (servers[0].get("variables") or {}).items():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        return urlsplit(urljoin(location, url)).path.rstrip("/")
    return str(document.get("basePath", "")).rstrip("/")


def without_servers(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without the hosts it names, so that only the target is asked."""
    kept = {name: value for name, value in document.items() if name not in {"servers", "host", "basePath", "schemes"}}
    kept["paths"] = {path: _without_hosts(item) for path, item in document["paths"].items()}
    return kept


def _without_hosts(item: object) -> object:
    if not isinstance(item, dict):
        return item
    cut = {name: value for name, value in item.items() if name != "servers"}
    return {
        name: {key: part for key, part in value.items() if key != "servers"}
        if name in METHODS and isinstance(value, dict)
        else value
        for name, value in cut.items()
    }
