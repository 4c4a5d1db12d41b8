import polars as pl
import pytest

from prodintel_lib.analyses.stack_traces import group_stacks, grouping, read_trace
from prodintel_lib.errors import MissingColumnsError, ParameterError


def java(*functions, error="a.E", line=1):
    return f"{error}: x {line}\n" + "".join(f"\tat com.shop.A.{name}(A.java:{line})\n" for name in functions)


def frame_of(*texts, **columns):
    return pl.DataFrame({"stacktrace": list(texts), **columns}, schema_overrides={"stacktrace": pl.String})


def test_group_stacks_puts_a_defect_of_all_releases_into_one_group():
    moved = [java("f", "g", line=line) for line in (1, 7, 9)]
    groups = group_stacks(frame_of(*moved, java("h", "g"), moved[0], error_type=["a.E"] * 5))
    assert groups.rows == 5
    assert groups.frame.select("exception", "top_frame", "is_in_app", "rows", "traces", "parts").rows() == [
        ("a.E", "com.shop.A.f A.java", True, 4, 3, 0), ("a.E", "com.shop.A.h A.java", True, 1, 1, 0),
    ]  # fmt: skip
    assert groups.frame["frames"][0].to_list()[0] == {
        "function": "com.shop.A.f", "path": "com/shop/A.java", "line": 1, "in_app": True,
    }  # fmt: skip


def test_group_stacks_weighs_rows_and_reads_each_text_once(monkeypatch):
    read = []
    whole = grouping.read_trace
    monkeypatch.setattr(grouping, "read_trace", lambda text, **options: read.append(text) or whole(text, **options))
    texts = [java("f"), java("g")] * 50
    groups = group_stacks(frame_of(*texts, rows=[3, 1] * 50))
    assert groups.frame["rows"].to_list() == [150, 50]
    assert sorted(read) == sorted({java("f"), java("g")})


def test_group_stacks_ids_do_not_depend_on_order_or_number():
    texts = [java("f", "g"), java("f"), java("h"), java("f", "g", error="a.F")]
    ids = dict(zip(texts, group_stacks(frame_of(*texts)).assign(frame_of(*texts))["stack_id"], strict=True))
    again = frame_of(*reversed(texts), *texts)
    assert dict(zip(again["stacktrace"], group_stacks(again).assign(again)["stack_id"], strict=True)) == ids
    assert len(set(ids.values())) == 3


def test_group_stacks_joins_parts_and_says_so():
    cut = java("f", "g")[: -len("(A.java:1)\n") - 3]
    groups = group_stacks(frame_of(java("f", "g", "h"), cut))
    assert groups.frame.select("rows", "traces", "parts").rows() == [(2, 2, 1)]
    assert groups.assignments.sort("is_part")["is_part"].to_list() == [False, True]
    assert groups.assignments["fingerprint"].n_unique() == 2


def test_group_stacks_shows_a_whole_trace_though_parts_are_more_frequent():
    part = "\tat com.shop.A.f(A.java:1)\n\tat com.shop.A.g(A.java:1)"
    groups = group_stacks(frame_of(java("f", "g", "h"), f"a.E: part\n{part}", rows=[1, 9]))
    assert groups.frame.select("message", "rows").rows() == [("x 1", 10)]


def test_group_stacks_says_nothing_of_texts_without_a_trace():
    groups = group_stacks(frame_of("order failed", None, java("f"), error_type=["a.E", None, None]))
    assert groups.assignments.sort("stacktrace", nulls_last=True)["stack_id"].is_null().to_list() == [False, True, True]
    assert (groups.rows, groups.frame["rows"].sum()) == (3, 1)
    nothing = group_stacks(frame_of("order failed"))
    assert nothing.frame.is_empty()
    assert nothing._repr_html_() == '<p class="say">None of 1 records holds a stack trace.</p>'


@pytest.mark.parametrize(
    "text",
    [
        'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in f\nKeyError: 1',
        '{"stack": "Traceback (most recent call last):\\n  File \\"/srv/a.py\\", line 1, in f\\nKeyError: 1"}',
        "a.E: x\n\tat com.shop.A$$Lambda$14.f(Unknown Source)",
        "a.E: x\\n\\tat com.shop.A.f(A.java:1)\\n\\tat com.shop.A.g(A.java:2)",
        "a.E: x\\n\\tat com.shop.A.f(Native Method)\\n\\tat com.shop.A.g(Native Method)",
        "Error: x\n    at f (/srv/page:1:2)",
        "Error: x\n    at https://shop.example/checkout:1:2",
        "f@https://shop.example/checkout:1:2",
        "System.E: x\n   at Acme.Tax.Price()",
        "panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x1",
        "E: x in /a.php:3\n#0 [internal function]: f()\n#1 {main}",
        "E: x\n#0 /a.inc(3): f()\n#1 /a.php(3): g()",
        "/srv/a.rb:1:in `f': x (E)",
        "services/pay/charge.go:118 Charge.read",
        "lib/tax.ex(3)",
    ],
)
def test_group_stacks_passes_over_no_text_that_holds_a_frame(text):
    assert read_trace(text).frames
    assert group_stacks(frame_of(text)).assignments["stack_id"].null_count() == 0


def test_group_stacks_takes_the_recorded_class_into_account():
    bare = "total@https://shop.example/cart.js:1:2"
    groups = group_stacks(frame_of(bare, bare, error_type=["TypeError", "RangeError"]))
    assert groups.frame["exception"].sort().to_list() == ["RangeError", "TypeError"]


def test_group_stacks_keeps_the_ids_it_is_told():
    before = group_stacks(frame_of(java("f", "g")))
    [[old]] = before.frame.select("stack_id").rows()
    longer = frame_of(java("f", "g"), java("f", "g", "h"))
    assert group_stacks(longer).frame["stack_id"].to_list() != [old]
    assert group_stacks(longer, known=before.known).frame["stack_id"].to_list() == [old]


def test_group_stacks_reports_the_root_cause_and_what_wraps_it():
    text = "b.Outer: x\n\tat com.shop.A.g(A.java:1)\nCaused by: a.E: y\n\tat com.shop.A.f(A.java:1)\n\t... 1 more\n"
    groups = group_stacks(frame_of(text, java("f", "g")))
    assert groups.frame.select("exception", "wrapped_in", "rows").rows() == [("a.E", "b.Outer", 2)]


def test_group_stacks_takes_own_packages():
    text = "a.E: x\n\tat org.apache.hadoop.ipc.Client.call(Client.java:1)"
    assert group_stacks(frame_of(text)).frame["is_in_app"].to_list() == [False]
    assert group_stacks(frame_of(text), own=["org.apache.hadoop"]).frame["is_in_app"].to_list() == [True]


def test_group_stacks_names_the_column_it_lacks():
    with pytest.raises(MissingColumnsError, match="needs column `stacktrace`; it has column `stack`"):
        group_stacks(pl.DataFrame({"stack": ["x"]}))


def test_assign_keeps_order_and_rows():
    records = frame_of(java("g"), None, java("f"), java("g"), n=[0, 1, 2, 3])
    assigned = group_stacks(records).assign(records)
    assert assigned["n"].to_list() == [0, 1, 2, 3]
    assert assigned["stack_id"][0] == assigned["stack_id"][3] != assigned["stack_id"][2]
    assert assigned["stack_id"][1] is None


def test_group_refuses_an_unknown_id():
    groups = group_stacks(frame_of(java("f")))
    assert groups.group(groups.frame["stack_id"][0])["exception"] == "a.E"
    with pytest.raises(ParameterError, match="Unknown stack group `ST-0`"):
        groups.group("ST-0")


def test_repr_html_escapes_what_came_and_folds_the_frames():
    hostile = "Error: <script>alert(1)</script>\n    at <img src=x> (/srv/<b>/a.js:1:2)\n    at f (/srv/node_modules/<b>.js:3:4)"
    made = group_stacks(frame_of(hostile))._repr_html_()
    assert "<script>" not in made
    assert "<img" not in made
    assert "<b>" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert "<details><summary>2 frames, 1 own</summary><ol><li>&lt;img src=x&gt; /srv/&lt;b&gt;/a.js:1 " in made
    assert "1 of 1 groups; 1 of 1 records hold a stack trace. 0 of 1 texts lack a part" in made
