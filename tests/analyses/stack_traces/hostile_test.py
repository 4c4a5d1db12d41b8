"""Texts that are large, endless or made to be slow: a pattern that is not linear would run into the test's time limit."""

import polars as pl
import pytest

from prodintel_lib.analyses.stack_traces import group_stacks, read_trace
from prodintel_lib.analyses.stack_traces.frames import MAX_LINE_LENGTH

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("at " + "a" * MEGABYTE, 0),
        ("Traceback (most recent call last)\n" + "at " * (MEGABYTE // 3), 0),
        ("at " + "a." * (MEGABYTE // 2) + "b(", 0),
        ("\n".join(["at " + "(" * 990] * 1000), 0),
        ("\n".join(["at " + " " * 990 + "x"] * 1000), 0),
        ("\n".join(["at f" + " (a" * 330] * 1000), 0),
        ("\n".join(["aError " * 140] * 1000 + ["\tat a.B.c(D.java:1)"]), 1),
        ("\n".join(["A" * 300 + ".Error" * 100 + "!"] * 1000 + ["\tat a.B.c(D.java:1)"]), 1),
        ("x in " * (MEGABYTE // 5) + "\n#0 /a.php(1): f()", 1),
        ("\n".join(["/a.rb:1:in 'f': " + "(A" * 150] * 1000), 1),
        ('{"a":' * (MEGABYTE // 10) + "1" + "}" * (MEGABYTE // 10), 0),
        ("x\\n" * (MEGABYTE // 3), 0),
        ("at " * 330 + "\n" + "\n".join(f"Caused by: a.E{at}: x\n\tat a.B.c(B.java:1)\n\t... 9 more" for at in range(20_000)), 10),
        ("\x00\ud800\n\tat a.B.c(D.java:1)\n\u2028at", 1),
    ],
    ids=["letters", "ats", "dots", "brackets", "blanks", "places", "classes", "dotted", "php", "ruby", "json", "escaped",
         "chain", "surrogates"],
)  # fmt: skip
def test_read_trace_of_hostile_texts_reads_what_is_there(text, frames):
    assert len(read_trace(text).frames) == frames


def test_read_trace_does_not_read_beyond_the_end_of_a_line():
    text = "a.E: x\n\tat com.shop.A." + "f" * MAX_LINE_LENGTH + "(A.java:1)\n\tat com.shop.A.g(A.java:2)"
    assert [frame.function for frame in read_trace(text).frames] == ["com.shop.A.g"]


def test_group_stacks_of_surrogates_and_controls_gives_an_id():
    frame = pl.DataFrame(
        {"stacktrace": ["\x00E\x1b[31m\n\tat com.shop.\u00c4.f(\u00c4.java:1)\n\tat \u202ea.B.c(B.java:2)"]}
    )
    assert group_stacks(frame).frame["top_frame"].to_list() == ["com.shop.\u00c4.f \u00c4.java"]
