import math

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.after_release import FAILED, RATE, compare_releases, estimate_quantile, estimate_rate
from prodintel_lib.analyses.causes import Cause, Causes
from prodintel_lib.tables import CHANGES, conform
from prodintel_lib.windows import Window

S = 1_000_000
SPAN, WINDOW = Window(0, 400 * S), Window(300 * S, 400 * S)


def change(at_s, change_id, service="pay", *, status="success", kind="deployment"):
    return {
        "time_us": at_s * S, "source": "s", "change_id": change_id, "change_kind": kind, "service_name": service,
        "service_version": "2.0", "status": status,
    }  # fmt: skip


def calls(*, slow_from_s=400, failed_from_s=400, service="pay", step_s=1, until_s=400):
    return pl.DataFrame(
        [
            {"time_us": at * S, "dependency": service, "duration_ms": 500.0 if at >= slow_from_s else 10.0,
             "failed": at >= failed_from_s}
            for at in range(0, until_s, step_s)
        ]
    )  # fmt: skip


REQUESTS = pl.DataFrame(
    schema={"time_us": pl.Int64, "service_name": pl.String, "duration_ms": pl.Float64, "failed": pl.Boolean}
)


def blame(*change_ids):
    return Causes(tuple(Cause("change", name, "", (), (), "", change_id=name) for name in change_ids), ())


def compare(changes, *, calls=None, requests=REQUESTS, causes=None):
    return compare_releases(
        changes=conform(pl.DataFrame(changes), CHANGES), requests=requests,
        calls=calls if calls is not None else REQUESTS.rename({"service_name": "dependency"}),
        causes=causes or blame(), span=SPAN, window=WINDOW,
    )  # fmt: skip


def by_measure(found):
    return {effect.measure: effect for effect in found.effects}


def test_compare_releases_tells_harm_at_once_from_harm_in_the_incident():
    found = by_measure(compare([change(100, "d")], calls=calls(slow_from_s=100, failed_from_s=300)))
    assert list(found) == [FAILED, "p50, ms", "p95, ms", RATE]
    failed, p50, rate = found[FAILED], found["p50, ms"], found[RATE]
    assert (failed.before.n, failed.after.n, failed.incident.n) == (100, 200, 100)
    assert (failed.after_it, failed.in_incident) == ("no clear change", "higher")
    assert (p50.before.value, p50.after.value, p50.after_it) == (10.0, 500.0, "higher")
    assert (rate.before.value, rate.incident.value, rate.in_incident) == (1.0, 1.0, "no clear change")


def test_compare_releases_counts_what_users_and_callers_asked():
    entries = calls().rename({"dependency": "service_name"})
    both = by_measure(compare([change(100, "d")], calls=calls(), requests=entries.select(REQUESTS.columns)))
    assert both[RATE].before.n == 200
    assert both[RATE].before.value == 2.0


def test_compare_releases_begins_at_the_change_before_of_the_same_service():
    changes = [change(50, "first"), change(70, "other", "cart"), change(100, "second")]
    found = compare(changes, calls=calls(), causes=blame("second", "first"))
    assert [effect.change_id for effect in found.effects[::4]] == ["second", "first"]
    assert [effect.before.n for effect in found.effects[::4]] == [50, 50]
    assert found.without_before == 1


def test_compare_releases_leaves_out_failed_ones_and_those_after_the_onset():
    changes = [change(100, "broken", status="failure"), change(301, "late"), change(5, "at the start")]
    found = compare(changes, calls=calls())
    assert found.effects == ()
    assert found.without_before == 1
    assert "1 more could not be compared" in found._repr_html_()


def test_compare_releases_says_nothing_of_a_stretch_with_few_requests():
    found = by_measure(compare([change(295, "d")], calls=calls(failed_from_s=300)))
    assert found[FAILED].after is None
    assert (found[FAILED].after_it, found[FAILED].in_incident) == ("too few to say", "higher")


def test_compare_releases_takes_no_pause_of_the_recording_for_silence():
    recorded = calls().filter(~pl.col("time_us").is_between(20 * S, 79 * S))
    assert by_measure(compare([change(100, "d")], calls=recorded))[RATE].before.value == 1.0


def test_after_release_writes_intervals_and_escapes_names():
    found = compare([change(100, "d", "<b>")], calls=calls(failed_from_s=300, service="<b>"))
    html = found._repr_html_()
    assert "&lt;b&gt;" in html
    assert "100 % <small>(96.3 to 100; n 100)</small>" in html
    assert "higher" in html


def test_after_release_in_json_has_no_number_that_json_lacks():
    first = compare([change(20, "d")], calls=calls(failed_from_s=300)).to_dicts()
    assert [row["measure"] for row in first] == [FAILED, "p50, ms", "p95, ms", RATE]
    assert first[2]["before"] == {"value": 10.0, "low": 10.0, "high": None, "n": 20}
    assert (first[0]["in_incident"], first[0]["incident"]["value"]) == ("higher", 1.0)


def test_after_release_shows_three_changes_and_counts_the_others():
    changes = [change(100 + n, f"d{n}", f"s{n}") for n in range(5)]
    every = pl.concat([calls(service=f"s{n}") for n in range(5)])
    found = compare(changes, calls=every)
    assert len(found.effects) == 20
    assert "2 more changes are in result.json." in found._repr_html_()
    assert found._repr_html_().count("<tr>") == 1 + 12


def test_estimate_quantile_is_between_order_statistics():
    found = estimate_quantile(np.arange(1.0, 101.0), 0.5)
    assert (found.value, found.low, found.high, found.n) == (50.5, 40.0, 61.0, 100)
    assert estimate_quantile(np.arange(1.0, 21.0), 0.95).high == math.inf


def test_estimate_rate_agrees_with_the_exact_poisson_limits():
    found = estimate_rate(10, 5.0)
    # Exact limits for 10 events: 4.795 and 18.390 (Garwood 1936).
    assert (found.value, found.low * 5, found.high * 5) == (2.0, pytest.approx(4.795, abs=0.01),
                                                           pytest.approx(18.39, abs=0.01))  # fmt: skip
