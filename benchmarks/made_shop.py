"""A shop that was never there: seeded spans, metrics and an incident, of any size, for the benchmarks of size.

A session looks at three products and places an order: 23 spans, 4 of them requests that enter. During the incident the
card processor, which sends no spans, hangs for 45 % of the calls, and the order fails with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.tables import METRICS, SPANS, conform

if TYPE_CHECKING:
    from collections.abc import Iterator

SPANS_PER_SESSION: Final = 23
US_PER_S: Final = 1_000_000
HANG_SHARE: Final = 0.45
HANG_MS: Final = 5_000.0
SESSION_US: Final = 10 * US_PER_S
CHUNK_SESSIONS: Final = 20_000
_AGENTS: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 Version/17.6 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 Version/17.6 Safari/605.1.15",
)
_SDK: Final = (
    '"resource":{"telemetry.sdk.language":"python","telemetry.sdk.name":"opentelemetry",'
    '"telemetry.sdk.version":"1.45.1"},"scope":"opentelemetry.instrumentation.'
)
_QUERIES: Final = {
    "catalogue": "SELECT products.product_id, products.title, products.price_cents FROM products WHERE product_id = ?",
    "orders": "INSERT INTO orders (order_id, user_id, product_id, quantity, total_cents) VALUES (?, ?, ?, ?, ?)",
    "inventory": "UPDATE stock SET reserved = reserved + ? WHERE product_id = ? AND available >= reserved + ?",
}
_VERSIONS: Final = {"gateway": "5.12.0", "catalogue": "2.8.4", "orders": "4.7.0", "inventory": "3.1.2"}
_PORTS: Final = {"gateway": 8080, "catalogue": 8081, "orders": 8082, "inventory": 8083, "card-processor": 8443}


@dataclass(frozen=True)
class Hop:
    """One span of every trace of a route: its parent's place, whose it is, whom it calls, and where it begins and ends.

    `starts` and `ends` are shares of the parent's duration; of the root's, `ends` is the median duration in ms.
    """

    parent: int
    service: str
    kind: str
    starts: float
    ends: float
    peer: str = ""

    @property
    def called(self) -> str:
        """Who answers: for a database span nobody else."""
        return self.peer if self.kind == "client" else self.service if self.kind == "server" else ""


_VIEW: Final = (
    Hop(-1, "gateway", "server", 0, 24.0),
    Hop(0, "gateway", "client", 0.06, 0.95, "catalogue"),
    Hop(1, "catalogue", "server", 0.05, 0.97),
    Hop(2, "catalogue", "db", 0.1, 0.5),
    Hop(2, "catalogue", "db", 0.55, 0.9),
)
_ORDER: Final = (
    Hop(-1, "gateway", "server", 0, 90.0),
    Hop(0, "gateway", "client", 0.02, 0.98, "orders"),
    Hop(1, "orders", "server", 0.01, 0.99),
    Hop(2, "orders", "db", 0.02, 0.08),
    Hop(2, "orders", "client", 0.1, 0.3, "inventory"),
    Hop(4, "inventory", "server", 0.05, 0.95),
    Hop(5, "inventory", "db", 0.1, 0.8),
    Hop(2, "orders", "client", 0.32, 0.97, "card-processor"),
)
_ON_THE_WAY: Final = frozenset({"gateway", "orders", "card-processor"})
_TEMPLATES: Final = {
    ("gateway", False): "/api/products/{product_id}",
    ("catalogue", False): "/products/{product_id}",
    ("gateway", True): "/api/orders",
    ("orders", True): "/orders",
    ("inventory", True): "/reservations",
    ("card-processor", True): "/charges",
}


def make_spans(
    *, count: int, start_us: int, end_us: int, seed: int, bad_from_us: int | None = None
) -> Iterator[pl.DataFrame]:
    """Yield about `count` spans that began in a window, as frames of the canonical table, in the order of time.

    Parameters
    ----------
    bad_from_us : int, optional
        Since when the card processor hangs.
    """
    sessions = max(1, count // SPANS_PER_SESSION)
    random = np.random.default_rng(seed)
    for first in range(0, sessions, CHUNK_SESSIONS):
        numbers = np.arange(first, min(first + CHUNK_SESSIONS, sessions))
        people = pl.DataFrame(
            {
                "session": numbers,
                "session_id": "ses_" + _hex(random, len(numbers), words=1),
                "user_id": "usr_" + _hex(random, len(numbers), words=1).str.head(12),
            }
        )
        began_us = start_us + (numbers * (end_us - start_us - SESSION_US) // sessions)
        frames = []
        for place in range(4):
            is_order = place == 3
            at_us = began_us + place * 700_000
            hangs = np.zeros(len(numbers), dtype=bool)
            if is_order and bad_from_us is not None:
                hangs = (at_us >= bad_from_us) & (random.random(len(numbers)) < HANG_SHARE)
            shared = people.with_columns(
                pl.Series("at_us", at_us),
                pl.Series("hangs", hangs),
                pl.format("{}", (pl.col("session") * 7 + place) % 5000).alias("product"),
                (pl.col("session") % len(_AGENTS))
                .replace_strict(dict(enumerate(_AGENTS)))
                .alias("user_agent_original"),
            )
            frames.append(_traces(_ORDER if is_order else _VIEW, shared, random))
        yield conform(pl.concat(frames, how="diagonal"), SPANS).sort("time_us", maintain_order=True)


def make_metrics(*, start_us: int, end_us: int, seed: int) -> pl.DataFrame:
    """Return gauges of every service, one point each ten seconds."""
    random = np.random.default_rng(seed)
    times = np.arange(start_us, end_us, 10 * US_PER_S)
    frames = [
        pl.DataFrame(
            {"time_us": times, "value": np.round(random.normal(level, level / 10, len(times)), 4)}
        ).with_columns(
            pl.lit(name).alias("metric_name"),
            pl.lit(unit).alias("metric_unit"),
            pl.lit("gauge").alias("metric_kind"),
            pl.lit(service).alias("service_name"),
            pl.lit(f"{service}-0").alias("service_instance_id"),
        )
        for service in _VERSIONS
        for name, unit, level in (("system.cpu.utilization", "1", 0.4), ("process.memory.usage", "By", 4e8))
    ]
    return conform(pl.concat(frames), METRICS).sort("time_us", maintain_order=True)


def _traces(route: tuple[Hop, ...], shared: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Make one trace of a route for each row of `shared`: ``at_us, session, product, session_id, user_id, hangs``."""
    n = shared.height
    hang_ms = HANG_MS * shared["hangs"].to_numpy()
    shared = shared.with_columns(_hex(random, n, words=2).alias("trace_id"))
    starts, lasts = [shared["at_us"].to_numpy()], [route[0].ends * random.lognormal(0, 0.3, n)]
    ids = [_hex(random, n, words=1)]
    for hop in route[1:]:
        above_us, above_ms = starts[hop.parent], lasts[hop.parent]
        starts.append(above_us + (hop.starts * above_ms * 1000).astype(np.int64))
        lasts.append((hop.ends - hop.starts) * above_ms)
        ids.append(_hex(random, n, words=1))
    frames = []
    for number, hop in enumerate(route):
        timed = shared.with_columns(
            pl.Series("time_us", starts[number], dtype=pl.Int64),
            pl.Series("duration_ms", np.round(lasts[number] + hang_ms * (hop.called in _ON_THE_WAY), 3)),
            ids[number].alias("span_id"),
            pl.lit(None, dtype=pl.String).alias("parent_span_id")
            if hop.parent < 0
            else ids[hop.parent].alias("parent_span_id"),
        )
        frames.append(timed.select(**_database_columns(hop) if hop.kind == "db" else _http_columns(hop, route)))
    return pl.concat(frames, how="diagonal")


def _shared_columns(hop: Hop, failed: pl.Expr) -> dict[str, pl.Expr]:
    return {
        **{name: pl.col(name) for name in ("time_us", "duration_ms", "trace_id", "span_id", "parent_span_id")},
        "service_name": pl.lit(hop.service),
        "service_version": pl.lit(_VERSIONS[hop.service]),
        "service_instance_id": pl.format("{}-{}", pl.lit(hop.service), pl.col("session") % 6),
        "deployment_environment_name": pl.lit("production"),
        "status_code": pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("unset")),
    }


def _database_columns(hop: Hop) -> dict[str, pl.Expr]:
    query = _QUERIES[hop.service]
    return {
        **_shared_columns(hop, pl.lit(value=False)),
        "span_name": pl.lit(f"{query.split()[0]} {hop.service}.db"),
        "span_kind": pl.lit("client"),
        "db_system_name": pl.lit("postgresql"),
        "db_query_text": pl.lit(query),
        "attributes": pl.lit(f'{{"db.namespace":"{hop.service}.db",{_SDK}sqlalchemy","scope_version":"0.66b1"}}'),
    }


def _http_columns(hop: Hop, route: tuple[Hop, ...]) -> dict[str, pl.Expr]:
    is_server, is_entry, is_order = hop.kind == "server", hop.parent < 0, route is _ORDER
    called = hop.called
    failed = pl.col("hangs") if called in _ON_THE_WAY else pl.lit(value=False)
    method = "POST" if is_order else "GET"
    before, _, rest = _TEMPLATES[called, is_order].partition("{product_id}")
    template = _TEMPLATES[called, is_order]
    path = pl.lit(template) if before == template else pl.lit(f"{before}prd_") + pl.col("product") + pl.lit(rest)
    columns = {
        **_shared_columns(hop, failed),
        "span_name": pl.lit(f"{method} {template}" if is_server else method),
        "span_kind": pl.lit(hop.kind),
        "http_request_method": pl.lit(method),
        "http_route": pl.lit(template if is_server else None, dtype=pl.String),
        "url_path": path,
        "http_response_status_code": pl.when(failed).then(504).otherwise(201 if is_order else 200).cast(pl.Int64),
        "error_type": pl.when(failed).then(pl.lit("CardTimeout")),
        "exception_message": pl.when(failed).then(pl.lit("no answer from card-processor within 5000 ms")),
        "server_address": pl.lit(f"{called}.internal"),
        "server_port": pl.lit(_PORTS[called], dtype=pl.Int64),
        "peer_service": pl.lit(hop.peer or None, dtype=pl.String),
        "attributes": _attributes(hop, is_entry=is_entry, path=path),
    }
    if is_entry:
        columns |= {name: pl.col(name) for name in ("session_id", "user_id", "user_agent_original")}
        if is_order:
            columns["http_request_body"] = (
                pl.lit('{"product_id":"prd_') + pl.col("product") + pl.lit('","quantity":1,"card":"tok_visa"}')
            )
    return columns


def _attributes(hop: Hop, *, is_entry: bool, path: pl.Expr) -> pl.Expr:
    """Write what the instrumentation of frameworks adds, as JSON."""
    parts = [pl.lit('{"url.scheme":"http","network.protocol.version":"1.1"')]
    if is_entry:
        parts += [
            pl.format(',"shop.account.age_days":{},"shop.cart.value":{}.5', pl.col("session") % 900, pl.col("product")),
            pl.lit(',"shop.region":"DE"'),
        ]
    if hop.kind == "client":
        parts += [pl.lit(f',"url.full":"http://{hop.called}.internal:{_PORTS[hop.called]}'), path, pl.lit('"')]
    scope = "flask" if hop.kind == "server" else "httpx"
    return pl.concat_str(*parts, pl.lit(f',{_SDK}{scope}","scope_version":"0.66b1"}}'))


def _hex(random: np.random.Generator, n: int, *, words: int) -> pl.Series:
    """Return ids of 16 hex digits a word."""
    digits = random.bytes(8 * words * n).hex()
    chars = 16 * words
    return pl.Series([digits[start : start + chars] for start in range(0, n * chars, chars)], dtype=pl.String)
