"""Detectors by the names people give them, and thresholds as people write them."""

from __future__ import annotations

import math
import re
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.anomalies.alarms import DEFAULT_THRESHOLD
from prodintel_lib.analyses.anomalies.change import ChangePoints
from prodintel_lib.analyses.anomalies.combined import Combined
from prodintel_lib.analyses.anomalies.counts import Counts
from prodintel_lib.analyses.anomalies.joint import IsolationForest
from prodintel_lib.analyses.anomalies.robust import FixedThreshold, Percentile, RobustZ, ZScore
from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prodintel_lib.analyses.anomalies.model import Detector, Unit
    from prodintel_lib.windows import Window

DEFAULT_DETECTOR: Final = "combined"
_PLAIN: Final[dict[str, Callable[[tuple[Window, ...]], Detector]]] = {
    DEFAULT_DETECTOR: lambda events: Combined(events=events),
    "z-score": lambda events: ZScore(events=events),
    "robust-z": lambda events: RobustZ(events=events),
    "percentile": lambda events: Percentile(events=events),
    "counts": lambda events: Counts(events=events),
    "change-points": lambda events: ChangePoints(events=events),
    "isolation-forest": lambda events: IsolationForest(events=events),
}
DETECTOR_NAMES: Final = (*_PLAIN, "fixed")
_SIGMA: Final = re.compile(r"([0-9]*\.?[0-9]+)\s*-?\s*(?:sigmas?|\u03c3|sd)")
_PERCENTILE: Final = re.compile(r"p([0-9]*\.?[0-9]+)")
_HINT: Final = "write 3-sigma, p99.9, a chance such as 1e-4, or a score such as 4."


def detector_named(name: str, *, events: Sequence[Window] = ()) -> Detector:
    """Return the detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTOR_NAMES`. A value follows a colon: ``percentile:99.5``, ``fixed:0.9`` (an upper limit) or
        ``fixed:10..90`` (a lower and an upper one).
    events : sequence of Window
        Named events and holidays: neither learned from nor scored.

    Raises
    ------
    ParameterError
        Where the name is unknown, or its value is missing or not a number.

    Examples
    --------
    >>> detector_named("percentile:99.5").name
    'percentile'
    """
    kind, colon, value = name.strip().lower().replace("_", "-").partition(":")
    windows = tuple(events)
    if kind == "fixed":
        lower, dots, upper = value.partition("..")
        low, high = (lower, upper) if dots else ("", value)
        return FixedThreshold(
            upper=_number(name, high or ("inf" if dots else "")), lower=_number(name, low or "-inf"), events=windows
        )
    if kind == "percentile" and colon:
        return Percentile(_number(name, value), events=windows)
    if kind not in _PLAIN:
        raise ParameterError.unknown("detector", name, known=DETECTOR_NAMES)
    if colon:
        raise ParameterError(
            f"The detector `{kind}` takes no value; `{name}` gives it one.", hint=f"write `{kind}` alone."
        )
    return _PLAIN[kind](windows)


def parse_threshold(text: str, unit: Unit) -> float:
    """Read a threshold as people write it, on the scale of a detector's scores.

    Parameters
    ----------
    text : str
        ``3-sigma``: as rare as a normal value that far from its mean, on both sides. ``p99.9``: what a thousandth goes
        beyond. A number below 1, such as ``1e-4``, is a chance; any other is a score as it stands.
    unit : {"-log10 p", "z", "beyond"}
        The unit of the scores; a detector of fixed limits or percentiles says 1 or 0, and takes 1 alone.

    Raises
    ------
    ParameterError
        Where it is none of these, or not above 0.

    Examples
    --------
    >>> round(parse_threshold("3-sigma", "-log10 p"), 2), parse_threshold("3-sigma", "z"), parse_threshold("1e-4", "-log10 p")
    (2.57, 3.0, 4.0)
    """  # noqa: E501 - an example runs as one line
    written = text.strip().lower()
    if unit == "beyond":
        if written in {"", "1", "1.0"}:
            return 1.0
        raise ParameterError(
            f"This detector says only whether a point is beyond its limit; a threshold of `{text}` has no meaning.",
            hint="leave the threshold out, and set the limit with the detector: percentile:99.5, fixed:0.9.",
        )
    sigmas, percentile = _SIGMA.fullmatch(written), _PERCENTILE.fullmatch(written)
    if sigmas and float(sigmas[1]) > 0:
        return float(sigmas[1]) if unit == "z" else -math.log10(chance_of_sigmas(float(sigmas[1])))
    if percentile and 50 < float(percentile[1]) < 100:
        chance = 1.0 - float(percentile[1]) / 100.0
    elif not sigmas and not percentile and 0 < (number := _number(text, written)) < math.inf:
        if number >= 1.0:
            return number
        chance = number
    else:
        raise ParameterError(
            f"`{text}` is not a threshold: it must be above 0, a percentile between 50 and 100.", hint=_HINT
        )
    return -math.log10(chance) if unit == "-log10 p" else _sigmas_of(chance)


def default_threshold(unit: Unit) -> float:
    """Return the threshold used where none is given: a chance of one in ten thousand, or beyond the limit."""
    if unit == "beyond":
        return 1.0
    return DEFAULT_THRESHOLD if unit == "-log10 p" else round(_sigmas_of(10.0**-DEFAULT_THRESHOLD), 2)


def chance_of_sigmas(sigmas: float) -> float:
    """Return the chance of a normal value at least that many standard deviations from its mean, on either side."""
    return math.erfc(sigmas / math.sqrt(2.0))


def _sigmas_of(chance: float) -> float:
    return -NormalDist().inv_cdf(chance / 2.0)


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ParameterError(f"`{text}` needs a number where it has `{value}`.", hint=_HINT) from error
    if math.isnan(number):
        raise ParameterError(f"`{text}` needs a number where it has `{value}`.", hint=_HINT)
    return number
