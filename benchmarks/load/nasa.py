"""Thirteen hours of a public web server of 1995: half of the sessions modelled, the other half to be met."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from prodintel_lib.analyses.behaviour import ArrivalCurve, find_behaviour, read_sessions, simulate
from prodintel_lib.analyses.behaviour.chain import fit_chain
from prodintel_lib.analyses.journeys import learn_routes

if TYPE_CHECKING:
    from prodintel_lib.analyses.behaviour import SessionLog

SHARED = Path(os.environ.get("PRODINTEL_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = SHARED / "access-logs" / "nasa_19950801.tsv"
GAP_S = 1800


def read_steps() -> pl.DataFrame:
    """Return the log as load steps: hosts are visitors, sessions end after half an hour without a request."""
    log = pl.read_csv(FILE, separator="\t", quote_char=None, columns=["host", "time", "method", "url", "response"])
    log = log.with_columns(pl.col("url").str.split("?").list.first().alias("url_path"))
    paths = log.group_by("url_path").agg(
        pl.len().cast(pl.Int64).alias("views"), (pl.col("response") >= 400).sum().cast(pl.Int64).alias("bad")
    )
    log = log.join(learn_routes(paths), on="url_path", how="left")
    log = log.sort("host", "time", maintain_order=True).with_columns(
        endpoint=pl.concat_str("method", pl.coalesce("route", "url_path"), separator=" ")
    )
    fresh = (pl.col("host") != pl.col("host").shift(1)) | (pl.col("time") - pl.col("time").shift(1) > GAP_S)
    log = log.with_columns(session_key=fresh.fill_null(value=True).cum_sum())
    return log.select(
        "session_key",
        pl.int_range(1, pl.len() + 1).over("session_key").alias("step_no"),
        (pl.col("time") * 1_000_000).alias("time_us"),
        "endpoint",
    )


def as_log(steps: pl.DataFrame) -> pl.DataFrame:
    """Return load steps as the scores read them, from the first request on."""
    since_us = pl.col("time_us") - pl.col("time_us").min()
    return steps.select(session="session_key", endpoint="endpoint", t=since_us / 1_000_000)


def loads(known: pl.DataFrame, asked: pl.DataFrame, *, seed: int) -> dict[str, pl.DataFrame]:
    """Make loads from the sessions that are known, which begin when those that are asked for did.

    - `model`: as the library makes it
    - `first order`: the same classes and gaps with chains that remember one endpoint and count no steps, no guards
    - `memoryless`: each step drawn from the mix of endpoints, as many as a known session had, gaps drawn from all
    - `flat curve`: the model with as many sessions in every minute
    """
    model = find_behaviour(known, seed=seed)
    log, curve = read_sessions(known), ArrivalCurve.of(read_sessions(asked))
    last_s = as_log(asked)["t"].max() + 1
    plain = find_behaviour(known, seed=seed, max_classes=1)
    chain = fit_chain(log, order=1, counts_steps=False)
    simple = replace(plain, guards=(), classes=(replace(plain.classes[0], chain=chain),))
    flat = ArrivalCurve(curve.bucket_s, np.full(len(curve.sessions), curve.sessions.mean()))
    return {
        "model": simulate(model, curve, seed=seed, duration_s=last_s),
        "first order": simulate(simple, curve, seed=seed, duration_s=last_s),
        "memoryless": _memoryless(log, curve, seed=seed).filter(pl.col("t") < last_s),
        "flat curve": simulate(model, flat, seed=seed, duration_s=last_s),
    }


def _memoryless(log: SessionLog, curve: ArrivalCurve, *, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    starts_s = curve.draw_starts_s(rng)
    lengths = rng.choice(log.lengths, len(starts_s))
    session = np.repeat(np.arange(len(starts_s)), lengths)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    gaps_s = rng.choice(log.gaps_s[~log.is_first], len(session))
    gaps_s[first] = 0.0
    run_s = np.cumsum(gaps_s)
    times_s = starts_s[session] + run_s - np.repeat(run_s[first], lengths)
    names = np.array(log.endpoints, dtype=object)
    return pl.DataFrame({"session": session, "endpoint": names[rng.choice(log.codes, len(session))], "t": times_s})


def halves(steps: pl.DataFrame, *, by: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is known and what is asked for: every other session, or the sessions before and after the middle."""
    if by == "sessions":
        return tuple(steps.filter(pl.col("session_key") % 2 == rest) for rest in (0, 1))
    starts = steps.group_by("session_key").agg(pl.col("time_us").min().alias("start_us"))
    middle = (steps["time_us"].min() + steps["time_us"].max()) // 2
    early = starts.filter(pl.col("start_us") < middle)["session_key"].implode()
    chosen = pl.col("session_key").is_in(early)
    return steps.filter(chosen), steps.filter(~chosen)
