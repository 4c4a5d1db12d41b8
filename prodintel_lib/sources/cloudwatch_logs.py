"""CloudWatch Logs: what its API answers, and what it sends to subscribers.

Read are the answers of ``filter-log-events`` and ``get-log-events``, results of Logs Insights, and the messages of a
subscription: as they are, or packed for Lambda (``awslogs.data``), Kinesis and Firehose (base64 of gzip). An export to
S3 is text, and is read as such (text_logs). See
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html and
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Final

import orjson

from prodintel_lib.sources.json_logs import read_record_parts
from prodintel_lib.sources.parts import PART_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodintel_lib.sources.decompress import ByteStream
    from prodintel_lib.sources.model import Json, ReadResult

# A message to a subscriber has at most a mebibyte of compressed text.
_MAX_UNPACKED_BYTES: Final = 64 << 20
_GZIP_OR_ZLIB: Final = 47
_CONTROL: Final = "CONTROL_MESSAGE"
_RENAMED: Final[Mapping[str, str]] = {
    "id": "aws.log.event.id", "eventId": "aws.log.event.id", "ingestionTime": "aws.log.ingestion_time_ms",
    "logStreamName": "aws.log.stream.name",
}  # fmt: skip


def read_cloudwatch_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read log events, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int

    Yields
    ------
    ReadResult
        Table ``logs``. The service is the last part of the log group's name (``/aws/lambda/checkout``) where the event
        itself names none. Control messages are no rows.
    """
    return read_record_parts(stream, _records, part_rows=part_rows)


def _records(document: Json) -> list[Json]:
    if "awslogs" in document:
        return _records(_unpacked(document["awslogs"]["data"]))
    if "Records" in document:
        return [record for item in document["Records"] for record in _records(_unpacked(item["kinesis"]["data"]))]
    if "records" in document:
        return [record for item in document["records"] for record in _records(_unpacked(item["data"]))]
    if "results" in document:
        return [_of_insights(row) for row in document["results"]]
    if document.get("messageType") == _CONTROL:
        return []
    events = document["logEvents"] if "logEvents" in document else document["events"]
    return [_event(event, document.get("logGroup"), document.get("logStream")) for event in events]


def _unpacked(data: str) -> Json:
    """Return what was packed for a subscriber.

    Raises
    ------
    ValueError
        If it is no base64 of gzip of JSON, or too long.
    """
    unpack = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    try:
        content = unpack.decompress(base64.b64decode(data, validate=True), _MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(data[:80]) from error
    if unpack.unconsumed_tail or not unpack.eof:
        raise ValueError(data[:80])
    return orjson.loads(content)


def _event(event: Mapping[str, Json], group: str | None, log_stream: str | None) -> Json:
    own = {_RENAMED.get(name, name): value for name, value in event.items()}
    message = own.get("message")
    if isinstance(message, str):
        own["message"] = message.rstrip("\n")
    return own | _about(group, log_stream)


def _about(group: str | None, log_stream: str | None) -> dict[str, Json]:
    about = {
        "aws.log.group.name": group,
        "aws.log.stream.name": log_stream,
        "service": group.rstrip("/").rsplit("/", 1)[-1] if group else None,
    }
    return {name: value for name, value in about.items() if value}


def _of_insights(row: list[Mapping[str, str]]) -> Json:
    told: dict[str, Json] = {cell["field"]: cell.get("value") for cell in row}
    if isinstance(time := told.get("@timestamp"), str) and time[-1:].isdigit():
        # Insights writes UTC without saying so.
        told["@timestamp"] = f"{time}Z"
    group = str(told["@log"]).rsplit(":", 1)[-1] if "@log" in told else None
    message = told.pop("@message", None)
    own = {"message": message.rstrip("\n")} if isinstance(message, str) else {}
    return told | own | _about(group, None)
