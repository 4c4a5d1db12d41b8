import pytest

from prodintel_lib.analyses.incident import check_incident_id
from prodintel_lib.errors import UnsafeValueError


@pytest.mark.parametrize("incident_id", ["INC-2024-1234", "a", "7", "Q2.3_x-y", "A" * 64])
def test_check_incident_id_accepts_ids(incident_id):
    assert check_incident_id(incident_id) == incident_id


@pytest.mark.parametrize(
    "incident_id",
    [
        "",
        "../../x",
        "a/b",
        "a;rm -rf x",
        "$(shell touch x)",
        "--help",
        "-x",
        "a b",
        "a\n",
        "a..b",
        "A" * 65,
        "é",
        ".x",
        "a\0",
    ],
)
def test_check_incident_id_refuses_everything_else(incident_id):
    with pytest.raises(UnsafeValueError, match="is not an incident id"):
        check_incident_id(incident_id)
