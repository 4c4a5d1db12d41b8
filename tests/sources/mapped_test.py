import gzip

import orjson
import polars as pl
import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.sources.mapped import compile_mapping, read_mapped
from prodintel_lib.workspace import TableMapping, open_workspace

LOGS = {"time_us": "iso(time)", "body": "message"}
SPANS = {"time_us": "epoch_s(t)", "duration_ms": "s_to_ms(took)", "trace_id": "trace", "span_id": "span"}


def mapping(table="logs", columns=LOGS):
    return compile_mapping(TableMapping("prodintel.yaml: sources[0]", table, columns))


def read(stream, content, *, table="logs", columns=LOGS, form="csv"):
    return read_mapped(stream(content), mapping(table, columns), form=form)


def reasons(result):
    return [(item.reason, item.line) for item in result.quarantined]


def test_read_mapped_maps_a_csv_and_keeps_the_rest(stream):
    result = read(stream, b'time,message,host,empty\n2025-09-29T14:20:00Z,"two\nlines",web-1,\n')
    (row,) = result.frames["logs"].to_dicts()
    assert {name: cell for name, cell in row.items() if cell is not None} == {
        "time_us": 1_759_155_600_000_000,
        "body": "two\nlines",
        "attributes": '{"host":"web-1"}',
    }


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_read_mapped_finds_the_delimiter(stream, sign):
    content = f"time{sign}message\n2025-09-29T14:20:00Z{sign}a, b\n".encode()
    assert read(stream, content).frames["logs"]["body"].to_list() == ["a, b"]


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lambda b: b"\xef\xbb\xbf" + b, lambda b: b.decode().encode("utf-16")],
    ids=["plain", "gzip", "bom", "utf-16"],
)
def test_read_mapped_reads_any_wrapping(stream, pack):
    file = stream(b"")
    file.path.write_bytes(pack("time,message\r\n2025-09-29T14:20:00Z,käse\r\n".encode()))
    result = read_mapped(file, mapping(), form="csv")
    assert (result.frames["logs"]["body"].to_list(), result.quarantined) == (["käse"], ())


def test_read_mapped_quarantines_rows_with_their_line(stream):
    content = (
        b"time,message\n"
        b"2025-09-29T14:20:00Z,good\n"
        b"soon,bad time\n"
        b"2025-09-29T14:20:00Z,too,many\n"
        b"\n"
        b'2025-09-29T14:20:00Z,"open"quote\n'
        b"2025-09-29T14:20:00Z,caf\xe9\n"
        b'2025-09-29T14:20:00Z,"last\nline"\n'
        b",none\n"
    )
    result = read(stream, content)
    assert result.frames["logs"]["body"].to_list() == ["good", "last\nline"]
    assert reasons(result) == [
        ("no usable time_us", 3),
        ("other number of fields than the header", 4),
        ("malformed CSV", 6),
        ("not valid UTF-8", 7),
        ("no usable time_us", 10),
    ]
    assert result.quarantined[0].excerpt == '{"time":"soon","message":"bad time"}'


def test_read_mapped_does_not_read_a_file_into_a_quote_that_never_closes(stream):
    content = b'time,message\n2025-09-29T14:20:00Z,"open\n' + b"x" * 99 + b"\n" * 3 + b"y" * (3 << 20) + b"\n"
    result = read(stream, content + b"2025-09-29T14:20:00Z,after\n")
    assert result.frames["logs"]["body"].to_list() == ["after"]
    assert reasons(result)[0] == ("malformed CSV", 2)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("1759155600,-1,a,b", "negative duration"),
        ("1759155600,NaN,a,b", "no usable duration_ms"),
        ("1759155600,1e999,a,b", "no usable duration_ms"),
        ("1759155600,,a,b", "no usable duration_ms"),
        ("1759155600,1,,b", "no usable trace_id"),
        ("1759155600000,1,a,b", "no usable time_us"),
        ("-5,1,a,b", "no usable time_us"),
        ("99999999999999999999,1,a,b", "no usable time_us"),
    ],
)
def test_read_mapped_quarantines_spans_that_cannot_be(stream, cells, reason):
    result = read(stream, f"t,took,trace,span\n{cells}\n".encode(), table="spans", columns=SPANS)
    assert reasons(result) == [(reason, 2)]


def test_read_mapped_keeps_what_no_number_or_word_could_be_read_from(stream):
    columns = SPANS | {"http_response_status_code": "status", "span_kind": "kind", "status_code": "lower(code)"}
    content = b"t,took,trace,span,status,kind,code\n1759155600,1,AB,b,n/a,odd,OK\n1759155600,1,a,c,500.0,SERVER,error\n"
    frame = read(stream, content, table="spans", columns=columns).frames["spans"]
    shown = frame.select("trace_id", "http_response_status_code", "span_kind", "status_code", "attributes").rows()
    assert shown == [("ab", None, None, "ok", '{"status":"n/a","kind":"odd"}'), ("a", 500, "server", "error", None)]


def test_read_mapped_takes_an_end_before_the_start_for_none(stream):
    columns = {"time_us": "iso(a)", "end_time_us": "iso(b)", "incident_id": "id"}
    content = b"id,a,b\n1,2025-09-29,2025-09-28\n2,2025-09-29,2025-09-30\n"
    frame = read(stream, content, table="incidents", columns=columns).frames["incidents"]
    assert frame["end_time_us"].to_list() == [None, 1_759_190_400_000_000]
    assert frame["attributes"].to_list() == ['{"b":"2025-09-28"}', None]


def test_read_mapped_reads_lists_lines_and_pretty_json(stream):
    rows = [{"time": "2025-09-29T14:20:00Z", "message": {"k": [1]}, "n": 2**63}, {"message": "no time"}, 5]
    lines = b"\n".join(orjson.dumps(row) for row in rows)
    for content in (lines, orjson.dumps(rows), orjson.dumps(rows, option=orjson.OPT_INDENT_2)):
        result = read(stream, content, form="ndjson")
        assert result.frames["logs"].select("body", "attributes").rows() == [('{"k":[1]}', '{"n":9223372036854775808}')]
        assert [reason for reason, _ in reasons(result)] in (
            ["no usable time_us", "not a JSON object"],
            ["not a JSON object", "no usable time_us"],
        )


def test_read_mapped_reads_parquet(stream, tmp_path):
    file = stream(b"")
    pl.DataFrame({"time": ["2025-09-29T14:20:00Z", None], "message": ["a", "b"], "n": [1, 2]}).write_parquet(file.path)
    result = read_mapped(file, mapping(), form="parquet")
    assert result.frames["logs"].select("body", "attributes").rows() == [("a", '{"n":1}')]
    assert reasons(result) == [("no usable time_us", 2)]
    file.path.write_bytes(b"PAR1 and nothing else")
    assert reasons(read_mapped(file, mapping(), form="parquet")) == [("not readable Parquet", 1)]


def test_read_mapped_counts_what_is_missing_of_a_cut_file(stream):
    content = gzip.compress(b"time,message\n" + b"2025-09-29T14:20:00Z,x\n" * 5000)
    file = stream(b"")
    file.path.write_bytes(content[:-20])
    result = read_mapped(file, mapping(), form="csv")
    assert reasons(result)[-1][0] == "truncated gzip data"


def test_read_mapped_names_a_column_that_is_not_there(stream):
    with pytest.raises(
        ParameterError,
        match=r"sources\[0\]\.columns\.body, character 1 of `mesage`: no column `mesage`; the file has `message`, `time`"
        r"\.\nHint: did you mean `message`",
    ):
        read(stream, b"time,message\n", columns=LOGS | {"body": "mesage"})
    kept = read(stream, b"time\n2025-09-29T14:20:00Z\n", columns=LOGS | {"body": "optional(message)"})
    assert kept.frames["logs"]["body"].to_list() == [None]


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("log", LOGS, r"Unknown table `log` in prodintel\.yaml: sources\[0\]\.table; known: .*\nHint: did you mean `logs`"),
        ("logs", LOGS | {"bdy": "x"}, r"Unknown column of table `logs` `bdy` in .*columns; known: (?s:.*)mean `body`"),
        ("logs", LOGS | {"attributes": "x"}, r"`attributes`"),
        ("logs", {"body": "x"}, r"sources\[0\]\.columns: table `logs` needs `time_us`\.\nHint: map it: time_us: "),
        ("logs", {"time_us": "iso("}, r"sources\[0\]\.columns\.time_us, character 5 of `iso\(`"),
    ],
)  # fmt: skip
def test_compile_mapping_names_what_is_wrong(table, columns, message):
    with pytest.raises(ParameterError, match=message):
        mapping(table, columns)


def configured(folder, text):
    (folder / "prodintel.yaml").write_text(f"name: x\nsources:\n{text}", encoding="utf-8")
    return open_workspace(folder)


WIDE = """\
  - path: wide.csv
    table: metrics
    columns: {time_us: epoch_s(t), metric_name: "'cpu'", value: cpu}
  - path: wide.csv
    table: metrics
    columns: {time_us: epoch_s(t), metric_name: "'mem'", value: mem}
  - path: .
"""


def test_ingest_reads_a_file_once_for_each_mapping(tmp_path):
    (tmp_path / "wide.csv").write_bytes(b"t,cpu,mem\n1759155600,1,2\n")
    workspace = configured(tmp_path, WIDE)
    report = ingest(workspace)
    assert [(s.source, s.kept) for s in report.sources] == [
        ("wide.csv", {"metrics": 1}),
        ("wide.csv#2", {"metrics": 1}),
    ]
    rows = workspace.scan("metrics").collect("polars").to_native().sort("metric_name")
    assert rows.select("metric_name", "value", "metric_kind").rows() == [("cpu", 1.0, "gauge"), ("mem", 2.0, "gauge")]
    assert ingest(workspace).fresh == 0
    changed = configured(tmp_path, WIDE.replace("value: mem", "value: mem * 2"))
    assert [(s.source, s.is_fresh) for s in ingest(changed).sources] == [("wide.csv", False), ("wide.csv#2", True)]


def test_ingest_refuses_a_mapping_before_it_reads(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"t\n1\n")
    with pytest.raises(ParameterError, match="no function `epok`"):
        ingest(configured(tmp_path, "  - {path: a.csv, table: logs, columns: {time_us: epok(t)}}\n"))
    with pytest.raises(ParameterError, match="Unknown format of a mapped table `otlp`"):
        ingest(configured(tmp_path, "  - {path: a.csv, format: otlp, table: logs, columns: {time_us: epoch_s(t)}}\n"))
    with pytest.raises(ParameterError, match="`table` and `columns` come together"):
        configured(tmp_path, "  - {path: a.csv, table: logs}\n")
    assert not (tmp_path / "lake").exists()
