import pytest

from prodintel_lib.analyses.anomalies import NamedEvent, parse_events
from prodintel_lib.errors import ParameterError
from prodintel_lib.windows import Window, parse_time


def test_parse_events_reads_windows_and_days_in_order():
    events = parse_events(["2026-12-24/2026-12-27 holidays", " 2026-11-27  Black Friday "])
    assert [(event.name, event.duration_s / 86_400) for event in events] == [("Black Friday", 1.0), ("holidays", 3.0)]
    assert events[0].start_us == parse_time("2026-11-27")


def test_parse_events_reads_times_of_day():
    (event,) = parse_events(["2026-10-21T18:00/20:30 final"])
    assert event == NamedEvent(parse_time("2026-10-21T18:00"), parse_time("2026-10-21T20:30"), "final")
    assert isinstance(event, Window)


def test_parse_events_refuses_one_without_a_name():
    with pytest.raises(ParameterError, match="`2026-12-24` has no name"):
        parse_events(["2026-12-24"])


@pytest.mark.parametrize(("text", "said"), [("soon sale", "has no start and end"), ("2026-13-01 x", "is not a time")])
def test_parse_events_refuses_what_is_no_time(text, said):
    with pytest.raises(ParameterError, match=said):
        parse_events([text])
