"""What is true of the data: counted while it is made, from what its draws fell to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from demo.rum.causes import BOT_CRAWL, CAUSES, EXPERIMENT
from demo.rum.clients import CLIENTS
from demo.rum.crawl import PAGES_PER_CRAWL
from demo.rum.experiments import EXPERIMENTS
from demo.rum.pages import (
    CATEGORIES,
    CATEGORY,
    CONFIRMATION,
    LEAVING_BY_DEVICE,
    PAGES,
    conversion_chances,
)
from demo.rum.templates import MISTYPED_CARD, MISTYPED_EMAIL, RESIZE
from demo.rum.walk import CAUSE_CODES, SAVED

if TYPE_CHECKING:
    from demo.rum.crawl import Crawl
    from demo.rum.pages import Flags
    from demo.rum.plan import Plan
    from demo.rum.population import Population
    from demo.rum.walk import Views

TRUTH_SCHEMA: Final = "prodintel/demo-rum-truth/1"
TOP_JOURNEYS: Final = 25
COUNTS: Final = ("sessions", "new_sessions", "page_views", "events", "conversions")
NOT_CAUSES: Final = (
    "Phones load pages slower than desktops, and people on phones leave more often: one does not cause the other.",
    "Slow loads and poor vitals outside the planted causes make nobody leave.",
    "Ordinary mistakes in forms (an incomplete e-mail address or card number, once a person) make nobody leave.",
    "ResizeObserver, ChunkLoadError and single cut-off requests happen everywhere and make nobody leave.",
    "New visitors take a look and go more often than those who come back.",
    "People who press `Next image` quickly leave no more often than others.",
    "The release in the middle of the time changes nothing.",
)
# Errors that make nobody leave. Whether they are defects at all: a script that does not load is one, a mistake is none.
ORDINARY_ERRORS: Final = (
    {"pattern": RESIZE.exception_message, "is_defect": False},
    {"pattern": MISTYPED_EMAIL.exception_message, "is_defect": False},
    {"pattern": MISTYPED_CARD.exception_message, "is_defect": False},
    {"pattern": "Loading chunk", "is_defect": True},
    {"pattern": "NetworkError: load of ", "is_defect": True},
)


@dataclass
class Tally:
    """What has been counted so far; parts add up in any order.

    Parameters
    ----------
    plan : Plan
    """

    plan: Plan
    counts: Counter[str] = field(default_factory=Counter)
    journeys: Counter[str] = field(default_factory=Counter)
    lost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))

    def add(self, views: Views, events: pl.DataFrame, population: Population, first: int, last: int) -> None:
        """Count a part."""
        count = last - first
        place = views.session - first
        converted = np.zeros(count, dtype=np.bool_)
        converted[place[views.page == CONFIRMATION]] = True
        self.counts.update(
            sessions=count,
            page_views=len(views.page),
            events=events.height,
            new_sessions=int(population.is_new[first:last].sum()),
            conversions=int(converted.sum()),
        )
        for name, code in CAUSE_CODES.items():
            exposed = views.befell(name)
            self.counts[f"{name}.views"] += int(exposed.sum())
            self.counts[f"{name}.sessions"] += len(np.unique(place[exposed]))
            # Who has bought already does not drop off by leaving.
            self.counts[f"{name}.dropped"] += int(((views.left_for == code) & ~converted[place]).sum())
        self._count_lost(views, converted[place], population)
        self._count_met(events)
        self._compare(views, converted, population, first, last)
        self.journeys.update(_paths(views))

    def _count_lost(self, views: Views, converted: Flags, population: Population) -> None:
        """Add up the chances of buying that people had who left because of a cause."""
        devices = list(LEAVING_BY_DEVICE)
        device = np.array([devices.index(client.device) for client in CLIENTS])
        client = population.visitor_client[population.visitor[views.session]]
        chance = conversion_chances()[device[client], population.intent[views.session], views.page]
        for name, code in CAUSE_CODES.items():
            self.lost[name] += float(chance[(views.left_for == code) & ~converted].sum())

    def _count_met(self, events: pl.DataFrame) -> None:
        """Count the sessions that met each pattern, those included whom only chance let meet it."""
        errors = events.filter(pl.col("event_kind") == "error").select("session_id", "exception_message")
        for name, cause in CAUSES.items():
            if cause.pattern:
                met = errors.filter(pl.col("exception_message").str.contains(cause.pattern, literal=True))
                self.counts[f"{name}.met"] += met["session_id"].n_unique()

    def _compare(self, views: Views, converted: Flags, population: Population, first: int, last: int) -> None:
        saved = np.zeros(last - first, dtype=np.bool_)
        saved[(views.session - first)[views.left_for == SAVED]] = True
        treated = population.visitor_in_treatment[population.visitor[first:last]]
        self.counts["saved"] += int(saved.sum())
        self.counts["gained"] += int((saved & converted).sum())
        for number in range(len(EXPERIMENTS)):
            for arm in (False, True):
                inside = treated[:, number] == arm
                self.counts[f"{number}.{arm}.sessions"] += int(inside.sum())
                self.counts[f"{number}.{arm}.conversions"] += int((inside & converted).sum())

    def document(self, crawl: Crawl | None) -> dict[str, Any]:
        """Return the truth as it is written."""
        counts, sessions = self.counts, self.counts["sessions"]
        plan = self.plan
        return {
            "schema": TRUTH_SCHEMA,
            "generated_by": plan.command,
            "seed": plan.seed,
            "counts": {name: counts[name] for name in COUNTS},
            "conversion": round(counts["conversions"] / sessions, 6),
            "causes": [self._cause(name) for name in plan.causes if name not in {BOT_CRAWL, EXPERIMENT}],
            "left_out": [name for name in CAUSES if name not in plan.causes],
            "experiments": [self._experiment(number) for number in range(len(EXPERIMENTS))],
            "machines": _machines(crawl),
            "journeys": [
                {"path": path, "sessions": count, "share": round(count / sessions, 6)}
                for path, count in sorted(self.journeys.items(), key=lambda item: (-item[1], item[0]))[:TOP_JOURNEYS]
            ],
            "not_causes": list(NOT_CAUSES),
            "ordinary_errors": [dict(error) for error in ORDINARY_ERRORS],
        }

    def _cause(self, name: str) -> dict[str, Any]:
        cause, counts = CAUSES[name], self.counts
        return {
            "id": name,
            "what": cause.what,
            "routes": list(cause.routes),
            "reasons": list(cause.reasons),
            "pattern": cause.pattern,
            "affected": dict(cause.affected),
            "effect": cause.effect,
            "exposed_views": counts[f"{name}.views"],
            "exposed_sessions": counts[f"{name}.sessions"],
            "sessions_with_pattern": counts[f"{name}.met"],
            "dropped_because": counts[f"{name}.dropped"],
            # To be expected: what these people would have bought had nothing else come between.
            "conversions_lost": round(self.lost[name], 1),
        }

    def _experiment(self, number: int) -> dict[str, Any]:
        counts, experiment = self.counts, EXPERIMENTS[number]
        has_effect = number == 0 and self.plan.has(EXPERIMENT)
        gained, treated = counts["gained"] if has_effect else 0, counts[f"{number}.True.sessions"]
        return {
            "feature_flag_key": experiment.key,
            "has_effect": has_effect,
            "kept_at_checkout": counts["saved"] if has_effect else 0,
            "conversions_gained": gained,
            "effect_on_conversion": round(gained / treated, 6) if treated else 0.0,
            "variants": [
                {
                    "variant": experiment.treatment if arm else experiment.control,
                    "sessions": counts[f"{number}.{arm}.sessions"],
                    "conversions": counts[f"{number}.{arm}.conversions"],
                }
                for arm in (False, True)
            ],
        }


def _machines(crawl: Crawl | None) -> dict[str, Any]:
    if crawl is None:
        return {"declared_sessions": 0, "undeclared_sessions": 0, "page_views": 0, "undeclared_visitors": []}
    return {
        "declared_sessions": crawl.declared_sessions,
        "undeclared_sessions": crawl.undeclared_sessions,
        "page_views": crawl.events.height,
        "views_per_session": PAGES_PER_CRAWL,
        "undeclared_visitors": crawl.undeclared_ids,
    }


def _paths(views: Views) -> dict[str, int]:
    """Count the paths of sessions, repeats of a route collapsed; a category is a route of its own."""
    route = (
        pl.when(pl.col("page") == CATEGORY)
        .then(pl.lit("/c/") + pl.col("category").replace_strict(dict(enumerate(CATEGORIES)), return_dtype=pl.String))
        .otherwise(pl.col("page").replace_strict({i: p.route for i, p in enumerate(PAGES)}, return_dtype=pl.String))
    )
    counted = (
        pl.DataFrame({"session": views.session, "page": views.page, "category": views.category})
        .select("session", route.alias("route"))
        .filter((pl.col("route") != pl.col("route").shift(1)).fill_null(value=True) | _begins())
        .group_by("session", maintain_order=True)
        .agg(pl.col("route"))
        .select(pl.col("route").list.join(" > "))["route"]
        .value_counts()
    )
    return dict(counted.iter_rows())


def _begins() -> pl.Expr:
    return (pl.col("session") != pl.col("session").shift(1)).fill_null(value=True)
