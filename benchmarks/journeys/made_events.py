"""Made events of a made shop, seeded, written through the lake's own writer: what the benchmarks here run on.

One visitor in three comes twice. A session walks from page to page by fixed chances; a page view brings a vitals event
and some clicks, requests and errors with it. A session in twenty-five crosses midnight.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.lake import Manifest
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.tables import RUM_BUCKETS, RUM_EVENTS, conform
from prodintel_lib.windows import US_PER_S, Window, parse_time
from prodintel_lib.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from prodintel_lib.lake import StoredFile

START_US: Final = parse_time("2025-11-17T00:00:00Z")
DAYS: Final = 7
WINDOW: Final = Window(START_US, START_US + (DAYS + 1) * 86_400 * US_PER_S)
CONVERSION: Final = "purchase"
EVENTS_A_SESSION: Final = 12.94
MAX_STEPS: Final = 24
CONFIG: Final = (
    "name: made\ngenerated_by: benchmarks/journeys\njourneys:\n  conversions: [purchase]\n"
    "sources:\n  - path: seed.ndjson\n"
)
PAGES: Final = ("/", "/search", "/category", "/product", "/cart", "/checkout", "/payment", "/confirmation", "")
# From each page (row) to each; the last column is leaving.
CHANCES: Final = np.array(
    [
        [0.05, 0.22, 0.30, 0.15, 0.02, 0.00, 0.00, 0.00, 0.26],
        [0.04, 0.15, 0.08, 0.50, 0.01, 0.00, 0.00, 0.00, 0.22],
        [0.06, 0.06, 0.15, 0.50, 0.02, 0.00, 0.00, 0.00, 0.21],
        [0.05, 0.08, 0.15, 0.22, 0.25, 0.00, 0.00, 0.00, 0.25],
        [0.03, 0.03, 0.05, 0.10, 0.04, 0.55, 0.00, 0.00, 0.20],
        [0.01, 0.00, 0.00, 0.01, 0.08, 0.10, 0.65, 0.00, 0.15],
        [0.00, 0.00, 0.00, 0.00, 0.04, 0.05, 0.06, 0.75, 0.10],
        [0.15, 0.02, 0.05, 0.03, 0.00, 0.00, 0.00, 0.00, 0.75],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 1.00],
    ]
)
ENTRY: Final = np.array([0.45, 0.08, 0.17, 0.28, 0.02])
DEVICES: Final = ("desktop", "mobile", "tablet")
BROWSERS: Final = ("Chrome", "Safari", "Firefox", "Edge")


def make_workspace(root: Path, *, events: int, seed: int) -> Workspace:
    """Write a workspace whose lake holds about so many events.

    They stand in the manifest as those of a small file that is really there, so that the lake is up to date.
    """
    root.mkdir(parents=True)
    (root / "prodintel.yaml").write_text(CONFIG, encoding="utf-8")
    (root / "seed.ndjson").write_text('{"note": "stands for the events of the lake"}\n', encoding="utf-8")
    workspace = open_workspace(root)
    ingest(workspace)
    files: list[StoredFile] = []
    for bucket, visitors in enumerate(_visitors_by_bucket(events)):
        frame = make_bucket(visitors, bucket=bucket, seed=seed)
        files += workspace.lake.write(RUM_EVENTS, frame)
    manifest = workspace.lake.manifest()
    entry = replace(manifest.sources["seed.ndjson"], files=tuple(files))
    workspace.lake.publish(Manifest(manifest.readers, {**manifest.sources, "seed.ndjson": entry}))
    return workspace


def _visitors_by_bucket(events: int) -> list[NDArray[np.str_]]:
    count = round(events / EVENTS_A_SESSION / (4 / 3))
    names = np.array([f"visitor-{number:08x}" for number in range(count)])
    buckets = np.array([zlib.crc32(name.encode()) % RUM_BUCKETS for name in names.tolist()])
    return [names[buckets == bucket] for bucket in range(RUM_BUCKETS)]


def make_bucket(visitors: NDArray[np.str_], *, bucket: int, seed: int) -> pl.DataFrame:
    """Make the events of some visitors, in order of time."""
    chance = np.random.default_rng([seed, bucket])
    owners = np.concatenate([visitors, visitors[:: 3]])  # fmt: skip
    sessions = len(owners)
    pages = _walk(chance, sessions)
    steps = (pages < len(PAGES) - 1).sum(axis=1)
    session = np.repeat(np.arange(sessions), steps)
    place = np.arange(len(session)) - np.repeat(np.cumsum(steps) - steps, steps)
    page = pages[session, place]
    dwell_us = (chance.exponential(22.0, len(session)) * US_PER_S).astype(np.int64) + 1_000_000
    began = START_US + chance.integers(0, DAYS * 86_400 * US_PER_S, sessions)
    passed = np.cumsum(dwell_us) - dwell_us
    time_us = began[session] + passed - passed[np.cumsum(steps) - steps][session]
    views = _views(chance, session, place, page, time_us)
    extras = [_vitals(chance, views), _actions(chance, views, dwell_us), _problems(chance, views, dwell_us)]
    bought = views.filter(pl.col("url_path") == "/confirmation").select(
        pl.col("time_us") + 1000, pl.lit("custom").alias("event_kind"), pl.lit(CONVERSION).alias("event_name"),
        "session", "view_id", "url_path",
    )  # fmt: skip
    events = pl.concat([views, *extras, bought], how="diagonal")
    clients = _clients(chance, owners, bucket)
    whole = events.join(clients, on="session", how="left").drop("session")
    return conform(whole, RUM_EVENTS).sort("time_us", maintain_order=True)


def _walk(chance: np.random.Generator, sessions: int) -> NDArray[np.int64]:
    """Return the pages of every session, the last one repeated for "has left"."""
    cumulated = CHANCES.cumsum(axis=1)
    pages = np.full((sessions, MAX_STEPS), len(PAGES) - 1, dtype=np.int64)
    pages[:, 0] = np.searchsorted(ENTRY.cumsum(), chance.random(sessions) * (1 - 1e-12))
    for step in range(1, MAX_STEPS):
        draws = chance.random(sessions)[:, None]
        pages[:, step] = np.minimum((draws >= cumulated[pages[:, step - 1]]).sum(axis=1), len(PAGES) - 1)
    return pages


def _views(
    chance: np.random.Generator,
    session: NDArray[np.int64],
    place: NDArray[np.int64],
    page: NDArray[np.int64],
    time_us: NDArray[np.int64],
) -> pl.DataFrame:
    product = chance.zipf(1.3, len(session)) % 5000
    category = chance.integers(0, 8, len(session))
    names = np.array(PAGES)[page]
    frame = pl.DataFrame(
        {"time_us": time_us, "session": session, "place": place, "page": names, "p": product, "c": category}
    )
    path = (
        pl.when(pl.col("page") == "/product")
        .then(pl.format("/product/{}", pl.col("p") + 10_000))
        .when(pl.col("page") == "/category")
        .then(pl.format("/category/{}", pl.col("c").replace_strict(dict(enumerate(
            ("shoes", "shirts", "bags", "hats", "coats", "socks", "belts", "scarves")
        )))))
        .otherwise("page")
    )  # fmt: skip
    return frame.select(
        "time_us",
        "session",
        pl.lit("view").alias("event_kind"),
        path.alias("url_path"),
        pl.format("{}.{}", "session", "place").alias("view_id"),
        pl.Series("duration_ms", chance.lognormal(6.8, 0.6, frame.height)),
    )


def _vitals(chance: np.random.Generator, views: pl.DataFrame) -> pl.DataFrame:
    return views.select(
        pl.col("time_us") + 2_000_000,
        "session",
        pl.lit("vital").alias("event_kind"),
        "url_path",
        "view_id",
        pl.Series("lcp_ms", chance.lognormal(7.4, 0.5, views.height)),
        pl.Series("cls_score", chance.exponential(0.06, views.height)),
        pl.Series("inp_ms", chance.lognormal(4.8, 0.6, views.height)),
    )


def _actions(chance: np.random.Generator, views: pl.DataFrame, dwell_us: NDArray[np.int64]) -> pl.DataFrame:
    which = np.repeat(np.arange(views.height), chance.integers(0, 3, views.height))
    offset = (chance.random(len(which)) * dwell_us[which]).astype(np.int64)
    target = np.array(["buy", "menu", "next", "filter", "image"])[chance.integers(0, 5, len(which))]
    return views[which].select(
        pl.col("time_us") + pl.Series(offset),
        "session",
        pl.lit("action").alias("event_kind"),
        "url_path",
        "view_id",
        pl.lit("click").alias("action_type"),
        pl.Series("target_test_id", target),
    )


def _problems(chance: np.random.Generator, views: pl.DataFrame, dwell_us: NDArray[np.int64]) -> pl.DataFrame:
    which = np.flatnonzero(chance.random(views.height) < 0.06)
    offset = (chance.random(len(which)) * dwell_us[which]).astype(np.int64)
    is_error = chance.random(len(which)) < 0.5
    return views[which].select(
        pl.col("time_us") + pl.Series(offset),
        "session",
        pl.Series("event_kind", np.where(is_error, "error", "request")),
        "url_path",
        "view_id",
        pl.Series("error_source", np.where(is_error, "exception", "")).replace("", None),
        pl.Series("http_response_status_code", np.where(is_error, 0, 503)).replace(0, None),
    )


def _clients(chance: np.random.Generator, owners: NDArray[np.str_], bucket: int) -> pl.DataFrame:
    sessions = len(owners)
    return pl.DataFrame(
        {
            "session": np.arange(sessions),
            "visitor_id": owners,
            "session_id": [f"s{bucket:02}-{number:07x}" for number in range(sessions)],
            "user_bucket": np.full(sessions, bucket),
            "device_type": np.array(DEVICES)[chance.choice(3, sessions, p=[0.45, 0.5, 0.05])],
            "browser_name": np.array(BROWSERS)[chance.choice(4, sessions, p=[0.6, 0.25, 0.08, 0.07])],
            "geo_country_iso_code": np.array(["DE", "FR", "US", "GB"])[chance.choice(4, sessions)],
        }
    )
