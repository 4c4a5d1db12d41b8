"""What sessions really sent: requests of a sample of visitors, people replaced, and how everything was answered."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.journeys.passes import routes_on_engine
from prodintel_lib.analyses.load.gather import MARGIN_S
from prodintel_lib.engines import collect
from prodintel_lib.errors import NoDataError
from prodintel_lib.rollups.load_answers import LOAD_ANSWERS_KEYS, LOAD_ANSWERS_SCHEMA, build_load_answers
from prodintel_lib.rollups.load_requests import LOAD_REQUESTS_SCHEMA, load_requests
from prodintel_lib.scenarios.load_model.flat_rows import lay_flat
from prodintel_lib.scenarios.load_model.flows import Flows, find_flows
from prodintel_lib.scenarios.recorded import MIN_TRACEABLE_LENGTH, RecordedRequest, read_request
from prodintel_lib.tables import RUM_EVENTS, SPANS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from prodintel_lib.analyses.telemetry import LakeView
    from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
    from prodintel_lib.rollups.load_requests import LoadSource
    from prodintel_lib.windows import Window

MIN_OF_ENDPOINT: Final = 30
"""So many visitors of each endpoint are in the sample, where there are."""

BodyKind = Literal["json", "none", "other", "unknown"]

_KEPT: Final[Mapping[LoadSource, Sequence[str]]] = {
    "spans": ("trace_id", "span_id", "user_id", "session_id", "url_path", "url_query", "http_response_status_code",
              "http_request_body", "http_response_body", "attributes"),
    "rum": ("trace_id", "user_id", "session_id", "event_kind", "url_path", "url_query", "request_path",
            "http_response_status_code", "attributes"),
}  # fmt: skip
_TABLE: Final = {"spans": SPANS, "rum": RUM_EVENTS}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a visitor.

    Attributes
    ----------
    endpoint : str
        As load_requests calls it.
    owner : str
        The user, or the visitor where no user is named: whose values they are.
    request : RecordedRequest
        ``bad``: failed. Without its answer, once people were replaced.
    body_is : {"json", "none", "other", "unknown"}
        Whether a body was captured, and could be read; ``none`` where it is known that there was none.
    answer_captured : bool
    """

    endpoint: str
    owner: str
    request: RecordedRequest
    body_is: BodyKind
    answer_captured: bool

    @property
    def answered_well(self) -> bool:
        """Whether it was answered with a 2xx, or did not fail where no status is known."""
        return not self.request.bad if self.request.status is None else self.request.succeeded


@dataclass(frozen=True, slots=True, eq=False)
class Exchanges:
    """What a load test may send, and what production answered.

    Attributes
    ----------
    window : Window
    source : {"spans", "rum"}
    visitors : tuple of tuple of Exchange
        What each sampled visitor asked for, in order; people replaced.
    answers : polars.DataFrame
        Columns of load_answers.LOAD_ANSWERS_SCHEMA, of all requests of the window.
    flows : Flows
        Where values come from, found in the requests as recorded.
    kept_fields : tuple of str
        Fields that prodintel.yaml says hold nothing secret.
    """

    window: Window
    source: LoadSource
    visitors: tuple[tuple[Exchange, ...], ...]
    answers: pl.DataFrame
    flows: Flows
    kept_fields: tuple[str, ...] = ()


def gather_exchanges(
    view: LakeView,
    *,
    window: Window,
    source: LoadSource,
    routes: pl.DataFrame | None = None,
    max_sessions: int = 2000,
) -> Exchanges:
    """Read what a sample of visitors sent, and count how all requests were answered.

    Parameters
    ----------
    view : LakeView
    window : Window
    source : {"spans", "rum"}
    routes : polars.DataFrame, optional
        LoadHistory.routes, so that endpoints are called the same.
    max_sessions : int
        Visitors in the sample: MIN_OF_ENDPOINT of each endpoint, the rest evenly over the window.

    Raises
    ------
    NoDataError
        If no request names its visitor.
    """
    wide = window.widened(before_s=MARGIN_S, after_s=MARGIN_S) if source == "spans" else window
    with routes_on_engine(routes, view.engine) if routes is not None else nullcontext() as learned:
        asked = load_requests(
            view.scan(SPANS.name, wide), view.scan(RUM_EVENTS.name, wide), source=source, routes=learned,
            keep=_KEPT[source],
        ).filter(nw.col("time_us") >= window.start_us, nw.col("time_us") < window.end_us)  # fmt: skip
        answers = view.collect(build_load_answers(asked), schema=LOAD_ANSWERS_SCHEMA, sort_by=LOAD_ANSWERS_KEYS)
        chosen = _choose_visitors(_visits(asked), max_sessions)
        schema = LOAD_REQUESTS_SCHEMA | {name: _TABLE[source].schema[name] for name in _KEPT[source]}
        rows = collect(
            asked.filter(nw.col("visitor").is_in(chosen)), schema=schema, sort_by=("visitor", "time_us", "trace_id")
        )
    if rows.is_empty():
        raise NoDataError(
            f"No request in {window.label()} names its visitor.",
            hint="record a session, a user or a client's address with each request.",
        )
    return read_exchanges(rows, view.private, answers=answers, window=window, source=source,
                          kept_fields=view.workspace.config.privacy.keep)  # fmt: skip


def read_exchanges(
    rows: pl.DataFrame,
    private: Pseudonymiser,
    *,
    answers: pl.DataFrame,
    window: Window,
    source: LoadSource,
    kept_fields: Sequence[str] = (),
) -> Exchanges:
    """Make exchanges of recorded rows.

    Parameters
    ----------
    rows : polars.DataFrame
        As load_requests makes them with the columns that are kept of the source, as recorded.
    private : Pseudonymiser
    answers : polars.DataFrame
        As for Exchanges.
    window : Window
    source : {"spans", "rum"}
    kept_fields : sequence of str

    Notes
    -----
    Flows are found in what was recorded: a user's id has a stand-in where its field says that it is one, and none in a
    path. Beyond this function nothing is as recorded.
    """
    flat = lay_flat(rows, source)
    seen = private.frame(flat.drop("http_response_body"), columns={"session_id": "id", "owner": "id"})
    seen = seen.with_columns(pl.lit(None, dtype=pl.String).alias("http_response_body"))
    # Endpoints are called by what may be seen of them, before and after.
    recorded = list(map(_exchange, flat.with_columns(seen["endpoint"]).iter_rows(named=True)))
    flows = find_flows(_by_visitor(recorded))
    ids = _ids_of(rows)
    exchanges = [
        replace(one, answer_captured=before.answer_captured, request=_without_ids(one.request, ids, private))
        for one, before in zip(map(_exchange, seen.iter_rows(named=True)), recorded, strict=True)
    ]
    return Exchanges(window, source, _by_visitor(exchanges), answers, flows, tuple(kept_fields))


def _visits(asked: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Return who asked for what, and when first."""
    lazy = (
        asked.filter(nw.col("visitor") != nw.lit(""))
        .group_by("visitor", "endpoint")
        .agg(nw.col("time_us").min().alias("time_us"))
    )
    schema = {"visitor": pl.String(), "endpoint": pl.String(), "time_us": pl.Int64()}
    return collect(lazy, schema=schema, sort_by=("time_us", "visitor", "endpoint"))


def _choose_visitors(visits: pl.DataFrame, most: int) -> list[str]:
    """Choose visitors evenly over time, and of what few of them asked for more than would come so."""
    visitors = visits.group_by("visitor").agg(pl.col("time_us").min()).sort("time_us", "visitor")["visitor"]
    if len(visitors) <= most:
        return sorted(visitors.to_list())
    rare: set[str] = set()
    by_endpoint = visits.group_by("endpoint", maintain_order=True).agg("visitor")
    for names in sorted(by_endpoint["visitor"].to_list(), key=len):
        rare.update(_evenly(names, MIN_OF_ENDPOINT) if len(rare) < most // 2 else ())
    rest = [name for name in visitors if name not in rare]
    return sorted(rare | set(_evenly(rest, max(most - len(rare), 0))))


def _evenly(values: Sequence[str], n: int) -> list[str]:
    if len(values) <= n:
        return list(values)
    return [values[int((place + 0.5) * len(values) / n)] for place in range(n)]


def _exchange(row: Mapping[str, Any]) -> Exchange:
    request, body = read_request(row), row["http_request_body"]
    if body is None:
        kind: BodyKind = "none" if row["request_bytes"] == 0 else "unknown"
    elif not body.strip():
        kind = "none"
    else:
        kind = "json" if request.body is not None else "other"
    return Exchange(row["endpoint"], row["owner"], request, kind, row["http_response_body"] is not None)


def _by_visitor(exchanges: Iterable[Exchange]) -> tuple[tuple[Exchange, ...], ...]:
    found: dict[str, list[Exchange]] = {}
    for one in exchanges:
        found.setdefault(one.request.session_id, []).append(one)
    return tuple(tuple(visitor) for visitor in found.values())


def _ids_of(rows: pl.DataFrame) -> frozenset[str]:
    """Return the ids of users, sessions and visitors, which no path or body may keep."""
    known = pl.concat([rows[name] for name in ("user_id", "session_id", "visitor")]).drop_nulls().unique()
    return frozenset(value for value in known if len(value) >= MIN_TRACEABLE_LENGTH)


def _without_ids(request: RecordedRequest, ids: frozenset[str], private: Pseudonymiser) -> RecordedRequest:
    """Put stand-ins where an id of a user or a session stands in a place that does not call it so."""

    def replaced(value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {name: replaced(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [replaced(inner) for inner in value]
        return private.value(value, key_hint="user_id") if isinstance(value, str) and value in ids else value

    template = request.route.split("/")
    segments = [
        part if part in template[place : place + 1] else str(replaced(part))
        for place, part in enumerate(request.path.split("/"))
    ]
    return replace(
        request,
        path="/".join(segments),
        query=tuple((name, str(replaced(value))) for name, value in request.query),
        headers=tuple((name, str(replaced(value))) for name, value in request.headers),
        body=replaced(request.body),
    )
