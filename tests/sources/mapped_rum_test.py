"""Mapped tables of users' events and of exposures."""

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.mapped import compile_mapping, read_mapped
from prodintel_lib.workspace import TableMapping

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
VIEWS = {"time_us": "iso(at)", "session_id": "session", "url_path": "path", "user_agent_original": "agent"}


def mapping(table, columns):
    return compile_mapping(TableMapping("prodintel.yaml: sources[0]", table, columns))


def read(stream, content, table, columns):
    return read_mapped(stream(content), mapping(table, columns), form="csv")


def only(result, table="rum_events"):
    assert (result.kept, result.quarantined) == ({table: 1}, ())
    return {name: value for name, value in result.frames[table].row(0, named=True).items() if value is not None}


def test_read_mapped_takes_rows_with_a_path_for_views_and_fills_the_rest(stream):
    row = only(
        read(stream, f'at,session,path,agent\n2025-09-29T14:20:00Z,s-1,/cart,"{AGENT}"\n'.encode(), "rum_events", VIEWS)
    )
    assert row == {
        "time_us": 1_759_155_600_000_000,
        "event_kind": "view",
        "user_bucket": 14,
        "visitor_id": "s-1",
        "session_id": "s-1",
        "url_path": "/cart",
        "user_agent_original": AGENT,
        "browser_name": "Firefox",
        "browser_version": "144.0",
        "os_name": "Linux",
        "device_type": "desktop",
    }


def test_read_mapped_reads_kinds_of_events_and_quarantines_unknown_ones(stream):
    columns = {
        "time_us": "iso(at)",
        "session_id": "session",
        "event_name": "event",
        "event_kind": "when(event == 'page', 'View', when(event == 'buy', 'custom', event))",
    }
    rows = ["at,session,event", *(f"2025-09-29T14:20:00Z,s,{event}" for event in ("page", "buy", "dance"))]
    result = read(stream, "\n".join(rows).encode(), "rum_events", columns)
    assert result.frames["rum_events"]["event_kind"].to_list() == ["view", "custom"]
    assert [(item.reason, item.line) for item in result.quarantined] == [("no usable event_kind", 4)]


@pytest.mark.parametrize("more", [{"event_name": "event", "url_path": "path"}, {"page_title": "title"}])
def test_compile_mapping_wants_the_kind_where_a_path_alone_does_not_tell_it(more):
    with pytest.raises(ParameterError, match="table `rum_events` needs `event_kind`"):
        mapping("rum_events", {"time_us": "iso(at)"} | more)


def test_compile_mapping_does_not_map_the_bucket():
    with pytest.raises(ParameterError, match="`user_bucket`"):
        mapping("rum_events", VIEWS | {"user_bucket": "'1'"})


def test_read_mapped_reads_exposures(stream):
    columns = {
        "time_us": "iso(at)",
        "feature_flag_key": "flag",
        "feature_flag_result_variant": "variant",
        "user_id": "user",
    }
    row = only(
        read(stream, b"at,flag,variant,user\n2025-09-29T14:20:00Z,new,b,u-1\n", "exposures", columns), "exposures"
    )
    assert row == {
        "time_us": 1_759_155_600_000_000,
        "source": "mapped",
        "feature_flag_key": "new",
        "feature_flag_result_variant": "b",
        "visitor_id": "u-1",
        "user_id": "u-1",
    }
