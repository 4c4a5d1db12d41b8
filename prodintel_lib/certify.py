"""Run generated tests in the three settings of a proof: faulty with the conditions, fixed with them, faulty without.

A test proves itself when it is red, green, green, and red with the symptom users met. What has not been run is
unverified, and says so.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from prodintel_lib.errors import RenderError, SourceFormatError
from prodintel_lib.markup import Markup, Tone, table, tag, text, tone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodintel_lib.scenarios.model import Suite

PROOF_SCHEMA: Final = "prodintel/proof/1"
PROOFS_FOLDER: Final = "proofs"
SUITE_TIMEOUT_S: Final = 900
Colour = Literal["green", "red", "error", "skipped"]
Setting = Literal["faulty_with", "fixed_with", "faulty_without"]
SETTINGS: Final[tuple[Setting, ...]] = ("faulty_with", "fixed_with", "faulty_without")
WANTED: Final[Mapping[Setting, Colour]] = {"faulty_with": "red", "fixed_with": "green", "faulty_without": "green"}


@dataclass(frozen=True, slots=True)
class SystemUnderTest:
    """Where a system answers, and where its fault layer does."""

    base_url: str
    toxiproxy_url: str


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


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One test in all three settings, and whether it shows what users saw."""

    test: str
    wanted_symptoms: tuple[str, ...]
    runs: dict[Setting, Outcome]

    @property
    def holds(self) -> bool:
        """Whether it is red, green, green, and red with the incident's own symptom."""
        return all(self.runs[setting].colour == colour for setting, colour in WANTED.items()) and (
            self.runs["faulty_with"].symptom in self.wanted_symptoms
        )


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
    """Return a digest of what the scenarios do, apart from which prodintel made them."""
    content = suite.model_dump_json(
        by_alias=True, exclude={"scenarios": {"__all__": {"provenance"}}}, exclude_defaults=True
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
    runs: dict[Setting, dict[str, Outcome]] = {
        "faulty_with": run_tests(tests, faulty, time_scale=time_scale),
        "fixed_with": run_tests(tests, fixed, time_scale=time_scale),
        "faulty_without": run_tests(tests, faulty, time_scale=time_scale, without_conditions=True),
    }
    symptoms = {f"test_{scenario.id}": scenario.symptom.kinds for scenario in suite.scenarios}
    proofs = tuple(
        ProofLine(
            test,
            symptoms[test.rpartition("::")[2]],
            {setting: runs[setting].get(test, Outcome("error", "", "was not run")) for setting in SETTINGS},
        )
        for test in sorted(set().union(*runs.values()))
    )
    return Proof(suite.incident_id, digest_suite(suite), time_scale, proofs)


def run_tests(
    tests: Path, system: SystemUnderTest, *, time_scale: float = 1.0, without_conditions: bool = False
) -> dict[str, Outcome]:
    """Run the rendered tests against a system in a process of their own.

    Returns
    -------
    dict
        ``file::test`` to what came of it.

    Raises
    ------
    RenderError
        If pytest could not collect or run them.
    """
    with tempfile.TemporaryDirectory(prefix="prodintel-") as folder:
        report = Path(folder) / "junit.xml"
        command = [
            sys.executable, "-m", "pytest", str(tests), "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
            f"--junitxml={report}", "--base-url", system.base_url, "--time-scale", str(time_scale),
            *(["--without-conditions"] if without_conditions else []),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 (our own interpreter, no shell)
            command,
            env={**os.environ, "TOXIPROXY_URL": system.toxiproxy_url, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SUITE_TIMEOUT_S,
        )
        if done.returncode not in {0, 1} or not report.is_file():
            raise RenderError(
                f"pytest ended with {done.returncode} on {tests}: {(done.stdout + done.stderr)[-600:]}",
                hint="run the command by hand: " + " ".join(command),
            )
        return read_junit(report)


def read_junit(report: Path) -> dict[str, Outcome]:
    """Read what came of each test from pytest's JUnit file."""
    # Written by our own pytest process a moment ago, which escapes what tests print.
    root = ET.parse(report).getroot()  # noqa: S314
    return {
        f"{(case.get('classname') or '').rpartition('.')[2]}.py::{case.get('name')}": _read_case(case)
        for case in root.iter("testcase")
    }


def _read_case(case: ET.Element) -> Outcome:
    symptom = next((part.get("value", "") for part in case.iter("property") if part.get("name") == "symptom"), "")
    for kind in ("error", "failure", "skipped"):
        found = case.find(kind)
        if found is not None:
            message = (found.get("message") or "").strip().split("\n")[0][:200]
            if kind == "skipped":
                return Outcome("skipped", "", message)
            judged = kind == "failure" and symptom not in {"", "setup", "unreachable"}
            return Outcome("red" if judged else "error", symptom, message)
    return Outcome("green")


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known of each scenario's tests: proven, not holding, or unverified.

    Attributes
    ----------
    suite : Suite
    proof : Proof or None
        None where none fits the suite's digest.
    """

    suite: Suite
    proof: Proof | None

    @classmethod
    def of(cls, suite: Suite, workspace_root: Path) -> Verification:
        """Look for a proof of just these scenarios among the workspace's."""
        path = workspace_root / PROOFS_FOLDER / f"{suite.incident_id}.json"
        proof = read_proof(path) if path.is_file() else None
        return cls(suite, proof if proof and proof.suite_digest == digest_suite(suite) else None)

    def sentence(self) -> str:
        """Say in one line how many tests proved themselves."""
        if self.proof is None:
            return "unverified: the tests have not been run against a faulty and a fixed system"
        held = sum(test.holds for test in self.proof.tests)
        return f"{held} of {len(self.proof.tests)} tests red / green / green"

    def _repr_html_(self) -> str:
        headers = ["Test", "As", "Faulty, with conditions", "Fixed, with them", "Faulty, without", "Verdict"]
        if self.proof is None:
            unknown = [text(None)] * len(SETTINGS)
            tests = [f"test_{scenario.id}" for scenario in self.suite.scenarios]
            rows = [[_test_name(test), text(None), *unknown, tag("unverified")] for test in tests]
            return str(table(headers, rows, caption=f"{self.sentence().capitalize()}."))
        rows = [
            [
                _test_name(proof.test),
                tag("Gherkin" if "_feature.py::" in proof.test else "pytest"),
                *(_cell(setting, proof.runs[setting]) for setting in SETTINGS),
                tone("proven" if proof.holds else "does not hold", "good" if proof.holds else "bad"),
            ]
            for proof in self.proof.tests
        ]
        caption = (
            f"{self.sentence()}; one run in each setting, delays of the conditions scaled by {self.proof.time_scale:g}."
        )
        return str(table(headers, rows, caption=caption))


def _test_name(test: str) -> Markup:
    """Write a test's name so that it may break between words."""
    return text(test.rpartition("::")[2].replace("_", "_\N{ZERO WIDTH SPACE}"))


def _cell(setting: Setting, run: Outcome) -> Markup:
    tones: dict[Colour, Tone] = {"green": "good", "red": "bad", "error": "warn", "skipped": "soft"}
    said = run.colour + (f": {run.symptom.replace('_', ' ')}" if run.symptom else "")
    return tone(said, "" if run.colour == WANTED[setting] else tones[run.colour])
