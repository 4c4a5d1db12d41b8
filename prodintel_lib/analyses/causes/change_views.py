"""Changes as candidates: a commit and the deployments that carried it are one, with what its diff does."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from prodintel_lib.analyses.causes.diffs import DiffReading, read_diff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FAILED_STATUSES: Final = ("failure", "error")
INERT_STATUSES: Final = (*FAILED_STATUSES, "inactive", "cancelled")
MIN_COMMIT_LENGTH: Final = 7
_DIFF_KEYS: Final = ("diff", "patch")
_FILE_KEYS: Final = ("files_changed", "files", "changed_files", "modified", "added", "removed")
_COMMON_PARTS: Final = frozenset({"service", "svc", "server", "app", "api", "prod", "the"})


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change with everything known of it.

    Attributes
    ----------
    kind : str
        deployment, flag, config, commit, release, ...
    time_us : int
        When it took effect, as far as known: of a commit the first deployment that carried it.
    services : tuple of str
        What was changed: where it was deployed; of a commit that none names, those whose name is in its paths.
    carried : bool or None
        Whether a deployment names the commit; None where no deployment names any.
    """

    change_id: str
    kind: str
    time_us: int
    services: tuple[str, ...]
    version: str
    commit_id: str
    description: str
    carried: bool | None
    reading: DiffReading

    @property
    def label(self) -> str:
        """Name it for people."""
        of = f" of {', '.join(self.services)}" if self.services else ""
        version = f" {self.version}" if self.version else ""
        commit = f" (commit {self.commit_id[:10]})" if self.carried and self.kind != "commit" else ""
        name = f" {self.commit_id[:10]}" if self.kind == "commit" else ""
        return f"{self.kind}{name}{of}{version}{commit}"


def view_changes(changes: pl.DataFrame, *, from_us: int, until_us: int, services: Iterable[str]) -> list[ChangeView]:
    """Bring the table ``changes`` to candidates.

    Parameters
    ----------
    changes : polars.DataFrame
        The canonical table. Files and diff are looked for in ``attributes``, at any depth.
    from_us, until_us : int
        Those that took effect in this half-open time; failed and cancelled ones are left out.
    services : iterable of str
        Every service that is known, to recognise one in a path.
    """
    failed = set(changes.filter(pl.col("status").is_in(FAILED_STATUSES))["change_id"])
    rows = (
        changes.filter(
            (pl.col("time_us") < until_us)
            & ~pl.col("status").fill_null("").is_in(INERT_STATUSES)
            & ~pl.col("change_id").is_in(list(failed))
        )
        .sort("time_us", "change_id")
        .group_by("change_kind", "change_id", maintain_order=True)
        .last()
    )
    views = [_view(row) for row in rows.sort("time_us", "change_id").iter_rows(named=True)]
    names = sorted(set(services) | {name for view in views for name in view.services})
    merged = _merge_commits(views, names)
    return [view for view in merged if view.time_us >= from_us]


def _view(row: dict[str, Any]) -> ChangeView:
    attributes = _parsed(row["attributes"])
    files = [str(name) for value in _under(attributes, _FILE_KEYS) if isinstance(value, list) for name in value
             if isinstance(name, str)]  # fmt: skip
    diff = "\n".join(str(value) for value in _under(attributes, _DIFF_KEYS) if isinstance(value, str)) or None
    description = str(row["description"] or "")
    is_code = diff is not None or bool(files)
    reading = read_diff(diff, files=tuple(dict.fromkeys(files)), description=description)
    return ChangeView(
        change_id=str(row["change_id"]),
        kind=str(row["change_kind"]),
        time_us=int(row["time_us"]),
        services=(str(row["service_name"]),) if row["service_name"] else (),
        version=str(row["service_version"] or ""),
        commit_id=str(row["commit_id"] or (row["change_id"] if row["change_kind"] == "commit" else "")),
        description=description,
        carried=None,
        reading=reading if is_code else replace(reading, effect="unknown"),
    )


def _parsed(text: object) -> object:
    try:
        return orjson.loads(str(text)) if text else None
    except orjson.JSONDecodeError:
        return None


def _under(value: object, keys: Sequence[str]) -> Iterator[object]:
    """Yield what is found under any of the keys, at any depth; diffs and files that are themselves JSON texts too."""
    stack = [value]
    while stack:
        node = stack.pop(0)
        if isinstance(node, dict):
            for key, part in node.items():
                if key in keys:
                    yield _parsed(part) if isinstance(part, str) and part.startswith("[") else part
                if isinstance(part, dict | list):
                    stack.append(part)
        elif isinstance(node, list):
            stack += [part for part in node if isinstance(part, dict | list)]


def _merge_commits(views: list[ChangeView], services: list[str]) -> list[ChangeView]:
    """Give each commit the time and the services of the deployments that carried it, and drop those as candidates."""
    commits = [view for view in views if view.kind == "commit"]
    others = [view for view in views if view.kind != "commit"]
    carriers: dict[str, list[ChangeView]] = defaultdict(list)
    for view in others:
        for commit in commits:
            if _same_commit(view.commit_id, commit.commit_id):
                carriers[commit.change_id].append(view)
    anything_carried = any(view.commit_id for view in others)
    merged = [view for view in others if not any(view in group for group in carriers.values())]
    for commit in commits:
        group = carriers.get(commit.change_id)
        if group:
            own = tuple(dict.fromkeys(name for view in group for name in view.services))
            first = min(group, key=lambda view: view.time_us)
            merged.append(
                replace(commit, kind=first.kind, time_us=first.time_us, services=own, version=first.version,
                        carried=True)
            )  # fmt: skip
        else:
            named = tuple(name for name in services if _in_paths(name, commit.reading.files))
            carried = False if anything_carried else None
            merged.append(replace(commit, services=commit.services or named, carried=carried))
    return sorted(merged, key=lambda view: (view.time_us, view.change_id))


def _same_commit(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= MIN_COMMIT_LENGTH and longer.startswith(shorter)


def _in_paths(service: str, files: Sequence[str]) -> bool:
    """Say whether a folder or file is named after the service, its general parts (`service`, `api`) aside."""
    core = re.sub(r"[^a-z0-9]+", "", re.sub(r"(service|svc|server)$", "", service.lower().strip("-_")))
    if len(core) < 3 or core in _COMMON_PARTS:
        return False
    folders = {re.sub(r"(service|svc|[^a-z0-9])+", "", part.lower()) for name in files for part in name.split("/")[:-1]}
    return core in folders
