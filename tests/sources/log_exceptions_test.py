"""Exceptions out of the text of records, in the seven languages."""

import pytest

from prodintel_lib.sources.log_exceptions import find_exception

PYTHON = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nshop.NoStock: none left'
CHAINED = (
    'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 7\n\n'
    "During handling of the above exception, another exception occurred:\n\n"
    'Traceback (most recent call last):\n  File "b.py", line 2, in g\nValueError: bad: 7\nmore of it'
)
JAVA = (
    "java.lang.IllegalStateException: cart: empty\n\tat com.shop.Pay.charge(Pay.java:12)\n"
    "Caused by: java.io.IOException: x\n\t... 12 more"
)
DOTNET = "System.InvalidOperationException: no\n   at Shop.Pay.Charge() in /src/Pay.cs:line 3"
JS = "TypeError: Cannot read properties of undefined (reading 'id')\n    at pay (/app/shop.js:4:2)"
PHP = (
    "PHP Fatal error:  Uncaught App\\NoStock: none in a row in /app/a.php:12\nStack trace:\n"
    "#0 /app/b.php(3): f()\n#1 {main}\n  thrown in /app/a.php on line 12"
)
LARAVEL = 'local.ERROR: no {"exception":"[object] (RuntimeException(code: 0): no at /app/a.php:3)\n[stacktrace]\n#0 x'
GO = "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/a.go:12 +0x1d"
RUBY = "app.rb:3:in `charge': no stock (Shop::NoStock)\n\tfrom app.rb:9:in `<main>'"


@pytest.mark.parametrize(
    ("text", "error_type", "message"),
    [
        (PYTHON, "shop.NoStock", "none left"),
        (CHAINED, "ValueError", "bad: 7"),
        (JAVA, "java.lang.IllegalStateException", "cart: empty"),
        (DOTNET, "System.InvalidOperationException", "no"),
        (JS, "TypeError", "Cannot read properties of undefined (reading 'id')"),
        (PHP, "App\\NoStock", "none in a row"),
        (LARAVEL, "RuntimeException", "no"),
        (GO, "panic", "runtime error: index out of range [3]"),
        (RUBY, "Shop::NoStock", "no stock"),
        ("Traceback (most recent call last):\n  File x\nKeyboardInterrupt", "KeyboardInterrupt", None),
    ],
    ids=["python", "chained", "java", "dotnet", "js", "php", "laravel", "go", "ruby", "bare"],
)
def test_find_exception_names_type_and_message(text, error_type, message):
    found = find_exception(text)
    assert (found.error_type, found.message) == (error_type, message)
    assert text.endswith(found.stacktrace)


@pytest.mark.parametrize("trace", [PYTHON, CHAINED, JAVA, DOTNET, JS, PHP, GO, RUBY])
def test_find_exception_parts_the_message_from_the_trace(trace):
    found = find_exception(f"charging order 7 failed\n{trace}")
    assert (found.body, found.stacktrace) == ("charging order 7 failed", trace)


def test_find_exception_takes_the_exception_s_own_line_where_nothing_else_was_logged():
    assert find_exception(JAVA).body == "java.lang.IllegalStateException: cart: empty"


def test_find_exception_takes_a_type_out_of_prose_right_above_the_frames():
    found = find_exception("Request failed: com.shop.PayException: no\n\tat com.shop.Pay.charge(Pay.java:12)")
    assert (found.error_type, found.message) == ("com.shop.PayException", "no")


def test_find_exception_reads_php_s_uncaught_error_on_one_line():
    found = find_exception("PHP Fatal error:  Uncaught TypeError: no in /app/a.php:12")
    assert (found.error_type, found.message) == ("TypeError", "no")


@pytest.mark.parametrize(
    "text",
    ["", "all well", "two\nlines", "list:\n  at home\n  at work", "#0 first\n#1 second", "Traceback (most recent call last):\n"],
)  # fmt: skip
def test_find_exception_finds_none_where_there_is_no_trace(text):
    assert find_exception(text) is None


def test_find_exception_is_not_slow_on_a_hostile_text():
    text = "a." * 200_000 + "\n" + "    at " + "(" * 200_000
    assert find_exception(text) is None
