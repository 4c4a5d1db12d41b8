import json

import pytest

from prodintel_lib.analyses.stack_traces import read_trace
from prodintel_lib.analyses.stack_traces.reading import MAX_TRACE_LINES

PYTHON = """Traceback (most recent call last):
  File "/srv/shop/shop/rates.py", line 12, in rate
    return rates[region]
           ~~~~~^^^^^^^^
KeyError: 'DE'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/flask/app.py", line 902, in dispatch_request
    return view(**arguments)
  File "/srv/shop/shop/orders.py", line 40, in create
    price(order)
  File "/srv/shop/shop/rates.py", line 15, in rate
    raise Unknown(region) from None
shop.errors.Unknown: no rate for DE
  nor for EU
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/srv/shop/jobs.py", line 8, in run
  |     async with asyncio.TaskGroup() as group:
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/shop/jobs.py", line 3, in charge
    |     raise ValueError("no")
    | ValueError: no
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/srv/shop/jobs.py", line 5, in mail
    |     raise OSError("gone")
    | OSError: gone
    +------------------------------------
"""
JAVA = """2025-09-29 14:20:11 ERROR [http-1] c.s.Api - order 4711 failed
com.shop.OrderException: order 4711
\tat com.shop.orders.Orders.create(Orders.java:40) ~[orders.jar!/:1.4]
\tat org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)
\tat java.base/java.lang.Thread.run(Thread.java:833)
\tSuppressed: java.io.IOException: closed
\t\tat com.shop.io.Files.close(Files.java:3)
\tCaused by: java.lang.Error: not this
\t\t... 2 more
Caused by: java.util.concurrent.ExecutionException: java.lang.NullPointerException: no rate
\tat com.shop.tax.Taxes.price(Taxes.java:30)
\tat com.shop.orders.Orders.create(Orders.java:38)
\t... 2 common frames omitted
Caused by: java.lang.NullPointerException: no rate
Detail: Key (id)=(3)
\tat com.shop.tax.Rates.lambda$rate$0(Rates.java:9)
\tat com.shop.tax.Rates$$Lambda$14/0x0000000800c03000.apply(Unknown Source)
\t... 3 more
"""
V8 = """Error: could not
    at Orders.create (/srv/app/dist/orders.js:7:3)
    at async next (/srv/app/node_modules/express/lib/router/route.js:144:13) {
  code: 'E_NO',
  [cause]: TypeError [ERR_ARG]: x is not a function
      at Object.price [as handler] (file:///srv/app/dist/tax.js:42:17)
      at eval (eval at run (/srv/app/dist/run.js:1:1), <anonymous>:1:1)
      at https://shop.example/checkout?step=2:3:5
      at Orders.create (/srv/app/dist/orders.js:5:3)
      at async next (/srv/app/node_modules/express/lib/router/route.js:144:13)
}
"""
GO = """panic: runtime error: index out of range [5] with length 3 [recovered]
\tpanic: request 7 failed

goroutine 7 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1947 +0xbe
panic({0x6f4a40?, 0xc0000b2180?})
\t/usr/local/go/src/runtime/panic.go:792 +0x132
github.com/shop/pay/charge.(*Client).Charge(0x0, {0xc000012345, 0x6})
\t/build/pay/charge/client.go:42 +0x1d
main.main()
\t/build/pay/main.go:9 +0x25

goroutine 8 [chan receive]:
main.other()
\t/build/pay/main.go:99 +0x25
"""
DOTNET = """Unhandled exception. Acme.ShopException: later
 ---> System.AggregateException: One or more errors occurred. (no rate)
 ---> System.NullReferenceException: no rate
   at Acme.Tax.Rates.<Rate>d__3.MoveNext() in C:\\src\\Tax\\Rates.cs:line 9
--- End of stack trace from previous location ---
   at Acme.Tax.Taxes.Price[T](T order) in C:\\src\\Tax\\Taxes.cs:line 30
   --- End of inner exception stack trace ---
   at System.Threading.Tasks.Task.Wait()
   at Acme.Tax.Taxes.Total() in C:\\src\\Tax\\Taxes.cs:line 50
   --- End of inner exception stack trace ---
   at Acme.Tax.Taxes.Total() in C:\\src\\Tax\\Taxes.cs:line 52
   at Acme.Api.Create(Order order, Int32 n) in C:\\src\\Api.cs:line 17
   at Hangfire.Server.Worker.Execute(BackgroundProcessContext context)
"""
PHP = """PHP Fatal error:  Uncaught App\\NoRate: no rate in /var/www/src/Tax.php:42
Stack trace:
#0 /var/www/src/Orders.php(17): App\\Tax->price(Object(App\\Order), 'a (b)')
#1 [internal function]: App\\Orders->create()
#2 /var/www/vendor/laravel/Router.php(9): call_user_func()
#3 {main}

Next RuntimeException: later in /var/www/src/Orders.php:19
Stack trace:
#0 [internal function]: App\\Orders->create()
#1 /var/www/vendor/laravel/Router.php(9): call_user_func()
#2 {main}
  thrown in /var/www/src/Orders.php on line 19
"""
RUBY = """/srv/app/tax.rb:42:in 'Tax#price': undefined method 'rate' for nil (NoMethodError)
\tfrom /usr/lib/ruby/3.4.0/monitor.rb:201:in 'Monitor#synchronize'
\tfrom /srv/app/orders.rb:17:in 'block (2 levels) in Orders#create'
"""
RUST = """thread 'main' panicked at src/tax.rs:42:5:
no rate
   1: shop::tax::price
             at ./src/tax.rs:42:5
   2: shop::main
             at ./src/main.rs:7:3
"""


def links_of(trace):
    return [(link.error_type, link.message) for link in trace.links]


def calls_of(trace):
    return [(frame.function, frame.path, frame.line, frame.in_app) for frame in trace.frames]


def test_read_trace_of_python_joins_the_causes_frames_to_the_callers_of_what_it_led_to():
    trace = read_trace(PYTHON)
    assert (trace.language, trace.cut) == ("python", "")
    assert links_of(trace) == [("shop.errors.Unknown", "no rate for DE nor for EU"), ("KeyError", "'DE'")]
    assert calls_of(trace) == [
        ("rate", "/srv/shop/shop/rates.py", 12, True),
        ("create", "/srv/shop/shop/orders.py", 40, True),
        ("dispatch_request", "/usr/lib/python3.12/site-packages/flask/app.py", 902, False),
    ]


def test_read_trace_of_an_exception_group_takes_its_first_exception_as_the_cause():
    trace = read_trace(GROUP)
    assert links_of(trace) == [
        ("ExceptionGroup", "unhandled errors in a TaskGroup (2 sub-exceptions)"), ("ValueError", "no"),
    ]  # fmt: skip
    assert calls_of(trace) == [("charge", "/srv/shop/jobs.py", 3, True)]


def test_read_trace_of_python_knows_which_end_is_missing():
    head, tail = PYTHON[: PYTHON.index("           ~~~")], PYTHON[PYTHON.index("  File") :]
    assert (read_trace(head).cut, read_trace(head).root.error_type) == ("inner", "")
    assert read_trace(tail).cut == "outer"


def test_read_trace_of_the_jvm_restores_the_frames_that_causes_share():
    trace = read_trace(JAVA)
    assert trace.language == "jvm"
    assert links_of(trace) == [
        ("com.shop.OrderException", "order 4711"),
        ("java.util.concurrent.ExecutionException", "java.lang.NullPointerException: no rate"),
        ("java.lang.NullPointerException", "no rate Detail: Key (id)=(3)"),
    ]
    assert calls_of(trace) == [
        ("com.shop.tax.Rates.lambda$rate$0", "com/shop/tax/Rates.java", 9, True),
        ("com.shop.tax.Rates$$Lambda$14/0x0000000800c03000.apply", "", None, True),
        ("com.shop.orders.Orders.create", "com/shop/orders/Orders.java", 38, True),
        ("org.springframework.web.servlet.DispatcherServlet.doDispatch", "org/springframework/web/servlet/DispatcherServlet.java", 1089, False),
        ("java.lang.Thread.run", "java/lang/Thread.java", 833, False),
    ]  # fmt: skip


def test_read_trace_of_the_jvm_reads_causes_named_in_the_message_and_root_first_traces():
    nested = "org.s.DataException: failed; nested exception is java.sql.SQLException: gone\n\tat com.a.B.c(B.java:1)"
    assert links_of(read_trace(nested)) == [("org.s.DataException", "failed"), ("java.sql.SQLException", "gone")]
    root_first = "c.D: null\n\tat com.a.C.g(C.java:9)\nWrapped by: a.B: x\n\tat com.a.A.f(A.java:3)"
    assert links_of(read_trace(root_first)) == [("a.B", "x"), ("c.D", "null")]


def test_read_trace_of_v8_reads_the_cause_and_pages_and_eval():
    trace = read_trace(V8)
    assert trace.language == "javascript"
    assert links_of(trace) == [("Error", "could not"), ("TypeError", "x is not a function")]
    assert calls_of(trace) == [
        ("Object.price [as handler]", "/srv/app/dist/tax.js", 42, True),
        ("eval", "<anonymous>", 1, False),
        ("", "/checkout", 3, True),
        ("Orders.create", "/srv/app/dist/orders.js", 5, True),
        ("next", "/srv/app/node_modules/express/lib/router/route.js", 144, False),
    ]


def test_read_trace_of_v8_takes_the_first_of_many_errors_as_the_cause():
    text = (
        "[AggregateError: none was there] {\n  [errors]: [\n    TypeError: a\n        at first (/srv/a.js:9:41),\n"
        "    RangeError: b\n        at second (/srv/b.js:9:77)\n  ]\n}"
    )
    trace = read_trace(text)
    assert links_of(trace) == [("TypeError", "a")]
    assert [frame.function for frame in trace.frames] == ["first"]


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ("total@https://shop.example:8443/js/cart.js:12:34", ("total", "/js/cart.js", 12, True)),
        ("async*load/<@webpack-internal:///./src/cart.jsx?1f2:9:1", ("async*load/<", "/./src/cart.jsx", 9, True)),
        ("@moz-extension://1f2e/inject.js:1:2", ("", "moz-extension://1f2e/inject.js", 1, False)),
    ],
)
def test_read_trace_of_other_engines_reads_the_at_sign(line, frame):
    trace = read_trace(f"TypeError: x\n{line}")
    assert calls_of(trace) == [frame]
    assert links_of(trace) == [("TypeError", "x")]


def test_read_trace_of_v8_knows_that_it_prints_ten_frames():
    ten = "Error: x\n" + "\n".join(f"    at f{at} (/srv/a.js:{at}:1)" for at in range(10))
    assert read_trace(ten).cut == "outer"
    assert read_trace(ten.rpartition("\n")[0]).cut == ""


def test_read_trace_of_go_begins_where_the_first_panic_was():
    trace = read_trace(GO)
    assert trace.language == "go"
    assert links_of(trace) == [
        ("panic", "request 7 failed"),
        ("runtime error: index out of range", "runtime error: index out of range [5] with length 3"),
    ]
    assert calls_of(trace) == [
        ("github.com/shop/pay/charge.(*Client).Charge", "/build/pay/charge/client.go", 42, True),
        ("main.main", "/build/pay/main.go", 9, True),
    ]


def test_read_trace_of_dotnet_joins_inner_exceptions_to_their_callers():
    trace = read_trace(DOTNET)
    assert trace.language == "dotnet"
    assert links_of(trace) == [
        ("Acme.ShopException", "later"),
        ("System.AggregateException", "One or more errors occurred. (no rate)"),
        ("System.NullReferenceException", "no rate"),
    ]
    assert calls_of(trace) == [
        ("Acme.Tax.Rates.<Rate>d__3.MoveNext", "C:/src/Tax/Rates.cs", 9, True),
        ("Acme.Tax.Taxes.Price[T]", "C:/src/Tax/Taxes.cs", 30, True),
    ]
    outer = [frame.function for frame in trace.links[0].frames if not frame.in_app]
    assert outer == ["Hangfire.Server.Worker.Execute"]


def test_read_trace_of_php_puts_each_function_beside_the_place_in_it():
    trace = read_trace(PHP)
    assert links_of(trace) == [("RuntimeException", "later"), ("App\\NoRate", "no rate")]
    assert calls_of(trace) == [
        ("App\\Tax->price", "/var/www/src/Tax.php", 42, True),
        ("App\\Orders->create", "/var/www/src/Orders.php", 17, True),
        ("call_user_func", "", None, True),
        ("{main}", "/var/www/vendor/laravel/Router.php", 9, False),
    ]


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ("InvalidArgumentException: no in Drupal\\shop\\Tax->price() (line 42 of /app/Tax.php).", ("InvalidArgumentException", "no")),
        ('production.ERROR: no {"exception":"[object] (App\\NoRate(code: 0): no rate at /app/Tax.php:42)', ("App\\NoRate", "no rate")),
        ("cron failed: RuntimeException: gone", ("RuntimeException", "gone")),
    ],
)  # fmt: skip
def test_read_trace_of_php_reads_the_headers_of_frameworks(header, link):
    assert links_of(read_trace(f"{header}\n#0 /app/Cron.php(3): App\\Tax->price()\n#1 {{main}}")) == [link]


def test_read_trace_of_ruby_reads_backtraces_and_what_loggers_write_above_them():
    trace = read_trace(RUBY)
    assert links_of(trace) == [("NoMethodError", "undefined method 'rate' for nil")]
    assert [(frame.function, frame.in_app) for frame in trace.frames] == [
        ("Tax#price", True), ("Monitor#synchronize", False), ("block (2 levels) in Orders#create", True),
    ]  # fmt: skip
    logged = "ActiveRecord::RecordNotFound (Couldn't find 7):\n\napp/tax.rb:4:in 'price'"
    assert links_of(read_trace(logged)) == [("ActiveRecord::RecordNotFound", "Couldn't find 7")]


def test_read_trace_of_another_language_reads_files_and_lines():
    trace = read_trace(RUST)
    assert trace.language == "other"
    assert [(frame.function, frame.path) for frame in trace.frames] == [
        ("shop::tax::price", "./src/tax.rs"), ("shop::main", "./src/main.rs"),
    ]  # fmt: skip
    short = read_trace("services/pay/charge.go:118 Charge.read")
    assert calls_of(short) == [("Charge.read", "services/pay/charge.go", 118, True)]


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\\n").replace("\t", "\\t"),
        lambda text: text.replace("\n", "#012").replace("\t", "#011"),
        lambda text: text.replace("\n", " "),
        lambda text: json.dumps({"level": "error", "error": {"stack_trace": text}}),
        lambda text: json.dumps({"stack_trace": text})[:-2],
    ],
    ids=["dos", "escaped", "syslog", "one line", "json", "json cut off"],
)
def test_read_trace_reads_what_shippers_made_of_lines(changed):
    text = "com.shop.OrderException: x\n\tat com.shop.A.f(A.java:1)\n\tat com.shop.B.g(B.java:2)\nCaused by: com.shop.E: y\n\tat com.shop.C.h(C.java:3)\n\t... 1 more\n"
    assert read_trace(changed(text)).frames == read_trace(text).frames
    assert len(read_trace(text).frames) == 2
    assert read_trace(changed(text)).root.error_type == "com.shop.E"


@pytest.mark.parametrize(
    "text", ["", "order 4711 failed", "see Tax at noon (a.b:c)", '{"a": 1}', "at", "Caused by: a.B: c"]
)
def test_read_trace_of_a_text_without_a_trace_is_empty(text):
    trace = read_trace(text)
    assert (trace.language, trace.links, trace.frames, trace.top_frame) == ("", (), (), None)


def test_read_trace_of_a_trace_cut_within_a_line_reads_no_half_frame():
    for end in ("\tat com.shop.B.g(B.java:12", "\tat com.sho", "\tat", "Caus"):
        trace = read_trace(f"a.E: x\n\tat com.shop.A.f(A.java:1)\n{end}")
        assert ([frame.function for frame in trace.frames], trace.cut) == (["com.shop.A.f"], "outer")


def test_read_trace_of_a_trace_cut_within_its_first_frame_is_empty():
    assert read_trace("a.E: x\n\tat com.shop.A.f(A.java:12").frames == ()


def test_read_trace_of_a_trace_cut_at_its_cause_keeps_the_causes_name():
    assert links_of(read_trace("a.E: x\n\tat com.shop.A.f(A.java:1)\nCaused by: b.F: y")) == [
        ("a.E", "x"),
        ("b.F", "y"),
    ]


def test_read_trace_reads_the_beginning_and_the_end_of_a_trace_without_end():
    count = 40_000
    text = "a.E: x\n" + "\n".join(f"\tat com.shop.A.f{at}(A.java:{at})" for at in range(count))
    trace = read_trace(text)
    assert trace.cut == "outer"
    assert trace.frames[0].function == "com.shop.A.f0"
    assert trace.frames[-1].function == f"com.shop.A.f{count - 1}"
    assert len(trace.frames) <= 2 * MAX_TRACE_LINES


def test_read_trace_takes_own_packages_from_the_caller():
    text = "a.E: x\n\tat org.apache.hadoop.ipc.Client.call(Client.java:1)"
    assert [frame.in_app for frame in read_trace(text).frames] == [False]
    assert [frame.in_app for frame in read_trace(text, own=("org.apache.hadoop",)).frames] == [True]
