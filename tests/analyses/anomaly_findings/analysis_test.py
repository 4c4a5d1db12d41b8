"""One finding an event: what begins in the window, in series that have to do with each other."""

import dataclasses

import polars as pl
import pytest

from prodintel_lib.analyses.anomalies import Combined, FixedThreshold
from prodintel_lib.analyses.anomaly_findings import find_anomalies
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.windows import Window

from . import made


def found_in(shop, **options):
    options = {"detector": made.Known()} | options
    return find_anomalies(shop.production(), shop.series(), **options)


def test_find_anomalies_makes_one_finding_of_a_failure_and_its_callers():
    shop = made.Shop().fail("payment", 30, 39).fail("POST /orders", 31, 39).fail("POST /pay", 31, 39)
    [one] = found_in(shop).findings
    assert (one.type, one.service_name, one.route) == ("ERROR_RATE_SPIKE", "gateway", "POST /pay")
    assert one.origin_service == "payment"
    # payment began a bucket earlier; users felt it from here on.
    assert (one.start_us, one.end_us, one.ongoing) == (made.at(31), made.at(40), False)
    assert one.series["start_us"].min() == made.at(30)
    assert set(one.series["key"]) == {"gateway POST /pay", "orders POST /orders", "payment POST /charge"}
    assert (one.current, one.n, one.baseline, one.baseline_n) == (0.3, 900, 0.01, 3000)
    assert one.magnitude == pytest.approx(0.29)
    assert one.affected_routes == ("POST /pay",)


def test_find_anomalies_is_surer_where_more_series_agree():
    [alone] = found_in(made.Shop().fail("POST /pay", 30, 39)).findings
    [both] = found_in(made.Shop().fail("POST /pay", 30, 39).fail("payment", 30, 39)).findings
    assert alone.confidence_reason == (
        "highest score 15.8 (-log10 p); 10 buckets at the threshold; no other series with it; 28.6 times more than "
        "expected"
    )
    assert "; 1 other series with it; " in both.confidence_reason
    assert both.confidence > alone.confidence


def test_find_anomalies_counts_whom_it_hit_among_all_requests_from_outside():
    [one] = found_in(made.Shop().fail("POST /pay", 30, 39)).findings
    assert (one.affected_requests.hits, one.affected_requests.n) == (310, 2000)
    assert one.affected_users is None


def test_find_anomalies_keeps_apart_what_has_nothing_to_do_with_each_other():
    shop = made.Shop().fail("payment", 30, 39).fail("catalogue", 30, 39)
    assert {one.service_name for one in found_in(shop).findings} == {"payment", "catalogue"}


def test_find_anomalies_keeps_apart_what_begins_later_on_another_route():
    shop = made.Shop().fail("POST /pay", 25, 57).fail("GET /home", 45, 57)
    assert [one.route for one in found_in(shop).findings if one.start_us == made.at(45)] == ["GET /home"]
    together = made.Shop().fail("POST /pay", 25, 57).fail("GET /home", 30, 57)
    assert len(found_in(together).findings) == 1


def test_find_anomalies_says_when_it_could_be_known():
    [one] = found_in(made.Shop().fail("POST /pay", 30, 31, failed=2).fail("POST /pay", 32, 39)).findings
    # 2 % is half the threshold: it belongs to the event, but raised nothing.
    assert one.start_us == made.at(30)
    assert one.detected_us == made.at(33)


def test_find_anomalies_does_not_let_the_future_move_what_was_known():
    shop = made.Shop().fail("POST /pay", 30, 39, failed=60)
    later = made.Shop().fail("POST /pay", 30, 39, failed=60).fail("POST /pay", 45, 59, failed=90)
    first, other = (find_anomalies(one.production(), one.series()).findings for one in (shop, later))
    assert min(one.detected_us for one in other) == min(one.detected_us for one in first) == made.at(31)


def test_find_anomalies_leaves_out_what_began_before_the_window():
    found = found_in(made.Shop().fail("POST /pay", 18, 30))
    assert found.findings == ()
    assert found.left_out == {"began before the window": 1}
    assert found.alarms["reason"].to_list() == ["began before the window"]


def test_find_anomalies_says_nothing_of_what_was_over_before_the_window():
    found = found_in(made.Shop().fail("POST /pay", 5, 8))
    assert (found.findings, found.left_out, found.alarms.height) == ((), {}, 0)


def test_find_anomalies_lists_what_became_better_and_finds_nothing_in_it():
    shop = made.Shop()
    for key in shop.failed:
        shop.failed[key][:] = 20
    found = found_in(shop.fail("POST /pay", 30, 39, failed=0))
    assert found.findings == ()
    assert found.better["key"].to_list() == ["gateway POST /pay"]


def test_find_anomalies_takes_the_end_of_a_recording_for_no_drop():
    shop = made.Shop(missing=tuple(range(40, 55))).traffic("GET /home", 38, 39, requests=2)
    found = found_in(shop)
    assert [one for one in found.findings if one.signal == "throughput"] == []
    assert found.left_out["the start or end of a recording"] == 1
    lasting = made.Shop().traffic("GET /home", 58, 59, requests=2)
    assert [(one.type, one.ongoing) for one in found_in(lasting).findings] == [("THROUGHPUT_DROP", True)]


def test_find_anomalies_of_a_drop_and_a_surge():
    drop, surge = made.Shop().traffic("GET /home", 30, 39, requests=10), made.Shop()
    [one] = found_in(drop).findings
    assert (one.type, one.unit, one.current, one.baseline) == ("THROUGHPUT_DROP", "per_s", 1.0, 10.0)
    assert (one.severity, one.severity_reason) == ("high", "10.0 times less (n 100)")
    [other] = found_in(surge.traffic("GET /home", 30, 39, requests=300)).findings
    assert (other.type, other.magnitude, other.severity) == ("THROUGHPUT_SURGE", 3.0, "medium")


def test_find_anomalies_of_slow_requests_says_the_percentile_in_ms():
    [one] = found_in(made.Shop().slowed("POST /pay", 30, 39)).findings
    assert (one.type, one.unit, one.measure) == ("LATENCY_DEGRADATION", "ms", "p95 of the duration")
    assert one.baseline == one.current  # a tenth was as slow before
    assert (one.affected_requests.hits, one.affected_requests.n) == (500, 2000)
    usual = made.Shop()
    for key in usual.slow:
        usual.slow[key][:] = 2
    [one] = found_in(usual.slowed("POST /pay", 30, 39)).findings
    assert (round(one.baseline), round(one.current)) == (126, 1393)
    assert (one.low, one.high, one.n, one.baseline_n) == (one.current, one.current, 1000, 2900)


def test_find_anomalies_of_what_is_quicker_than_just_before_is_nothing():
    shop = made.Shop()
    series = shop.slowed("POST /pay", 30, 39).series()
    for key in shop.slow:
        shop.slow[key][:] = shop.n[key]
        shop.slow[key][30:40] = 0
    found = find_anomalies(shop.production(), series, detector=made.Known())
    assert (found.findings, found.left_out) == ((), {"quicker than just before": 1})


def test_find_anomalies_prefers_slow_requests_where_far_more_are_slow_than_fail():
    few = made.Shop().fail("POST /pay", 30, 39, failed=5).slowed("POST /pay", 30, 39)
    [one] = found_in(few).findings
    assert (one.type, one.series.height) == ("LATENCY_DEGRADATION", 2)
    many = made.Shop().fail("POST /pay", 30, 39, failed=30).slowed("POST /pay", 30, 39)
    [one] = found_in(many).findings
    assert one.type == "ERROR_RATE_SPIKE"


def test_find_anomalies_lets_a_gauge_join_one_event_and_stand_alone_without():
    gauge = [0.3] * 30 + [0.95] * 10 + [0.3] * 20
    shop = made.Shop().gauge("payment", "db.pool.used", gauge)
    [alone] = found_in(shop).findings
    assert (alone.type, alone.severity, alone.current) == ("SATURATION", "medium", 0.95)
    assert alone.affected_requests is None
    [one] = found_in(shop.fail("payment", 30, 39).fail("POST /pay", 30, 39)).findings
    assert (one.type, "payment db.pool.used" in one.series["key"].to_list()) == ("ERROR_RATE_SPIKE", True)


def test_find_anomalies_folds_what_comes_again_and_keeps_what_is_stronger():
    again = made.Shop(buckets=90).fail("POST /pay", 30, 35).fail("POST /pay", 60, 65)
    found = found_in(again)
    [one] = found.findings
    assert one.recurrences == (Window(made.at(60), made.at(66)),)
    assert found.alarms["finding_id"].to_list() == [one.id, one.id]
    stronger = made.Shop(buckets=90).fail("POST /pay", 30, 35, failed=10).fail("POST /pay", 60, 65, failed=90)
    assert len(found_in(stronger).findings) == 2
    assert len(found_in(again, quiet_hours=0.01).findings) == 2


def test_find_anomalies_ends_an_event_at_a_gap_in_the_record():
    shop = made.Shop(buckets=90, missing=tuple(range(35, 70))).fail("POST /pay", 30, 75)
    [one] = found_in(shop).findings
    assert (one.end_us, one.recurrences) == (made.at(35), (Window(made.at(70), made.at(76)),))


def test_find_anomalies_holds_scores_against_the_number_of_points():
    # A score of 3.55 where 600 points are scored: chance makes one in every six such searches.
    found = found_in(made.Shop(per_bucket=1000).fail("POST /pay", 30, 30, failed=27), threshold=3.5)
    assert found.findings == ()
    assert found.left_out == {"as likely by chance among so many points": 1}
    assert found.chance_alarms == pytest.approx(600 * 10**-3.5)
    higher = made.Shop(per_bucket=1000).fail("POST /pay", 30, 30, failed=32)
    assert len(found_in(higher, threshold=3.5).findings) == 1


def test_find_anomalies_asks_more_of_what_need_not_be_for_the_worse():
    # Scores of 4.6 and 4.4: of a drop that is enough among 600 points, of a surge it is not.
    drop = made.Shop().traffic("GET /home", 30, 30, requests=45)
    assert [one.type for one in found_in(drop).findings] == ["THROUGHPUT_DROP"]
    surge = found_in(made.Shop().traffic("GET /home", 30, 30, requests=215))
    assert (surge.findings, surge.left_out) == ((), {"as likely by chance among so many points": 1})
    assert found_in(made.Shop().traffic("GET /home", 30, 30, requests=300)).findings != ()


def test_find_anomalies_with_nothing_says_what_was_looked_at():
    found = found_in(made.Shop())
    assert (found.findings, found.series_scored, found.points_scored) == ((), 15, 600)
    assert "Nothing was abnormal" in found._repr_html_()
    assert "600 points of 15 series" in found._repr_html_()
    assert "chance reaches 0.06 times" in found._repr_html_()
    assert found.chosen("") is None
    assert "Nothing was abnormal" in repr(found.first)
    assert "Nothing was abnormal" in found.details(3)._repr_html_()


def test_find_anomalies_with_the_default_detector_finds_one_event_and_nothing_in_health():
    healthy = made.Shop()
    assert find_anomalies(healthy.production(), healthy.series()).findings == ()
    ill = made.Shop().fail("payment", 30, 49).fail("POST /orders", 30, 49).fail("POST /pay", 30, 49)
    found = find_anomalies(ill.production(), ill.series())
    assert [(one.type, one.route, one.origin_service) for one in found.findings] == [
        ("ERROR_RATE_SPIKE", "POST /pay", "payment")
    ]
    assert found.detector == "combined"
    assert found.findings[0].confidence > 0.5
    assert [part.name for part in found.findings[0].explained] != []


def test_find_anomalies_of_limits_says_only_beyond():
    shop = made.Shop().gauge("payment", "db.pool.used", [0.3] * 30 + [0.95] * 10 + [0.3] * 20)
    found = find_anomalies(shop.production(), shop.series()[3:], detector=FixedThreshold(upper=0.9))
    assert [(one.type, one.score) for one in found.findings] == [("SATURATION", 1.0)]
    assert found.chance_alarms != found.chance_alarms


def test_find_anomalies_without_history_still_judges_by_the_past():
    shop = made.Shop(window_from=0).fail("POST /pay", 40, 49)
    [one] = find_anomalies(shop.production(), shop.series()).findings
    assert one.start_us == made.at(40)


def test_find_anomalies_keeps_few_series_for_show(monkeypatch):
    monkeypatch.setattr("prodintel_lib.analyses.anomaly_findings.episodes.MAX_KEPT", 1)
    found = found_in(made.Shop().fail("POST /pay", 30, 39).fail("GET /home", 30, 39))
    kept = {one.signals.signal: one.scores.keys for one in found.scored}
    assert kept["error_ratio"] == ("gateway POST /pay", "gateway GET /home")
    assert len(kept["latency"]) == 1


def test_find_anomalies_gives_the_same_event_the_same_id():
    shop = made.Shop().fail("POST /pay", 30, 39)
    first, again = found_in(shop).findings[0], found_in(shop).findings[0]
    assert first.id == again.id
    assert first.id.startswith("AN-")
    assert len(first.id) == 13
    assert found_in(made.Shop().fail("POST /pay", 31, 39)).findings[0].id != first.id


def test_find_anomalies_refuses_what_it_cannot_use():
    shop = made.Shop()
    with pytest.raises(ParameterError, match="must be above 0; it is 0"):
        found_in(shop, threshold=0.0)
    with pytest.raises(ParameterError, match="`latency` comes twice"):
        find_anomalies(shop.production(), [shop.series()[1]] * 2)
    later = dataclasses.replace(shop.production(), window=Window(made.at(900), made.at(960)))
    with pytest.raises(NoDataError, match=r"Too little was recorded in .* for any series"):
        find_anomalies(later, shop.series(), detector=Combined())


def test_findings_refuse_an_unknown_id():
    found = found_in(made.Shop().fail("POST /pay", 30, 39))
    assert found.chosen(found.findings[0].id) is found.findings[0]
    with pytest.raises(ParameterError, match="Unknown finding `AN-0`"):
        found.chosen("AN-0")


def test_find_anomalies_series_frame_is_typed_even_when_empty():
    assert dict(found_in(made.Shop()).better.schema)["score"] == pl.Float64()
