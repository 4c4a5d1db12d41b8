"""Run generated tests where they must fail and where they must pass, and certify those that prove themselves.

A test proves itself when it is red on the faulty system under the incident's conditions, with the symptom users met;
green on the fixed system under the same conditions; and green on the faulty system without them. What has not been
run is unverified, and says so.
"""

from prodintel_lib.certify.certificate import Certificate, read_certificate
from prodintel_lib.certify.certification import Effort, certify, certify_against
from prodintel_lib.certify.outcomes import SETTINGS, Outcome, SystemUnderTest
from prodintel_lib.certify.proof import PROOFS_FOLDER, Proof, ProofLine, digest_suite, prove, read_proof
from prodintel_lib.certify.runs import run_tests
from prodintel_lib.certify.verification import Verification, write_verified

__all__ = [
    "PROOFS_FOLDER",
    "SETTINGS",
    "Certificate",
    "Effort",
    "Outcome",
    "Proof",
    "ProofLine",
    "SystemUnderTest",
    "Verification",
    "certify",
    "certify_against",
    "digest_suite",
    "prove",
    "read_certificate",
    "read_proof",
    "run_tests",
    "write_verified",
]
