"""A service's own database: SQLite in write-ahead mode behind a bounded connection pool."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from sqlalchemy import Engine, MetaData, QueuePool, create_engine, event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sqlalchemy.pool import ConnectionPoolEntry


def open_database(
    name: str,
    tables: MetaData,
    *,
    pool_size: int,
    pool_timeout_s: float,
    file: str = "",
    statement_latency_ms: float = 0.0,
) -> Engine:
    """Open (and on the first start create) the database `name` in the working folder; report its pool as metrics.

    Parameters
    ----------
    name : str
        The pool's name.
    tables : MetaData
    pool_size : int
        The most connections there may be; none beyond.
    pool_timeout_s : float
        How long a request waits for a free connection before it fails.
    file : str, optional
        The database's name where it is not the pool's: two pools may lead to one database.
    statement_latency_ms : float, optional
        How long each statement takes besides its work: SQLite is in the process, and most databases are not.
    """
    engine = create_engine(
        # A relative path: the name of the database is in every span, and a temporary folder has no place there.
        f"sqlite:///{file or name}.db",
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
    )
    event.listen(engine, "connect", _set_pragmas)
    tables.create_all(engine)
    if statement_latency_ms:
        _delay_statements(engine, statement_latency_ms / 1_000)
    _observe_pool(engine, name)
    return engine


def _delay_statements(engine: Engine, latency_s: float) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def delay(*_statement: object) -> None:
        time.sleep(latency_s)


def _set_pragmas(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


def _observe_pool(engine: Engine, name: str) -> None:
    pool = engine.pool
    if not isinstance(pool, QueuePool):  # pragma: no cover - open_database asks for one
        return
    label = {"db.client.connection.pool.name": name}

    def connections(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(pool.checkedout(), label | {"db.client.connection.state": "used"})
        yield Observation(pool.checkedin(), label | {"db.client.connection.state": "idle"})

    def limit(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(pool.size(), label)

    meter = metrics.get_meter(__name__)
    meter.create_observable_up_down_counter(
        "db.client.connection.count", [connections], unit="{connection}", description="Connections by state."
    )
    meter.create_observable_up_down_counter(
        "db.client.connection.max", [limit], unit="{connection}", description="Most connections allowed."
    )
