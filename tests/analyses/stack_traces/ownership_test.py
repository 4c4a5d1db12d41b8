import pytest

from prodintel_lib.analyses.stack_traces.ownership import is_foreign_path, is_in_app

OWN = [
    ("/srv/shop/orders.py", "create"),
    ("com/shop/Tax.java", "com.shop.Tax.price"),
    ("org/example/shop/Tax.java", "org.example.shop.Tax.price"),
    ("/src/Api.cs", "Acme.Api.Create"),
    ("/build/pay/charge/client.go", "github.com/shop/pay/charge.(*Client).Charge"),
    ("github.com/shop/pay/log/log.go", "github.com/shop/pay/log.Write"),
    ("main.go", "main.main"),
    ("/var/www/src/Tax.php", "App\\Tax->price"),
    ("/static/product.js", "show"),
    ("native/price.js", "price"),
    ("", "com.shop.Tax$$Lambda$14.apply"),
    ("Systems/Clock.cs", "Systems.Clock.Tick"),
]
FOREIGN = [
    ("/srv/.venv/lib/python3.11/site-packages/flask/app.py", "wsgi_app"),
    ("/usr/local/lib/python3.11/asyncio/runners.py", "run"),
    ("/opt/conda/lib/python3.12/json/decoder.py", "decode"),
    ("C:/Python312/Lib/json/decoder.py", "decode"),
    ("<frozen importlib._bootstrap>", "_load"),
    ("/srv/node_modules/express/index.js", "next"),
    ("node:internal/process/task_queues", "run"),
    ("/.yarn/cache/express-npm-4.18.zip/x.js", "next"),
    ("webpack/bootstrap", "require"),
    ("chrome-extension://abc/inject.js", "hook"),
    ("native", "forEach"),
    ("", "java.util.ArrayList.forEach"),
    ("org/springframework/web/Servlet.java", "org.springframework.web.Servlet.doGet"),
    ("", "com.sun.proxy.$Proxy12.find"),
    ("", "$Proxy0.price"),
    ("", "com.shop.Tax$$FastClassBySpringCGLIB$$1f.invoke"),
    ("", "System.Linq.Enumerable.ToList"),
    ("/_/src/Npgsql.Json/Connector.cs", "Custom.Connector.Open"),
    ("/usr/local/go/src/net/http/server.go", "net/http.(*Server).Serve"),
    ("net/http/server.go", "net/http.(*Server).Serve"),
    ("runtime/panic.go", "runtime.gopanic"),
    ("github.com/lib/pq@v1.10.9/conn.go", "github.com/lib/pq.(*conn).query"),
    ("/go/pkg/mod/google.golang.org/grpc@v1.64.0/server.go", "google.golang.org/grpc.(*Server).serve"),
    ("/var/www/vendor/laravel/Router.php", "Illuminate\\Router->run"),
    ("/usr/local/bundle/gems/rack-3.0/lib/rack.rb", "call"),
]


@pytest.mark.parametrize(("path", "function"), OWN)
def test_is_in_app_knows_ones_own(path, function):
    assert is_in_app(path, function)


@pytest.mark.parametrize(("path", "function"), FOREIGN)
def test_is_in_app_knows_where_languages_keep_the_code_of_others(path, function):
    assert not is_in_app(path, function)


def test_is_in_app_takes_the_callers_word_for_packages_and_folders():
    assert is_in_app("", "org.apache.hadoop.ipc.Client.call", own=("org.apache.hadoop",))
    assert is_in_app("/srv/vendor/shop/tax.php", "price", own=("/srv/vendor/shop/",))
    assert not is_in_app("", "org.apache.hadoopx.Client.call", own=("org.apache.hadoop",))


def test_is_foreign_path_needs_a_whole_folder():
    assert not is_foreign_path("/srv/vendors/tax.php")
    assert is_foreign_path("/srv/vendor/tax.php")
