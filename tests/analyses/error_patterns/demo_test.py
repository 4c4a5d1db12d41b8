"""The recorded incidents of the demo: the pattern that names the fault is on top."""

import polars as pl
import pytest

from prodintel_lib.analyses.error_patterns import find_error_patterns, label_of
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

S = 1_000_000
# What each fault does, in its own service and words; see demo/incidents.
FAULTS = {
    "INC-2024-1234": ("payment", "QueuePool limit"),
    "INC-2024-1301": ("orders", "UnicodeEncodeError in _redemption_key"),
    "INC-2024-1317": ("orders", "CartIntegrityError in _require_sound"),
    "INC-2024-1365": ("catalogue", "QueuePool limit"),
    "INC-2024-1388": ("auth", "TypeError in _described"),
    "INC-2024-1402": ("orders", "QueuePool limit"),
    "INC-2024-1419": ("auth", "TicketExpiredError in require"),
    "INC-2024-1433": ("orders", "KeyError in require_carrier"),
    "INC-2024-1451": ("catalogue", "KeyError in show"),
    "INC-2024-1480": ("orders", "KeyError in"),
    "INC-2024-1496": ("orders", "CartOwnershipError in _require_own_cart"),
    "INC-2024-1512": ("payment", "MissingChargeError in payments_of_order"),
    "INC-2024-1530": ("catalogue", "QueuePool limit"),
    "INC-2024-1547": ("payment", "call of card-processor answered 503"),
}


@pytest.fixture(scope="module")
def view(demo_workspace):
    return open_view(open_workspace(demo_workspace))


def patterns_of(view, incident_id):
    known = view.scan("incidents").to_native().filter(pl.col("incident_id") == incident_id).collect()
    window = Window(known["time_us"][0] - 50 * S, known["end_time_us"][0])
    return find_error_patterns(view, window=window, baseline=Window(window.start_us - 600 * S, window.start_us))


@pytest.mark.parametrize("incident_id", FAULTS)
def test_find_error_patterns_names_the_fault_first(view, incident_id):
    service, says = FAULTS[incident_id]
    found = patterns_of(view, incident_id).frame
    first = found.row(0, named=True)
    assert (first["service_name"], says in label_of(first)) == (service, True), label_of(first)
    assert (first["class"], first["priority"], first["first_share"]) == ("bug", "P1", 1.0)
    # Who only passes the failure on is said to do so.
    relays = found.filter((pl.col("service_name") == "gateway") & (pl.col("http_status") == 502))
    assert relays["class"].is_in(["unclear"]).all()


def test_find_error_patterns_names_a_fault_that_no_request_meets(view):
    found = patterns_of(view, "INC-2024-1467").frame.filter(pl.col("class") == "bug")
    assert "UnicodeEncodeError in _try confirmations.py" in " ".join(
        label_of(row) for row in found.iter_rows(named=True)
    )


def test_find_error_patterns_of_what_is_only_slow_calls_nothing_a_bug(view):
    assert patterns_of(view, "INC-2024-1342").frame.filter(pl.col("class") == "bug").is_empty()
