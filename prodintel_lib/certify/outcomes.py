"""What is run against what, and what came of it: the words that proofs and certificates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Colour = Literal["green", "red", "error", "skipped"]
Setting = Literal["faulty_with", "fixed_with", "faulty_without"]
SETTINGS: Final[tuple[Setting, ...]] = ("faulty_with", "fixed_with", "faulty_without")
WANTED: Final[Mapping[Setting, Colour]] = {"faulty_with": "red", "fixed_with": "green", "faulty_without": "green"}
NOT_RUN: Final = "was not run"
NO_JUDGEMENT: Final = frozenset({"", "setup", "unreachable"})
"""Symptoms of a test that never saw what it was made to see."""


@dataclass(frozen=True, slots=True)
class SystemUnderTest:
    """Where a system answers, and where its fault layer does.

    Attributes
    ----------
    base_url : str
    toxiproxy_url : str
        Empty where it has none: tests that need conditions then skip, and say so.
    name : str
        What a certificate calls it; its URL where left out.
    """

    base_url: str
    toxiproxy_url: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.base_url


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test in one setting.

    Attributes
    ----------
    colour : {"green", "red", "error", "skipped"}
        ``error`` where the test could not judge: its set-up failed, or nothing was reached.
    symptom : str
        What a red test met: ``no_answer_in_time``, ``server_error``, ``wrong_state``; empty where it is not red.
    message : str
        The first line of the failure or the reason of the skip.
    """

    colour: Colour
    symptom: str = ""
    message: str = ""

    @property
    def is_judgement(self) -> bool:
        """Whether the test could see what it was made to see."""
        return self.colour in {"green", "red"}


def is_as_wanted(setting: Setting, outcome: Outcome, symptoms: tuple[str, ...]) -> bool:
    """Say whether an outcome is what a reproduction needs: red with the incident's symptom, or green."""
    wanted = WANTED[setting]
    return outcome.colour == wanted and (wanted != "red" or outcome.symptom in symptoms)
