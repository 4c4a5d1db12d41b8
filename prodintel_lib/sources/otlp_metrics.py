"""Data points of OTLP/JSON metrics into the table `metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from prodintel_lib.sources.model import Json, is_storable_time
from prodintel_lib.sources.otlp_records import MALFORMED, RecordReader
from prodintel_lib.sources.otlp_values import RESERVED, as_text, finite, int64, plain_attributes
from prodintel_lib.tables import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.sources.otlp_values import Origin
    from prodintel_lib.tables import Table

_KINDS: Final[Mapping[str, str]] = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "exponential_histogram",
    "summary": "summary",
}
_TEMPORALITIES: Final[Mapping[object, str]] = {
    key: name
    for number, name in ((1, "delta"), (2, "cumulative"))
    for key in (number, str(number), f"AGGREGATION_TEMPORALITY_{name.upper()}")
}


_NOT_OWN: Final = RESERVED | {"description", "exemplars"}


class MetricReader(RecordReader):
    """Turns data points into rows of `metrics`.

    A metric without a kind this reader knows is one rejected row. ``buckets`` holds what a histogram has beyond count,
    sum, min and max:

    - histogram: ``bounds`` (upper, inclusive; one fewer than counts) and ``counts``
    - exponential histogram: ``scale``, ``zero_count``, ``zero_threshold``, and for ``positive`` and ``negative``
      ``offset`` and ``counts``; bucket i lies between base^(offset+i) and base^(offset+i+1), base = 2^(2^-scale)
    - summary: ``quantiles``, a list of ``[quantile, value]``

    ``attributes`` begin with the point's own, sorted by name, so that equal ones are equal texts.
    """

    table: ClassVar[Table] = METRICS
    record_name: ClassVar[str] = "data point"

    def __init__(self) -> None:
        super().__init__()
        self._metric: Json = None
        self._kind = ""
        self._shared: dict[str, Json] = {}

    def add(self, origin: Origin, records: list[Json], line: int) -> None:
        """Read the points of the metrics of one resource and scope, which begin on a line."""
        for metric in records:
            try:
                self._metric = metric
                self._kind = next(kind for kind in _KINDS if metric.get(kind) is not None)
                self._shared = _shared_columns(metric, self._kind)
                points = list(metric[self._kind].get("dataPoints") or ())
            except (*MALFORMED, StopIteration):
                self.rows_read += 1
                self._reject("malformed metric", line, metric)
            else:
                super().add(origin, points, line)

    def _write(self, record: Json, origin: Origin) -> str:
        row, columns = self._rows.height, self._rows.columns
        time_us = int(record.get("timeUnixNano") or 0) // 1000
        if not is_storable_time(time_us):
            return "missing or impossible time"
        columns["time_us"][row] = time_us
        for name, value in self._shared.items():
            columns[name][row] = value
        self._write_values(record, self._kind, row)
        own = {
            f"{key}_" if key in _NOT_OWN else key: value
            for key, value in plain_attributes(record.get("attributes")).items()
        }
        columns["attributes"][row] = origin.joined(own, _about(record, self._metric))
        return ""

    def _write_values(self, point: Mapping[str, Json], kind: str, row: int) -> None:
        columns = self._rows.columns
        start_ns = int64(point.get("startTimeUnixNano"))
        columns["start_time_us"][row] = start_ns // 1000 if start_ns else None
        if kind in {"gauge", "sum"}:
            # A point that only marks "no recorded value" has neither.
            columns["value"][row] = finite(point.get("asDouble", point.get("asInt")))
            return
        columns["count"][row] = int64(point.get("count", 0))
        columns["sum"][row] = finite(point.get("sum"))
        columns["min"][row] = finite(point.get("min"))
        columns["max"][row] = finite(point.get("max"))
        columns["buckets"][row] = orjson.dumps(_buckets(point, kind)).decode()


def _shared_columns(metric: Mapping[str, Json], kind: str) -> dict[str, Json]:
    if not metric.get("name"):
        raise ValueError("name")
    body = metric[kind]
    return {
        "metric_name": as_text(metric["name"]),
        "metric_unit": as_text(metric["unit"]) if metric.get("unit") else None,
        "metric_kind": _KINDS[kind],
        "is_monotonic": bool(body.get("isMonotonic", False)) if kind == "sum" else None,
        "temporality": _TEMPORALITIES.get(body.get("aggregationTemporality")),
    }


def _about(point: Mapping[str, Json], metric: Mapping[str, Json]) -> dict[str, Json]:
    """Return what else the source says of a point: none of it tells one series from another."""
    about: dict[str, Json] = {}
    if description := metric.get("description"):
        about["description"] = description
    if exemplars := point.get("exemplars"):
        about["exemplars"] = [
            {key: value for key, value in exemplar.items() if key != "filteredAttributes"}
            | plain_attributes(exemplar.get("filteredAttributes"))
            for exemplar in exemplars
        ]
    if flags := point.get("flags"):
        about["flags"] = flags
    return about


def _buckets(point: Mapping[str, Json], kind: str) -> dict[str, Json]:
    if kind == "summary":
        return {
            "quantiles": [
                [finite(pair.get("quantile", 0.0)), finite(pair.get("value", 0.0))]
                for pair in point.get("quantileValues") or ()
            ]
        }
    if kind == "histogram":
        return {
            "bounds": [float(bound) for bound in point.get("explicitBounds") or ()],
            "counts": [int(count) for count in point.get("bucketCounts") or ()],
        }
    sides = {side: point.get(side) or {} for side in ("positive", "negative")}
    return {
        "scale": int(point.get("scale", 0)),
        "zero_count": int(point.get("zeroCount", 0)),
        "zero_threshold": finite(point.get("zeroThreshold", 0.0)),
        **{
            name: {
                "offset": int(side.get("offset", 0)),
                "counts": [int(count) for count in side.get("bucketCounts") or ()],
            }
            for name, side in sides.items()
        },
    }
