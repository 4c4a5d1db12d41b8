"""What is known of a suite's tests, for the report; and the file beside the tests that names those that certify."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.certify.alterations import KINDS, WORDS
from prodintel_lib.certify.certificate import (
    CERTIFICATE_FILE,
    CERTIFICATES_FOLDER,
    SETTING_WORDS,
    Certificate,
    Tally,
    TestCertificate,
    read_certificate,
)
from prodintel_lib.certify.outcomes import SETTINGS, WANTED, Colour, Outcome, Setting
from prodintel_lib.certify.proof import PROOFS_FOLDER, Proof, digest_suite, read_proof
from prodintel_lib.markup import Markup, Tone, figure_text, table, tag, text, tone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodintel_lib.scenarios.model import Suite

VERIFIED_SCHEMA: Final = "prodintel/verified/1"
VERIFIED_FILE: Final = "verified.json"
_TONES: Final[Mapping[str, Tone]] = {
    "reproduces": "good",
    "does_not_reproduce": "bad",
    "fails_otherwise": "bad",
    "flaky": "warn",
    "could_not_be_run": "warn",
    "fails_now": "",
    "passes_now": "",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known of each scenario's tests: certified, proven once, not holding, or unverified.

    Attributes
    ----------
    suite : Suite
    proof : Proof or None
        None where none fits the suite's digest.
    certificate : Certificate or None
        Likewise; it says more than a proof.
    """

    suite: Suite
    proof: Proof | None
    certificate: Certificate | None = None

    @classmethod
    def of(cls, suite: Suite, workspace_root: Path) -> Verification:
        """Look for a certificate and a proof of just these scenarios among the workspace's."""
        digest, name = digest_suite(suite), f"{suite.incident_id}.json"
        kept = workspace_root / CERTIFICATES_FOLDER / name
        certificate = read_certificate(kept) if kept.is_file() else None
        path = workspace_root / PROOFS_FOLDER / name
        proof = read_proof(path) if path.is_file() else None
        return cls(
            suite,
            proof if proof and proof.suite_digest == digest else None,
            certificate if certificate and certificate.suite_digest == digest else None,
        )

    def sentence(self) -> str:
        """Say in one line how many tests proved themselves."""
        if self.certificate:
            return self.certificate.sentence()
        if self.proof is None:
            return "unverified: the tests have not been run against a faulty and a fixed system"
        held = sum(test.holds for test in self.proof.tests)
        return f"{held} of {len(self.proof.tests)} tests red / green / green"

    def write_into(self, folder: Path) -> tuple[str, ...]:
        """Put the certificate into a run's folder, and beside its tests the list of those that certify.

        Without a certificate whatever an earlier run left there is removed.

        Returns
        -------
        tuple of str
            The files written, relative to the folder.
        """
        certificate, verified = folder / CERTIFICATE_FILE, folder / "tests" / VERIFIED_FILE
        if self.certificate is None:
            certificate.unlink(missing_ok=True)
            verified.unlink(missing_ok=True)
            return ()
        certificate.write_bytes(self.certificate.as_json())
        write_verified(verified.parent, self.certificate)
        return CERTIFICATE_FILE, f"tests/{VERIFIED_FILE}"

    def _repr_html_(self) -> str:
        if self.certificate:
            return str(_certificate_table(self.certificate))
        headers = ["Test", "As", "Faulty, with conditions", "Fixed, with them", "Faulty, without", "Verdict"]
        if self.proof is None:
            unknown = [text(None)] * len(SETTINGS)
            tests = [f"test_{scenario.id}" for scenario in self.suite.scenarios]
            rows = [[_test_name(test), text(None), *unknown, tag("unverified")] for test in tests]
            return str(table(headers, rows, caption=f"{self.sentence().capitalize()}."))
        rows = [
            [
                _test_name(proof.test),
                _form(proof.test),
                *(_cell(setting, proof.runs[setting]) for setting in SETTINGS),
                tone("proven", "good") if proof.holds else tone("does not hold", "bad"),
            ]
            for proof in self.proof.tests
        ]
        caption = (
            f"{self.sentence()}; one run in each setting, delays of the conditions scaled by {self.proof.time_scale:g}."
        )
        return str(table(headers, rows, caption=caption))


def write_verified(tests: Path, certificate: Certificate) -> None:
    """Write beside a suite which of its tests certify, and of which bytes this is true.

    The suite's conftest leaves the others out, unless any of the files has changed since.
    """
    content = {
        "schema": VERIFIED_SCHEMA,
        "runs": certificate.runs,
        "certified": list(certificate.certified),
        "unverified": {test.test: _reason(test) for test in certificate.tests if not test.is_certified},
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(tests.iterdir())
            if path.suffix in {".py", ".feature"}
        },
    }
    (tests / VERIFIED_FILE).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _certificate_table(certificate: Certificate) -> Markup:
    one = certificate.mode == "one_system"
    settings = list(certificate.tests[0].settings) if certificate.tests else []
    names = [SETTING_WORDS[setting].capitalize() for setting in settings]
    headers = ["Test", "As", *names, "Notices altered", "Verdict"]
    rows = [
        [
            _test_name(test.test),
            _form(test.test),
            *(_tally(test.settings[setting]) for setting in settings),
            _noticed(test),
            _verdict(test),
        ]
        for test in certificate.tests
    ]
    certified = "" if one else " Certified: as wanted in every run of every setting, and red when answers are altered."
    caption = (
        f"{_capitalised(certificate.sentence())}. Runs that came out as wanted stand with Wilson's 95 % interval; "
        f"delays of the conditions scaled by {certificate.time_scale:g}.{certified}"
    )
    return table(headers, rows, caption=caption)


def _tally(tally: Tally) -> Markup:
    share = tally.share
    note = f"{tally.as_wanted} of {tally.n}, {100 * share.low:.0f}-{100 * share.high:.0f} %"
    kind: Tone = "" if tally.as_wanted == tally.n else "warn"
    return figure_text(tone(tally.told(), kind), note=note)


def _noticed(test: TestCertificate) -> Markup:
    """Write what was noticed, and what of the rest was altered unnoticed."""
    missed = [WORDS[kind] for kind in KINDS if test.alterations[kind].came == "unnoticed"]
    unsure = any(alteration.came == "could_not_tell" for alteration in test.alterations.values())
    seen = ", ".join(WORDS[kind] for kind in KINDS if kind in test.noticed)
    note = f"not: {', '.join(missed)}" if missed else ""
    return figure_text(seen or (tone("not known", "soft") if unsure else tone("nothing", "bad")), note=note)


def _verdict(test: TestCertificate) -> Markup:
    if test.is_certified:
        return tone("certified", "good")
    kind = "warn" if test.verdict == "reproduces" else _TONES[test.verdict]
    return figure_text(tone(f"unverified: {test.verdict.replace('_', ' ')}", kind), note=test.why)


def _reason(test: TestCertificate) -> str:
    return f"{test.verdict.replace('_', ' ')}: {test.why}"


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _test_name(test: str) -> Markup:
    """Write a test's name so that it may break between words."""
    return text(test.rpartition("::")[2].replace("_", "_\N{ZERO WIDTH SPACE}"))


def _form(test: str) -> Markup:
    return tag("Gherkin" if "_feature.py::" in test else "pytest")


def _cell(setting: Setting, run: Outcome) -> Markup:
    tones: dict[Colour, Tone] = {"green": "good", "red": "bad", "error": "warn", "skipped": "soft"}
    said = run.colour + (f": {run.symptom.replace('_', ' ')}" if run.symptom else "")
    return tone(said, "" if run.colour == WANTED[setting] else tones[run.colour])
