import polars as pl

from prodintel_lib.analyses.evidence import Coverage, Evidence, name_sessions

COVERAGE = {"spans": Coverage(9, 0, 60_000_000), "logs": Coverage(0, None, None)}


def evidence(**changed):
    given = {"requests": 100, "failed_by_logs": 0, "sessions_are_traces": False, "rests_on": "On this.", "remark": ""}
    return Evidence(coverage=COVERAGE, **(given | changed))


def test_evidence_says_first_what_it_rests_on_and_nothing_else_where_all_is_well():
    assert evidence().sentences == ("On this.",)


def test_evidence_says_what_had_to_be_assumed():
    assert evidence(failed_by_logs=7, sessions_are_traces=True, remark="Odd.").sentences == (
        "On this.",
        (
            "7 of 100 requests count as failed by their logs: no span says how they ended, and an error was logged in "
            "their trace."
        ),
        "No request names a session: each trace stands for one, and requests are counted, not users.",
        "Odd.",
    )


def test_evidence_says_when_requests_are_few_or_none():
    assert evidence(requests=29).sentences[1] == "Only 29 entry requests were recorded: shares of them say little."
    assert evidence(requests=30).sentences == ("On this.",)
    assert evidence(requests=0).sentences[1] == (
        "No entry request was recorded: users, sessions and routes cannot be counted."
    )


def test_evidence_shows_what_was_recorded_when():
    shown = evidence()._repr_html_()
    assert "1970-01-01 00:01:00 UTC" in shown
    assert shown.count("<tr>") == 3


def test_name_sessions_keeps_those_that_have_a_name():
    frame = pl.DataFrame({"session_id": ["s", None], "trace_id": ["a", "b"]})
    assert name_sessions(frame)["session_id"].to_list() == ["s", "b"]
