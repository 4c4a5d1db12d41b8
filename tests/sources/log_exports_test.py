"""Logs out of Elasticsearch, Splunk and CloudWatch."""

import base64
import gzip

import orjson
import pytest

from prodintel_lib.sources.cloudwatch_logs import read_cloudwatch_parts
from prodintel_lib.sources.elasticsearch import read_elasticsearch_parts
from prodintel_lib.sources.json_logs import NOT_A_RECORD
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.log_rows import NO_TIME
from prodintel_lib.sources.parts import joined_parts
from prodintel_lib.sources.splunk import PREVIEW, read_splunk_parts

TIME = "2025-09-29T14:20:00Z"
TIME_US = 1_759_155_600_000_000
READERS = {
    "elasticsearch": read_elasticsearch_parts,
    "splunk": read_splunk_parts,
    "cloudwatch": read_cloudwatch_parts,
}


@pytest.fixture
def read(stream):
    """Return a function that reads a file as what it is recognised as."""

    def run(form, *documents):
        file = stream(*documents)
        assert recognise_file(file.path.read_bytes()) == form
        return joined_parts(READERS[form](file))

    return run


def rows(result):
    shown = result.frames["logs"].to_dicts() if result.frames else []
    return [{name: value for name, value in row.items() if value is not None} for row in shown]


def packed(document):
    return base64.b64encode(gzip.compress(orjson.dumps(document))).decode()


HIT = {"_index": "logs-1", "_id": "a", "_source": {"@timestamp": TIME, "message": "failed", "log": {"level": "error"}}}
ROW = {
    "time_us": TIME_US, "severity_text": "ERROR", "severity_number": 17, "body": "failed",
    "attributes": '{"elasticsearch.index":"logs-1","elasticsearch.id":"a"}',
}  # fmt: skip


def test_read_elasticsearch_reads_the_answer_of_a_search(read):
    answer = {"took": 2, "hits": {"total": {"value": 2}, "max_score": 1.0, "hits": [HIT, HIT]}}
    assert rows(read("elasticsearch", answer)) == [ROW, ROW]


def test_read_elasticsearch_reads_a_hit_a_line(read):
    assert rows(read("elasticsearch", HIT, HIT)) == [ROW, ROW]


def test_read_elasticsearch_reads_fields_where_there_is_no_source(read):
    hit = {
        "_index": "logs-1",
        "_id": "a",
        "fields": {"@timestamp": [TIME], "message": ["failed"], "log.level": ["error"]},
    }
    assert rows(read("elasticsearch", hit)) == [ROW]


def test_read_elasticsearch_reads_a_bulk_request(read):
    result = read("elasticsearch", {"index": {"_index": "x"}}, HIT["_source"], {"delete": {"_id": "1"}})
    assert (rows(result)[0]["body"], result.rows_read) == ("failed", 1)


def test_read_elasticsearch_reads_several_answers_in_one(read):
    answer = {"took": 1, "responses": [{"hits": {"hits": [HIT]}}, {"hits": {"hits": []}}]}
    assert rows(read("elasticsearch", answer)) == [ROW]


def test_read_elasticsearch_reads_the_csv_of_kibana(read):
    (row,) = rows(read("elasticsearch", b'"@timestamp",message,"log.level","service.name"\n'
                       b'"Sep 29, 2025 @ 14:20:00.000","a, ""b""",error,-'))  # fmt: skip
    assert row == {
        "time_us": TIME_US,
        "severity_text": "ERROR",
        "severity_number": 17,
        "body": 'a, "b"',
        "attributes": '{"time_is":"zone assumed UTC"}',
    }


def test_read_elasticsearch_quarantines_hits_without_a_time(read, shared_data):
    answer = (shared_data / "formats" / "elasticsearch" / "unit_test__payloads__search_document.json.resp").read_bytes()
    result = read("elasticsearch", answer)
    assert ([item.reason for item in result.quarantined], result.rows_read) == ([NO_TIME, NO_TIME], 2)


def test_recognise_takes_no_sums_and_no_health_for_logs():
    sums = {"took": 5, "hits": {"total": 100, "hits": []}, "aggregations": {"x": {"buckets": []}}}
    assert recognise_file(orjson.dumps(sums)) is None
    assert recognise_file(b'{"cluster_name": "x", "status": "green", "timed_out": false}') is None


def test_read_splunk_reads_an_export_and_drops_previews(read):
    event = {"_time": "2025-09-29T16:20:00.000+02:00", "_raw": "ERROR pay failed", "host": "web1", "_cd": "1:2"}
    lines = [{"preview": True, "result": event}, {"preview": False, "offset": 0, "result": event}, {"preview": False, "lastrow": True}]  # fmt: skip
    result = read("splunk", *lines)
    assert (result.rows_read, result.dropped) == (2, {PREVIEW: 1})
    assert rows(result) == [
        {
            "time_us": TIME_US,
            "severity_text": "ERROR",
            "severity_number": 17,
            "body": "ERROR pay failed",
            "attributes": '{"host":"web1"}',
        }
    ]


@pytest.mark.parametrize(
    "document",
    [
        [{"_raw": "x", "_time": TIME}],
        {"preview": False, "init_offset": 0, "results": [{"_raw": "x", "_time": TIME}]},
        {"results": [{"_raw": "x", "_time": TIME}]},
        b'"_raw","_time"\nx,' + TIME.encode(),
    ],
    ids=["array", "answer", "bare answer", "csv"],
)
def test_read_splunk_reads_every_form(read, document):
    assert rows(read("splunk", document)) == [{"time_us": TIME_US, "body": "x"}]


def test_read_splunk_reads_what_an_application_wrote_as_json(read):
    raw = orjson.dumps({"level": "warn", "message": "slow", "service": "pay"}).decode()
    (row,) = rows(read("splunk", {"preview": False, "result": {"_raw": raw, "_time": TIME}}))
    assert (row["body"], row["severity_text"], row["service_name"]) == ("slow", "WARN", "pay")


EVENT = {"id": "1", "timestamp": 1_759_155_600_000, "message": "[ERROR] failed\n"}
GROUP = {"messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/checkout", "logStream": "s", "logEvents": [EVENT]}
CLOUD_ROW = {
    "time_us": TIME_US, "severity_text": "ERROR", "severity_number": 17, "body": "[ERROR] failed",
    "service_name": "checkout",
    "attributes": '{"aws.log.event.id":"1","aws.log.group.name":"/aws/lambda/checkout","aws.log.stream.name":"s"}',
}  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        GROUP,
        {"awslogs": {"data": packed(GROUP)}},
        {"Records": [{"kinesis": {"data": packed(GROUP)}, "eventSource": "aws:kinesis"}]},
    ],
    ids=["plain", "lambda", "kinesis"],
)
def test_read_cloudwatch_reads_a_subscription_however_packed(read, document):
    assert rows(read("cloudwatch", document)) == [CLOUD_ROW]


def test_read_cloudwatch_reads_the_answers_of_its_api(read):
    event = {"logStreamName": "s", "timestamp": 1_759_155_600_000, "message": "x", "ingestionTime": 5, "eventId": "1"}
    (row,) = rows(read("cloudwatch", {"events": [event], "searchedLogStreams": []}))
    assert (row["time_us"], row["body"]) == (TIME_US, "x")
    assert orjson.loads(row["attributes"]) == {
        "aws.log.stream.name": "s", "aws.log.ingestion_time_ms": 5, "aws.log.event.id": "1",
    }  # fmt: skip
    assert rows(read("cloudwatch", {"events": [event], "nextForwardToken": "f/1"})) == [row]


def test_read_cloudwatch_reads_insights_whose_times_are_utc(read):
    cells = {"@timestamp": "2025-09-29 14:20:00.000", "@message": "x\n", "@log": "123:/ecs/pay", "@ptr": "p"}
    answer = {"results": [[{"field": k, "value": v} for k, v in cells.items()]], "statistics": {}, "status": "Complete"}
    (row,) = rows(read("cloudwatch", answer))
    assert (row["time_us"], row["body"], row["service_name"]) == (TIME_US, "x", "pay")
    assert "time_is" not in orjson.loads(row["attributes"])


def test_read_cloudwatch_passes_over_control_messages(read):
    result = read("cloudwatch", GROUP | {"messageType": "CONTROL_MESSAGE"})
    assert result.rows_read == 0


@pytest.mark.parametrize(
    "data",
    ["!!", base64.b64encode(b"no gzip").decode(), base64.b64encode(gzip.compress(b"{}")[:-4]).decode(), packed([1]), 7,
     base64.b64encode(gzip.compress(b" " * (65 << 20))).decode()],
    ids=["no base64", "no gzip", "cut", "no object", "no text", "bomb"],
)  # fmt: skip
def test_read_cloudwatch_quarantines_what_cannot_be_unpacked(read, data):
    result = read("cloudwatch", {"awslogs": {"data": data}})
    assert [item.reason for item in result.quarantined] == [NOT_A_RECORD]


def test_read_cloudwatch_reads_real_messages(read, shared_data):
    folder = shared_data / "formats" / "aws"
    counts = {
        name: read("cloudwatch", (folder / f"tests__events__{name}.json").read_bytes()).kept
        for name in ("cloudWatchLogEvent", "cloudWatchLogEventWithPolicyLevel", "kinesisStreamCloudWatchLogsEvent")
    }
    assert counts == {
        "cloudWatchLogEvent": {"logs": 2},
        "cloudWatchLogEventWithPolicyLevel": {"logs": 2},
        "kinesisStreamCloudWatchLogsEvent": {"logs": 6},
    }
