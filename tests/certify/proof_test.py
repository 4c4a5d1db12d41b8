import pytest

from prodintel_lib.certify.outcomes import Outcome
from prodintel_lib.certify.proof import Proof, ProofLine, read_proof
from prodintel_lib.errors import SourceFormatError


def proof(with_=("red", "no_answer_in_time"), fixed="green", without="green"):
    runs = {"faulty_with": Outcome(*with_), "fixed_with": Outcome(fixed), "faulty_without": Outcome(without)}
    return ProofLine("test_a.py::test_a", ("no_answer_in_time",), runs)


@pytest.mark.parametrize(
    ("part", "holds"),
    [
        (proof(), True),
        (proof(with_=("red", "server_error")), False),
        (proof(with_=("green", "")), False),
        (proof(with_=("error", "no_answer_in_time")), False),
        (proof(fixed="red"), False),
        (proof(fixed="skipped"), False),
        (proof(without="red"), False),
    ],
)
def test_proof_holds_only_red_green_green_with_the_incidents_symptom(part, holds):
    assert part.holds is holds


def test_proof_round_trips(tmp_path):
    whole = Proof("INC-1", "0" * 16, 0.2, (proof(), proof(fixed="red")))
    (tmp_path / "p.json").write_bytes(whole.as_json())
    assert read_proof(tmp_path / "p.json") == whole


def test_read_proof_of_something_else_is_an_error(tmp_path):
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(SourceFormatError, match="is not a proof"):
        read_proof(tmp_path / "p.json")
