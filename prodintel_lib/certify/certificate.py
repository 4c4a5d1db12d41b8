"""The certificate: what repeated runs of each test showed, whether it notices altered answers, and the verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.certify.outcomes import SETTINGS, Outcome
from prodintel_lib.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from prodintel_lib.certify.outcomes import Colour

CERTIFICATE_SCHEMA: Final = "prodintel/certificate/1"
CERTIFICATE_FILE: Final = "certificate.json"
AGAINST_FILE: Final = "against.json"
CERTIFICATES_FOLDER: Final = "certificates"

Mode = Literal["two_systems", "one_system"]
Verdict = Literal[
    "reproduces", "does_not_reproduce", "flaky", "could_not_be_run", "fails_now", "passes_now", "fails_otherwise"
]
Notice = Literal["noticed", "unnoticed", "nothing_altered", "could_not_tell"]
NOW: Final[Mapping[str, Colour]] = {"with": "red", "without": "green"}
"""The settings of one system, and what is counted there: with the conditions, and without them."""

SETTING_WORDS: Final[Mapping[str, str]] = {
    "faulty_with": "faulty, with conditions",
    "fixed_with": "fixed, with them",
    "faulty_without": "faulty, without",
    "with": "with conditions",
    "without": "without",
}
UNKNOWN: Final[Mapping[str, str]] = {
    "fails_now": "whether a fixed system passes it",
    "passes_now": "whether it fails where the fault is",
    "fails_otherwise": "whether it shows the incident, and whether a fixed system passes it",
    "flaky": "why it varies, and whether a fixed system passes it",
    "could_not_be_run": "everything",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """The runs of one test in one setting.

    Attributes
    ----------
    groups : tuple of (Outcome, int)
        Runs that came out alike, the most frequent first; the message is the first one's.
    as_wanted : int
        How many were red with the incident's symptom, or green, as the setting wants it.
    """

    groups: tuple[tuple[Outcome, int], ...]
    as_wanted: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], *, colour: str, symptoms: tuple[str, ...]) -> Tally:
        """Count outcomes; `symptoms` are asked of red ones only."""
        came = tuple(outcomes)
        counts = Counter((outcome.colour, outcome.symptom) for outcome in came)
        firsts = {(outcome.colour, outcome.symptom): outcome for outcome in reversed(came)}
        wanted = sum(outcome.colour == colour and (colour != "red" or outcome.symptom in symptoms) for outcome in came)
        groups = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(tuple((firsts[key], count) for key, count in groups), wanted)

    @property
    def n(self) -> int:
        """How many runs there were."""
        return sum(count for _, count in self.groups)

    @property
    def share(self) -> Proportion:
        """The share that came out as wanted, with Wilson's 95 % interval."""
        return Proportion.of(self.as_wanted, self.n)

    @property
    def judged(self) -> int:
        """How many runs judged at all."""
        return self.count("green") + self.count("red")

    def count(self, colour: str) -> int:
        """Return how many runs had this colour."""
        return sum(count for outcome, count in self.groups if outcome.colour == colour)

    def told(self) -> str:
        """Say how the runs came out: ``7 red: server error, 3 green``."""
        return ", ".join(
            f"{count} {outcome.colour}" + (f": {outcome.symptom.replace('_', ' ')}" if outcome.symptom else "")
            for outcome, count in self.groups
        )

    def excuse(self) -> str:
        """Return why runs could not judge, in the words of the first that could not."""
        return next((outcome.message for outcome, _ in self.groups if not outcome.is_judgement), "")


@dataclass(frozen=True, slots=True)
class Alteration:
    """Whether a test noticed one kind of altered answer.

    Attributes
    ----------
    came : {"noticed", "unnoticed", "nothing_altered", "could_not_tell"}
        ``could_not_tell``: through the proxy the test was not green even with nothing altered, or could not judge.
    altered : int
        How many answers were altered.
    outcome : Outcome
    """

    came: Notice
    altered: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TestCertificate:
    """What is known of one test.

    Attributes
    ----------
    test : str
        ``file::test``.
    wanted_symptoms : tuple of str
        How users met the incident.
    settings : dict of str to Tally
        By setting, in the order in which they are told.
    alterations : dict of str to Alteration
        By kind.
    verdict : str
    why : str
        What speaks against a certificate; empty where nothing does.
    """

    __test__ = False  # its name is no invitation to pytest

    test: str
    wanted_symptoms: tuple[str, ...]
    settings: dict[str, Tally]
    alterations: dict[str, Alteration]
    verdict: Verdict
    why: str

    @property
    def noticed(self) -> tuple[str, ...]:
        """The kinds of altered answers that it noticed."""
        return tuple(kind for kind, alteration in self.alterations.items() if alteration.came == "noticed")

    @property
    def is_certified(self) -> bool:
        """Whether it reproduces in every run and looks at the answers."""
        return self.verdict == "reproduces" and bool(self.noticed)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What running a suite repeatedly showed.

    Attributes
    ----------
    suite_digest : str
        Of the scenarios that were run: a certificate of other scenarios certifies nothing.
    mode : {"two_systems", "one_system"}
    runs : int
        How often each test ran in each setting.
    time_scale : float
        By what the delays of the conditions were scaled.
    systems : dict of str to str
        What the systems were, by role.
    certified_at_us, took_ms : int
    tests : tuple of TestCertificate
        By name.
    """

    incident_id: str
    suite_digest: str
    mode: Mode
    runs: int
    time_scale: float
    systems: dict[str, str]
    certified_at_us: int
    took_ms: int
    tests: tuple[TestCertificate, ...]

    @property
    def certified(self) -> tuple[str, ...]:
        """The names of the tests that certify."""
        return tuple(test.test for test in self.tests if test.is_certified)

    def sentence(self) -> str:
        """Say in one line what it comes to."""
        counts = Counter(test.verdict.replace("_", " ") for test in self.tests)
        if self.mode == "one_system":
            told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            return f"unverified, and known from one system only ({self.runs} runs each): {told}"
        held = len(self.certified)
        rest = [test for test in self.tests if not test.is_certified]
        words = Counter("notices nothing" if t.verdict == "reproduces" else t.verdict.replace("_", " ") for t in rest)
        others = "; unverified: " + ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
        return (
            f"{held} of {len(self.tests)} tests certified: red / green / green in {self.runs} of {self.runs} runs"
            + (others if rest else "")
        )

    def as_json(self) -> bytes:
        """Write it for a file; the same findings give the same bytes."""
        content = {
            "schema": CERTIFICATE_SCHEMA,
            "incident_id": self.incident_id,
            "suite_digest": self.suite_digest,
            "mode": self.mode,
            "runs": self.runs,
            "time_scale": self.time_scale,
            "systems": self.systems,
            "certified_at_us": self.certified_at_us,
            "took_ms": self.took_ms,
            "summary": self.sentence(),
            "tests": [_test_as_json(test) for test in self.tests],
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


def judge_two_systems(settings: Mapping[str, Tally], alterations: Mapping[str, Alteration]) -> tuple[Verdict, str]:
    """Return the verdict of a test and what speaks against a certificate.

    ``reproduces``: as wanted in every run of every setting. ``flaky``: in some runs of every setting, but not in all.
    ``does_not_reproduce``: in no run of some setting. ``could_not_be_run``: some setting has no run that judged.
    """
    for setting in SETTINGS:
        if not settings[setting].judged:
            return "could_not_be_run", f"{SETTING_WORDS[setting]}: {settings[setting].excuse() or 'no run'}"
    off = [setting for setting in SETTINGS if settings[setting].as_wanted < settings[setting].n]
    if not off:
        return "reproduces", _blindness(tuple(alterations.values()))
    never = [setting for setting in off if not settings[setting].as_wanted]
    why = "; ".join(f"{SETTING_WORDS[setting]}: {settings[setting].told()}" for setting in never or off)
    return "does_not_reproduce" if never else "flaky", why


def _blindness(alterations: tuple[Alteration, ...]) -> str:
    """Return why it is not known to look at the answers; nothing where it is."""
    came = {alteration.came for alteration in alterations}
    if "noticed" in came:
        return ""
    unsure = next((each for each in alterations if each.came == "could_not_tell"), None)
    if unsure:
        reason = unsure.outcome.message or "it could not judge"
        return f"whether it notices altered answers could not be told: {reason}"
    return "it notices no altered answer" if "unnoticed" in came else "none of its answers could be altered"


def judge_one_system(settings: Mapping[str, Tally]) -> tuple[Verdict, str]:
    """Return what one system shows of a test, and what remains unknown.

    ``fails_now``: red with the incident's symptom in every run with the conditions; ``passes_now``: green in every one.
    """
    tally = settings["with"]
    if not tally.judged:
        return "could_not_be_run", tally.excuse() or "no run"
    verdict: Verdict
    if tally.as_wanted == tally.n:
        verdict = "fails_now"
    elif tally.count("green") == tally.n:
        verdict = "passes_now"
    else:
        verdict = "flaky" if tally.as_wanted or tally.count("green") else "fails_otherwise"
    told = "" if verdict in {"fails_now", "passes_now"} else f"{tally.told()}; "
    without = settings["without"]
    if verdict == "fails_now" and without.as_wanted < without.n:
        told = f"it is not green without the conditions either ({without.told()}); "
    return verdict, f"{told}unknown: {UNKNOWN[verdict]}"


def read_certificate(path: Path) -> Certificate:
    """Read a certificate.

    Raises
    ------
    SourceFormatError
        If the file is none.
    """
    try:
        return _certificate_from_json(orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceFormatError(
            f"{path} is not a certificate: {error!r}.", hint="remove it and run `prodintel certify`."
        ) from error


def _certificate_from_json(content: dict[str, Any]) -> Certificate:
    if content["schema"] != CERTIFICATE_SCHEMA:
        raise KeyError(f"schema {content['schema']}, expected {CERTIFICATE_SCHEMA}")
    return Certificate(
        incident_id=content["incident_id"],
        suite_digest=content["suite_digest"],
        mode=content["mode"],
        runs=content["runs"],
        time_scale=content["time_scale"],
        systems=content["systems"],
        certified_at_us=content["certified_at_us"],
        took_ms=content["took_ms"],
        tests=tuple(_test_from_json(entry) for entry in content["tests"]),
    )


def _test_as_json(test: TestCertificate) -> dict[str, Any]:
    return {
        "test": test.test,
        "wanted_symptoms": list(test.wanted_symptoms),
        "verdict": test.verdict,
        "certified": test.is_certified,
        "why": test.why,
        "settings": {
            setting: {
                "runs": tally.n,
                "as_wanted": tally.as_wanted,
                "low": round(tally.share.low, 4),
                "high": round(tally.share.high, 4),
                "outcomes": [{**_outcome_as_json(outcome), "runs": count} for outcome, count in tally.groups],
            }
            for setting, tally in test.settings.items()
        },
        "alterations": {
            kind: {"came": found.came, "altered_answers": found.altered, **_outcome_as_json(found.outcome)}
            for kind, found in test.alterations.items()
        },
    }


def _test_from_json(entry: dict[str, Any]) -> TestCertificate:
    return TestCertificate(
        entry["test"],
        tuple(entry["wanted_symptoms"]),
        {
            setting: Tally(tuple((_outcome(each), each["runs"]) for each in found["outcomes"]), found["as_wanted"])
            for setting, found in entry["settings"].items()
        },
        {
            kind: Alteration(found["came"], found["altered_answers"], _outcome(found))
            for kind, found in entry["alterations"].items()
        },
        entry["verdict"],
        entry["why"],
    )


def _outcome_as_json(outcome: Outcome) -> dict[str, str]:
    return {"colour": outcome.colour, "symptom": outcome.symptom, "message": outcome.message}


def _outcome(content: Mapping[str, Any]) -> Outcome:
    return Outcome(content["colour"], content["symptom"], content["message"])
