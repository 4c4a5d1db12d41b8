"""Receives the beacons: OTLP/JSON logs, appended as they come to the file a recorder names, or dropped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import orjson

from demo.shop.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

# Browsers queue no more than 64 KiB of beacons.
LARGEST_BYTES: Final = 65_536


class Beacons:
    """The receiver.

    Parameters
    ----------
    file : Path or None
        Gets one line a beacon; None drops them once they are checked.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()

    def receive(self, body: bytes) -> None:
        """Check a beacon and write it.

        Raises
        ------
        ProblemError
            413 where it is larger than browsers send, 400 where it is no OTLP/JSON document of logs.
        """
        if len(body) > LARGEST_BYTES:
            raise ProblemError(413, "Content Too Large", f"a beacon has at most {LARGEST_BYTES} bytes")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProblemError(400, "Bad Request", "a beacon is a JSON document") from error
        if not _holds_records(document):
            raise ProblemError(400, "Bad Request", "a beacon is an OTLP/JSON document of log records")
        if self._file is not None:
            line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
            with self._lock, self._file.open("ab") as file:
                file.write(line)


def _holds_records(document: Any) -> bool:  # noqa: ANN401 - a JSON document
    if not isinstance(document, dict) or set(document) != {"resourceLogs"}:
        return False
    try:
        return all(
            isinstance(record["attributes"], list)
            for resource in document["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        )
    except (KeyError, TypeError):
        return False
