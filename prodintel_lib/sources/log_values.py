"""Values of structured logs on their way into columns: times, ids, traces and texts of whatever type they came."""

from __future__ import annotations

from typing import Final

import orjson
import polars as pl

from prodintel_lib.sources.log_exceptions import find_exception
from prodintel_lib.sources.log_fields import FIELDS, LEVEL, STACK, TIME
from prodintel_lib.sources.log_rows import INSIDE, members_of, span_id_of_text, trace_id_of_text
from prodintel_lib.sources.log_times import ZONE_ASSUMED, is_zoned, logged_times_us
from prodintel_lib.sources.model import INT64_LIMIT, Json
from prodintel_lib.sources.tabular import json_object

_TEXTS: Final = tuple(name for name in FIELDS if name not in {TIME, LEVEL})
_UNITS_US: Final = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))


def log_values_frame(columns: dict[str, list[Json]]) -> pl.DataFrame:
    """Bring the values of many records to the columns' types; what does not fit stays in the attributes.

    Parameters
    ----------
    columns : dict of str to list
        ``number``, ``inside`` (what else each record says, a dict) and the columns of log_fields.FIELDS, of which
        ``severity_number`` holds numbers already and the others whatever the file said.

    Returns
    -------
    polars.DataFrame
        As finished_logs takes it.
    """
    rests: list[dict[str, Json]] = columns[INSIDE]
    times: list[int | None] = []
    texts: list[str | None] = []
    for place, value in enumerate(columns[TIME]):
        if type(value) is str:
            times.append(None)
            texts.append(value)
        else:
            times.append(_number_us(value))
            texts.append(None)
            if times[-1] is None and value is not None:
                rests[place] = rests[place] | {"time": value}
    _bring_ids(columns)
    _bring_exceptions(columns)
    series = {name: _text_series(name, columns[name]) for name in _TEXTS}
    read_us = logged_times_us(pl.Series("time", texts, dtype=pl.String))
    inside = pl.Series(INSIDE, [_written(rest) for rest in rests], dtype=pl.String)
    assumed = pl.lit(f'"time_is":"{ZONE_ASSUMED}"')
    return pl.DataFrame(
        {
            "number": pl.Series("number", columns["number"], dtype=pl.Int64),
            TIME: pl.Series(TIME, times, dtype=pl.Int64).fill_null(read_us),
            "text": pl.Series("text", texts, dtype=pl.String),
            INSIDE: inside,
            LEVEL: pl.Series(LEVEL, columns[LEVEL], dtype=pl.Int64),
            **series,
        }
    ).with_columns(
        pl.when(~is_zoned(pl.col("text")))
        .then(pl.concat_str(pl.col(INSIDE), assumed, separator=",", ignore_nulls=True))
        .otherwise(INSIDE)
        .alias(INSIDE)
    )


def _number_us(value: Json) -> int | None:
    """Return a time that is no text: a number since the epoch, or an object of seconds and nanoseconds."""
    if isinstance(value, dict):
        if "$date" in value:
            return _number_us(value["$date"])
        seconds = value.get("seconds", value.get("epochSecond"))
        nanos = value.get("nanos", value.get("nanoOfSecond", 0))
        if isinstance(seconds, int) and isinstance(nanos, int) and abs(seconds) < _UNITS_US[0][0]:
            return seconds * 1_000_000 + nanos // 1000
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) >= INT64_LIMIT:
        return None
    factor = next((factor for upper, factor in _UNITS_US if abs(value) < upper), None)
    if factor is None:
        return int(value) // 1000
    return round(value * factor) if isinstance(value, float) else value * factor


def _bring_ids(columns: dict[str, list[Json]]) -> None:
    """Bring ids to OpenTelemetry's form; what is none stays in the attributes."""
    rests: list[dict[str, Json]] = columns[INSIDE]
    traces, spans = columns["trace_id"], columns["span_id"]
    for place in _odd_ids(traces, 32):
        value = traces[place]
        traces[place], span = trace_id_of_text(str(value))
        spans[place] = spans[place] or span
        if traces[place] is None and value != "":
            rests[place] = rests[place] | {"trace_id": value}
    for place in _odd_ids(spans, 16):
        value = spans[place]
        spans[place] = span_id_of_text(str(value))
        if spans[place] is None and value != "":
            rests[place] = rests[place] | {"span_id": value}


def _odd_ids(values: list[Json], hex_chars: int) -> list[int]:
    """Return the places of values that are no ids yet: nearly every logger writes them as they are wanted."""
    if values.count(None) == len(values):
        return []
    try:
        texts = pl.Series("id", values, dtype=pl.String, strict=True)
    except (TypeError, UnicodeEncodeError):
        return [place for place, value in enumerate(values) if value is not None]
    is_id = texts.str.contains(f"^[0-9a-f]{{{hex_chars}}}$") & (texts != "0" * hex_chars)
    return (~is_id).fill_null(value=False).arg_true().to_list()


def _bring_exceptions(columns: dict[str, list[Json]]) -> None:
    """Join traces that are lists, and read type and message from a trace where no field says them."""
    types, messages = columns["error_type"], columns["exception_message"]
    for place, value in enumerate(columns[STACK]):
        if value is None or value == "":
            continue
        lines = value if isinstance(value, list) else [value]
        trace = "\n".join(_as_text(line) or "" for line in lines)
        columns[STACK][place] = trace
        if types[place] is None and (found := find_exception(trace)):
            types[place] = found.error_type
            messages[place] = messages[place] or found.message


def _text_series(name: str, values: list[Json]) -> pl.Series:
    if values.count(None) == len(values):
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, len(values))
    try:
        return pl.Series(name, values, dtype=pl.String, strict=True)
    except (TypeError, UnicodeEncodeError):
        return pl.Series(name, [_as_text(value) for value in values], dtype=pl.String)


def _as_text(value: Json) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text.encode(errors="replace").decode()


def _written(rest: dict[str, Json]) -> str | None:
    try:
        return members_of(rest)
    except TypeError:
        written = json_object(rest)
        return written[1:-1] if written else None
