"""Elasticsearch and OpenSearch: log records out of their indices.

Read are answers of a search (``{"hits": {"hits": [{"_source": ...}]}}``, also of a scroll, a line each), hits a line
each as elasticdump writes them, the body of a bulk request (an action, then a document), and the CSV that Kibana's
Discover exports. The documents' fields are those of the Elastic Common Schema, or of whatever logger wrote them
(log_fields). Where a hit has no ``_source``, its ``fields`` are taken, of which each is a list.
See https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.decompress import read_head
from prodintel_lib.sources.json_logs import read_record_parts, record_parts
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.tabular import TabularFile, tabular_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

_HEAD_BYTES: Final = 64 << 10
_ACTIONS: Final = frozenset({"index", "create", "update", "delete"})
_NO_VALUE: Final = frozenset({"-", "(empty)", ""})


def read_elasticsearch_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read log records, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``logs``; index and id of a hit are ``elasticsearch.index`` and ``elasticsearch.id`` in the attributes.
        Answers without hits and the actions of a bulk request are no rows. Kibana writes times of the browser's zone
        without saying which: they are taken as UTC, and say so.
    """
    if tabular_form(read_head(stream.path, size_bytes=_HEAD_BYTES)) == "csv":
        yield from record_parts(TabularFile(stream, "csv").rows(), _of_kibana, part_rows=part_rows)
    else:
        yield from read_record_parts(stream, _records, part_rows=part_rows)


def _records(document: Json) -> list[Json]:
    if not isinstance(document, dict):
        return [document]
    hits = document.get("hits")
    if isinstance(hits, dict):
        return [_hit(hit) for hit in hits["hits"]]
    if _is_action(document):
        return []
    if "responses" in document:
        return [record for answer in document["responses"] for record in _records(answer)]
    return [_hit(document)]


def _is_action(document: Mapping[str, Json]) -> bool:
    """Say whether a document is the line of a bulk request that says what to do with the next."""
    (name, *others) = document
    return not others and name in _ACTIONS and isinstance(document[name], dict)


def _hit(hit: Json) -> Json:
    if not isinstance(hit, dict) or not ("_source" in hit or "fields" in hit):
        # The document of a bulk request; a hit of nothing has no time and is quarantined for that.
        return hit
    source = hit.get("_source")
    if not isinstance(source, dict):
        source = {name: _only(values) for name, values in hit["fields"].items()}
    about = {"elasticsearch.index": hit.get("_index"), "elasticsearch.id": hit.get("_id")}
    return source | {name: value for name, value in about.items() if value is not None}


def _only(values: Json) -> Json:
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _of_kibana(row: Json) -> list[Json]:
    return [{name: value for name, value in row.items() if value not in _NO_VALUE}]
