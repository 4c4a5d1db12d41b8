"""Machines that fetch the assortment page after page: some say so in their agent, some show only by their rhythm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from demo.rum.clients import CLIENTS
from demo.rum.events import SERVICE, ids
from demo.rum.pages import FIRST_PRODUCT, PRODUCTS
from demo.rum.plan import US_PER_DAY

if TYPE_CHECKING:
    from demo.rum.pages import Ints
    from demo.rum.plan import Plan

SESSIONS_PER_CRAWL: Final = 2000
PAGES_PER_CRAWL: Final = 90
INTERVAL_US: Final = 2_000_000
JITTER_US: Final = 40_000
# People sleep; the crawl begins in these hours, UTC.
HOURS: Final = (1, 5)
DECLARED_AGENT: Final = "Mozilla/5.0 (compatible; AssortmentBot/2.1; +https://crawler.example/bot)"


@dataclass(frozen=True, slots=True)
class Crawl:
    """The machines' visits.

    Attributes
    ----------
    events : polars.DataFrame
    declared_sessions, undeclared_sessions : int
        Those that name themselves in the agent, and those that pose as a browser.
    """

    events: pl.DataFrame
    declared_sessions: int
    undeclared_sessions: int

    @property
    def undeclared_ids(self) -> list[str]:
        """The visitors that are machines and do not say so."""
        posing = self.events.filter(pl.col("user_agent_synthetic_type").is_null())
        return posing["visitor_id"].unique(maintain_order=True).to_list()


def make_crawl(plan: Plan, schema: pl.Schema) -> Crawl:
    """Make the visits of both kinds of machine, with the columns of people's events."""
    rng = np.random.default_rng([plan.seed, 4])
    each = max(1, plan.sessions // SESSIONS_PER_CRAWL)
    frames = [_visits(plan, each, rng, is_declared=is_declared) for is_declared in (True, False)]
    made = pl.concat(frames)
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in made.columns]
    events = made.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    return Crawl(events.sort("time_us", "session_id"), each, each)


def _visits(plan: Plan, count: int, rng: np.random.Generator, *, is_declared: bool) -> pl.DataFrame:
    visit = np.repeat(np.arange(count), PAGES_PER_CRAWL)
    step = np.tile(np.arange(PAGES_PER_CRAWL), count)
    product = FIRST_PRODUCT + (visit * PAGES_PER_CRAWL + step) % PRODUCTS
    numbers = np.arange(count) + (0 if is_declared else count)
    session = ids("c", numbers, plan.seed + 2)
    posed = next(client for client in CLIENTS if client.system == "Linux")
    agent = DECLARED_AGENT if is_declared else posed.agent
    return pl.DataFrame(
        {
            "time_us": _starts_us(plan, count, rng)[visit] + step * INTERVAL_US + rng.integers(0, JITTER_US, len(step)),
            "session_id": session[visit],
            # The agent that poses keeps one device; who says what it is needs none.
            "visitor_id": ids("m", numbers, plan.seed + 3)[visit],
            "step": step,
            "product": product,
            "duration_ms": np.round(420 * rng.lognormal(0, 0.1, len(step)), 1),
        }
    ).select(
        "time_us",
        "session_id",
        "visitor_id",
        "duration_ms",
        pl.lit("view").alias("event_kind"),
        pl.lit("page_view").alias("event_name"),
        (pl.col("session_id").str.slice(1, 12) + "-" + (pl.col("step") + 1).cast(pl.String)).alias("view_id"),
        (pl.lit("/product/") + pl.col("product").cast(pl.String)).alias("url_path"),
        pl.lit("Product").alias("page_title"),
        pl.lit(agent).alias("user_agent_original"),
        pl.lit("bot" if is_declared else None, dtype=pl.String).alias("user_agent_synthetic_type"),
        pl.lit(None if is_declared else posed.browser, dtype=pl.String).alias("browser_name"),
        pl.lit(None if is_declared else posed.version, dtype=pl.String).alias("browser_version"),
        pl.lit(None if is_declared else posed.system, dtype=pl.String).alias("os_name"),
        pl.lit("other" if is_declared else posed.device).alias("device_type"),
        pl.lit("US").alias("geo_country_iso_code"),
        pl.lit("US-VA").alias("geo_region_iso_code"),
        pl.lit("Etc/UTC").alias("timezone_name"),
        pl.lit(0, dtype=pl.Int64).alias("utc_offset_min"),
        pl.lit(SERVICE).alias("service_name"),
        pl.lit("production").alias("deployment_environment_name"),
    )


def _starts_us(plan: Plan, count: int, rng: np.random.Generator) -> Ints:
    days = rng.integers(0, plan.days, count)
    seconds = rng.integers(HOURS[0] * 3600, HOURS[1] * 3600, count)
    return plan.start_us + days * US_PER_DAY + seconds * 1_000_000
