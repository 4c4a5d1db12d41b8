"""What no monitor was made of, and why: it is said, never dropped."""

from __future__ import annotations

from prodintel_lib.scenarios.model import Frozen


class LeftOut(Frozen):
    """Something that could have had a monitor.

    Attributes
    ----------
    what : str
        An endpoint, a journey, or one check of either.
    why : str
        A sentence for people.
    """

    what: str
    why: str
