"""What a search came to: the smallest scenario, what mattered, what did not, and the runs behind each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.errors import SourceFormatError
from prodintel_lib.scenarios.model import Scenario

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL_SCHEMA: Final = "prodintel/minimal/1"
MINIMAL_FILE: Final = "minimal.json"
MINIMAL_FOLDER: Final = "minimal"
MINIMALS_FOLDER: Final = "minimals"
"""Where a workspace keeps results, so that they outlive a new replay of the same scenarios."""

CONDITION_SEED: Final = 0
"""By what the runtime's conditions draw the requests they strike; the search itself draws nothing."""

Role = Literal["mattered", "needed", "reduced", "did_not_matter", "unclear", "not_tried"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one part of the original scenario.

    Attributes
    ----------
    unit, name : str
    role : {"mattered", "needed", "reduced", "did_not_matter", "unclear", "not_tried"}
        ``mattered``: without it (or with one fewer) the symptom is not shown; ``needed``: without it there is nothing
        to run or to judge, or it fails for another reason, which `why` says; ``reduced``: less of it is enough;
        ``did_not_matter``: the symptom is shown all the same; ``unclear``: so often without it that the runs could not
        tell; ``not_tried``: the search ended before.
    before, after : int or None
        Of numbers: in the original and in the minimal scenario.
    shown, runs : int
        Of the candidate that tells: the one without the part, or, of numbers, the one with less of it.
    why : str
        What else tells it: a later request needs it, the set-up fails without it.
    """

    unit: str
    name: str
    role: Role
    shown: int = 0
    runs: int = 0
    why: str = ""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One rendered minimal test in one setting: how many of its runs came out as wanted."""

    setting: str
    test: str
    as_wanted: int
    runs: int
    told: str


@dataclass(frozen=True, slots=True)
class MinimalScenario:
    """The smallest scenario found that still shows the symptom.

    Attributes
    ----------
    suite_digest : str
        Of the scenarios it was made from: for others it says nothing.
    confidence, often, seldom : float
        Of the sequential test that each candidate was put to.
    time_scale : float
        By what the original's delays were scaled; the minimal scenario's are as they were run.
    scenario : Scenario
    original_sizes, sizes : dict of str to int
        By unit.
    original_shown, original_runs, shown, runs : int
        How often each showed the symptom.
    findings : tuple of Finding
    candidates, runs_taken, controls, took_ms : int
    stopped : str
        Why the search ended early; empty where the result is 1-minimal.
    confirmations : tuple of Confirmation
        What the rendered minimal test did.
    """

    incident_id: str
    suite_digest: str
    confidence: float
    often: float
    seldom: float
    time_scale: float
    scenario: Scenario
    original_sizes: dict[str, int]
    sizes: dict[str, int]
    original_shown: int
    original_runs: int
    shown: int
    runs: int
    findings: tuple[Finding, ...]
    candidates: int
    runs_taken: int
    controls: int
    took_ms: int
    stopped: str = ""
    confirmations: tuple[Confirmation, ...] = ()

    @property
    def original_rate(self) -> Proportion:
        """How often the original shows the symptom, with Wilson's interval."""
        return Proportion.of(self.original_shown, self.original_runs)

    @property
    def rate(self) -> Proportion:
        """How often the minimal one does, measured anew after the search."""
        return Proportion.of(self.shown, self.runs)

    @property
    def is_minimal(self) -> bool:
        """Whether the scenario was tried without every single part that is left, and the runs could tell."""
        return not self.stopped and not self.of_role("unclear", "not_tried")

    @property
    def is_confirmed(self) -> bool:
        """Whether the rendered test did as wanted in some run of each setting, and in all but the flaky one."""
        return bool(self.confirmations) and all(
            part.as_wanted == part.runs or (part.setting == "faulty_with" and part.as_wanted > 0)
            for part in self.confirmations
        )

    def of_role(self, *roles: Role) -> tuple[Finding, ...]:
        """Return the findings of these roles."""
        return tuple(finding for finding in self.findings if finding.role in roles)

    def obstacle(self) -> str:
        """Say why it is not known to be minimal; empty where it is."""
        unclear, untried = self.of_role("unclear"), self.of_role("not_tried")
        if self.stopped or not (unclear or untried):
            return self.stopped
        told = f"flaky: the runs could not tell of {len(unclear)} parts" if unclear else ""
        left = ", ".join(f"{part.unit.replace('_', ' ')} {part.name}" for part in untried)
        return "; ".join(each for each in (told, f"no clean run without {left}" if left else "") if each)

    def sentence(self) -> str:
        """Say in one line what it comes to."""
        parts = [
            f"{self.original_sizes[unit]} → {self.sizes[unit]} {words}"
            for unit, words in UNIT_WORDS.items()
            if self.original_sizes[unit] != self.sizes[unit]
        ]
        how = "1-minimal" if self.is_minimal else f"not yet minimal ({self.obstacle()})"
        return f"{how}: {', '.join(parts) or 'nothing could be left out'}; {self.runs_taken} runs"

    def as_json(self) -> bytes:
        """Write it for a file, always in the same order."""
        content = {
            "schema": MINIMAL_SCHEMA,
            "incident_id": self.incident_id,
            "suite_digest": self.suite_digest,
            "scenario_id": self.scenario.id,
            "summary": self.sentence(),
            "is_minimal": self.is_minimal,
            "stopped": self.stopped,
            "confidence": self.confidence,
            "tells_apart": {"often": self.often, "seldom": self.seldom},
            "condition_seed": CONDITION_SEED,
            "time_scale": self.time_scale,
            "original": {"sizes": self.original_sizes, **_rate_as_json(self.original_rate)},
            "minimal": {"sizes": self.sizes, **_rate_as_json(self.rate)},
            "findings": [asdict(finding) for finding in self.findings],
            "candidates": self.candidates,
            "runs": self.runs_taken,
            "controls": self.controls,
            "took_ms": self.took_ms,
            "confirmed": self.is_confirmed,
            "confirmations": [asdict(part) for part in self.confirmations],
            "scenario": self.scenario.model_dump(mode="json"),
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


UNIT_WORDS: Final = {
    "conditions": "conditions",
    "longest_delay_ms": "ms of delay",
    "actions": "actions",
    "set_up_requests": "set-up requests",
    "customers": "customers",
    "at_once": "at once",
    "payload_fields": "payload fields",
    "list_items": "list items",
    "requests_sent": "requests sent",
    "expectations": "expectations",
}


def read_minimal(path: Path) -> MinimalScenario:
    """Read a result.

    Raises
    ------
    SourceFormatError
        If the file is none.
    """
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        _ = {MINIMAL_SCHEMA: True}[content["schema"]]
        original, minimal = content["original"], content["minimal"]
        return MinimalScenario(
            **{name: content[name] for name in ("incident_id", "suite_digest", "confidence", "time_scale", "stopped")},
            **content["tells_apart"],
            scenario=Scenario.model_validate(content["scenario"]),
            original_sizes=original["sizes"],
            sizes=minimal["sizes"],
            original_shown=original["shown"],
            original_runs=original["runs"],
            shown=minimal["shown"],
            runs=minimal["runs"],
            findings=tuple(Finding(**entry) for entry in content["findings"]),
            candidates=content["candidates"],
            runs_taken=content["runs"],
            controls=content["controls"],
            took_ms=content["took_ms"],
            confirmations=tuple(Confirmation(**entry) for entry in content["confirmations"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SourceFormatError(
            f"{path} is not a minimal scenario: {error!r:.300}.", hint="remove it and run `prodintel minimise`."
        ) from error


def _rate_as_json(rate: Proportion) -> dict[str, float]:
    return {"shown": rate.hits, "runs": rate.n, "low": round(rate.low, 4), "high": round(rate.high, 4)}
