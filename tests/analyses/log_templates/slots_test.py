import pytest

from prodintel_lib.analyses.log_templates.settling import split_tokens
from prodintel_lib.analyses.log_templates.slots import MAX_EXAMPLES, Slot, find_kind, find_slots, render_template


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12", "number"),
        ("-1.5", "number"),
        ("99.5%", "percent"),
        ("384.0 B", "size"),
        ("1301 bytes (1.27 KB)", "size"),
        ("<1 sec", "duration"),
        ("250ms", "duration"),
        ("2026-11-21T10:00:00Z", "time"),
        ("10:00:01,5", "time"),
        ("/10.0.0.7:443", "ip"),
        ("00:1a:2b:3c:4d:5e", "mac"),
        ("fe80::1:2:3:4", "ip"),
        ("4ebe0420-ba70-4d15-b63c-18f3a6bba9ce", "uuid"),
        ("0x1f", "hex"),
        ("https://shop.example/x", "url"),
        ("ann@shop.example", "email"),
        ("/var/log", "path"),
        ("db.internal:5432", "host"),
        ("org.apache.Foo", "name"),
        ("blk_77", "id"),
        ("root", "word"),
        ("two words", "text"),
        ("a, b", "list"),
        ("", "*"),
    ],
)
def test_find_kind_names_the_kind_of_a_value(value, kind):
    assert find_kind(value) == kind


def slots(template, *lines):
    return find_slots(split_tokens(template), lines)


def test_find_slots_gives_values_as_they_came():
    assert slots("paid <*> to <*> today", "paid 12 to ann today", "paid 7 to bob today") == (
        Slot(0, "number", "", ("12", "7")),
        Slot(1, "word", "", ("ann", "bob")),
    )


def test_find_slots_mixes_no_kinds():
    assert slots("to <*>", "to 7", "to ann") == (Slot(0, "*", "", ("7", "ann")),)


def test_find_slots_sets_apart_what_all_values_begin_with():
    assert slots("got <*> now", "got blk_12 now", "got blk_-7 now") == (
        Slot(0, "number", "blk_", ("blk_-7", "blk_12")),
    )
    assert slots("got <*> now", "got blk_12 now") == (Slot(0, "id", "", ("blk_12",)),)


def test_find_slots_names_each_of_several_values():
    assert slots("GET <*>", "GET /a/b 200 12ms")[0].kind == "path number duration"


def test_find_slots_leaves_out_lines_that_do_not_fit():
    assert slots("paid <*> to", "refused 7 to", "paid 7 from") == (Slot(0, "*", "", ()),)


def test_find_slots_keeps_few_examples():
    assert len(slots("no <*>", *(f"no {n}" for n in range(50)))[0].examples) == MAX_EXAMPLES


def test_render_template_puts_kinds_in_place():
    tokens = split_tokens("<*> got <*>: <*>")
    found = [Slot(0, "ip", "", ()), Slot(1, "number", "blk_", ()), Slot(2, "path number", "", ())]
    assert render_template(tokens, found) == "<ip> got blk_<number>: <path> <number>"
