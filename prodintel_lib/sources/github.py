"""GitHub: deployments and their statuses, pushes and releases, as its webhooks send them.

``deployment``, ``deployment_status``, ``push`` and ``release`` payloads, alone, in an array or a payload a line; bare
deployments and releases as the REST API lists them. See
https://docs.github.com/webhooks/webhook-events-and-payloads#deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.github_pushes import SOURCE, add_push, add_release, is_push
from prodintel_lib.sources.model import Json, ReadResult, Rejected, read_time
from prodintel_lib.sources.row_log import RowLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.decompress import ByteStream

_SERVICE_KEYS: Final = ("service", "service_name", "service.name", "app", "application", "component")
_VERSION_KEYS: Final = ("version", "service_version", "service.version", "tag", "release")


def read_github(stream: ByteStream) -> ReadResult:
    """Read deployments and deployment statuses, pushes and releases.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Table ``changes``: a row with status ``created`` for each deployment and one with its state for each status,
        all with the deployment's id as ``change_id``; a row for each commit of a push, with its files in
        ``attributes``; a row for each release that was created or published.

    Notes
    -----
    ``service_name`` is what the deployment's own ``payload`` says (``service``, ``app``, ``component``), else the part
    after the colon of a task such as ``deploy:payment-service``, else the name of the repository.
    ``service_version`` is the payload's ``version`` or ``tag``, else the ref.
    """
    log = RowLog()
    for line, document in read_documents(stream):
        if isinstance(document, Rejected):
            log.reject(line, document, reason="")
        elif isinstance(document, dict) and is_push(document):
            add_push(log, line, document)
        elif isinstance(document, dict) and ("release" in document or "tag_name" in document):
            add_release(log, line, document)
        else:
            log.read("changes", line, document, _change_row, reason="not a deployment, push or release")
    return log.result()


def _change_row(document: Json) -> dict[str, Json]:
    deployment = document.get("deployment", document)
    status = document.get("deployment_status")
    payload = _payload(deployment.get("payload"))
    told = status or deployment
    url = told.get("log_url") or told.get("target_url") or told.get("url")
    actor = (told.get("creator") or document.get("sender") or {}).get("login")
    return {
        "time_us": read_time(told["created_at"]),
        "source": SOURCE,
        "change_id": str(int(deployment["id"])),
        "change_kind": "deployment",
        "service_name": _service(deployment, payload, document.get("repository") or {}),
        "service_version": _first(payload, _VERSION_KEYS) or _text(deployment.get("ref")),
        "deployment_environment_name": _text(told.get("environment") or deployment.get("environment")),
        "status": str(status["state"]) if status else "created",
        "commit_id": _text(deployment.get("sha")),
        "description": _text(told.get("description") or deployment.get("description")),
        "actor": _text(actor),
        "url": _text(url),
        "attributes": orjson.dumps(_kept_attributes(document, deployment, status, payload)).decode(),
    }


def _service(deployment: Mapping[str, Json], payload: Mapping[str, Json], repository: Mapping[str, Json]) -> str | None:
    if named := _first(payload, _SERVICE_KEYS):
        return named
    _, colon, service = str(deployment.get("task") or "").partition(":")
    if colon and service:
        return service
    told = repository.get("name")
    if not told and deployment.get("repository_url"):
        told = str(deployment["repository_url"]).rstrip("/").rpartition("/")[2]
    return _text(told)


def _kept_attributes(
    document: Mapping[str, Json],
    deployment: Mapping[str, Json],
    status: Mapping[str, Json] | None,
    payload: Mapping[str, Json],
) -> dict[str, Json]:
    """Keep what is about the change; the repository's and the sender's own hundred fields are not."""
    kept: dict[str, Json] = {
        "deployment": {key: value for key, value in deployment.items() if key not in {"creator", "payload"}},
    }
    if payload:
        kept["payload"] = dict(payload)
    if status:
        kept["deployment_status"] = {key: value for key, value in status.items() if key != "creator"}
    repository = document.get("repository") or {}
    if repository.get("full_name"):
        kept["repository"] = repository["full_name"]
    for name in ("workflow", "workflow_run", "check_run"):
        part = document.get(name)
        if isinstance(part, dict):
            kept[name] = {key: part[key] for key in ("id", "name", "html_url", "event", "conclusion") if key in part}
    return kept


def _payload(payload: Json) -> dict[str, Json]:
    """Return a deployment's payload, which GitHub lets be an object or the JSON text of one."""
    if isinstance(payload, str):
        try:
            payload = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return {"text": payload} if payload else {}
    return payload if isinstance(payload, dict) else {}


def _first(payload: Mapping[str, Json], keys: tuple[str, ...]) -> str | None:
    return next((str(payload[key]) for key in keys if payload.get(key)), None)


def _text(value: object) -> str | None:
    return str(value) if value is not None and value != "" else None
