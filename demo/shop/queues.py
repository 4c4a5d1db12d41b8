"""Queues reported as metrics: how much work waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def observe_queue(name: str, depth: Callable[[], int]) -> None:
    """Report `depth` as ``shop.queue.depth`` under ``queue.name``."""

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(depth(), {"queue.name": name})

    metrics.get_meter(__name__).create_observable_up_down_counter(
        "shop.queue.depth", [observe], unit="{item}", description="Items waiting in a queue."
    )
