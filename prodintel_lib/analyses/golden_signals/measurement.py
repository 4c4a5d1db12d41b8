"""All four golden signals of a window of production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodintel_lib.analyses.golden_signals.failures import measure_errors
from prodintel_lib.analyses.golden_signals.latency import measure_latency
from prodintel_lib.analyses.golden_signals.model import GoldenSignals
from prodintel_lib.analyses.golden_signals.saturation import measure_saturation
from prodintel_lib.analyses.golden_signals.subjects import choose_subjects
from prodintel_lib.analyses.golden_signals.traffic import measure_traffic
from prodintel_lib.errors import NoDataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.production import Production


def measure_golden_signals(
    production: Production, *, services: Sequence[str] | None = None, max_routes: int = 12
) -> GoldenSignals:
    """Measure latency, traffic, errors and saturation of a window, against the time before it.

    Parameters
    ----------
    production : Production
    services : sequence of str, optional
        Only these; without them all, and all entry requests together.
    max_routes : int
        Entry routes to measure, those with most traffic.

    Returns
    -------
    GoldenSignals

    Raises
    ------
    ParameterError
        If a service was not recorded, or `max_routes` is negative.
    NoDataError
        If the window holds neither requests nor metrics.
    """
    if max_routes < 0:
        raise ParameterError(
            f"`max_routes` must be 0 or more; got {max_routes}.", hint="give the number of routes to show."
        )
    subjects = choose_subjects(production, services=services, max_routes=max_routes)
    saturation = measure_saturation(production, services=services)
    if subjects.about.is_empty() and saturation.frame.is_empty():
        raise NoDataError(
            f"Neither a request nor a metric was recorded in {production.window.label()}.",
            hint="golden signals are of traces and metrics: add them to `sources`, or choose a window that they cover; "
            "`prodintel anomalies` looks at logs and users' events as well.",
        )
    return GoldenSignals(
        window=production.window,
        history=production.history,
        bucket_s=production.bucket_s,
        latency=measure_latency(production, subjects),
        traffic=measure_traffic(production, subjects),
        errors=measure_errors(production, subjects, services=services),
        saturation=saturation,
        digest=production.digest,
    )
