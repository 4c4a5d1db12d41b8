"""Deployments as GitHub's webhooks tell them: ``deployment`` and ``deployment_status`` payloads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

_API: Final = "https://api.github.com"
_SITE: Final = "https://github.com"
_OWNER: Final = "acme-shop"
_BOT: Final = "acme-deploy[bot]"

State = Literal["queued", "in_progress", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment and what became of it.

    Attributes
    ----------
    service, version, previous_version, note : str
    created_s : float
        Seconds since the epoch.
    states : tuple of (State, float, str)
        Each state it reached, when, and what was said.
    """

    service: str
    version: str
    previous_version: str
    note: str
    created_s: float
    states: tuple[tuple[State, float, str], ...]


def write_events(deployments: list[Deployment]) -> list[dict[str, Any]]:
    """Return the webhook payloads of all deployments in the order in which they were sent."""
    sent: list[tuple[float, dict[str, Any]]] = []
    for deployment in deployments:
        about = _deployment(deployment, updated_s=deployment.created_s)
        around = {"repository": _repository(deployment), "sender": _bot()}
        sent.append((deployment.created_s, {"action": "created", "deployment": about, **around}))
        for state, time_s, said in deployment.states:
            status = _status(deployment, state, time_s, said)
            about = _deployment(deployment, updated_s=time_s)
            payload = {"action": "created", "deployment_status": status, "deployment": about, **around}
            sent.append((time_s, payload))
    return [payload for _time_s, payload in sorted(sent, key=lambda pair: pair[0])]


def _deployment(deployment: Deployment, *, updated_s: float) -> dict[str, Any]:
    number, url = _number(deployment), _url(deployment)
    return {
        "url": url,
        "id": number,
        "node_id": f"DE_{number}",
        "sha": hashlib.sha1(_key(deployment).encode(), usedforsecurity=False).hexdigest(),
        "ref": f"v{deployment.version}",
        "task": "deploy",
        "payload": {
            "service": deployment.service,
            "version": deployment.version,
            "previous_version": deployment.previous_version,
        },
        "original_environment": "production",
        "environment": "production",
        "description": deployment.note,
        "creator": _bot(),
        "created_at": _time(deployment.created_s),
        "updated_at": _time(updated_s),
        "statuses_url": f"{url}/statuses",
        "repository_url": f"{_API}/repos/{_OWNER}/{deployment.service}",
        "transient_environment": False,
        "production_environment": True,
    }


def _status(deployment: Deployment, state: State, time_s: float, said: str) -> dict[str, Any]:
    number = _number(deployment) * 10 + [state for state, _, _ in deployment.states].index(state)
    return {
        "url": f"{_url(deployment)}/statuses/{number}",
        "id": number,
        "node_id": f"DES_{number}",
        "state": state,
        "creator": _bot(),
        "description": said,
        "environment": "production",
        "target_url": "",
        "created_at": _time(time_s),
        "updated_at": _time(time_s),
        "deployment_url": _url(deployment),
        "repository_url": f"{_API}/repos/{_OWNER}/{deployment.service}",
    }


def _repository(deployment: Deployment) -> dict[str, Any]:
    name = f"{_OWNER}/{deployment.service}"
    return {
        "id": int(hashlib.sha256(name.encode()).hexdigest()[:7], 16),
        "name": deployment.service,
        "full_name": name,
        "private": True,
        "owner": {"login": _OWNER, "type": "Organization", "html_url": f"{_SITE}/{_OWNER}"},
        "html_url": f"{_SITE}/{name}",
        "description": f"The {deployment.service} service",
        "fork": False,
        "url": f"{_API}/repos/{name}",
        "deployments_url": f"{_API}/repos/{name}/deployments",
        "default_branch": "main",
    }


def _bot() -> dict[str, Any]:
    return {"login": _BOT, "type": "Bot", "url": f"{_API}/users/{_BOT}", "site_admin": False}


def _url(deployment: Deployment) -> str:
    return f"{_API}/repos/{_OWNER}/{deployment.service}/deployments/{_number(deployment)}"


def _number(deployment: Deployment) -> int:
    return 1_000_000_000 + int(hashlib.sha256(_key(deployment).encode()).hexdigest()[:7], 16)


def _key(deployment: Deployment) -> str:
    return f"{deployment.service} {deployment.version}"


def _time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
