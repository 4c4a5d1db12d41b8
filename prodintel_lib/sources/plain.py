"""Incidents and changes as people keep them: a CSV, YAML or JSON list whose columns say what they are.

``id,title,started,resolved,service`` is an incident; ``service,version,deployed_at`` a change. The names are looked up
among those in use; the rows then go through the mapped table like those of a configured one.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

import yaml

from prodintel_lib.sources.detect import outermost_keys
from prodintel_lib.sources.mapped import RowCollector, compile_mapping
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.tabular import TabularFile, tabular_form
from prodintel_lib.workspace import TableMapping
from prodintel_lib.yaml_bounds import MAX_YAML_DEPTH, yaml_depth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream

MAX_YAML_BYTES: Final = 16 << 20
_HEAD_BYTES: Final = 64 << 10
_BEGAN: Final = (
    "started", "started_at", "start", "start_time", "began", "opened_at", "fired_at", "triggered_at", "detected_at",
    "created_at", "created", "time", "timestamp", "date",
)  # fmt: skip
_SERVICE: Final = ("service", "service_name", "component", "system", "application", "app")
_URL: Final = ("url", "link", "html_url", "permalink")
INCIDENT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time_us": _BEGAN,
    "incident_id": ("id", "incident_id", "incident", "key", "number", "ticket"),
    "end_time_us": ("ended", "ended_at", "end", "end_time", "resolved", "resolved_at", "closed_at", "finished"),
    "acknowledged_time_us": ("acknowledged", "acknowledged_at", "acked_at"),
    "title": ("title", "summary", "name", "subject"),
    "description": ("description", "details", "notes"),
    "severity": ("severity", "priority", "urgency"),
    "status": ("status", "state"),
    "service_name": _SERVICE,
    "url": _URL,
}
CHANGE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time_us": ("deployed_at", "released_at", "changed_at", *_BEGAN),
    "change_id": ("id", "change_id", "deployment_id", "key", "sha", "commit", "commit_sha", "revision"),
    "change_kind": ("kind", "change_kind", "type"),
    "service_name": (*_SERVICE, "repository", "repo"),
    "service_version": ("version", "service_version", "tag", "release"),
    "deployment_environment_name": ("environment", "env"),
    "status": ("status", "state", "result"),
    "commit_id": ("commit", "commit_id", "commit_sha", "sha", "revision"),
    "description": ("description", "message", "title", "summary"),
    "actor": ("actor", "author", "user", "deployed_by", "by"),
    "url": _URL,
}
_YAML_TOP: Final = re.compile(rb"(?:^|\n)(incidents|changes|deployments)[ \t]*:[ \t]*(?:#.*)?\r?\n")
_YAML_ITEM: Final = re.compile(
    rb"(?:[ \t\r]*+(?:#[^\n]*+)?\n)*+(?:---[^\n]*+\n)?(?:[ \t\r]*+(?:#[^\n]*+)?\n)*+[ ]*+-[ \t]++[A-Za-z_]++[ \t]*+:"
)
_YAML_KEY: Final = re.compile(rb"(?:^|\n)(?:-[ \t]+|[ \t]+)([A-Za-z_]+)[ \t]*:")
_TABLES: Final[Mapping[str, str]] = {"incidents": "incidents", "changes": "changes", "deployments": "changes"}


def is_plain(head: bytes) -> bool:
    """Say whether a file looks like a list of incidents or changes, by its beginning."""
    if _is_yaml(head):
        return bool(_YAML_TOP.search(head)) or plain_columns(_yaml_keys(head)) is not None
    return plain_columns(_names(head)) is not None


def plain_columns(names: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """Return the table that columns of these names make, and the expression for each of its columns.

    Examples
    --------
    >>> plain_columns(["id", "title", "started"])[1]["time_us"]
    'any_time(optional(`started`))'
    >>> plain_columns(["x", "y"]) is None
    True
    """
    found = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in names if "`" not in name}
    change = _matched(CHANGE_NAMES, found)
    if "time_us" in change and "service_name" in change and {"service_version", "commit_id"} & change.keys():
        return "changes", _with_defaults(change)
    incident = _matched(INCIDENT_NAMES, found)
    if {"time_us", "incident_id", "title"} <= incident.keys():
        return "incidents", _expressions(incident)
    return None


def read_plain(stream: ByteStream) -> ReadResult:
    """Read incidents or changes.

    Parameters
    ----------
    stream : ByteStream

    Returns
    -------
    ReadResult
        Table ``incidents`` or ``changes``, ``source`` being ``file``. What has no column of its own stays in
        ``attributes``.
    """
    head = b""
    for block in stream.blocks():
        head += block
        if len(head) >= _HEAD_BYTES:
            break
    tables: dict[str, RowCollector] = {}
    rejected: list[Rejected] = []
    rows = _yaml_rows(stream) if _is_yaml(head) else _tabular_rows(stream, head)
    for table, names, line, row in rows:
        chosen = plain_columns(names)
        if isinstance(row, Rejected) or chosen is None or (table and chosen[0] != table):
            rejected.append(
                row
                if isinstance(row, Rejected)
                else Rejected.of("neither an incident nor a change: needs id, title, start", line, row)
            )
            continue
        key = repr(chosen)
        if key not in tables:
            tables[key] = RowCollector(compile_mapping(TableMapping("built-in", chosen[0], chosen[1])))
        tables[key].add(line, row)
    return _joined([collector.result() for collector in tables.values()], rejected)


def _joined(parts: list[ReadResult], rejected: list[Rejected]) -> ReadResult:
    frames: dict[str, Json] = {}
    for part in parts:
        for name, frame in part.frames.items():
            frames[name] = frames[name].vstack(frame) if name in frames else frame
    apart = rejected + [item for part in parts for item in part.quarantined]
    return ReadResult(
        frames=frames,
        rows_read=sum(part.rows_read for part in parts) + len(rejected),
        quarantined=tuple(sorted(apart, key=lambda item: item.line)),
    )


def _tabular_rows(
    stream: ByteStream, head: bytes
) -> Iterator[tuple[str, Iterable[str], int, dict[str, Json] | Rejected]]:
    file = TabularFile(stream, tabular_form(head))
    is_csv = tabular_form(head) == "csv"
    for line, row in file.rows():
        if isinstance(row, Rejected):
            yield "", (), line, row
            continue
        inner = [(name, row[name]) for name in _TABLES if isinstance(row.get(name), list)] if not is_csv else []
        if inner:
            for name, items in inner:
                for item in items:
                    known = isinstance(item, dict)
                    yield _TABLES[name], item if known else (), line, item if known else _no_object(line, item)
        else:
            yield "", file.columns if is_csv else row, line, row


def _no_object(line: int, item: object) -> Rejected:
    return Rejected.of("neither an incident nor a change: not an object", line, item)


def _yaml_rows(stream: ByteStream) -> Iterator[tuple[str, Iterable[str], int, dict[str, Json] | Rejected]]:
    content = b""
    for block in stream.blocks():
        content += block
        if len(content) > MAX_YAML_BYTES:
            yield "", (), 1, Rejected.of("YAML file too large", 1, content)
            return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # An alias makes a document that is small to read and endless to write.
        if yaml_depth(content) > MAX_YAML_DEPTH:
            yield "", (), 1, Rejected.of("YAML nested too deep", 1, content)
            return
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, Loader=loader)):
            yield "", (), 1, Rejected.of("YAML with aliases", 1, content)
            return
        opened = loader(content)
        node = opened.get_single_node()
        groups = _groups(node)
        items = [(table, item.start_mark.line + 1, opened.construct_object(item, deep=True)) for table, item in groups]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        yield "", (), line, Rejected.of(stream.damage or "not valid YAML", line, str(error))
        return
    for table, line, item in items:
        row = (
            {str(key): value for key, value in item.items()} if isinstance(item, dict) else _no_object(line, str(item))
        )
        yield table, row if isinstance(row, dict) else (), line, row
    if stream.damage:
        yield "", (), 1, Rejected.of(stream.damage, 1, "")


def _groups(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode):
        return [("", item) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return [("", node)] if node is not None else []
    found: list[tuple[str, yaml.Node]] = []
    for key, value in node.value:
        table = _TABLES.get(str(key.value), "")
        if table and isinstance(value, yaml.SequenceNode):
            found += [(table, item) for item in value.value]
    return found or [("", node)]


def _matched(known: Mapping[str, tuple[str, ...]], found: Mapping[str, str]) -> dict[str, str]:
    """Return the first of the known names that is there, by canonical column."""
    chosen = {column: next((found[name] for name in names if name in found), None) for column, names in known.items()}
    return {column: name for column, name in chosen.items() if name is not None}


def _expressions(columns: Mapping[str, str]) -> dict[str, str]:
    return {"source": "'file'"} | {
        column: f"any_time(optional(`{name}`))" if column.endswith("time_us") else f"optional(`{name}`)"
        for column, name in columns.items()
    }


def _with_defaults(change: Mapping[str, str]) -> dict[str, str]:
    made = _expressions(change)
    told = made.get("change_kind")
    made["change_kind"] = f"coalesce({told}, 'deployment')" if told else "'deployment'"
    if "change_id" not in made:
        made["change_id"] = f"concat(`{change['service_name']}`, '@', `{change['time_us']}`)"
    return made


def _is_yaml(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf")
    return bool(_YAML_ITEM.match(text) or (_YAML_TOP.search(text) and text.lstrip()[:1] not in {b"{", b"["}))


def _yaml_keys(head: bytes) -> list[str]:
    return [found.decode() for found in _YAML_KEY.findall(head)]


def _names(head: bytes) -> list[str]:
    """Return the columns of a CSV or of the first JSON object."""
    if tabular_form(head) == "csv":
        line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode(errors="replace")
        delimiter = max(",;\t|", key=line.count)
        try:
            return next(csv.reader(io.StringIO(line), delimiter=delimiter, strict=True), [])
        except csv.Error:
            return []
    return sorted(outermost_keys(head))
