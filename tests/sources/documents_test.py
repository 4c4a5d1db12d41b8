import gzip

import orjson
import pytest

from prodintel_lib.sources import documents
from prodintel_lib.sources.decompress import ByteStream
from prodintel_lib.sources.documents import read_documents, split_lines
from prodintel_lib.sources.model import Rejected


def pretty(value):
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def test_split_lines_numbers_lines_across_blocks():
    assert list(split_lines([b"on", b"e\ntwo\n\nfo", b"ur"])) == [(1, b"one"), (2, b"two"), (3, b""), (4, b"four")]


def test_split_lines_drops_the_byte_order_mark():
    assert list(split_lines([b"\xef\xbb\xbf{}\n"])) == [(1, b"{}")]


def test_split_lines_bounds_a_line_that_never_ends(monkeypatch):
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 10)
    lines = list(split_lines([b"a" * 8, b"b" * 8, b"c" * 8, b"\nnext\n"]))
    assert lines == [(1, b"a" * 8 + b"b" * 8), (2, b"next")]


def test_read_documents_takes_a_document_a_line(stream):
    assert list(read_documents(stream({"a": 1}, b"", {"b": 2}))) == [(1, {"a": 1}), (3, {"b": 2})]


def test_read_documents_takes_a_pretty_printed_document(stream):
    value = {"a": [{"b": "}{"}, {"c": '\\"['}]}
    assert list(read_documents(stream(pretty(value)))) == [(1, value)]


def test_read_documents_takes_pretty_printed_documents_after_each_other(stream):
    first, second = {"a": {"x": 1}}, {"b": [1, 2]}
    assert list(read_documents(stream(pretty(first), pretty(second)))) == [(1, first), (6, second)]


@pytest.mark.parametrize(
    "text", [b'[{"a":1},{"b":2}]', b'[\n{"a":1},\n{"b":2}\n]', b'[{"a":1},\n{"b":2}]'], ids=["line", "rows", "mixed"]
)
def test_read_documents_takes_the_elements_of_an_array(stream, text):
    assert list(read_documents(stream(text))) == [(1, {"a": 1}), (1, {"b": 2})]


def test_read_documents_rejects_a_broken_line_and_goes_on(stream):
    found = list(read_documents(stream({"a": 1}, b'{"b": "cut', {"c": 3})))
    assert found == [(1, {"a": 1}), (2, Rejected("not valid JSON", 2, '{"b": "cut')), (3, {"c": 3})]


def test_read_documents_rejects_what_is_no_json_at_once(stream):
    found = list(read_documents(stream(b"2025-09-29 ERROR no", b"way", {"a": 1})))
    assert [(line, getattr(item, "reason", item)) for line, item in found] == [
        (1, "not valid JSON"),
        (2, "not valid JSON"),
        (3, {"a": 1}),
    ]


def test_read_documents_rejects_an_unfinished_document_as_one(stream):
    found = list(read_documents(stream(b'{\n  "a": [\n    1,\n    2\n')))
    assert [(line, item.reason) for line, item in found] == [(1, "not valid JSON")]


def test_read_documents_gives_the_damage_as_the_reason(tmp_path):
    path = tmp_path / "export"
    lines = b"".join(orjson.dumps({"n": number, "pad": str(number) * 7}) + b"\n" for number in range(20_000))
    whole = gzip.compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    *good, (last_line, last) = read_documents(ByteStream(path))
    assert [value["n"] for _, value in good] == list(range(len(good)))
    assert len(good) > 5000
    assert (last.reason, last_line) == ("truncated gzip data", len(good) + 1)


def test_read_documents_rejects_a_line_that_is_too_long(stream, monkeypatch):
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 30)
    found = list(read_documents(stream(b'{"a": "' + b"x" * 50 + b'"}', {"b": 2})))
    assert [(line, getattr(item, "reason", item)) for line, item in found] == [(1, "line too long"), (2, {"b": 2})]
