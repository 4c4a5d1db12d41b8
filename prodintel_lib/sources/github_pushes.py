"""GitHub pushes and releases, as its webhooks send them and its REST API lists releases.

See https://docs.github.com/webhooks/webhook-events-and-payloads#push and #release.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.model import Json, read_time
from prodintel_lib.sources.row_log import json_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.row_log import RowLog

SOURCE: Final = "github"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What these say has no time of its own, and what they change is not what runs.
_NO_CHANGE: Final = frozenset({"edited", "deleted", "unpublished"})


def is_push(document: Mapping[str, Json]) -> bool:
    """Say whether a document is a push."""
    return "ref" in document and "before" in document and "after" in document


def add_push(log: RowLog, line: int, document: Mapping[str, Json]) -> None:
    """Add a row for each commit of a push, with its files in ``attributes``."""
    commits = document.get("commits")
    if not isinstance(commits, list):
        log.reject(line, document, reason="push without a list of commits")
    elif not commits:
        log.drop("push without commits (a tag, or a deleted or new branch)")
    else:
        for commit in commits:
            log.read(
                "changes", line, commit, lambda told: _commit_row(told, document), reason="commit without id or time"
            )


def add_release(log: RowLog, line: int, document: Mapping[str, Json]) -> None:
    """Add a row for a release."""
    if str(document.get("action")) in _NO_CHANGE:
        log.drop(f"release {document['action']}")
    else:
        log.read("changes", line, document, _release_row, reason="release without id or time")


def _commit_row(commit: Json, push: Mapping[str, Json]) -> dict[str, Json]:
    author = commit.get("author") or {}
    kept = {name: commit[name] for name in ("added", "modified", "removed", "author", "committer") if name in commit}
    repository = push.get("repository") or {}
    return _row(
        time_us=read_time(commit["timestamp"]),
        change_id=str(commit["id"]),
        change_kind="commit",
        service_name=text_of(repository.get("name")),
        commit_id=str(commit["id"]),
        status="pushed",
        description=text_of(commit.get("message")),
        actor=text_of(author.get("username") or author.get("name")),
        url=text_of(commit.get("url")),
        attributes=json_of(kept | {"ref": push.get("ref"), "repository": repository.get("full_name")}),
    )


def _release_row(document: Json) -> dict[str, Json]:
    release, repository = document.get("release", document), document.get("repository") or {}
    target = str(release.get("target_commitish") or "")
    kept = {name: value for name, value in release.items() if name not in {"author", "assets", "reactions"}}
    return _row(
        time_us=read_time(release.get("published_at") or release["created_at"]),
        change_id=f"release-{int(release['id'])}",
        change_kind="release",
        service_name=text_of(repository.get("name")),
        service_version=text_of(release.get("tag_name")),
        commit_id=target if _COMMIT.fullmatch(target) else None,
        status=text_of(document.get("action")) or "published",
        description=text_of(release.get("name") or release.get("body")),
        actor=text_of((release.get("author") or {}).get("login")),
        url=text_of(release.get("html_url")),
        attributes=json_of({"release": kept, "repository": repository.get("full_name")}),
    )


def _row(**values: Json) -> dict[str, Json]:
    blank = {"source": SOURCE, "service_version": None, "deployment_environment_name": None}
    return blank | values
