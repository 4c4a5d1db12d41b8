import polars as pl
import pytest

from prodintel_lib.analyses.log_errors import find_first_logged_errors, group_log_errors, mark_failed_by_logs
from prodintel_lib.analyses.messages import find_error_class, find_error_text, mask_message
from prodintel_lib.windows import US_PER_S, Window

MINUTE_US = 60 * US_PER_S


def test_mark_failed_by_logs_counts_only_requests_of_which_no_span_says_how_they_ended():
    requests = pl.DataFrame(
        [
            ("a", False, None, None),
            ("b", False, "unset", None),
            ("c", False, "ok", None),
            ("d", False, "unset", 200),
            ("e", True, "error", None),
            ("f", False, None, None),
        ],
        schema=["trace_id", "failed", "status_code", "http_response_status_code"],
        orient="row",
    )
    marked = mark_failed_by_logs(requests, pl.DataFrame({"trace_id": ["a", "b", "c", "d", "e"]}))
    assert marked["failed_by_logs"].to_list() == [True, True, False, False, False, False]
    assert marked["failed"].to_list() == [True, True, False, False, True, False]


def test_mark_failed_by_logs_without_logs_changes_nothing():
    requests = pl.DataFrame(
        {"trace_id": ["a"], "failed": [False], "status_code": [None], "http_response_status_code": [None]},
        schema_overrides={"status_code": pl.String, "http_response_status_code": pl.Int64},
    )
    marked = mark_failed_by_logs(requests, pl.DataFrame(schema={"trace_id": pl.String}))
    assert marked.select("failed", "failed_by_logs").rows() == [(False, False)]


def events(*rows):
    schema = ["minute", "service_name", "level", "shape", "rows", "example", "example_error_type"]
    frame = pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None).cast(
        {"example_error_type": pl.String}
    )
    return frame.with_columns(
        (pl.col("minute") * MINUTE_US).alias("bucket_us"), (pl.col("minute") * MINUTE_US + 7).alias("first_us")
    ).drop("minute")


def test_group_log_errors_puts_first_what_grew_the_most():
    found = group_log_errors(
        events(
            (0, "pay", "error", "always", 10, "always", None),
            (1, "pay", "error", "always", 10, "always", None),
            (2, "pay", "error", "always", 12, "always", None),
            (2, "pay", "error", "<n> ERROR lost <n>", 5, "7 ERROR lost 4: a.b.LostError: gone", None),
            (3, "pay", "error", "<n> ERROR lost <n>", 3, "8 ERROR lost 5: a.b.LostError: gone", None),
            (3, "pay", "warning", "slow", 50, "slow", None),
            (4, "pay", "error", "late", 50, "late", None),
        ),
        window=Window(2 * MINUTE_US, 4 * MINUTE_US),
        baseline=Window(0, 2 * MINUTE_US),
    )
    assert found.select("error_type", "message", "rows", "baseline_rows", "first_us", "per_minute").rows() == [
        ("a.b.LostError", "lost <n>", 8, 0, 2 * MINUTE_US + 7, 4.0),
        (None, "always", 12, 20, 2 * MINUTE_US + 7, 6.0),
    ]


def test_find_first_logged_errors_says_what_follows_the_class():
    found = find_first_logged_errors(
        pl.DataFrame(
            {
                "trace_id": ["a", "b"],
                "service_name": ["pay", "web"],
                "error_type": [None, "Timeout"],
                "message": [
                    "10:00:00 ERROR failed; nested is java.lang.IllegalStateException: no seat 12",
                    "gave up\nat x",
                ],
            }
        )
    )
    assert found.rows() == [
        ("a", "pay", "java.lang.IllegalStateException", "no seat <n>"),
        ("b", "web", "Timeout", "gave up"),
    ]


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("2026-03-02T10:00:00.5Z [ERROR] order 4711 is gone", "order <n> is gone"),
        ("ERROR: not found", "not found"),
        ("3 items failed", "<n> items failed"),
        ("Tried nothing", "Tried nothing"),
        ("TraceID: 59be0f4821f453085b7d5ff70d507b1d SpanID: 87aa5b9178086bb4 lost", "lost"),
        ("at 0x7f3a of 59be0f48-21f4-5308-5b7d-5ff70d507b1d", "at <hex> of <id>"),
        ("first\nsecond", "first"),
    ],
)
def test_mask_message_keeps_what_is_said(message, masked):
    assert pl.select(mask_message(pl.lit(message))).item() == masked


def test_find_error_class_and_text_of_a_message_without_one():
    assert pl.select(find_error_class(pl.lit("an Error occurred, no exception"))).item() is None
    assert pl.select(find_error_text(pl.lit("no class here"))).item() == "no class here"
