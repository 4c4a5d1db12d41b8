r"""What containers wrote, with what their runtime put around each line.

Docker's json-file (``{"log": "...\n", "stream": "stdout", "time": "..."}``), the lines of ``docker logs -t``, of
``docker compose logs`` (``web-1  | ...``) and of Kubernetes' CRI (``2025-09-29T14:20:00.1Z stderr F ...``). A line that
the runtime cut into pieces is put together again; what is inside is read as a text log of its own, or as JSON where the
application writes that. The runtime's time counts: it has a zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.documents import read_documents
from prodintel_lib.sources.json_logs import JsonLogRows, inner_record
from prodintel_lib.sources.log_rows import INSIDE, members_of
from prodintel_lib.sources.log_times import file_time_us, logged_times_us
from prodintel_lib.sources.model import Json, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS, joined_parts
from prodintel_lib.sources.text_layout import SAMPLE_LINES, first_lines, learn_layout
from prodintel_lib.sources.text_logs import BATCH_LINES, TextRows, collected_lines, text_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prodintel_lib.sources.decompress import ByteStream

NOT_A_LINE: Final = "not a line of a container's log"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}(?:Z|[+-][0-9]{2}:[0-9]{2})"
_CRI: Final = re.compile(rf"^(?P<time>{_TIME}) (?P<stream>stdout|stderr) (?P<tag>[FP])(?::\w+)* ?(?P<text>.*)$")
# Docker pads to nine digits, which tells its times from an application's.
_DOCKER_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z"
_DOCKER: Final = re.compile(rf"^(?P<time>{_DOCKER_TIME})(?: |$)(?P<text>.*)$")
_COMPOSE: Final = re.compile(
    rf"^(?P<service>[A-Za-z0-9][A-Za-z0-9_.-]*?)\s+\| ?(?:(?P<time>{_DOCKER_TIME})(?: |$))?(?P<text>.*)$"
)
_KINDS: Final = (_CRI, _DOCKER, _COMPOSE)
_MIN_SHARE: Final = 0.8
_REPLICA: Final = re.compile(r"[-_][0-9]+$")
_MAX_LINE_CHARS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A line as its runtime wrote it, or the part of one that comes before a cut."""

    line: int
    service: str | None
    time: str | None
    text: str
    about: dict[str, Json]
    goes_on: bool


def is_container_log(head: bytes) -> bool:
    r"""Say whether a text begins with lines as a container's runtime writes them.

    Examples
    --------
    >>> is_container_log(b"web-1  | 2025-09-29 14:20:00 started\ndb-1   | 2025-09-29 14:20:01 ready\n")
    True
    """
    return b"\0" not in head and _kind_of(first_lines(head)) is not None


def read_container_log_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read what containers wrote, a part of the file at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int
        How many lines a part is made of, at most.

    Yields
    ------
    ReadResult
        Table ``logs``. Compose's name of a container, without the number of the replica, is the service. Lines that
        have no time of their own, of a container whose lines have none from the runtime either, are quarantined.
    """
    found = text_lines(stream)
    first = list(islice(found, SAMPLE_LINES))
    kind = _kind_of([text for _, text in first if isinstance(text, str)])
    if kind is None:
        pieces = _whole_lines(_json_pieces(stream))
    else:
        pieces = _whole_lines(_text_pieces(chain(first, found), kind, stream))
    sample = list(islice(pieces, SAMPLE_LINES))
    told = [piece for piece in sample if isinstance(piece, Piece)]
    places = learn_layout([piece.text for piece in told if not piece.text.startswith("{")])
    rows = TextRows(places, file_time_us(stream), has_outer_times=any(piece.time for piece in told))
    yield from _parts(chain(sample, pieces), rows, batch_lines=min(BATCH_LINES, part_rows))


def _parts(pieces: Iterator[Piece | Rejected], rows: TextRows, *, batch_lines: int) -> Iterator[ReadResult]:
    inner_rows = JsonLogRows()
    is_last = False
    while not is_last:
        batch = list(islice(pieces, batch_lines))
        is_last = len(batch) < batch_lines
        plain: list[Piece] = []
        for piece in batch:
            if isinstance(piece, Rejected):
                continue
            inner = inner_record(piece.text) if piece.text[:1] == "{" else None
            if inner is None:
                plain.append(piece)
            else:
                inner_rows.add(piece.line, _enriched(piece, inner))
        rejected = [piece for piece in batch if isinstance(piece, Rejected)]
        parts = [rows.part(_frame(plain), rejected, is_last=is_last)]
        if inner_rows.rows_read:
            parts.append(inner_rows.part())
        part = joined_parts(parts)
        if part.rows_read:
            yield part


def _enriched(piece: Piece, inner: dict[str, Json]) -> dict[str, Json]:
    """Add to an application's own record what the runtime says; of two times the runtime's is the one with a zone."""
    added = {"@timestamp": piece.time, "service.name": piece.service} | piece.about
    kept = {(f"application.{name}" if name in added else name): value for name, value in inner.items()}
    return {name: value for name, value in added.items() if value is not None} | kept


def _frame(pieces: Sequence[Piece]) -> pl.DataFrame:
    times = pl.Series("time", [piece.time for piece in pieces], dtype=pl.String)
    return collected_lines(
        {
            "number": [piece.line for piece in pieces],
            "text": [piece.text for piece in pieces],
            "stream": [f"{piece.service or ''} {piece.about.get('stream', '')}" for piece in pieces],
            "outer_us": logged_times_us(times).to_list(),
            "service_name": [piece.service for piece in pieces],
            INSIDE: [members_of(piece.about) for piece in pieces],
        }
    )


def _json_pieces(stream: ByteStream) -> Iterator[Piece | Rejected]:
    for line, document in read_documents(stream):
        if isinstance(document, Rejected):
            yield document
        elif isinstance(document, dict) and isinstance(text := document.get("log"), str):
            time = document.get("time")
            about = {name: value for name, value in document.items() if name not in {"log", "time"}}
            yield Piece(
                line, None, time if isinstance(time, str) else None, text.rstrip("\n"), about, text[-1:] != "\n"
            )
        else:
            yield Rejected.of(NOT_A_LINE, line, document)


def _text_pieces(
    lines: Iterable[tuple[int, str | Rejected]], kind: re.Pattern[str], stream: ByteStream
) -> Iterator[Piece | Rejected]:
    number = 0
    for number, text in lines:
        if isinstance(text, Rejected):
            yield text
        elif (found := kind.match(text)) is not None:
            told = found.groupdict()
            service = told.get("service")
            about: dict[str, Json] = {"stream": told["stream"]} if "stream" in told else {}
            name = _REPLICA.sub("", service) if service else None
            if service and name != service:
                about["container.name"] = service
            yield Piece(number, name, told.get("time"), told["text"], about, told.get("tag") == "P")
        elif text.strip():
            yield Rejected.of(NOT_A_LINE, number, text)
    if stream.damage:
        yield Rejected.of(stream.damage, number + 1, "")


def _whole_lines(pieces: Iterator[Piece | Rejected]) -> Iterator[Piece | Rejected]:
    """Put together what the runtime cut because it was long."""
    open_pieces: dict[tuple[str, str], Piece] = {}
    for piece in pieces:
        if isinstance(piece, Rejected):
            yield piece
            continue
        key = (piece.service or "", str(piece.about.get("stream")))
        before = open_pieces.pop(key, None)
        whole = piece if before is None else replace(before, text=before.text + piece.text, goes_on=piece.goes_on)
        if whole.goes_on and len(whole.text) < _MAX_LINE_CHARS:
            open_pieces[key] = whole
        else:
            yield whole
    yield from open_pieces.values()


def _kind_of(lines: Sequence[str]) -> re.Pattern[str] | None:
    filled = [line for line in lines if line.strip()]
    for kind in _KINDS:
        if filled and sum(kind.match(line) is not None for line in filled) >= _MIN_SHARE * len(filled):
            return kind
    return None
