import polars as pl

from prodintel_lib.analyses.causes.errors import ErrorText, find_mentions, read_error_texts
from prodintel_lib.rollups.log_events import LOG_EVENTS_SCHEMA
from prodintel_lib.windows import Window

S = 1_000_000
SPAN, WINDOW = Window(0, 200 * S), Window(100 * S, 200 * S)


def event(at_s, rows, *, service="pay", level="error", shape="no <n>", example="no 7", **more):
    return {
        "bucket_us": at_s * S, "service_name": service, "level": level, "shape": shape, "rows": rows, "messages": 1,
        "first_us": at_s * S, "example": example, **more,
    }  # fmt: skip


def read(*events):
    return read_error_texts(pl.DataFrame(events, schema=LOG_EVENTS_SCHEMA), None, window=WINDOW, span=SPAN)


def text(example, *, service="shop", detail="", rows=1, messages=1, shape="s"):
    return ErrorText(service, "error", shape, example, detail, rows, messages, 0)


def test_read_error_texts_takes_what_is_new_or_three_times_as_frequent():
    found = read(
        event(120, 9, shape="new"),
        event(50, 1, shape="rare"), event(130, 3, shape="rare"),
        event(50, 2, shape="usual"), event(130, 4, shape="usual"),
        event(150, 2, shape="soft", level="warning"),
        event(150, 50, shape="said", level="info"),
    )  # fmt: skip
    assert [(one.shape, one.level, one.rows) for one in found] == [
        ("new", "error", 9),
        ("rare", "error", 3),
        ("soft", "warning", 2),
    ]


def test_read_error_texts_sees_the_same_values_again_and_again():
    found = read(event(110, 4), event(120, 4), event(110, 8, shape="bad <n>", messages=8))
    assert {one.shape: (one.rows, one.repeats_itself) for one in found} == {"no <n>": (8, True), "bad <n>": (8, False)}


def test_read_error_texts_reads_spans_too():
    spans = pl.DataFrame(
        {
            "time_us": [150 * S], "service_name": ["pay"], "error_type": ["KeyError"], "exception_message": ["no 7"],
            "status_message": [None],
        }
    )  # fmt: skip
    [found] = read_error_texts(None, spans, window=WINDOW, span=SPAN)
    assert (found.service, found.shape, found.detail) == ("pay", "no <n>", "KeyError")


def test_read_error_texts_takes_the_stack_of_spans_where_it_was_read():
    spans = pl.DataFrame(
        {
            "time_us": [150 * S], "service_name": ["pay"], "error_type": ["NullPointerException"],
            "exception_message": ["no rate"], "status_message": [None],
            "exception_stacktrace": ["java.lang.NullPointerException\n\tat com.shop.Tax.price(Tax.java:42)"],
        }
    )  # fmt: skip
    [found] = read_error_texts(None, spans, window=WINDOW, span=SPAN)
    assert (found.detail, found.stack.count("\n")) == ("NullPointerException", 1)
    assert found.files == ("com/shop/Tax.java",)


def test_error_text_reads_no_host_out_of_source_code():
    said = ErrorText("pay", "error", "s", "no rate", "", 1, 1, 0, '  File "a.py", line 3\n    to (request.args.get)')
    assert said.files == ("a.py",)
    assert said.hosts == frozenset()
    assert ErrorText("pay", "error", "s", "no rate", said.stack, 1, 1, 0).hosts == {"request.args.get"}


def test_error_text_names_files_of_any_language_and_hosts_that_were_called():
    said = text(
        "boom", detail='at svc/pay/charge.go:42\nFile "app/a.py", line 3\n"upstream.host": "api.bank.example.com"'
    )
    assert said.files == ("svc/pay/charge.go", "app/a.py")
    assert said.hosts == {"api.bank.example.com"}
    assert text("POST https://api.bank.com/v1 returned 503").hosts == {"api.bank.com"}
    assert text("timeout (Background on this error at: https://docs.orm.org/e/1)").hosts == frozenset()


def test_find_mentions_wants_trouble_beside_the_name():
    texts = [
        text("upstream cart-service timed out"),
        text("sold a cart"),
        text("cartService unavailable", service="web"),
    ]
    assert find_mentions(texts, ["cart-service", "shop", "pay"]) == {("shop", "cart-service"), ("web", "cart-service")}


def test_find_mentions_takes_the_words_of_a_status_for_no_name():
    said = [text("Bad Gateway: pay answered 502"), text("504 Gateway Timeout", service="pay")]
    assert find_mentions(said, ["gateway", "pay", "shop"]) == {("shop", "pay")}


def test_find_mentions_reads_that_nobody_is_there_to_answer():
    said = [text("IllegalStateException: No instances available for cart-service"), text("no healthy upstream: pay")]
    assert find_mentions(said, ["cart-service", "pay"]) == {("shop", "cart-service"), ("shop", "pay")}
