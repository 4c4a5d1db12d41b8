"""The quick proof: every test once in each setting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from prodintel_lib.certify.outcomes import NOT_RUN, SETTINGS, Outcome, Setting, SystemUnderTest, is_as_wanted
from prodintel_lib.certify.runs import run_tests
from prodintel_lib.errors import SourceFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.scenarios.model import Suite

PROOF_SCHEMA: Final = "prodintel/proof/1"
PROOFS_FOLDER: Final = "proofs"


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One test in all three settings, and whether it shows what users saw."""

    test: str
    wanted_symptoms: tuple[str, ...]
    runs: dict[Setting, Outcome]

    @property
    def holds(self) -> bool:
        """Whether it is red, green, green, and red with the incident's own symptom."""
        return all(is_as_wanted(setting, self.runs[setting], self.wanted_symptoms) for setting in SETTINGS)


@dataclass(frozen=True, slots=True)
class Proof:
    """What running a suite in the three settings showed.

    Attributes
    ----------
    suite_digest : str
        Of the scenarios that were run: a proof of other scenarios proves nothing.
    time_scale : float
        By what the delays of the conditions were scaled.
    """

    incident_id: str
    suite_digest: str
    time_scale: float
    tests: tuple[ProofLine, ...]

    def as_json(self) -> bytes:
        """Write it for a file."""
        content = {
            "schema": PROOF_SCHEMA,
            "incident_id": self.incident_id,
            "suite_digest": self.suite_digest,
            "time_scale": self.time_scale,
            "tests": [
                {
                    "test": proof.test,
                    "wanted_symptoms": list(proof.wanted_symptoms),
                    "holds": proof.holds,
                    "runs": {
                        setting: {"colour": run.colour, "symptom": run.symptom, "message": run.message}
                        for setting, run in proof.runs.items()
                    },
                }
                for proof in self.tests
            ],
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


def read_proof(path: Path) -> Proof:
    """Read a proof file.

    Raises
    ------
    SourceFormatError
        If it is not one.
    """
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        return Proof(
            content["incident_id"],
            content["suite_digest"],
            content["time_scale"],
            tuple(
                ProofLine(
                    entry["test"],
                    tuple(entry["wanted_symptoms"]),
                    {setting: Outcome(**entry["runs"][setting]) for setting in SETTINGS},
                )
                for entry in content["tests"]
            ),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceFormatError(f"{path} is not a proof: {error!r}.", hint="remove it and run `make prove`.") from error


def digest_suite(suite: Suite) -> str:
    """Return a digest of what the scenarios do, apart from which prodintel made them and the order of members."""
    content = json.dumps(
        suite.model_dump(
            mode="json", by_alias=True, exclude={"scenarios": {"__all__": {"provenance"}}}, exclude_defaults=True
        ),
        sort_keys=True,
    )
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def prove(
    tests: Path, suite: Suite, *, faulty: SystemUnderTest, fixed: SystemUnderTest, time_scale: float = 1.0
) -> Proof:
    """Run a rendered suite once in each setting.

    Parameters
    ----------
    tests : Path
        The folder with the rendered files.
    suite : Suite
        The scenarios they were rendered from.
    faulty, fixed : SystemUnderTest
    time_scale : float
        Scales the delays of the conditions, so that a proof need not wait as long as users did.

    Raises
    ------
    RenderError
        If pytest cannot run the suite at all.
    """
    # Without the conditions first: what they leave behind for a while (a queue to work off) is no failure without them.
    runs: dict[Setting, dict[str, Outcome]] = {
        "faulty_without": run_tests(tests, faulty, time_scale=time_scale, without_conditions=True),
        "faulty_with": run_tests(tests, faulty, time_scale=time_scale),
        "fixed_with": run_tests(tests, fixed, time_scale=time_scale),
    }
    symptoms = {f"test_{scenario.id}": scenario.symptom.kinds for scenario in suite.scenarios}
    proofs = tuple(
        ProofLine(
            test,
            symptoms[test.rpartition("::")[2]],
            {setting: runs[setting].get(test, Outcome("error", "", NOT_RUN)) for setting in SETTINGS},
        )
        for test in sorted(set().union(*runs.values()))
    )
    return Proof(suite.incident_id, digest_suite(suite), time_scale, proofs)
