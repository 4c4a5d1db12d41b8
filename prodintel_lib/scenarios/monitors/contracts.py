"""Checks of an API against its OpenAPI document: which document, who asks, and how much is asked."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
import yaml
from pydantic import Field, JsonValue, StringConstraints

from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.guards.exchanges import read_exchanges
from prodintel_lib.scenarios.model import Frozen, Request
from prodintel_lib.scenarios.recorded import Authorization
from prodintel_lib.workspace import CONFIG_NAME
from prodintel_lib.yaml_bounds import MAX_YAML_DEPTH, MAX_YAML_NODES, unfolds_too_far, yaml_depth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.windows import Window
    from prodintel_lib.workspace import Workspace

MAX_DOCUMENT_BYTES: Final = 20_000_000
READS: Final = frozenset({"get", "head"})
METHODS: Final = READS | {"delete", "options", "patch", "post", "put", "trace", "query"}
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
"""What Schemathesis holds every answer to, by its own names."""

_VERSION: Final = re.compile(r"(3\.[0-2](\.[0-9]+)?|2\.0)\Z")


class SignIn(Frozen):
    """How whoever checks signs in: the request prodintel.yaml's `auth` names, as production's sessions sent it.

    Attributes
    ----------
    header, prefix : str
        The header that carries the token, and what stands before it.
    request : Request or None
        None where none was recorded: the token then comes from the environment alone.
    pointer : str
        JSON pointer to the token in its answer.
    """

    header: str
    prefix: str
    request: Request | None
    pointer: str


class Contract(Frozen):
    """The checks of one API against its OpenAPI document.

    Attributes
    ----------
    kind : {"file", "url"}
        A file is copied into the suite; a URL is read when the checks run.
    location : str
        As prodintel.yaml has it.
    document : dict or None
        What the file holds; written into a file of its own.
    reads, writes : int or None
        How many operations of the file only read, and how many do not.
    sign_in : SignIn or None
    checks : tuple of str
        Names of Schemathesis's checks.
    max_examples : int
        Of generated requests for each operation, beside those that cover its schema's bounds one by one.
    deadline_ms : int
        For each answer.
    seed : int
    every_min : int
        How often it is meant to run.
    input_digest : str
        Of the file, or of the URL.
    """

    kind: Literal["file", "url"]
    location: str
    document: dict[str, JsonValue] | None = Field(default=None, exclude=True, repr=False)
    reads: int | None = None
    writes: int | None = None
    sign_in: SignIn | None = None
    checks: tuple[str, ...] = CHECKS
    max_examples: Annotated[int, Field(ge=1)] = 25
    deadline_ms: Annotated[int, Field(ge=1)] = 10_000
    seed: Annotated[int, Field(ge=0)] = 1
    every_min: Annotated[int, Field(ge=1)] = 60
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]


def build_contract(
    workspace: Workspace, view: LakeView | None = None, *, window: Window | None = None
) -> Contract | None:
    """Build the checks of the document that prodintel.yaml names.

    Parameters
    ----------
    workspace : Workspace
    view : LakeView, optional
        Where the request that signs in is read from.
    window : Window, optional
        Of the recording; with `view`.

    Returns
    -------
    Contract or None
        None where prodintel.yaml names no document.

    Raises
    ------
    ParameterError
        If the file is outside the workspace, cannot be read, is no OpenAPI document, or refers to others.
    """
    location = workspace.config.openapi
    if location is None:
        return None
    sign_in = _find_sign_in(workspace, view, window)
    if "://" in location:
        _require_usable_url(location, workspace.root / CONFIG_NAME)
        digest = hashlib.sha256(location.encode()).hexdigest()[:12]
        return Contract(kind="url", location=location, sign_in=sign_in, input_digest=digest)
    file = _file_of(workspace, location)
    content = _read(file)
    document = parse_document(content, where=str(file))
    methods = [method for item in document["paths"].values() if isinstance(item, dict) for method in item]
    return Contract(
        kind="file",
        location=location,
        document=document,
        reads=sum(method in READS for method in methods),
        writes=sum(method in METHODS - READS for method in methods),
        sign_in=sign_in,
        input_digest=hashlib.sha256(content).hexdigest()[:12],
    )


def parse_document(content: bytes, *, where: str) -> dict[str, Any]:
    """Parse an OpenAPI document (3.x, or Swagger 2.0) in JSON or YAML.

    Parameters
    ----------
    content : bytes
    where : str
        For errors.

    Raises
    ------
    ParameterError
        If it is no such document, or refers to another file or host.
    """
    document = _load(content, where)
    version = document.get("openapi", document.get("swagger")) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not _VERSION.match(str(version)):
        raise ParameterError(
            f"{where} is no OpenAPI document: `openapi` has to be 3.x (or `swagger` 2.0); it is {str(version)[:40]!a}.",
            hint=f"name the document itself as `openapi` in {CONFIG_NAME}.",
        )
    paths = document.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise ParameterError(f"{where} has no `paths`: there is nothing to check.", hint="name a document with paths.")
    if (foreign := next(_foreign_references(document), None)) is not None:
        raise ParameterError(
            f"{where} refers to {foreign[:120]!a}: a document may refer to nothing but itself (`#/...`).",
            hint="bundle it into one file.",
        )
    return document


def _find_sign_in(workspace: Workspace, view: LakeView | None, window: Window | None) -> SignIn | None:
    authorization = Authorization.of(workspace)
    if authorization is None:
        return None
    request = None
    if view is not None and window is not None:
        recorded = read_exchanges(view, authorization.route, window, authorization=None)
        # What leads to it would have to be sent as well: of those that need least, the first.
        request = min(recorded.built, key=lambda built: len(built[0]))[1] if recorded.built else None
    return SignIn(
        header=authorization.header, prefix=authorization.prefix, request=request, pointer=authorization.pointer
    )


def _require_usable_url(url: str, where: Path) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", url):
        raise ParameterError(
            f"{where}: `openapi` has to be a file or http(s)://host/path; it is {url[:80]!a}.",
            hint="leave user names and passwords out of it.",
        )


def _file_of(workspace: Workspace, location: str) -> Path:
    file = (workspace.root / location).resolve()
    if not file.is_relative_to(workspace.root):
        raise ParameterError(
            f"The `openapi` of {workspace.root / CONFIG_NAME} leaves the workspace: it leads to {file}.",
            hint="copy the document into the workspace, or name a URL.",
        )
    return file


def _read(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MAX_DOCUMENT_BYTES else b""
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"The OpenAPI document {file} cannot be read: {error}.", hint=f"correct `openapi` in {CONFIG_NAME}."
        ) from error
    if not content:
        raise ParameterError(
            f"The OpenAPI document {file} has {size:,} bytes; it may have 1 to {MAX_DOCUMENT_BYTES:,}.",
            hint=f"correct `openapi` in {CONFIG_NAME}.",
        )
    return content


def _load(content: bytes, where: str) -> Any:  # noqa: ANN401 - anything may be in a file
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        if yaml_depth(content) > MAX_YAML_DEPTH:
            raise ParameterError(f"{where} is nested deeper than {MAX_YAML_DEPTH}.", hint="write it flatter.")
        if unfolds_too_far(yaml.compose(content, Loader=yaml.SafeLoader)):
            raise ParameterError(f"{where} unfolds to more than {MAX_YAML_NODES:,} values.", hint="use no aliases.")
        # Status codes and versions are texts in JSON; YAML reads some as numbers, and dates as dates.
        return orjson.loads(orjson.dumps(yaml.safe_load(content), option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, orjson.JSONEncodeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"{where} is neither JSON nor YAML: {' '.join(str(error).split())[:200]}.", hint="mend what is named."
        ) from error


def _foreign_references(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            reference = each.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#"):
                yield reference
            waiting.extend(each.values())
