import re

import pytest

from prodintel_lib.analyses.stack_traces import StackFrame, read_trace
from prodintel_lib.analyses.stack_traces.keys import class_key, digest, file_name, frame_key, stack_keys


@pytest.mark.parametrize(
    ("language", "functions", "key"),
    [
        ("jvm", ["com.shop.Tax.price", "com.shop.Tax.lambda$price$0", "com.shop.Tax$$EnhancerBySpringCGLIB$$1f.price",
                 "com.shop.Tax$3.price", "com.shop.Tax$$SpringCGLIB$$0.price"], "com.shop.Tax.price"),
        ("jvm", ["com.shop.Tax$Rates.price"], "com.shop.Tax$Rates.price"),
        ("jvm", ["com.shop.App$.$anonfun$main$1", "com.shop.App$.$anonfun$main$12"], "com.shop.App$.main"),
        ("jvm", ["com.sun.proxy.$Proxy12.find", "com.sun.proxy.$Proxy9.find"], "com.sun.proxy.$Proxy.find"),
        ("jvm", ["com.shop.Tax$$Lambda$14/0x0000000800c03000.apply", "com.shop.Tax$$Lambda$2.apply"], "com.shop.Tax.apply"),
        ("dotnet", ["Acme.Tax.Price", "Acme.Tax.<Price>d__12.MoveNext", "Acme.Tax.<>c__DisplayClass5_0.<Price>b__0",
                    "Acme.Tax.<>c.<Price>b__1_2", "Acme.Tax.Price[T]"], "Acme.Tax.Price"),
        ("dotnet", ["Acme.Cache`2.Get", "Acme.Cache`1.Get"], "Acme.Cache.Get"),
        ("go", ["github.com/shop/pay.(*Client).Charge", "github.com/shop/pay.(*Client).Charge.func1",
                "github.com/shop/pay.(*Client).Charge.func2.1", "github.com/shop/pay.(*Client).Charge-fm"],
         "github.com/shop/pay.(*Client).Charge"),
        ("php", ["App\\Tax->{closure}", "App\\Tax->{closure:App\\Tax::price():33}"], "App\\Tax->{closure}"),
    ],
)  # fmt: skip
def test_frame_key_leaves_out_what_compilers_number(language, functions, key):
    assert {frame_key(StackFrame(function, "x/y.z"), language) for function in functions} == {key}


@pytest.mark.parametrize(
    ("language", "frames", "key"),
    [
        ("javascript", [("total", "/js/cart.js"), ("Cart.total", "/static/cart.4f9a1c2e7b.js"), ("new total", "/cart-DkR3x9aB.js"),
                        ("Object.total [as handler]", "/cart.v2.3.1.js"), ("async*total/<", "/src/cart.ts")], "total cart.js"),
        ("javascript", [("a", "/js/cart.js"), ("<anonymous>", "/js/cart.js"), ("", "/js/cart.js")], "cart.js"),
        ("python", [("price", "/srv/shop/tax.py"), ("price", "/releases/7/tax.py")], "price tax.py"),
        ("python", [("load", "/srv/shop/orders/__init__.py")], "load orders/__init__.py"),
        ("python", [("load", "/app/__init__.py"), ("load", "/srv/__init__.py")], "load __init__.py"),
        ("python", [("<listcomp>", "/srv/tax.py"), ("<genexpr>", "/srv/tax.py")], ""),
        ("ruby", [("price", "/a/tax.rb"), ("Tax#price", "/b/tax.rb"), ("block (2 levels) in Tax#price", "/b/tax.rb"),
                  ("rescue in price", "/b/tax.rb")], "price tax.rb"),
        ("other", [("shop::price::h0123456789abcdef", "./src/tax.rs"), ("shop::price::{{closure}}", "src/tax.rs")],
         "shop::price tax.rs"),
        ("php", [("price", "/var/www/tax.php")], "price tax.php"),
        ("php", [("{main}", "/var/www/index.php")], ""),
    ],
)  # fmt: skip
def test_frame_key_leaves_out_roots_and_hashes(language, frames, key):
    assert {frame_key(StackFrame(*frame), language) for frame in frames} == {key}


def test_frame_key_tells_functions_and_files_apart():
    keys = {frame_key(StackFrame(*frame), "python") for frame in (("f", "/a/b.py"), ("g", "/a/b.py"), ("f", "/a/c.py"))}
    assert len(keys) == 3
    assert frame_key(StackFrame("App.total", "/v/a.js"), "jvm") != frame_key(StackFrame("Api.total", "/v/a.js"), "jvm")


@pytest.mark.parametrize(
    ("path", "name"),
    [("<anonymous>", "<anonymous>"), ("/a/12.js", "chunk.js"), ("/a/3f9a1c2e7b.js", "chunk.js"), ("/a/index.mjs", "a/index.js"), ("/a/orders.vue", "orders.js"), ("", "")],
)  # fmt: skip
def test_file_name_keeps_what_names_a_file(path, name):
    assert file_name(path) == name


@pytest.mark.parametrize(
    ("error_type", "key"),
    [("java.util.concurrent.TimeoutException", "TimeoutException"), ("App\\NoRate", "NoRate"), ("a.B$C", "C"),
     ("runtime error: index out of range", "runtime error: index out of range"), ("ActiveRecord::NotFound", "NotFound"), ("", "")],
)  # fmt: skip
def test_class_key_is_the_class_alone(error_type, key):
    assert class_key(error_type) == key


def python_trace(names, error="KeyError: 'x'"):
    frames = "\n".join(f'  File "/srv/{name}.py", line {at}, in {name}' for at, name in enumerate(names))
    return read_trace(f"Traceback (most recent call last):\n{frames}\n{error}\n")


def test_stack_keys_counts_a_function_that_recurs_once():
    once = ("visit visit.py", "walk walk.py", "start start.py")
    assert stack_keys(python_trace(["start", "walk", "visit"]), in_app=True) == once
    assert stack_keys(python_trace(["start", *["walk", "visit"] * 9]), in_app=True) == once


def test_stack_keys_of_an_overflow_are_the_circle_wherever_it_ended():
    error = "RecursionError: maximum recursion depth exceeded"
    ends = [["start", *["walk", "visit"] * 9], ["other", *["walk", "visit"] * 9, "walk"]]
    assert {stack_keys(python_trace(names, error), in_app=True) for names in ends} == {
        ("visit visit.py", "walk walk.py")
    }


def test_digest_depends_on_class_and_keys():
    ids = {
        digest("E", ("a", "b")),
        digest("F", ("a", "b")),
        digest("E", ("b", "a")),
        digest("E", ("a",)),
        digest("", ("E", "a")),
    }
    assert len(ids) == 5
    assert all(re.fullmatch("ST-[0-9a-f]{10}", one) for one in ids)
