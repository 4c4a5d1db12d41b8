"""Names for classes of behaviour, from the shape of what they do: no name of an endpoint is known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

    Ints = NDArray[np.int64]

BOUNCERS: Final = "bouncers"
BUYERS: Final = "buyers"
REPEATERS: Final = "repeaters"
WRITERS: Final = "writers"
BROWSERS: Final = "browsers"
VISITORS: Final = "visitors"
EVERYBODY: Final = "everybody"

MIN_BOUNCED_SHARE: Final = 0.8
MIN_CONVERTED_SHARE: Final = 0.5
MIN_REPEATED_SHARE: Final = 0.5
MIN_WRITING_SHARE: Final = 0.5
MAX_BROWSERS_WRITING_SHARE: Final = 0.1
COMMON_SHARE: Final = 0.9
"""What so many of all sessions ask for, a sign-in or an entrance page, tells nobody apart."""

_READING: Final = ("GET", "HEAD", "OPTIONS")
_PLENTY: Final = 1.5


@dataclass(frozen=True, slots=True)
class ClassShape:
    """What a class is named by.

    Attributes
    ----------
    apart_by : str
        The endpoint that sets it apart most.
    apart_ratio : float
        Its share of the class's requests over its share of all requests.
    converted : int or None
        Sessions that reach a conversion.
    sessions : int
    single_share : float
        Sessions of one request.
    bounced_share : float
        Sessions of at most one request, but for one to each endpoint that nearly everybody asks for (COMMON_SHARE).
    writing_share : float
        Sessions with a request that may change something, by its method, to an endpoint not asked for by nearly
        everybody. An endpoint that names no method reads.
    writing_ratio : float
        Such requests as a share of the class's, over their share of all requests; 0 where there are none.
    repeated_share : float
        Requests to the same endpoint as the one before, of those that have one before.
    mean_length : float
    """

    apart_by: str
    apart_ratio: float
    converted: int | None
    sessions: int
    single_share: float
    bounced_share: float
    writing_share: float
    writing_ratio: float
    repeated_share: float
    mean_length: float


def measure_shape(part: SessionLog, whole: SessionLog, *, conversions: Sequence[str]) -> ClassShape:
    """Measure what sets a class apart.

    Notes
    -----
    The endpoint that sets a class apart is the one with the largest term of the Kullback-Leibler divergence between the
    class's mix of endpoints and that of all sessions: frequent in the class, and more so than elsewhere.
    """
    size = len(whole.endpoints)
    here = np.bincount(part.codes, minlength=size) / len(part.codes)
    everywhere = np.bincount(whole.codes, minlength=size) / len(whole.codes)
    ratio = here / everywhere
    most = int(np.argmax(here * np.log(np.maximum(ratio, 1e-12))))
    common = np.bincount(_asked(whole)[1], minlength=size) >= COMMON_SHARE * whole.size
    session, endpoint = _asked(part)
    expected = np.bincount(session, common[endpoint], part.size)
    writes = np.array([_may_write(name) for name in whole.endpoints]) & ~common
    converts = np.isin(np.array(whole.endpoints), list(conversions))
    repeated = (part.codes == np.roll(part.codes, 1))[~part.is_first]
    return ClassShape(
        apart_by=whole.endpoints[most],
        apart_ratio=float(ratio[most]),
        converted=len(np.unique(session[converts[endpoint]])) if converts.any() else None,
        sessions=part.size,
        single_share=float((part.lengths == 1).mean()),
        bounced_share=float((part.lengths - expected <= 1).mean()),
        writing_share=len(np.unique(session[writes[endpoint]])) / part.size,
        writing_ratio=float(here[writes].sum() / max(float(everywhere[writes].sum()), 1e-12)),
        repeated_share=float(repeated.mean()) if len(repeated) else 0.0,
        mean_length=float(part.lengths.mean()),
    )


def _asked(log: SessionLog) -> tuple[Ints, Ints]:
    """Return which session asked for which endpoint, each pair once."""
    size = len(log.endpoints)
    pairs = np.unique(log.session_of * size + log.codes)
    return pairs // size, pairs % size


def _may_write(endpoint: str) -> bool:
    method, _, route = endpoint.partition(" ")
    return bool(route) and method.isupper() and method not in _READING


def name_classes(shapes: Sequence[ClassShape]) -> tuple[str, ...]:
    """Name classes by rules that are tried in turn.

    - bouncers: who leaves after one request; what nearly everybody asks for is not counted
    - buyers: half of them convert, where conversions were named
    - repeaters: half of their steps repeat the one before
    - browsers: a tenth of them at most change something, or they do so clearly less often than all do
    - writers: half of them change something; visitors: those between

    Of classes of the same kind, long or short sessions are told apart, then the endpoint that sets each apart, and what
    still shares a name is numbered.

    Examples
    --------
    >>> shape = ClassShape("GET /item", 2.0, None, 40, 0.9, 0.9, 0.0, 0.0, 0.0, 1.1)
    >>> other = ClassShape("GET /list", 1.4, None, 60, 0.1, 0.1, 0.0, 0.0, 0.2, 9.0)
    >>> name_classes([other, shape])
    ('browsers', 'bouncers')
    """
    if len(shapes) == 1:
        return (EVERYBODY,)
    usual = sum(shape.mean_length * shape.sessions for shape in shapes) / sum(shape.sessions for shape in shapes)
    kinds = [_kind(shape) for shape in shapes]
    traits = [(_length(shape, usual), f"often {shape.apart_by}") for shape in shapes]
    names = _tell_apart(kinds, [_qualified(kind, said[:1]) for kind, said in zip(kinds, traits, strict=True)])
    names = _tell_apart(names, [_qualified(kind, said) for kind, said in zip(kinds, traits, strict=True)])
    return tuple(_tell_apart(names, [f"{name} {names[: at + 1].count(name)}" for at, name in enumerate(names)]))


def _kind(shape: ClassShape) -> str:
    if shape.bounced_share >= MIN_BOUNCED_SHARE:
        return BOUNCERS
    if shape.converted is not None and shape.converted >= MIN_CONVERTED_SHARE * shape.sessions:
        return BUYERS
    if shape.repeated_share >= MIN_REPEATED_SHARE:
        return REPEATERS
    if shape.writing_share <= MAX_BROWSERS_WRITING_SHARE or shape.writing_ratio * _PLENTY <= 1:
        return BROWSERS
    return WRITERS if shape.writing_share >= MIN_WRITING_SHARE else VISITORS


def _length(shape: ClassShape, usual: float) -> str:
    if shape.mean_length >= _PLENTY * usual:
        return "long sessions"
    return "short sessions" if shape.mean_length * _PLENTY <= usual else ""


def _qualified(kind: str, said: Sequence[str]) -> str:
    told = ", ".join(word for word in said if word)
    return f"{kind} ({told})" if told else kind


def _tell_apart(names: Sequence[str], finer: Sequence[str]) -> list[str]:
    """Return the finer name of each that shares its name with another."""
    return [more if names.count(name) > 1 else name for name, more in zip(names, finer, strict=True)]
