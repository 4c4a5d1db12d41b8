import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors.patterns import find_frame, mask_message, name_patterns
from prodintel_lib.rollups.rum_errors import ERROR_TEXTS


def named(*rows):
    whole = [dict.fromkeys(ERROR_TEXTS, "") | row for row in rows]
    return name_patterns(pl.DataFrame(whole, schema=dict.fromkeys(ERROR_TEXTS, pl.String)))


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("Order 4711 of 'Ann' not found", "Order <n> of <value> not found"),
        ("no route to https://shop.example/o/4711?x=1, sorry", "no route to <url> sorry"),
        ("jane.doe@corp.example is taken", "<email> is taken"),
        ("\"bob\" isn't valid, don't", "<value> isn't valid, don't"),
        ("id 6fa459ea-ee8a-3ca4-894e-db77e160355e, ref 0x1f, key abc123def", "id <id>, ref <id>, key <id>"),
        ("took 1,200.5 ms  of\t3", "took <n> ms of <n>"),
        (
            "Cannot read properties of undefined (reading 'price')",
            "Cannot read properties of undefined (reading price)",
        ),
        ("undefined is not an object (evaluating 'p.price')", "undefined is not an object (evaluating p.price)"),
        ('can\'t access property "price", p is undefined', "can't access property price, p is undefined"),
        ("„Müller“ und «x» und `y`", "<value> und <value> und <value>"),
        ("x" * 500, "x" * 160),
    ],
)
def test_mask_message_masks_what_varies_and_keeps_the_programs_own_words(message, masked):
    assert pl.select(mask_message(pl.lit(message))).item() == masked


@pytest.mark.parametrize(
    ("stack", "frame"),
    [
        ("TypeError: x\n    at Cart.total (https://s.example/js/cart.4f9a1c2e7b.js?v=2:10:15)", "total cart.js"),
        ("total@https://s.example/js/cart.js:10:15\nglobal code@https://s.example/a.js:1:1", "total cart.js"),
        (
            "Error: x\n at f (chrome-extension://abc/x.js:1:2)\n    at async load (webpack://app/src/load.ts:1:2)",
            "load load.ts",
        ),
        ("    at Array.map (<anonymous>)\n    at new Basket (http://s.example/b.js:1:2)", "Basket b.js"),
        ("    at g (http://s.example/node_modules/lib/x.js:1:2)\n    at pay (http://s.example/p.js:1:2)", "pay p.js"),
        ("    at t (http://s.example/app.js:1:2)", "app.js"),
        ("    at http://s.example/product/4711:12:3", "page"),
        ("    at Foo.bar [as baz] (http://s.example/app.js:1:1)", "bar app.js"),
        ("no stack at all", ""),
        ("", ""),
    ],
)
def test_find_frame_names_the_sites_own_function_and_file(stack, frame):
    assert find_frame(stack) == frame


def test_name_patterns_gives_one_defect_one_id_in_every_browser_and_release():
    chrome, safari, later = named(
        {
            "error_source": "exception",
            "error_type": "TypeError",
            "exception_message": "Cannot read properties of undefined (reading 'price')",
            "exception_stacktrace": "    at renderPrice (http://s.example/cart.1a2b3c4d.js:3:4)",
        },
        {
            "error_source": "exception",
            "error_type": "TypeError",
            "exception_message": "undefined is not an object (evaluating 'p.price')",
            "exception_stacktrace": "renderPrice@http://s.example/cart.1a2b3c4d.js:3:4",
        },
        {
            "error_source": "exception",
            "exception_message": "Uncaught TypeError: Cannot read properties of undefined (reading 'price')",
            "exception_stacktrace": "    at renderPrice (http://s.example/cart.99ff00aa.js:30:1)",
        },
    )["pattern_id"]
    assert chrome == safari == later


def test_name_patterns_tells_apart_what_an_applications_own_words_tell_apart():
    stack = {"error_type": "Error", "exception_stacktrace": "    at request (http://s.example/api.js:3:4)"}
    ids = named(
        {**stack, "exception_message": "not logged in"},
        {**stack, "exception_message": "answered 503"},
        {**stack, "exception_message": "answered 502"},
    )["pattern_id"].to_list()
    assert ids[0] != ids[1] == ids[2]


def test_name_patterns_keeps_fields_and_validation_apart():
    required = {"exception_message": "Please fill in this field"}
    ids = named(
        {**required, "error_source": "validation", "field": "email"},
        {**required, "error_source": "validation", "field": "city"},
        {**required, "error_source": "console"},
        {**required, "error_source": "exception"},
    )["pattern_id"].to_list()
    assert len(set(ids[:3])) == 3
    assert ids[2] == ids[3]


def test_name_patterns_has_stable_ids():
    assert named({"error_type": "TypeError", "exception_message": "x"})["pattern_id"].to_list() == ["FE-a4d4d118bd"]


def test_name_patterns_reads_the_class_from_the_message_and_the_message_from_the_stack():
    row = named({"exception_stacktrace": "RangeError: too deep\n    at dive (http://s.example/a.js:1:1)"}).row(
        0, named=True
    )
    assert (row["error_type"], row["message"], row["frame"]) == ("RangeError", "too deep", "dive a.js")
