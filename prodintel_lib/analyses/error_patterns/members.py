"""A bounded sample of each pattern's errors, the same whatever part of the data was seen first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from prodintel_lib.analyses.error_patterns.distinct import hash_of

KEPT_TRACES: Final = 200
MAX_ROWS_PER_TRACE: Final = 50
MEMBERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_no": pl.Int64(),
    "member": pl.String(),
    "sample_key": pl.Float64(),
    "trace_id": pl.String(),
    "time_us": pl.Int64(),
    "session_id": pl.String(),
    "route": pl.String(),
    "user_id": pl.String(),
}
_KEY_BITS: Final = 32
_HEX_END: Final = r"([0-9a-fA-F]{8})\z"


@dataclass(frozen=True, slots=True)
class Members:
    """Errors of the traces with the smallest keys, pattern by pattern; samples of parts are merged by `+`.

    Attributes
    ----------
    rows : polars.DataFrame
        MEMBERS_SCHEMA. ``member`` is the trace; without one the session, else the client. ``sample_key`` is in [0, 1):
        of a trace its last 32 bits, so that two patterns keep the same traces (consistent sampling, as OpenTelemetry's
        probability sampling has it); of others a hash. Of the KEPT_TRACES members with the smallest keys all rows are
        kept, up to MAX_ROWS_PER_TRACE each.
    """

    rows: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Members:
        """Take the sample of ``pattern_no, trace_id, time_us, session_id, route, user_id, client_key``."""
        filled = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("trace_id", "session_id", "client_key")]
        named = rows.with_columns(pl.coalesce(*filled).alias("member")).filter(pl.col("member").is_not_null())
        return cls(_sampled(_with_keys(named).select(MEMBERS_SCHEMA.keys())))

    def __add__(self, other: Members) -> Members:
        return Members(_sampled(pl.concat([self.rows, other.rows])))


def _with_keys(rows: pl.DataFrame) -> pl.DataFrame:
    members = rows.select("member", is_trace=pl.col("trace_id") != "").unique("member", maintain_order=True)
    hashed = (hash_of(members["member"]) // 2**_KEY_BITS).cast(pl.Int64)
    own = pl.when("is_trace").then(pl.col("member").str.extract(_HEX_END, 1)).str.to_integer(base=16, strict=False)
    keys = members.select("member", (pl.coalesce(own, hashed) / 2**_KEY_BITS).alias("sample_key"))
    return rows.join(keys, on="member", how="left", maintain_order="left")


def _sampled(rows: pl.DataFrame) -> pl.DataFrame:
    order = ["pattern_no", "sample_key", "member"]
    kept = rows.select(order).unique().sort(order).group_by("pattern_no", maintain_order=True).head(KEPT_TRACES)
    return (
        rows.join(kept.select("pattern_no", "member"), on=["pattern_no", "member"], how="semi")
        .sort(*order, "time_us", "session_id", "route", "user_id")
        .group_by("pattern_no", "member", maintain_order=True)
        .head(MAX_ROWS_PER_TRACE)
        .select(MEMBERS_SCHEMA.keys())
    )
