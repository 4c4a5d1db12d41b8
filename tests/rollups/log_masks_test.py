import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.engines import collect, scan_parquet
from prodintel_lib.rollups.log_masks import LINE_CHARS, clean_line, mask_message


def cleaned(*messages):
    frame = nw.from_native(pl.DataFrame({"body": messages}, schema={"body": pl.String()}))
    return frame.select(clean_line(nw.col("body"))).to_native()["body"].to_list()


def shapes(*messages):
    frame = nw.from_native(pl.DataFrame({"body": messages}, schema={"body": pl.String()}))
    return frame.select(mask_message(nw.col("body"))).to_native()["body"].to_list()


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("paid 12", "paid <*>"),
        ("paid -12.50, 1,234,567 left.", "paid <*>, <*> left."),
        ("took 5.", "took <*>."),
        ("blk_-77 stored", "<*> stored"),
        ("node-246 and core.2275", "<*> and <*>"),
        ("0x1f00 at 4ebe0420-ba70-4d15-b63c-18f3a6bba9ce", "<*> at <*>"),
        ("from /10.0.0.7:443 to 10.0.0.8", "from <*> to <*>"),
        ("src fe80::1:2:3:4 mac 00:1a:2B:3c:4d:5e up", "src <*> mac <*> up"),
        ("open https://shop.example/o/x?y=z, then", "open <*>, then"),
        ("mail ann.lee@shop.example sent", "mail <*> sent"),
        ("to db.internal:5432 refused", "to <*> refused"),
        ("read /var/log/app and C:\\Windows\\sys.dll", "read <*> and <*>"),
        ("run ./tool or ~/bin/x", "run <*> or <*>"),
        ("read and/or write", "read and/or write"),
        ("at 2026-11-21T10:00:00.123Z on Sat Nov 21 10:00:00 2026", "at <*> on <*>"),
        ("lasted 00:01:02,500 until", "lasted <*> until"),
        ("HTTP/1.1 says <*> literally", "<*> says <*> literally"),
        ("nothing varies here", "nothing varies here"),
        ("", ""),
        (None, ""),
    ],
)
def test_mask_message_masks_what_varies(message, shape):
    assert shapes(message) == [shape]


def test_clean_line_keeps_the_first_line_that_says_something():
    assert cleaned("\n\n  boom  now\t!\r\n at a.py\nmore", " \t\n ") == ["boom now !", ""]


def test_clean_line_makes_control_characters_blanks_and_sets_leaders_apart():
    assert cleaned("a\x00b\x7fc", "enabled.....0", "wait...") == ["a b c", "enabled ... 0", "wait ..."]


def test_clean_line_leaves_out_the_word_a_cut_goes_through():
    assert cleaned("x " * (LINE_CHARS // 2 - 1) + "abcdef") == [("x " * (LINE_CHARS // 2 - 1)).strip()]
    assert cleaned("y" * (LINE_CHARS + 5)) == ["y" * LINE_CHARS]


def test_clean_line_keeps_a_line_of_exactly_the_length():
    line = "x " * (LINE_CHARS // 2 - 1) + "ab"
    assert len(line) == LINE_CHARS
    assert cleaned(line) == [line]


def test_mask_message_is_bounded_for_a_line_of_a_megabyte():
    assert shapes("7 " * 500_000) == [("<*> " * (LINE_CHARS // 2)).strip()]


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_mask_message_is_the_same_on_every_engine(engine, tmp_path, needs, needs_program):
    if engine == "spark":
        needs("pyspark")
        needs_program("java")
    hostile = [
        "é123 über 5",
        "a\x00b 7",
        "\u2028 a 3",
        "a\u00a05",
        "\x85 1",
        "x" * 5000,
        "1 " * 3000,
        "",
        None,
        "  ",
        "\n5\n6",
    ]
    said = [
        "paid 12 at 10:00:00",
        "C:\\a\\b1",
        "ann@x.example",
        "a=b/c/d?e=1",
        "fe80::1:2:3:4",
        "$1 ${2} \\1",
        *hostile,
    ]
    pl.DataFrame({"body": said}, schema={"body": pl.String()}).write_parquet(tmp_path / "said.parquet")

    def on(name):
        lazy = scan_parquet([tmp_path / "said.parquet"], schema={"body": pl.String()}, engine=name)
        with_shape = lazy.with_columns(mask_message(nw.col("body")).alias("shape"))
        return collect(with_shape, schema={"body": pl.String(), "shape": pl.String()}, sort_by=["body"])

    assert on(engine).rows() == on("polars").rows()
