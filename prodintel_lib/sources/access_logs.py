"""Access logs of web servers in the common and the combined format (Apache, nginx and most others).

A line is a page view where a document was fetched and shown: a GET that ended well, of a path that is no asset (by its
ending) and no interface for programs (``/api/...``). Everything else is a request; so is a redirect, since nothing was
shown. A visitor is an address with an agent. Formats: https://httpd.apache.org/docs/2.4/logs.html#accesslog,
https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.sources.documents import MAX_LINE_BYTES, split_lines
from prodintel_lib.sources.model import EARLIEST_TIME_US, LATEST_TIME_US, ReadResult, Rejected
from prodintel_lib.sources.parts import PART_ROWS
from prodintel_lib.sources.rum_rows import finished_events
from prodintel_lib.tables import RUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodintel_lib.sources.decompress import ByteStream

NOT_A_LINE: Final = "not a line of an access log"
_TOO_LONG: Final = "line too long"
_BATCH_LINES: Final = 50_000
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
# host, address, identity, user, time, request, status, bytes, referrer, agent, rest
_LINE: Final = (
    r"^(?:([A-Za-z0-9._-]+:[0-9]+) )?(\S+) (\S+) (.+?) \[([^\]]+)\] " + _QUOTED + r" ([0-9]{3}|-) ([0-9]+|-)"
    r"(?: " + _QUOTED + " " + _QUOTED + r")?(?: (.*))?$"
)
_FIELDS: Final = (
    "host", "address", "identity", "user", "time", "request", "status", "bytes", "referrer", "agent", "rest",
)  # fmt: skip
_FIRST_LINE: Final = re.compile(
    rb"^(?:\S+ ){2,3}[^\[\n]+\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3} [+-][0-9]{4}\] \""
)
_TIME: Final = "%d/%b/%Y:%H:%M:%S %z"
_REQUEST: Final = r"^([A-Z]{3,20}) (\S+)(?: (HTTP/[0-9.]+))?$"
# What a page loads, and files that are saved rather than read.
_ASSET: Final = (
    r"(?i)[.](?:css|m?js|map|json|xml|rss|atom|txt|csv|png|jpe?g|gif|svgz?|ico|cur|webp|avif|bmp|tiff?|woff2?|ttf|otf|eot"
    r"|mp[34]|m4[av]|webm|og[gv]|wav|avi|mov|flv|swf|pdf|zip|t?gz|bz2|xz|7z|rar|tar|jar|exe|msi|dmg|deb|rpm|iso|bin|wasm"
    r"|webmanifest)$"
)
_FOR_PROGRAMS: Final = r"(?i)(?:^|/)(?:api|graphql|rpc|ajax|wp-json|xmlrpc\.php|\.well-known|healthz?|metrics)(?:/|$)"


def is_access_log(head: bytes) -> bool:
    """Say whether a text begins with a line of an access log.

    Examples
    --------
    >>> is_access_log(b'192.0.2.1 - - [29/Sep/2025:14:20:00 +0000] "GET / HTTP/1.1" 200 512')
    True
    """
    return _FIRST_LINE.match(head.lstrip(b"\xef\xbb\xbf\r\n")) is not None


def is_page(method: str | None, status: int | None, path: str) -> bool:
    """Say whether a request showed a page; see the module's text."""
    if method != "GET" or status is None or not (200 <= status < 300 or status == 304):
        return False
    return not re.search(_ASSET, path) and not re.search(_FOR_PROGRAMS, path)


def is_asset(path: str) -> bool:
    """Say by its ending whether a path is what a page loads, or a file to be saved."""
    return re.search(_ASSET, path) is not None


def read_access_log_parts(stream: ByteStream, *, part_rows: int = PART_ROWS) -> Iterator[ReadResult]:
    """Read the lines of an access log, a part at a time.

    Parameters
    ----------
    stream : ByteStream
    part_rows : int
        How many lines a part holds.

    Yields
    ------
    ReadResult
        Table ``rum_events``. A line that is none of the format is quarantined. Bytes that are not UTF-8 are replaced.

    Notes
    -----
    ``url_path`` is the page: a view's own path; of other requests the path of the referrer, unless it is an asset, for
    which the referrer may be somebody else's page. A line whose agent is ``-`` is a bot's: every browser names itself.
    Blank lines are not rows.
    """
    batch_lines = min(_BATCH_LINES, part_rows)
    numbers: list[int] = []
    lines: list[str] = []
    rejected: list[Rejected] = []
    for number, raw in split_lines(stream.blocks()):
        if len(raw) > MAX_LINE_BYTES:
            rejected.append(Rejected.of(_TOO_LONG, number, raw[:1024]))
        elif line := raw.decode(errors="replace").strip():
            numbers.append(number)
            lines.append(line)
        if len(lines) == batch_lines:
            yield _part(numbers, lines, rejected)
            numbers, lines, rejected = [], [], []
    if stream.damage:
        place = numbers[-1] + 1 if numbers else 1
        rejected.append(Rejected.of(stream.damage, place, ""))
    if lines or rejected:
        yield _part(numbers, lines, rejected)


def _part(numbers: list[int], lines: list[str], rejected: list[Rejected]) -> ReadResult:
    frame = pl.DataFrame({"line": lines, "number": numbers}, schema={"line": pl.String, "number": pl.Int64})
    fields = (
        frame.with_columns(pl.col("line").str.extract_groups(_LINE).struct.rename_fields(_FIELDS).alias("fields"))
        .unnest("fields")
        .with_columns(
            pl.col("time").str.to_datetime(_TIME, strict=False, time_unit="us", time_zone="UTC").dt.epoch("us")
        )
    )
    is_sound = pl.col("time").is_between(EARLIEST_TIME_US, LATEST_TIME_US, closed="none").fill_null(value=False)
    wrong = fields.filter(~is_sound)
    apart = [
        *rejected,
        *(Rejected.of(NOT_A_LINE, number, line) for line, number in wrong.select("line", "number").rows()),
    ]
    events = finished_events(_events(fields.filter(is_sound)))
    return ReadResult(
        frames={RUM_EVENTS.name: events} if events.height else {},
        rows_read=events.height + len(apart),
        quarantined=tuple(sorted(apart, key=lambda item: item.line)),
    )


def _events(fields: pl.DataFrame) -> pl.DataFrame:
    """Turn the fields of lines into rows, but for what is filled for all events."""
    told = fields.with_columns(
        *(_given(name) for name in ("identity", "user", "status", "bytes", "referrer")),
        pl.col("agent").str.replace_all('\\"', '"', literal=True),
        pl.col("request")
        .str.extract_groups(_REQUEST)
        .struct.rename_fields(["method", "target", "protocol"])
        .alias("r"),
    ).unnest("r")
    # A request to a proxy names the host too.
    told = told.with_columns(pl.col("target").str.replace("^[a-z]+://[^/?#]*", "").alias("target")).with_columns(
        pl.col("target").str.extract("^([^?#]*)", 1).alias("path"),
        pl.col("target").str.extract(r"\?([^#]*)", 1).alias("query"),
        pl.col("status").cast(pl.Int64),
        _given("agent").alias("known_agent"),
    )
    path = pl.when(pl.col("path") == "").then(pl.lit("/")).otherwise("path")
    told = told.with_columns(path.alias("path"))
    asset = pl.col("path").str.contains(_ASSET)
    is_view = (
        (pl.col("method") == "GET")
        & (pl.col("status").is_between(200, 299) | (pl.col("status") == 304))
        & ~asset
        & ~pl.col("path").str.contains(_FOR_PROGRAMS)
    ).fill_null(value=False)
    return told.with_columns(is_view.alias("is_view"), asset.alias("is_asset")).select(_columns())


def _columns() -> list[pl.Expr]:
    view = pl.col("is_view")
    page = pl.col("referrer").str.extract("^[A-Za-z]+://[^/?#]+([^?#]*)", 1)
    page = pl.when(page == "").then(pl.lit("/")).otherwise(page)
    given: dict[str, pl.Expr] = {
        "time_us": pl.col("time"),
        "event_kind": pl.when(view).then(pl.lit("view")).otherwise(pl.lit("request")),
        "visitor_id": pl.concat_str("address", "known_agent", separator=" ", ignore_nulls=True),
        "user_id": pl.col("user"),
        "url_path": pl.when(view).then("path").when(~pl.col("is_asset")).then(page),
        "url_query": pl.when(view).then("query"),
        "referrer": pl.col("referrer"),
        "http_request_method": pl.col("method"),
        "request_path": pl.when(~view).then("path"),
        "http_response_status_code": pl.col("status"),
        "user_agent_original": pl.col("known_agent"),
        "user_agent_synthetic_type": pl.when(pl.col("agent").is_in(["-", ""])).then(pl.lit("bot")),
        "client_address": pl.col("address"),
        "attributes": _attributes(),
    }
    return [given.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in RUM_EVENTS.schema.items()]


def _attributes() -> pl.Expr:
    """Write what has no column as JSON: the size, the protocol, the host that was asked, what follows the agent."""
    own_query = pl.when(~pl.col("is_view")).then("query")
    unread = pl.when(pl.col("method").is_null()).then("request")
    parts = [
        pl.format('"bytes":{}', pl.col("bytes")),
        _member("protocol", pl.col("protocol")),
        _member("host", pl.col("host")),
        _member("identity", pl.col("identity")),
        _member("request_query", own_query),
        _member("request", unread),
        _member("rest", pl.col("rest")),
    ]
    inside = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return pl.when(inside != "").then(pl.concat_str(pl.lit("{"), inside, pl.lit("}")))


def _member(name: str, value: pl.Expr) -> pl.Expr:
    """Return a member of a JSON object, escaped; null where there is no value."""
    written = pl.struct(value.alias(name)).struct.json_encode()
    return pl.when(value.is_not_null()).then(written.str.strip_prefix("{").str.strip_suffix("}"))


def _given(name: str) -> pl.Expr:
    """Return a field; null where the server wrote ``-`` for none."""
    return pl.when(~pl.col(name).is_in(["-", ""])).then(pl.col(name)).alias(name)
