import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.detect import outermost_keys, recognise, require_known


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"resourceSpans":[{"resource":{"attr', "otlp"),
        (b'{"resource_metrics":[]}', "otlp"),
        (b'\n{\n  "resourceLogs": [', "otlp"),
        (b'{"incident": {"id": "Q0", "titl', "pagerduty"),
        (b'{"incidents": [], "limit": 25}', "pagerduty"),
        (b'{"log_entries": [{"id": "R1"', "pagerduty"),
        (b'[{"incident_number": 1, "status": "resolved"', "pagerduty"),
        (b'{"action": "created", "deployment": {"payload": {"incident": 1}}, "repository": {', "github"),
        (b'[{"deployment_status": {}, "deployment": {"id"', "github"),
        (b'[{"id": 1, "sha": "f9", "environment": "production", "statuses_url": "x"', "github"),
        (b'{"user": {"incidents": []}}', None),
        (b'{"text": "\\"resourceSpans\\": []"}', None),
        (b'["resourceSpans"]', None),
        (b"resourceSpans: yes\n", None),
        (b"", None),
    ],
)
def test_recognise_goes_by_the_outermost_keys(head, expected):
    assert recognise(head) == expected


def test_outermost_keys_reads_the_first_document_only():
    assert outermost_keys(b'{"a": {"b": [1]}, "c": "d"}\n{"e": 1}') == {"a", "c"}


def test_require_known_names_the_nearest_format():
    assert require_known("otlp") == "otlp"
    with pytest.raises(
        ParameterError,
        match=r"Unknown format `otpl`; known: access_json, access_log, cloudwatch, container_log, .*\.\nHint: did you mean `otlp`",
    ):
        require_known("otpl")
