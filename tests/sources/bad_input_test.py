"""What production leaves behind: every piece is kept, counted or named; nothing hangs, and nothing is lost silently."""

import gzip
import os

import orjson
import pytest

from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.sources import documents
from prodintel_lib.sources import ingest as ingest_module
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

START_NS = 1_759_155_600_000_000_000


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: x\nsources:\n  - path: evidence\n", encoding="utf-8")
    (tmp_path / "evidence").mkdir()
    return open_workspace(tmp_path)


@pytest.fixture
def document(span, traces):
    """Return the bytes of a document with spans of these numbers."""

    def make(*numbers, **changes):
        return orjson.dumps(traces(*(span(spanId=f"{number:016x}", **changes) for number in numbers)))

    return make


@pytest.fixture
def account(workspace):
    """Return a function that ingests some bytes and says what became of them."""

    def run(content):
        (workspace.root / "evidence" / "export").write_bytes(content)
        report = ingest(workspace)
        assert report.rows_read == sum(report.kept.values()) + sum(report.dropped.values()) + report.quarantined
        folder = workspace.root / "lake" / "quarantine"
        lines = [orjson.loads(line) for file in folder.glob("*") for line in file.read_bytes().splitlines()]
        assert len(lines) == report.quarantined
        return report.kept.get("spans", 0), [(line["reason"], line["line"]) for line in lines]

    return run


def test_ingest_reads_concatenated_gzip_and_says_where_one_is_cut(account, document):
    whole, cut = gzip.compress(document(1) + b"\n"), gzip.compress(document(2, 3) + b"\n")
    assert account(whole + gzip.compress(document(2) + b"\n")) == (2, [])
    assert account(whole + cut[:-12]) in [(3, [("truncated gzip data", 3)]), (1, [("truncated gzip data", 2)])]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda good: good + b"\n" + good[:50], (1, [("not valid JSON", 2)])),
        (lambda good: good[:50] + b"\n" + good, (1, [("not valid JSON", 1)])),
        (lambda good: b"\xef\xbb\xbf" + good, (1, [])),
        (lambda good: good.decode().encode("utf-16"), (1, [])),
        (lambda good: orjson.dumps(orjson.loads(good), option=orjson.OPT_INDENT_2), (1, [])),
        (lambda good: good + b"\n" + good.replace(b"shop", b"caf\xe9"), (1, [("not valid JSON", 2)])),
        (lambda good: good + b"\n" + good.replace(b"shop", b'x", "y": NaN'), (1, [("not valid JSON", 2)])),
        (lambda good: b"[" + good + b",\n" + good.replace(b"01", b"02") + b"\n]\n", (2, [])),
        (lambda _: b"", (0, [])),
        (lambda _: bytes(range(256)), (0, [("format not recognised", 1)])),
        (lambda good: good + b"\n" + b"[" * 5000, (1, [("nested too deep", 2)])),
    ],
    ids=["half line", "half first", "bom", "utf-16", "pretty", "latin-1", "nan", "a line an element", "empty", "binary", "deep"],
)  # fmt: skip
def test_ingest_accounts_for(account, document, change, expected):
    assert account(change(document(1))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"endTimeUnixNano": str(START_NS - 1)}, (0, [("negative duration", 1)])),
        ({"startTimeUnixNano": str(2**70), "endTimeUnixNano": str(2**70)}, (0, [("missing or impossible start time", 1)])),
        ({"startTimeUnixNano": START_NS // 1000}, (0, [("missing or impossible start time", 1)])),
        ({"startTimeUnixNano": START_NS // 10**6}, (0, [("missing or impossible start time", 1)])),
        ({"startTimeUnixNano": START_NS // 10**9}, (0, [("missing or impossible start time", 1)])),
        ({"startTimeUnixNano": "2025-09-29T14:20:00Z"}, (0, [("malformed span", 1)])),
        ({"kind": 99}, (0, [("malformed span", 1)])),
        ({"traceId": "xyz"}, (0, [("malformed span", 1)])),
        ({"parentSpanId": "00000000000000ff"}, (1, [])),
        ({"parentSpanId": "0000000000000001"}, (1, [])),
    ],
    ids=["negative", "huge", "us", "ms", "s", "iso", "enum", "id", "orphan", "own parent"],
)  # fmt: skip
def test_ingest_keeps_or_quarantines_spans(account, document, changes, expected):
    assert account(document(1, **changes)) == expected


def test_ingest_gives_up_a_line_that_is_too_long_and_reads_on(account, document, monkeypatch):
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 1 << 20)
    content = document(1) + b"\n" + b'{"x": "' + b"y" * (3 << 20) + b'"}\n' + document(2) + b"\n"
    assert account(content) == (2, [("line too long", 2)])


def test_ingest_reads_a_line_of_fifty_megabytes(account, document, traces, span):
    long = span(spanId="00000000000000aa", attributes=[{"key": "blob", "value": {"stringValue": "z" * (50 << 20)}}])
    assert account(document(1) + b"\n" + orjson.dumps(traces(long)) + b"\n") == (2, [])


def test_ingest_gives_up_a_bomb(account, document):
    kept, lines = account(gzip.compress(document(1) + b"\n" + b" " * (120 << 20)))
    assert (kept, lines[0][0][:34]) == (1, "expands more than 400 times: given")


def test_ingest_names_a_file_it_may_not_read(workspace, document, monkeypatch):
    path = workspace.root / "evidence" / "export"
    path.write_bytes(document(1))

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(ingest_module, "_sha256", refuse)
    with pytest.raises(SourceFormatError, match=r"export cannot be read: Permission denied\.\nHint: make it readable"):
        ingest(workspace)


def test_ingest_names_a_folder_it_may_not_enter(workspace, monkeypatch):
    def refuse(_, *, onerror):
        onerror(PermissionError(13, "Permission denied", "evidence/secret"))

    monkeypatch.setattr(os, "walk", refuse)
    with pytest.raises(ParameterError, match=r"`evidence` of .* cannot be looked at: .*Permission denied"):
        ingest(workspace)


def test_ingest_is_not_caught_in_a_loop_of_links(workspace, document):
    evidence = workspace.root / "evidence"
    (evidence / "export").write_bytes(document(1))
    (evidence / "again").symlink_to(evidence)
    (evidence / "self").symlink_to("self")
    assert [source.source for source in ingest(workspace).sources] == ["evidence/export"]
    (workspace.root / "prodintel.yaml").write_text("name: x\nsources:\n  - path: evidence/self\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"`evidence/self` of .* names no file"):
        ingest(open_workspace(workspace.root))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: \xff\xfe\n", "cannot be read|is not YAML"),
        (b"- " * 100_000, "is nested deeper than 50"),
        (b"name: x\n? {}\n: y\n", "is not YAML|Keys should be strings"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nname: *b\n", r"line \d: `name`"),
    ],
)
def test_configuration_that_cannot_be_is_named(workspace, content, message):
    (workspace.root / "prodintel.yaml").write_bytes(content)
    with pytest.raises(ParameterError, match=message):
        open_workspace(workspace.root)
