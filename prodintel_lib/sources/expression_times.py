"""Times and durations in columns of text, as integer microseconds and float milliseconds; what is none becomes null."""

from __future__ import annotations

from typing import Final

import polars as pl

from prodintel_lib.sources.model import INT64_LIMIT, LATEST_TIME_US
from prodintel_lib.windows import US_PER_S

_PER_S: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# A number of digits tells the unit: seconds pass 1e11 in the year 5138, milliseconds are past it since 1973.
_UPPER: Final = (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", 1e19))
_ISO: Final = (
    r"^\s*([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9})[0-9]*)?)?)?"
    r"\s*(Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?\s*$"
)
_ZONE: Final = 5


def number_of(text: pl.Expr) -> pl.Expr:
    """Read numbers; not-a-number and the infinities are none."""
    value = text.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole_number_of(text: pl.Expr) -> pl.Expr:
    """Read integers of 64 bits exactly, and numbers such as ``5.0`` and ``1e3``."""
    value = number_of(text)
    is_whole = (value == value.round()) & (value.abs() < INT64_LIMIT)
    return pl.coalesce(
        text.str.strip_chars().cast(pl.Int64, strict=False), pl.when(is_whole).then(value).cast(pl.Int64, strict=False)
    )


def epoch_us(text: pl.Expr, unit: str) -> pl.Expr:
    """Read times given as a number since the epoch, exactly where they are integers.

    Parameters
    ----------
    text : polars.Expr
    unit : {"s", "ms", "us", "ns"}
    """
    per_s = _PER_S[unit]
    whole = text.str.strip_chars().cast(pl.Int64, strict=False)
    value = number_of(text)
    if per_s <= US_PER_S:
        factor = US_PER_S // per_s
        # Beyond the last time that is kept, the product could run over and come back as a time that looks sound.
        exact: pl.Expr = pl.when(whole.abs() < LATEST_TIME_US // factor).then(whole * factor)
        near = value * factor
    else:
        exact = whole // (per_s // US_PER_S)
        near = value / (per_s // US_PER_S)
    return pl.coalesce(
        exact, pl.when(whole.is_null() & (near.abs() < LATEST_TIME_US)).then(near.round()).cast(pl.Int64, strict=False)
    )


def iso_us(text: pl.Expr, zone: str = "UTC") -> pl.Expr:
    """Read ISO 8601 times, whatever their precision; those without a zone are of `zone`.

    A time that comes twice, when clocks go back, is the first of the two; one that never was is null.
    """
    parts = text.str.extract_groups(_ISO)
    part = [parts.struct.field(str(number + 1)) for number in range(_ZONE)]
    day, minute, second, fraction, offset = part
    local = pl.concat_str(day, pl.lit("T"), minute.fill_null("00:00"), pl.lit(":"), second.fill_null("00"))
    moment = local.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    own_us = moment.dt.epoch("us")
    zoned_us = moment.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.epoch("us")
    micros = fraction.fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = offset.str.slice(3).str.strip_prefix(":").cast(pl.Int64, strict=False).fill_null(0)
    ahead_us = (hours * 60 + minutes) * 60 * US_PER_S
    is_named = offset.str.to_uppercase().is_in(["Z", "UTC", "GMT"])
    shift_us = pl.when(is_named).then(0).when(offset.str.starts_with("-")).then(-ahead_us).otherwise(ahead_us)
    return pl.when(offset.is_null()).then(zoned_us).otherwise(own_us - shift_us) + micros


def strptime_us(text: pl.Expr, pattern: str, zone: str = "UTC") -> pl.Expr:
    """Read times of any other writing; `zone` counts where the pattern has none of its own."""
    moment = text.str.strip_chars().str.to_datetime(pattern, strict=False, time_unit="us", ambiguous=pl.lit("earliest"))
    if "%z" in pattern or "%#z" in pattern or "%:z" in pattern:
        return moment.dt.epoch("us")
    return moment.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.epoch("us")


def any_time_us(text: pl.Expr) -> pl.Expr:
    """Read ISO 8601 times, and numbers since the epoch, whose unit is told by their size."""
    size = number_of(text).abs()
    chosen: pl.Expr = pl.lit(None, dtype=pl.Int64)
    for unit, upper in reversed(_UPPER):
        in_unit: pl.Expr = pl.when(size < upper).then(epoch_us(text, unit)).otherwise(chosen)
        chosen = in_unit
    return pl.coalesce(chosen, iso_us(text))
