"""A made-up shop: a gateway that users ask, orders and payment behind it, and whatever goes wrong in them."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from prodintel_lib.analyses.anomalies.model import SeriesMatrix, Streaming
from prodintel_lib.analyses.production import ABOUT_SCHEMA, EDGES_SCHEMA, Production, SignalSet
from prodintel_lib.rollups.log_levels import LOG_LEVELS_SCHEMA
from prodintel_lib.rollups.metric_buckets import METRIC_BUCKETS_SCHEMA
from prodintel_lib.rollups.request_bins import REQUEST_BINS_SCHEMA
from prodintel_lib.rollups.rum_buckets import RUM_BUCKETS_SCHEMA
from prodintel_lib.tables import CHANGES, INCIDENTS, conform
from prodintel_lib.windows import Window

BUCKET_S = 10
BUCKET_US = BUCKET_S * 1_000_000
START_US = 1_700_000_000_000_000 // BUCKET_US * BUCKET_US
BUCKETS = 60
USUAL_BIN, SLOW_BIN = 60, 90
"""About 126 and 1,393 ms."""
CALLS = [("gateway", "orders"), ("orders", "payment"), ("gateway", "catalogue")]
ROUTES = {
    ("gateway", "POST /pay"): True,
    ("gateway", "GET /home"): True,
    ("orders", "POST /orders"): False,
    ("payment", "POST /charge"): False,
    ("catalogue", "GET /products"): False,
}


def at(bucket):
    """The start of a bucket, by its number."""
    return START_US + bucket * BUCKET_US


@dataclass(frozen=True)
class Known(Streaming):
    """A detector that takes the first value for usual: a doubling scores 4, four times as much 8."""

    @property
    def name(self):
        return "known"

    @property
    def unit(self):
        return "-log10 p"

    def _look(self, series):
        levels = series.levels
        first = np.argmax(~np.isnan(levels), axis=1)
        usual = np.repeat(np.take_along_axis(levels, first[:, None], axis=1), levels.shape[1], axis=1)
        return 4 * np.abs(np.log2((levels + 0.01) / (usual + 0.01))), usual


@dataclass
class Shop:
    """Requests of each route by bucket; `fail`, `slow` and `quiet` change some of them."""

    buckets: int = BUCKETS
    per_bucket: int = 100
    window_from: int = 20
    missing: tuple = ()
    changes: list = field(default_factory=list)
    gauges: dict = field(default_factory=dict)

    def __post_init__(self):
        self.n = {key: np.full(self.buckets, self.per_bucket) for key in ROUTES}
        self.failed = {key: np.full(self.buckets, self.per_bucket // 100) for key in ROUTES}
        self.slow = {key: np.full(self.buckets, self.per_bucket // 10) for key in ROUTES}

    def fail(self, service, first, last, *, failed=30):
        for key in self._routes(service):
            self.failed[key][first : last + 1] = failed
        return self

    def slowed(self, service, first, last, *, slow=60):
        for key in self._routes(service):
            self.slow[key][first : last + 1] = slow
        return self

    def traffic(self, service, first, last, *, requests):
        for key in self._routes(service):
            for counts, share in ((self.n, 1), (self.failed, 100), (self.slow, 10)):
                counts[key][first : last + 1] = requests // share
        return self

    def gauge(self, service, name, values):
        self.gauges[service, name] = np.asarray(values, dtype=np.float64)
        return self

    def changed(self, service, bucket, *, version="2.0", change_id="c-1"):
        self.changes.append(
            {
                "time_us": at(bucket),
                "source": "ci",
                "change_id": change_id,
                "change_kind": "deployment",
                "service_name": service,
                "service_version": version,
                "status": "success",
            }
        )
        return self

    def _routes(self, service):
        return [key for key in ROUTES if service in (key[0], key[1])]

    @property
    def times(self):
        return np.array([at(bucket) for bucket in range(self.buckets)], dtype=np.int64)

    @property
    def known(self):
        return np.array([bucket not in self.missing for bucket in range(self.buckets)])

    def production(self):
        rows = [
            {
                "bucket_us": at(bucket), "service_name": service, "route": route, "is_entry": ROUTES[service, route],
                "region": "", "release": "", "cache": "", "bin": bin_of, "requests": requests,
                "failed": failed, "duration_ms_sum": 0.0, "over_limit": 0,
            }
            for (service, route) in ROUTES
            for bucket in np.flatnonzero(self.known).tolist()
            for bin_of, requests, failed in self._bins((service, route), bucket)
        ]  # fmt: skip
        changes = pl.DataFrame(self.changes) if self.changes else pl.DataFrame(schema=CHANGES.schema)
        return Production(
            window=Window(at(self.window_from), at(self.buckets)),
            history=Window(at(min(0, self.window_from - 10)), at(self.window_from)),
            bucket_s=BUCKET_S,
            requests=pl.DataFrame(rows, schema=REQUEST_BINS_SCHEMA, orient="row"),
            metrics=pl.DataFrame(schema=METRIC_BUCKETS_SCHEMA),
            visits=pl.DataFrame(schema=RUM_BUCKETS_SCHEMA),
            log_levels=pl.DataFrame(schema=LOG_LEVELS_SCHEMA),
            calls=pl.DataFrame([(*edge, 1000, 0) for edge in CALLS], schema=EDGES_SCHEMA, orient="row"),
            changes=conform(changes, CHANGES),
            incidents=pl.DataFrame(schema=INCIDENTS.schema),
            recorded_us=self.times[self.known],
            digest="made",
        )

    def _bins(self, key, bucket):
        slow = int(self.slow[key][bucket])
        quick = int(self.n[key][bucket]) - slow
        return [(USUAL_BIN, quick, int(self.failed[key][bucket])), (SLOW_BIN, slow, 0)]

    def series(self):
        sets = [
            self._of_requests("error_ratio", self.failed, worse=1),
            self._of_requests("latency", self.slow, worse=1),
            self._of_requests("throughput", None, worse=0),
        ]
        return [*sets, self._of_gauges()] if self.gauges else sets

    def _of_requests(self, signal, hits, *, worse):
        keys = {f"{service} {route}": (service, route) for service, route in ROUTES}
        trials = np.array([self._seen(self.n[key]) for key in keys.values()])
        values = trials if hits is None else np.array([self._seen(hits[key]) for key in keys.values()])
        exposure, kind = (None, "count") if hits is None else (trials, "ratio")
        matrix = SeriesMatrix(tuple(keys), self.times, values, exposure=exposure, kind=kind)
        return SignalSet(signal, matrix, about(keys, grain="route", worse=worse))

    def _of_gauges(self):
        keys = {f"{service} {name}": (service, "", name) for service, name in self.gauges}
        values = np.array([self._seen(row) for row in self.gauges.values()])
        return SignalSet(
            "saturation", SeriesMatrix(tuple(keys), self.times, values), about(keys, grain="metric", worse=1)
        )

    def _seen(self, row):
        return np.where(self.known, row.astype(np.float64), np.nan)


def about(keys, *, grain, worse):
    """Rows of ABOUT_SCHEMA from a key's service, route and metric."""
    rows = []
    for key, (service, route, *metric) in keys.items():
        row = dict.fromkeys(ABOUT_SCHEMA, "")
        row |= {"key": key, "grain": grain, "service_name": service, "route": route, "worse": worse, "requests": 1000}
        rows.append(row | {"metric_name": metric[0] if metric else ""})
    return pl.DataFrame(rows, schema=ABOUT_SCHEMA)
