"""Page views and what happens on them, as rows of an export: every column by its canonical name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from demo.rum.clients import CLIENTS, INP_BY_DEVICE, NETWORKS, REGIONS
from demo.rum.happenings import happen
from demo.rum.pages import CATEGORIES, CATEGORY, FIRST_PRODUCT, PAGES, PRODUCT, SEARCH, SEARCHES
from demo.rum.templates import CODES, NUMBER_SLOT, PRODUCT_SLOT, VIEW, VISITOR_SLOT, VITAL, templates_frame
from demo.rum.walk import walk

if TYPE_CHECKING:
    from demo.rum.happenings import Rows
    from demo.rum.pages import Ints
    from demo.rum.plan import Plan
    from demo.rum.population import Population
    from demo.rum.walk import Views

SERVICE: Final = "shop-web"
FOREIGN_LANGUAGE: Final = "en-US"
SITE: Final = "https://shop.example"
RELEASES: Final = ("5.3.0", "5.4.0")
REFERRERS: Final = ("https://www.google.com/", None, "https://news.example/letter", "https://social.example/")
REFERRER_SHARES: Final = (0.46, 0.34, 0.09, 0.11)
_MIX: Final = 0x9E3779B97F4A7C15


def make_events(population: Population, first: int, last: int, plan: Plan) -> tuple[Views, pl.DataFrame]:
    """Make the events of the sessions from `first` to before `last`.

    Returns
    -------
    Views
        What they did, and why they left.
    polars.DataFrame
        Their events in the order of time.
    """
    views = walk(population, first, last, plan)
    rng = np.random.default_rng([plan.seed, 3, first])
    rows = happen(views, rng)
    sessions = session_frame(population, first, last, plan)
    pages = _page_frame(views, sessions, first, rng)
    made = pl.concat(
        [
            _event_columns(rows),
            templates_frame()[rows.kind],
            pages[rows.view],
            sessions[views.session[rows.view] - first],
            _vitals(views, rows, population, rng),
        ],
        how="horizontal",
    )
    return views, _filled(made, rng)


def ids(prefix: str, numbers: Ints, seed: int) -> pl.Series:
    """Return ids that look drawn and are the same for the same number and seed.

    Notes
    -----
    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): a bijection, so that no two
    numbers share an id.
    """
    mixed = (numbers.astype(np.uint64) + np.uint64(seed * 1_000_003 % 2**32) * np.uint64(2**31)) * np.uint64(_MIX)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return pl.Series([f"{prefix}{number:016x}" for number in mixed.tolist()], dtype=pl.String)


def session_frame(population: Population, first: int, last: int, plan: Plan) -> pl.DataFrame:
    """Return what all events of a session share, a row a session."""
    span = slice(first, last)
    visitor = population.visitor[span]
    client, region = population.visitor_client[visitor], population.visitor_region[visitor]
    visitor_id = ids("v", visitor, plan.seed)
    is_member = pl.Series(population.visitor_is_member[visitor])
    released_us = plan.start_us + plan.days * 86_400_000_000 * 3 // 5
    release = np.where(population.start_us[span] < released_us, 0, 1)
    shared = pl.DataFrame(
        {
            "visitor_id": visitor_id,
            "session_id": ids("s", np.arange(first, last), plan.seed + 1),
            "member": is_member,
            "user_is_new": population.is_new[span],
            "utc_offset_min": population.utc_offset_min[span],
            "network_type": pl.Series(NETWORKS)[population.visitor_network[visitor]],
            "service_version": pl.Series(RELEASES)[release],
        }
    )
    return (
        pl.concat([shared, client_frame()[client], region_frame()[region]], how="horizontal")
        .with_columns(
            pl.when(pl.Series(population.visitor_speaks_english[visitor]))
            .then(pl.lit(FOREIGN_LANGUAGE))
            .otherwise("browser_language")
            .alias("browser_language"),
            pl.when("member").then(pl.lit("u") + pl.col("visitor_id").str.slice(1, 12)).alias("user_id"),
            pl.lit(SERVICE).alias("service_name"),
            pl.lit("production").alias("deployment_environment_name"),
            pl.lit(None, dtype=pl.String).alias("user_agent_synthetic_type"),
        )
        .drop("member")
    )


def client_frame() -> pl.DataFrame:
    """Return the columns of CLIENTS, in their order."""
    return pl.DataFrame(
        {
            "device_type": [client.device for client in CLIENTS],
            "os_name": [client.system for client in CLIENTS],
            "browser_name": [client.browser for client in CLIENTS],
            "browser_version": [client.version for client in CLIENTS],
            "user_agent_original": [client.agent for client in CLIENTS],
            "viewport_width_px": [client.width_px for client in CLIENTS],
            "viewport_height_px": [client.height_px for client in CLIENTS],
        }
    )


def region_frame() -> pl.DataFrame:
    """Return the columns of REGIONS, in their order."""
    return pl.DataFrame(
        {
            "geo_country_iso_code": [region.country for region in REGIONS],
            "geo_region_iso_code": [region.region for region in REGIONS],
            "timezone_name": [region.zone for region in REGIONS],
            "browser_language": [region.language for region in REGIONS],
        }
    )


def _page_frame(views: Views, sessions: pl.DataFrame, first: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return what all events of a page view share, a row a view: its id, path, query, title and referrer."""
    page = views.page
    from_outside = pl.Series(REFERRERS, dtype=pl.String)[rng.choice(len(REFERRERS), len(page), p=REFERRER_SHARES)]
    shown = pl.DataFrame(
        {
            "session_id": sessions["session_id"][views.session - first],
            "step": views.step,
            "page": page,
            "route": pl.Series([each.route for each in PAGES])[page],
            "page_title": pl.Series([each.title for each in PAGES])[page],
            "product": views.product + FIRST_PRODUCT,
            "category": pl.Series(CATEGORIES)[views.category],
            "search": pl.Series(SEARCHES)[views.search],
            "from_outside": from_outside,
        }
    )
    product, category = pl.col("product").cast(pl.String), pl.col("category")
    path = (
        pl.when(pl.col("page") == PRODUCT)
        .then(pl.lit("/product/") + product)
        .when(pl.col("page") == CATEGORY)
        .then(pl.lit("/c/") + category)
        .otherwise(pl.col("route"))
    )
    query = pl.when(pl.col("page") == SEARCH).then(pl.lit("q=") + pl.col("search").str.replace_all(" ", "+"))
    before = pl.lit(SITE) + pl.col("url_path").shift(1)
    return (
        shown.with_columns(path.alias("url_path"), query.alias("url_query"))
        .with_columns(
            pl.when(pl.col("step") == 1).then("from_outside").otherwise(before).alias("referrer"),
            (pl.col("session_id").str.slice(1, 12) + "-" + pl.col("step").cast(pl.String)).alias("view_id"),
            product.alias("product"),
        )
        .select("view_id", "url_path", "url_query", "page_title", "referrer", "product")
    )


def _event_columns(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time_us": rows.time_us,
            "duration_ms": pl.Series(np.round(rows.duration_ms, 1), nan_to_null=True),
            "http_response_status_code": rows.status,
        }
    ).with_columns(
        pl.when(pl.col("http_response_status_code") > 0).then("http_response_status_code"),
    )


def _vitals(views: Views, rows: Rows, population: Population, rng: np.random.Generator) -> pl.DataFrame:
    """Draw the vitals: of the load on the view itself, of what came later on its vital event."""
    load_ms = views.load_ms[rows.view]
    count = len(rows.kind)
    at_load, later = rows.kind == CODES[VIEW], rows.kind == CODES[VITAL]
    client = population.visitor_client[population.visitor[views.session[rows.view]]]
    inp_ms = np.array([INP_BY_DEVICE[each.device] for each in CLIENTS])[client] * rng.lognormal(0, 0.6, count)
    drawn = {
        "lcp_ms": (at_load, load_ms * rng.normal(1.0, 0.08, count).clip(0.7, 1.3), 1),
        "fcp_ms": (at_load, load_ms * 0.55 * rng.normal(1.0, 0.08, count).clip(0.7, 1.3), 1),
        "ttfb_ms": (at_load, load_ms * 0.22 * rng.normal(1.0, 0.1, count).clip(0.6, 1.4), 1),
        "inp_ms": (later, inp_ms, 0),
        "cls_score": (later, 0.03 * rng.lognormal(0, 1.0, count), 4),
    }
    return pl.DataFrame(
        {
            name: pl.Series(np.where(where, np.round(values, digits), np.nan), nan_to_null=True)
            for name, (where, values, digits) in drawn.items()
        }
    )


def _filled(made: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Put into the texts of the few events that have a slot what belongs there."""
    message = pl.col("exception_message")
    stack = pl.col("exception_stacktrace")
    with_slots = message.str.contains("{", literal=True)

    def filled(text: pl.Expr) -> pl.Expr:
        first = text.str.replace(NUMBER_SLOT, pl.col("number"), literal=True)
        named = first.str.replace(VISITOR_SLOT, pl.col("visitor_id").str.slice(0, 9), literal=True)
        return pl.when(with_slots).then(named).otherwise(text)

    asked = pl.col("request_path")
    numbered = made.with_columns(pl.Series("number", rng.integers(1, 60, made.height)).cast(pl.String))
    return numbered.with_columns(
        filled(message),
        filled(stack),
        pl.when(asked.str.contains(PRODUCT_SLOT, literal=True))
        .then(pl.lit("/api/products/") + pl.col("product") + "/reviews")
        .otherwise(asked)
        .alias("request_path"),
    ).drop("product", "number")
