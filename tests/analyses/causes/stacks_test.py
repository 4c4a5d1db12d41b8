import json

import pytest

from prodintel_lib.analyses.causes.stacks import Frame, is_same_file, read_frames

PYTHON = """Traceback (most recent call last):
  File "/srv/orders/orders/api.py", line 88, in create
    total = price(order)
            ^^^^^^^^^^^^
  File "/srv/orders/orders/tax rules/rates.py", line 42, in price
    return rates[order["region"]]
  File "<frozen importlib._bootstrap>", line 1, in _load
KeyError: 'région'
"""
JAVA = """java.lang.IllegalStateException: no rate
\tat com.shop.orders.TaxService$Rates.price(TaxService.java:42)
\tat app//com.shop.orders.OrderController.<init>(OrderController.kt:17) ~[orders.jar:1.4]
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1596)
\tat jdk.internal.reflect.GeneratedMethodAccessor12.invoke(Unknown Source)
Caused by: java.lang.NullPointerException
\tat Main.run(Main.java)
\t... 12 more
"""
JAVASCRIPT = """TypeError: Cannot read properties of undefined (reading 'rate')
    at price (/srv/app/src/tax.mjs:42:17)
    at async Promise.all (index 0)
    at async Orders.create (file:///srv/app/src/orders.ts:7:3)
    at new Cart (webpack-internal:///./src/cart.jsx?1f2:9:1)
    at /srv/app/src/anonymous.js:3:5
    at node:internal/process/task_queues:95:5
price@https://shop.example.com:8443/assets/tax.js:12:34
"""
GO = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a2b1c]

goroutine 7 [running]:
github.com/shop/pay/charge.(*Client).Charge(0x0, {0xc000012345, 0x6})
\t/build/pay/charge/client.go:42 +0x1d
main.main()
\t/build/pay/main.go:9 +0x25
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4
"""
DOTNET = """System.NullReferenceException: Object reference not set to an instance of an object.
   at Shop.Orders.TaxService.Price(Order order, Int32 n) in C:\\src\\Shop Orders\\TaxService.cs:line 42
   at Shop.Orders.Api.<>c.<Create>b__0(Order o) in /src/Orders/Api.cs:line 17
   at System.Linq.Enumerable.ToList[T](IEnumerable`1 source)
--- End of stack trace from previous location ---
"""
PHP = """PHP Fatal error:  Uncaught TypeError: price() in /var/www/src/Tax.php:42
Stack trace:
#0 /var/www/src/Orders.php(17): App\\Tax->price(Object(App\\Order))
#1 [internal function]: App\\Orders->create()
#2 {main}
  thrown in /var/www/src/Tax.php on line 43
"""


@pytest.mark.parametrize(
    ("trace", "frames"),
    [
        (PYTHON, [Frame("/srv/orders/orders/api.py", 88, "create"),
                  Frame("/srv/orders/orders/tax rules/rates.py", 42, "price")]),
        (JAVA, [Frame("com/shop/orders/TaxService.java", 42, "price"),
                Frame("com/shop/orders/OrderController.kt", 17, "<init>"),
                Frame("java/util/ArrayList.java", 1596, "forEach"), Frame("Main.java", None, "run")]),
        (JAVASCRIPT, [Frame("/srv/app/src/tax.mjs", 42, "price"), Frame("/srv/app/src/orders.ts", 7, "Orders.create"),
                      Frame("/./src/cart.jsx", 9, "Cart"), Frame("/srv/app/src/anonymous.js", 3),
                      Frame("/assets/tax.js", 12, "price")]),
        (GO, [Frame("/build/pay/charge/client.go", 42, "github.com/shop/pay/charge.(*Client).Charge"),
              Frame("/build/pay/main.go", 9, "main.main"),
              Frame("/usr/local/go/src/net/http/server.go", 3285, "net/http.(*Server).Serve")]),
        (DOTNET, [Frame("C:/src/Shop Orders/TaxService.cs", 42, "Shop.Orders.TaxService.Price"),
                  Frame("/src/Orders/Api.cs", 17, "Shop.Orders.Api.<>c.<Create>b__0")]),
        (PHP, [Frame("/var/www/src/Tax.php", 42), Frame("/var/www/src/Orders.php", 17, "App\\Tax->price"),
               Frame("/var/www/src/Tax.php", 43)]),
        ("/srv/app/tax.rb:42:in 'price'", [Frame("/srv/app/tax.rb", 42, "price")]),
        ("             at ./src/tax.rs:42:5", [Frame("./src/tax.rs", 42)]),
        ("(shop 0.1.0) lib/shop/tax.ex:42: Shop.Tax.price/1", [Frame("lib/shop/tax.ex", 42)]),
    ],
    ids=["python", "java", "javascript", "go", "dotnet", "php", "ruby", "rust", "elixir"],
)  # fmt: skip
def test_read_frames_reads_the_traces_of_every_language(trace, frames):
    assert read_frames(trace) == tuple(frames)


def test_read_frames_keeps_the_order_and_says_each_once():
    twice = 'File "b.py", line 2, in g\nFile "a.py", line 1, in f\nFile "b.py", line 2, in g'
    assert read_frames(twice) == (Frame("b.py", 2, "g"), Frame("a.py", 1, "f"))


def test_read_frames_searches_attributes_that_are_json():
    attributes = json.dumps({"level": 3, "error": {"stack": [PHP, "at Price() in C:\\new\\Tax.cs:line 9"]}})
    assert [frame.path for frame in read_frames(f"failed\n{attributes}\n{{broken")] == [
        "/var/www/src/Tax.php", "/var/www/src/Orders.php", "/var/www/src/Tax.php", "C:/new/Tax.cs",
    ]  # fmt: skip


def test_read_frames_reads_the_beginning_of_lines_that_do_not_end():
    assert read_frames("x " * 600 + "at a.go:3") == ()
    assert read_frames("x " * 300 + "at a.go:3") == (Frame("a.go", 3),)


def test_read_frames_finds_none_in_prose():
    assert read_frames("see README.md:12, ratio 3.c or shop.py and 10.0.0.1:8080") == ()


@pytest.mark.parametrize(
    ("changed", "frame"),
    [
        ("services/pay/charge.go", "services/pay/charge.go"),
        ("services/pay/charge.go", "/build/services/pay/charge.go"),
        ("services/orders/src/main/java/com/shop/Tax.java", "com/shop/Tax.java"),
        ("services/orders/src/orders/tax.py", "/srv/app/orders/tax.py"),
        ("src/orders/tax.py", "/usr/lib/python3.12/site-packages/orders/tax.py"),
        ("src/tax.ts", "/app/dist/tax.js"),
        ("web/src/cart/Total.vue", "./src/cart/Total.vue"),
        ("Orders/TaxService.cs", "C:/src/Orders/TaxService.cs"),
        ("app.py", "/srv/orders/app.py"),
    ],
)
def test_is_same_file_finds_the_changed_file_in_another_tree(changed, frame):
    assert is_same_file(changed, frame)


@pytest.mark.parametrize(
    ("changed", "frame"),
    [
        ("services/pay/charge.go", "services/pay/refund.go"),
        ("services/pay/charge.go", "services/shop/charge.go"),
        ("index.js", "/srv/node_modules/express/index.js"),
        ("services/web/src/index.js", "/srv/orders/src/index.js"),
        ("com/shop/orders/Tax.java", "com/shop/invoices/Tax.java"),
        ("util/ArrayList.java", "java/util/ArrayList.java"),
        ("tax.py", "/srv/syntax.py"),
    ],
)
def test_is_same_file_tells_files_of_one_name_apart(changed, frame):
    assert not is_same_file(changed, frame)
