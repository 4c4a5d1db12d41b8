"""Which format a file has, told by its content: names lie, and exports get renamed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.access_json import JSON_SIGNS
from prodintel_lib.sources.access_logs import is_access_log
from prodintel_lib.sources.elastic_rum import is_rum_batch
from prodintel_lib.sources.log_fields import is_log_record
from prodintel_lib.sources.watchdog import is_watchdog_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_BYTES: Final = 256 << 10
FORMATS: Final = (
    "otlp", "pagerduty", "github", "zipkin", "jaeger", "opsgenie", "datadog", "datadog_rum", "elastic_rum", "ga4",
    "posthog", "mixpanel", "har", "access_log", "access_json", "elasticsearch", "splunk", "cloudwatch", "watchdog",
    "container_log", "json_log", "syslog", "text_log", "plain",
)  # fmt: skip
# Any one of a set is enough; sets are tried in this order.
_SIGNS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "otlp": tuple(
        frozenset({key})
        for key in (
            "resourceSpans",
            "resourceLogs",
            "resourceMetrics",
            "resource_spans",
            "resource_logs",
            "resource_metrics",
        )
    ),
    "github": (
        frozenset({"deployment", "repository"}),
        frozenset({"deployment", "deployment_status"}),
        frozenset({"statuses_url", "sha", "environment"}),
        frozenset({"ref", "before", "after", "repository"}),
        frozenset({"release", "repository", "action"}),
        frozenset({"tag_name", "target_commitish", "id"}),
    ),
    "pagerduty": (
        frozenset({"incident"}),
        frozenset({"incidents"}),
        frozenset({"log_entries"}),
        frozenset({"incident_number", "status"}),
        frozenset({"event", "event.event_type", "event.occurred_at"}),
    ),
    "zipkin": (frozenset({"traceId", "id"}),),
    "jaeger": (
        frozenset({"traceID", "spanID", "duration"}),
        frozenset({"traceID", "spans"}),
        frozenset({"spans", "processes"}),
        frozenset({"data", "data.traceID"}),
    ),
    "opsgenie": (
        frozenset({"data", "data.tinyId", "data.message"}),
        frozenset({"alert", "action", "alert.alertId"}),
        frozenset({"tinyId", "message", "createdAt"}),
    ),
    "datadog": (
        frozenset({"data", "data.type", "data.attributes"}),
        frozenset({"type", "id", "attributes"}),
    ),
    "datadog_rum": (frozenset({"type", "date", "application", "session", "view"}),),
    "elastic_rum": (frozenset({"metadata", "metadata.service"}), frozenset({"m", "m.se"})),
    "ga4": (frozenset({"event_name", "event_timestamp", "event_params"}),),
    "posthog": (frozenset({"event", "distinct_id", "properties"}), frozenset({"results", "results.distinct_id"})),
    "mixpanel": (
        frozenset({"event", "properties", "properties.time"}),
        frozenset({"event", "properties", "properties.distinct_id"}),
    ),
    "har": (frozenset({"log", "log.entries"}), frozenset({"log", "log.creator", "log.version"})),
    "access_json": JSON_SIGNS,
}
# Exports of logs, whose keys are too common to be looked for in anything but JSON.
_LOG_SIGNS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "elasticsearch": (
        frozenset({"hits", "hits.hits"}),
        frozenset({"responses", "took"}),
        frozenset({"_index", "_source"}),
        frozenset({"_index", "fields"}),
        frozenset({"index", "index._index"}),
        frozenset({"create", "create._index"}),
    ),
    "splunk": (
        frozenset({"preview", "result"}),
        frozenset({"preview", "results"}),
        frozenset({"results", "results._raw"}),
        frozenset({"_raw", "_time"}),
    ),
    "cloudwatch": (
        frozenset({"awslogs"}),
        frozenset({"messageType", "logGroup", "logEvents"}),
        frozenset({"events", "searchedLogStreams"}),
        frozenset({"events", "nextForwardToken"}),
        frozenset({"events", "events.timestamp", "events.message"}),
        frozenset({"results", "results.field", "results.value"}),
        frozenset({"Records", "Records.kinesis"}),
    ),
    "container_log": (frozenset({"log", "stream", "time"}),),
}
_WRAPPERS: Final = (
    "data.", "event.", "alert.", "metadata.", "m.", "properties.", "results.", "log.", "request.", "hits.", "index.",
    "create.", "events.", "Records.",
)  # fmt: skip
_DOCUMENT: Final = re.compile(rb'"(?:_source|fields|_index)"\s*:')
# drush lists entries by their ids: `{"1234": {`.
_KEYED: Final = re.compile(rb'\s*\{\s*"[0-9]+"\s*:\s*\{')
_TOKEN: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"\s*+(:)?|([{\[])|([}\]])', re.DOTALL)


def recognise(head: bytes) -> str | None:
    """Return the format of a file, or None where it is none we read.

    Only the keys of the first document's outermost object count (of the first element where it is an array), and, for
    formats that wrap everything, those of the first object in it, so that a name inside a payload cannot mislead.

    Parameters
    ----------
    head : bytes
        The beginning of the decompressed content; it may be cut anywhere.

    Examples
    --------
    >>> recognise(b'{"resourceSpans": [{"resource"')
    'otlp'
    >>> recognise(b'{"note": {"resourceSpans": []}}') is None
    True
    """
    if is_access_log(head):
        return "access_log"
    keys = _named_keys(head)
    for name, signs in _SIGNS.items():
        if any(sign <= keys for sign in signs):
            # Services' agents send batches of version 2 too, of the same shape.
            return None if name == "elastic_rum" and "metadata" in keys and not is_rum_batch(head) else name
    return _log_format(keys, head)


def _log_format(keys: frozenset[str], head: bytes) -> str | None:
    """Return the format of logs as JSON; None where it is none."""
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in {b"{", b"["}:
        return None
    for name, signs in _LOG_SIGNS.items():
        # An answer that holds only sums, or hits of nothing, is no log.
        if any(sign <= keys for sign in signs) and (name != "elasticsearch" or _DOCUMENT.search(head)):
            return name
    inner = _KEYED.match(head)
    if is_watchdog_entry(keys) or (inner and is_watchdog_entry(_named_keys(head[inner.end() - 1 :]))):
        return "watchdog"
    return "json_log" if is_log_record(keys) else None


def require_known(name: str) -> str:
    """Return the name of a format if there is a reader for it.

    Raises
    ------
    ParameterError
        If there is none, with the nearest name.
    """
    if name not in FORMATS:
        raise ParameterError.unknown("format", name, known=FORMATS)
    return name


def outermost_keys(head: bytes) -> frozenset[str]:
    """Return the keys of the outermost object of a JSON text, as far as the text goes."""
    return frozenset(key for key in _named_keys(head) if "." not in key or not key.startswith(_WRAPPERS))


def _named_keys(head: bytes) -> frozenset[str]:
    """Return the outermost keys, and those of the first object under a key that wraps: ``data.traceID``."""
    keys: set[str] = set()
    depth, level, outer, inner = 0, 0, "", 0
    for found in _TOKEN.finditer(head):
        if found.lastindex == 3:
            depth += 1
            if found[3] == b"{" and not level:
                level = depth
            elif found[3] == b"{" and f"{outer}." in _WRAPPERS and not inner:
                inner = depth
        elif found.lastindex == 4:
            depth -= 1
            if level and depth < level:
                break
            if inner and depth < inner:
                inner, outer = 0, ""
        elif depth == level and found[2]:
            outer = found[1].decode(errors="replace")
            keys.add(outer)
        elif inner and depth == inner and found[2]:
            keys.add(f"{outer}.{found[1].decode(errors='replace')}")
    return frozenset(keys)
