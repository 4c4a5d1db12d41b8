"""Names for classes of behaviour, from the shape of what they do: no name of an endpoint is known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.analyses.behaviour.sessions import SessionLog

BOUNCERS: Final = "bouncers"
BUYERS: Final = "buyers"
EVERYBODY: Final = "everybody"
MIN_SINGLE_SHARE: Final = 0.8
MIN_CONVERTED_SHARE: Final = 0.5
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
    mean_length : float
    """

    apart_by: str
    apart_ratio: float
    converted: int | None
    sessions: int
    single_share: float
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
    terms = here * np.log(np.maximum(ratio, 1e-12))
    most = int(np.argmax(terms))
    wanted = np.flatnonzero(np.isin(np.array(whole.endpoints), list(conversions)))
    reached = np.unique(part.session_of[np.isin(part.codes, wanted)])
    return ClassShape(
        apart_by=whole.endpoints[most],
        apart_ratio=float(ratio[most]),
        converted=len(reached) if len(wanted) else None,
        sessions=part.size,
        single_share=float((part.lengths == 1).mean()),
        mean_length=float(part.lengths.mean()),
    )


def name_classes(shapes: Sequence[ClassShape]) -> tuple[str, ...]:
    """Name classes by rules that are tried in turn, and number those that would share a name.

    Examples
    --------
    >>> shape = ClassShape("GET /item", 2.0, None, 40, 0.9, 1.1)
    >>> other = ClassShape("GET /list", 1.4, None, 60, 0.1, 9.0)
    >>> name_classes([other, shape])
    ('long sessions, mostly GET /list', 'bouncers')
    """
    if len(shapes) == 1:
        return (EVERYBODY,)
    usual = sum(shape.mean_length * shape.sessions for shape in shapes) / sum(shape.sessions for shape in shapes)
    names = [_name(shape, usual) for shape in shapes]
    return tuple(
        f"{name} ({names[: at + 1].count(name)})" if names.count(name) > 1 else name for at, name in enumerate(names)
    )


def _name(shape: ClassShape, usual_length: float) -> str:
    if shape.single_share >= MIN_SINGLE_SHARE:
        return BOUNCERS
    if shape.converted is not None and shape.converted >= MIN_CONVERTED_SHARE * shape.sessions:
        return BUYERS
    by_endpoint = f"mostly {shape.apart_by}"
    if shape.mean_length >= _PLENTY * usual_length:
        return f"long sessions, {by_endpoint}"
    return f"short sessions, {by_endpoint}" if shape.mean_length * _PLENTY <= usual_length else by_endpoint
