import polars as pl
import pytest

from prodintel_lib.analyses.journeys import read_session
from prodintel_lib.analyses.journeys.exemplars import name_session
from prodintel_lib.errors import NoDataError

S = 1_000_000
START = 20_000 * 86_400 * S


def rows():
    session = {"visitor_id": "v", "session_id": "s-1", "device_type": "mobile", "client_address": "81.2.69.142"}
    return [
        {**session, "time_us": START, "url_path": "/"},
        {**session, "time_us": START + 2 * S, "event_kind": "vital", "url_path": "/", "lcp_ms": 900.0},
        {**session, "time_us": START + 5 * S, "event_kind": "action", "action_type": "click", "target_name": "Buy"},
        {**session, "time_us": START + 6 * S, "url_path": "/pay", "page_title": "Pay for jane.doe@gmail.com"},
        {**session, "time_us": START + 9 * S, "event_kind": "error", "url_path": "/pay", "exception_message": "<b>"},
        {**session, "time_us": START + 7200 * S, "url_path": "/"},
        {**session, "time_us": START, "visitor_id": "w", "session_id": "s-2", "url_path": "/other"},
    ]


def test_read_session_lists_events_with_think_times(view_of):
    found = read_session(view_of(rows()), "s-1")
    assert found.events.select("event_kind", "step_no", "after_s", "think_s").rows() == [
        ("view", 1, 0.0, None),
        ("vital", 1, 2.0, None),
        ("action", 1, 5.0, 5.0),
        ("view", 2, 6.0, 1.0),
        ("error", 2, 9.0, None),
    ]
    assert found.steps().rows() == [(1, "/", 0.0, 6.0, 3, 0), (2, "/pay", 6.0, 3.0, 2, 1)]
    assert (found.duration_s, found.facts["device_type"]) == (9.0, "mobile")


def test_read_session_takes_names_and_stand_ins_of_ids(view_of):
    view = view_of(rows())
    found = read_session(view, "s-1")
    bucket = found.events["user_bucket"][0]
    assert found.session == name_session(bucket, START, "v", "s-1")
    shown = found.events["session_id"][0]
    assert shown != "s-1"
    for name in (found.session, shown):
        assert read_session(view, name).events.equals(found.events)


def test_read_session_reads_a_later_piece_by_its_name(view_of):
    view = view_of(rows())
    bucket = read_session(view, "s-1").events["user_bucket"][0]
    later = read_session(view, name_session(bucket, START + 7200 * S, "v", "s-1"))
    assert later.events.select("route", "after_s").rows() == [("/", 0.0)]


def test_read_session_shows_no_personal_data(view_of):
    found = read_session(view_of(rows()), "s-1")
    whole = found.events.write_csv() + found._repr_html_()
    assert "81.2.69.142" not in whole
    assert "jane.doe@gmail.com" not in whole
    assert "&lt;b&gt;" in found._repr_html_()


def test_read_session_leaves_the_sessions_of_others_out(view_of):
    view = view_of(rows())
    assert read_session(view, "s-2").events["route"].to_list() == ["/other"]


def test_read_session_learns_routes_of_the_day(view_of):
    paths = [
        {"visitor_id": f"v{n}", "session_id": f"s{n}", "time_us": START + n, "url_path": f"/p/{n}"}
        for n in range(10, 15)
    ]
    assert read_session(view_of(paths), "s12").events["route"].to_list() == ["/p/{id}"]
    given = pl.DataFrame({"url_path": ["/p/12"], "route": ["/given"]})
    assert read_session(view_of(paths), "s12", routes=given).events["route"].to_list() == ["/given"]


@pytest.mark.parametrize("name", ["nobody", "03-1234567-abc"])
def test_read_session_of_nobody_says_so(view_of, name):
    with pytest.raises(NoDataError, match=f"There is no session `{name}`"):
        read_session(view_of(rows()), name)


def test_read_session_with_another_gap_says_so(view_of):
    view = view_of(rows())
    name = name_session(read_session(view, "s-1").events["user_bucket"][0], START + 6 * S, "v", "s-1")
    with pytest.raises(NoDataError, match=r"with a gap of 0\.01 min"):
        read_session(view, name.replace(name[-3:], "000"), gap_min=0.01)
