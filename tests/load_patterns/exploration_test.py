"""Production's load from end to end: patterns, behaviour, a load test and its files."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.analyses.load import LoadHistory
from prodintel_lib.cli import main
from prodintel_lib.errors import NoDataError, ParameterError
from prodintel_lib.load_patterns import LoadWish, explore_load, write_outputs
from prodintel_lib.load_patterns.exploration import busiest_part
from prodintel_lib.rollups.arrivals import ARRIVALS_SCHEMA
from prodintel_lib.windows import US_PER_S, Window
from tests.load_patterns.shop_log import write_shop_log
from tests.quiet_workspace import write_quiet_workspace

ORDERS = "POST /orders"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return write_shop_log(tmp_path_factory.mktemp("load") / "shop")


@pytest.fixture(scope="module")
def found(shop):
    return explore_load(shop, LoadWish(conversions=(ORDERS,), day="whole"))


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    return explore_load(write_quiet_workspace(tmp_path_factory.mktemp("load") / "quiet", minutes=180))


def endpoint(report, label):
    return next(one for one in report.model.endpoints if one.label == label)


def test_explore_load_finds_who_comes(found):
    assert found.behaviour.sessions == 400
    shares = {one.name: round(one.share.share, 2) for one in found.behaviour.classes}
    assert sorted(shares.values()) == [0.34, 0.67]
    assert "400 sessions, 2 kinds of sessions: repeaters 66 %, buyers 34 %." in found.headline.sentence


def test_explore_load_takes_clock_and_events_of_the_workspace(found):
    assert found.profiles.time_zone == "Europe/Berlin"
    assert found.profiles.events["event"].to_list() == ["sale"]


def test_explore_load_makes_a_load_test_that_rehearses_like_production(found):
    assert {one.label for one in found.model.endpoints} == {
        "GET /items", "GET /items/{item}", "POST /cart", ORDERS, "GET /orders/{order}",
    }  # fmt: skip
    assert found.rehearsal.generated_sessions == pytest.approx(400, abs=2)
    assert (found.rehearsal.scores["verdict"] == "as close as production to itself").sum() >= 9


def test_explore_load_takes_ids_from_answers_and_never_from_the_record(found):
    read = endpoint(found, "GET /orders/{order}")
    assert [variant.path for variant in read.variants] == ["/orders/{order}"]
    (replacement,) = read.variants[0].replacements
    (extract,) = endpoint(found, ORDERS).extracts
    assert (extract.pointer, extract.name) == ("/order", replacement.value.name)
    assert "ord-0" not in found.model.model_dump_json()


def test_explore_load_holds_what_was_promised(found):
    place = [one.label for one in found.model.endpoints].index(ORDERS)
    promised = [one for one in found.model.thresholds if one.endpoint == place and one.origin == "slo"]
    assert {(one.kind, one.percentile): round(one.limit, 9) for one in promised} == {
        ("latency", 95.0): 700.0,
        ("failures", None): 0.1,
    }


def test_explore_load_learns_from_the_day_it_follows_where_that_has_enough_sessions(shop, monkeypatch):
    monkeypatch.setattr("prodintel_lib.load_patterns.exploration.MIN_OWN_SESSIONS", 200)
    report = explore_load(shop, LoadWish(day="2026-01-02"))
    assert report.behaviour.sessions == 200
    assert report.learned_from.start_us >= 1_767_225_600_000_000 + 23 * 3600 * US_PER_S


def test_explore_load_without_visitors_has_profiles_and_no_load_test(nobody):
    assert (nobody.behaviour, nobody.concurrency, nobody.model, nobody.rehearsal) == (None, None, None, None)
    assert "No request names its visitor" in nobody.headline.sentence
    assert "There is no load test" in nobody.test._repr_html_()


def test_explore_load_of_requests_that_cannot_be_sent_again_says_why_there_is_no_load_test(tmp_path):
    folder = write_shop_log(tmp_path / "shop", sessions=60)
    rows = (folder / "requests.csv").read_text().splitlines()
    # Only orders are left, and nobody recorded what was sent with them.
    lines = [rows[0], *(",".join([*row.split(",")[:12], "", ""]) for row in rows[1:] if ",POST," in row)]
    (folder / "requests.csv").write_text("\n".join(lines) + "\n")
    report = explore_load(folder)
    assert (report.model, report.rehearsal) == (None, None)
    assert report.behaviour.sessions == 20
    assert "There is no load test:" in report.headline.sentence
    assert report.no_test_because in report.test._repr_html_()


def test_explore_load_of_few_sessions_does_not_judge_the_rehearsal(tmp_path):
    report = explore_load(write_shop_log(tmp_path / "shop", sessions=12), LoadWish(day="whole"))
    assert report.rehearsal is None
    assert "too few sessions to say how faithful" in report.headline.sentence


def test_every_part_has_something_to_show(found, nobody):
    for report in (found, nobody):
        parts = (report.headline, report.profiles, report.payloads, report.headroom, report.test, report.accounting)
        assert all(len(part._repr_html_()) > 60 for part in parts)
    assert ORDERS in found.test._repr_html_()
    assert "p95 ≤ 700 ms (promised)" in found.test._repr_html_()


def test_explore_load_refuses_what_cannot_be_meant(shop):
    with pytest.raises(ParameterError, match="spams"):
        explore_load(shop, LoadWish(source="spams"))
    with pytest.raises(ParameterError, match="`seed` is at least 0; got -1"):
        explore_load(shop, LoadWish(seed=-1))
    with pytest.raises(ParameterError, match="POST /order"):
        explore_load(shop, LoadWish(conversions=("POST /order",)))
    with pytest.raises(NoDataError, match="rum_events"):
        explore_load(shop, LoadWish(source="rum"))
    with pytest.raises(NoDataError, match="No request was recorded in"):
        explore_load(shop, LoadWish(window="2020-01-01T00:00/2020-01-02T00:00"))


def test_write_outputs_writes_the_same_bytes_twice(found, tmp_path):
    first, second = write_outputs(found, tmp_path / "a"), write_outputs(found, tmp_path / "b")
    assert first.files == second.files
    assert {"result.json", "summary.md", "load_test/locustfile.py", "load_test/load_model.json"} < set(first.files)
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["schema"] == "prodintel/load_patterns/1"
    assert result["load_test"]["curve"]["sessions"] == pytest.approx(400)
    assert len(result["load_test"]["rehearsal"]["scores"]) == 11
    assert result["behaviour"]["sessions"] == 400
    assert (result["concurrency"]["sessions"]["n"], result["concurrency"]["requests"]["n"]) == (400, 1479)


def test_write_outputs_without_a_load_test_says_so(nobody, tmp_path):
    assert write_outputs(nobody, tmp_path).files == ("result.json", "summary.md")
    assert json.loads((tmp_path / "result.json").read_text())["load_test"] is None
    assert "- Not known: no request names its visitor." in (tmp_path / "summary.md").read_text()


def history(counts, *, bucket_s=60):
    rows = [
        dict.fromkeys(ARRIVALS_SCHEMA, 0) | {"bucket_us": at * bucket_s * US_PER_S, "endpoint": "", "requests": n}
        for at, n in enumerate(counts)
    ]
    arrivals = pl.DataFrame(rows, schema=ARRIVALS_SCHEMA)
    window = Window(0, len(counts) * bucket_s * US_PER_S)
    return LoadHistory(window, "spans", bucket_s, arrivals, pl.DataFrame(), None, None, "0")


@pytest.mark.parametrize(
    ("counts", "most", "first", "last"),
    [
        ([1, 2, 3], 10, 0, 2),  # all of it
        ([1, 5, 5, 1], 10, 1, 2),
        ([4, 4, 4, 9, 1], 10, 3, 4),
        ([2, 50, 2], 10, 1, 1),  # one bucket that holds more is taken whole
    ],
)
def test_busiest_part_is_the_fullest_stretch_that_is_not_too_much(counts, most, first, last):
    found = busiest_part(history(counts), most=most)
    assert (found.start_us, found.end_us) == (first * 60 * US_PER_S, (last + 1) * 60 * US_PER_S)


def test_load_test_writes_what_was_asked_for_as_the_defaults(shop, tmp_path):
    asked = ["load-test", "--workspace", str(shop), "--reports", str(tmp_path), "--day", "2026-01-02", "--scale", "2",
             "--compress", "24h=10m", "--start", "12:00", "--length", "1h", "--as-in", "1.5"]  # fmt: skip
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "load_tests").glob("[0-9]*")
    model = json.loads((folder / "load_model.json").read_text())
    said = model["defaults"]
    assert (said["scale"], said["compress"], said["multiplier"], said["length_s"]) == (2.0, 144.0, 1.5, 3600.0)
    assert said["start_s"] == (12 * 3600 - model["curve"]["local_start_s"]) % 86_400
    assert "3 times production's rate, its curve 144 times faster" in done.output
    assert f"locust -f {folder / 'locustfile.py'}" in done.output


def test_load_test_without_visitors_says_what_is_missing(tmp_path):
    quiet = write_quiet_workspace(tmp_path / "quiet", minutes=60)
    done = CliRunner().invoke(main, ["load-test", "--workspace", str(quiet), "--reports", str(tmp_path / "reports")])
    assert done.exit_code == 2
    assert "names its visitor" in done.output
    assert not (tmp_path / "reports" / "load_tests").exists()


def test_load_reports_as_a_person_asks_for_it(shop, tmp_path):
    asked = ["load", "--workspace", str(shop), "--reports", str(tmp_path), "--days", "2", "--conversion", ORDERS]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "load_patterns" / "2026-01-01_2026-01-02"
    page = (folder / "report.html").read_text()
    assert "When does how much come" in page
    assert "POST /orders" in page
    assert (folder / "load_test" / "locustfile.py").is_file()
    assert "2 kinds of sessions" in done.output
