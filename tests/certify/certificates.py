"""Certificates for tests, made of outcomes."""

from prodintel_lib.certify.alterations import KINDS
from prodintel_lib.certify.certificate import (
    NOW,
    Alteration,
    Certificate,
    Tally,
    TestCertificate,
    judge_one_system,
    judge_two_systems,
)
from prodintel_lib.certify.outcomes import WANTED, Outcome

SLOW = Outcome("red", "no_answer_in_time", "too late")
FAILED = Outcome("red", "server_error", "status 500")
GREEN = Outcome("green")
LOST = Outcome("error", "unreachable", "nobody answers")
AWAY = Outcome("skipped", "", "no Toxiproxy")
SYMPTOMS = ("no_answer_in_time",)


def tally(colour, *outcomes):
    return Tally.of(outcomes, colour=colour, symptoms=SYMPTOMS)


def one_test(name, came, *, noticed=("server_error",), unsure=False):
    """Return the certificate of a test from its outcomes in each setting."""
    wanted = WANTED if len(came) == 3 else NOW
    settings = {setting: tally(wanted[setting], *outcomes) for setting, outcomes in zip(wanted, came, strict=True)}
    alterations = {
        kind: Alteration("noticed", 4, FAILED)
        if kind in noticed
        else Alteration("could_not_tell" if unsure else "unnoticed", 4, GREEN)
        for kind in KINDS
    }
    judged = judge_two_systems(settings, alterations) if wanted is WANTED else judge_one_system(settings)
    return TestCertificate(f"test_a.py::test_{name}", SYMPTOMS, settings, alterations, *judged)


def certificate(*tests, digest="0" * 16, incident_id="INC-1"):
    two = len(tests[0].settings) == 3
    return Certificate(
        incident_id=incident_id,
        suite_digest=digest,
        mode="two_systems" if two else "one_system",
        runs=3,
        time_scale=0.2,
        systems={"faulty": "A", "fixed": "B"} if two else {"system": "A"},
        certified_at_us=1_700_000_000_000_000,
        took_ms=12_345,
        tests=tests,
    )


HOLDS = ([SLOW] * 3, [GREEN] * 3, [GREEN] * 3)
