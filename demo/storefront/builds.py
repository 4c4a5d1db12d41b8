"""The releases of the front end: one script each in two ways, for the two faults.

``price.js`` and ``postcode.js`` lie in a folder a build; everything else is the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

BuildName = Literal["faulty", "fixed"]

STATIC: Final = Path(__file__).resolve().parent / "static"


@dataclass(frozen=True, slots=True)
class Build:
    """A release of the front end.

    Attributes
    ----------
    name : {"faulty", "fixed"}
    version : str
        What its beacons say.
    note : str
        What its authors said of it.
    """

    name: BuildName
    version: str
    note: str

    @property
    def scripts(self) -> Path:
        """The folder of the scripts that only this build has."""
        return STATIC / "builds" / self.name


BUILDS: Final[dict[BuildName, Build]] = {
    "faulty": Build("faulty", "2.9.0", "Prices at once on Safari too; postcodes checked before they are sent"),
    "fixed": Build("fixed", "2.9.1", "Wait for the price everywhere; postcodes may have a space"),
}
