"""How a load test differs from what production had: scale, compression, start, length, event."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError
from prodintel_lib.scenarios.load_model.model import LoadDefaults
from prodintel_lib.windows import format_duration, parse_duration_s

if TYPE_CHECKING:
    from prodintel_lib.scenarios.load_model import LoadModel

DAY_S: Final = 86_400
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class LoadShape:
    """What is asked of a load test.

    Attributes
    ----------
    scale : float
        Times as many sessions a second.
    compress : str
        ``24h=10m``, or how many times faster the curve goes by; the rate stays.
    start : str
        ``18:00`` of the business's clock; ``""`` for the curve's beginning.
    length : str
        How much of the curve, such as ``6h``; ``""`` for all of it.
    event : str
        The name of an event that was measured, or a number: times as many sessions.
    seed : int
    """

    scale: float = 1.0
    compress: str = "1"
    start: str = ""
    length: str = ""
    event: str = ""
    seed: int = 0

    def defaults_for(self, model: LoadModel) -> LoadDefaults:
        """Return what was asked for as the defaults of a load model's runs.

        Raises
        ------
        ParameterError
            If a value is not usable, or the event was not measured.
        """
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ParameterError(f"`scale` is a number above 0; got {self.scale:g}.", hint="2 is twice production.")
        whole_s = model.curve.bucket_s * len(model.curve.sessions)
        length_s = float(parse_duration_s(self.length)) if self.length else whole_s
        return LoadDefaults(
            scale=self.scale,
            compress=parse_compress(self.compress),
            start_s=self._start_s(model),
            length_s=min(length_s, whole_s),
            multiplier=self._multiplier(model),
            seed=self.seed,
        )

    def _start_s(self, model: LoadModel) -> float:
        """Return how far into the curve the hour asked for comes first."""
        if not self.start:
            return 0.0
        clock = _CLOCK.fullmatch(self.start)
        if clock is None:
            raise ParameterError(
                f"`start` is an hour of the business's clock; got `{self.start}`.", hint="write it like 18:00."
            )
        wanted_s = int(clock[1]) * 3600 + int(clock[2]) * 60
        after_s = float((wanted_s - model.curve.local_start_s) % DAY_S)
        whole_s = model.curve.bucket_s * len(model.curve.sessions)
        if after_s >= whole_s:
            begin = f"{model.curve.local_start_s // 3600:02d}:{model.curve.local_start_s % 3600 // 60:02d}"
            raise ParameterError(
                f"The curve does not reach {self.start}: it begins at {begin} ({model.curve.time_zone}) and holds "
                f"{format_duration(whole_s)}.",
                hint="choose another day with --day, or an hour within.",
            )
        return after_s

    def _multiplier(self, model: LoadModel) -> float:
        if not self.event:
            return 1.0
        if _NUMBER.fullmatch(self.event) and float(self.event) > 0:
            return float(self.event)
        known = {event.name: event.ratio for event in model.events} | {
            event.title: event.ratio for event in model.events
        }
        if self.event not in known:
            raise ParameterError.unknown("event", self.event, known=[event.title for event in model.events])
        return known[self.event]


def parse_compress(text: str) -> float:
    """Return how many times faster the curve goes by.

    Raises
    ------
    ParameterError
        If it is neither a number above 0 nor a length and what it becomes.

    Examples
    --------
    >>> parse_compress("24h=10m")
    144.0
    >>> parse_compress("3")
    3.0
    """
    if _NUMBER.fullmatch(text) and float(text) > 0:
        return float(text)
    long, equals, short = text.partition("=")
    if equals:
        long_s, short_s = parse_duration_s(long), parse_duration_s(short)
        if long_s > 0 and short_s > 0:
            return long_s / short_s
    raise ParameterError(
        f"`compress` is a number above 0, or a length and what it becomes; got `{text}`.",
        hint="write 24h=10m for a day in ten minutes.",
    )


def describe_run_of(model: LoadModel) -> str:
    """Say what a run of a load model sends where its command says nothing else."""
    said, curve = model.defaults, model.curve
    share = min(1.0, said.length_s / (curve.bucket_s * len(curve.sessions)))
    sessions = sum(curve.sessions) * share * said.scale * said.multiplier / said.compress
    per_session = model.requests / model.sessions
    lasts_s = said.length_s / said.compress
    times = said.scale * said.multiplier
    peak_per_min = 60 * max(curve.sessions) / curve.bucket_s * times
    return (
        f"About {sessions:,.0f} sessions ({sessions * per_session:,.0f} requests) in {format_duration(lasts_s)}, up to "
        f"{peak_per_min:,.1f} new sessions a minute: {times:g} times production's rate, "
        f"its curve {said.compress:g} times faster."
    )
