import pytest

from prodintel_lib.analyses.stack_traces.headers import MAX_MESSAGE_CHARS, read_headers, split_header


@pytest.mark.parametrize(
    ("lines", "links"),
    [
        (["a.b.C: gone"], [("a.b.C", "gone")]),
        (['Exception in thread "main" java.lang.Error'], [("java.lang.Error", "")]),
        (["Caused by: a.B: x"], [("a.B", "x")]),
        (["Uncaught (in promise) TypeError: x"], [("TypeError", "x")]),
        (["Error [ERR_X]: y {"], [("Error", "y")]),
        (["2025-09-29 ERROR request failed", "a.E: x"], [("a.E", "x")]),
        (["worker failed: java.io.IOException: closed"], [("java.io.IOException", "closed")]),
        (["a.E: one", "Detail: two", "three"], [("a.E", "one Detail: two three")]),
        (["a.E: x ---> b.F: y ---> c.G"], [("a.E", "x"), ("b.F", "y"), ("c.G", "")]),
        (["a.E: x", "---> b.F: y", "---> c.G: z"], [("a.E", "x"), ("b.F", "y"), ("c.G", "z")]),
        (["a.E: failed; nested exception is b.F: y"], [("a.E", "failed"), ("b.F", "y")]),
        (["order failed", "Detail: none"], []),
        ([], []),
    ],
)
def test_read_headers_reads_class_message_and_chain(lines, links):
    assert [(link.error_type, link.message) for link in read_headers(lines)] == links


@pytest.mark.parametrize(
    ("header", "parts"),
    [("KeyError: 'x'", ("KeyError", "'x'")), ("a.<locals>.E: x: y", ("a.<locals>.E", "x: y")), ("two words: x", ("", "two words: x"))],
)  # fmt: skip
def test_split_header_splits_at_the_first_colon(header, parts):
    assert split_header(header) == parts


def test_split_header_keeps_messages_short():
    assert len(split_header("E: " + "x" * 10_000)[1]) == MAX_MESSAGE_CHARS
