"""How six languages print an exception: written from their documentation, not from the readers under test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

ROOTS: Final = ("/srv/shop", "/app", "/opt/releases/20250929/shop", "/home/deploy/build-1187/shop")


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the service's own, and the line it was at."""

    verb: str
    word: str
    module: str
    line: int

    def function(self, language: str) -> str:
        return {
            "python": f"{self.verb}_{self.word}",
            "go": f"{self.verb.title()}{self.word.title()}",
            "dotnet": f"{self.verb.title()}{self.word.title()}",
        }.get(language, f"{self.verb}{self.word.title()}")


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception with its own calls, where it was thrown first."""

    error_type: str
    message: str
    calls: tuple[Call, ...]
    release: int = 0
    wrapper: str | None = None
    framework: int = 0
    has_closure: bool = False
    """The second call is made by a closure, which compilers number."""

    @property
    def caught_at(self) -> int:
        """The call that catches and wraps."""
        return min(2, len(self.calls) - 1)


def print_python(thrown: Thrown, _: random.Random) -> str:
    root = ROOTS[thrown.release]
    site = f"/usr/lib/python3.{10 + thrown.release}/site-packages"
    outside = (
        [("wsgi_app", f"{site}/flask/app.py", 1511), ("dispatch_request", f"{site}/flask/app.py", 902)],
        [("__call__", f"{site}/starlette/routing.py", 66), ("app", f"{site}/fastapi/routing.py", 274)],
        [("__call__", f"{site}/celery/app/trace.py", 734)],
    )[thrown.framework]
    own = [(call.function("python"), f"{root}/{call.module}/{call.word}.py", call.line) for call in thrown.calls]
    if thrown.has_closure:
        # Comprehensions have no frame of their own since 3.12.
        own[1:1] = [("<lambda>", *own[1][1:])] + [("<listcomp>", *own[1][1:])] * (thrown.release < 2)
    inside = (
        [("__get__", f"{site}/sqlalchemy/orm/attributes.py", 480 + thrown.release)]
        if "sql" in thrown.error_type
        else []
    )

    def block(frames: Sequence[tuple[str, str, int]], header: str) -> str:
        lines = [f'  File "{path}", line {line}, in {name}\n    {name}(value)' for name, path, line in reversed(frames)]
        return "\n".join(["Traceback (most recent call last):", *lines, header])

    header = f"{thrown.error_type}: {thrown.message}"
    if thrown.wrapper is None:
        return block([*inside, *own, *reversed(outside)], header) + "\n"
    at = thrown.caught_at
    rethrown = (own[at][0], own[at][1], own[at][2] + 3)
    outer = "RuntimeError: could not" if thrown.wrapper == "first" else "shop.errors.Unavailable: later"
    between = "\n\nThe above exception was the direct cause of the following exception:\n\n"
    return (
        block([*inside, *own[: at + 1]], header)
        + between
        + block([rethrown, *own[at + 1 :], *reversed(outside)], outer)
    )


def print_java(thrown: Thrown, chance: random.Random) -> str:
    def own(call: Call) -> str:
        name = call.word.title() + "Service"
        generated = f"$$EnhancerBySpringCGLIB$${chance.getrandbits(32):08x}" if chance.random() < 0.2 else ""
        if generated:
            return f"com.acme.{call.module}.{name}{generated}.{call.function('java')}(<generated>)"
        if thrown.has_closure and call == thrown.calls[1]:
            closure = chance.choice(
                ("lambda${}$" + str(chance.randint(0, 9)), "lambda${}$" + str(chance.randint(10, 99)))
            )
            return f"com.acme.{call.module}.{name}.{closure.format(call.function('java'))}({name}.java:{call.line})"
        if thrown.has_closure and call == thrown.calls[2]:
            return (
                f"com.acme.{call.module}.{name}${chance.randint(1, 9)}.{call.function('java')}({name}.java:{call.line})"
            )
        return f"com.acme.{call.module}.{name}.{call.function('java')}({name}.java:{call.line})"

    outside = (
        ["org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)",
         f"jdk.internal.reflect.GeneratedMethodAccessor{chance.randint(1, 99)}.invoke(Unknown Source)",
         "java.base/java.lang.Thread.run(Thread.java:833)"],
        ["io.netty.channel.AbstractChannelHandlerContext.invokeChannelRead(AbstractChannelHandlerContext.java:442)",
         "java.base/java.lang.Thread.run(Thread.java:1583)"],
        [f"com.sun.proxy.$Proxy{chance.randint(1, 99)}.run(Unknown Source)",
         "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1136)"],
    )[thrown.framework]  # fmt: skip
    inside = ["java.base/java.util.Objects.requireNonNull(Objects.java:233)"] if "Null" in thrown.error_type else []
    frames = [own(call) for call in thrown.calls]
    header = f"{thrown.error_type}: {thrown.message}"
    if thrown.wrapper is None:
        return "\n".join([header, *(f"\tat {frame}" for frame in [*inside, *frames, *outside])])
    at = thrown.caught_at
    outer = {"first": "org.springframework.dao.DataAccessException: failed; nested exception is " + header,
             "second": "com.acme.ShopException: later"}[thrown.wrapper]  # fmt: skip
    rest = [*frames[at + 1 :], *outside]
    again = own(thrown.calls[at])
    return "\n".join([
        outer, f"\tat {again}", *(f"\tat {frame}" for frame in rest),
        f"Caused by: {header}", *(f"\tat {frame}" for frame in [*inside, *frames[: at + 1]]), f"\t... {len(rest)} more",
    ])  # fmt: skip


def print_javascript(thrown: Thrown, chance: random.Random) -> str:
    root = ROOTS[thrown.release]
    outside = (
        [f"Layer.handle [as handle_request] ({root}/node_modules/express/lib/router/layer.js:95:5)",
         f"next ({root}/node_modules/express/lib/router/route.js:144:13)"],
        [f"async {root}/node_modules/fastify/lib/handleRequest.js:130:20"],
        ["process.processTicksAndRejections (node:internal/process/task_queues:95:5)"],
    )[thrown.framework]  # fmt: skip
    frames = [
        f"{_script_owner(thrown, call, chance)}{call.function('javascript')} "
        f"({root}/dist/{call.module}/{call.word}.{chance.getrandbits(32):08x}.js:{call.line}:{chance.randint(1, 80)})"
        for call in thrown.calls
    ]
    header = f"{thrown.error_type}: {thrown.message}"
    stack = [f"    at {frame}" for frame in [*frames, *outside]][:10]
    if thrown.wrapper is None:
        return "\n".join([header, *stack])
    outer = {"first": "Error: could not", "second": "ShopError: later"}[thrown.wrapper]
    around = [f"    at {frame}" for frame in [*frames[thrown.caught_at :], *outside]][:10]
    return "\n".join(
        [outer, *around[:-1], around[-1] + " {", f"  [cause]: {header}", *(f"  {line}" for line in stack), "}"]
    )


def _script_owner(thrown: Thrown, call: Call, chance: random.Random) -> str:
    if thrown.has_closure and call == thrown.calls[1]:
        return chance.choice(("", "Object.", "Store.", "new "))
    return "async " if chance.random() < 0.3 else ""


def print_go(thrown: Thrown, chance: random.Random) -> str:
    root = ROOTS[thrown.release]
    panic = "panic: " if thrown.wrapper != "first" else "2025/09/29 14:20:11 http: panic serving 10.0.0.7:51234: "
    lines = [f"{panic}{thrown.error_type}", "", f"goroutine {chance.randint(1, 9999)} [running]:"]
    if thrown.wrapper:
        lines += ["net/http.(*conn).serve.func1()", "\t/usr/local/go/src/net/http/server.go:1947 +0xbe",
                  "panic({0x6f4a40?, 0xc0000b2180?})", "\t/usr/local/go/src/runtime/panic.go:792 +0x132"]  # fmt: skip
    for call in thrown.calls:
        closure = ""
        if thrown.has_closure and call == thrown.calls[1]:
            closure = chance.choice((".func1", ".func2", ".func1.3", "-fm", ".gowrap2"))
        lines += [
            f"github.com/acme/shop/{call.module}.(*Store).{call.function('go')}{closure}(0xc{chance.getrandbits(36):09x})",
            f"\t{root}/{call.module}/{call.word}.go:{call.line} +0x{chance.randint(16, 4000):x}",
        ]
    lines += (
        ["net/http.HandlerFunc.ServeHTTP(...)", "\t/usr/local/go/src/net/http/server.go:2294 +0x29"],
        ["google.golang.org/grpc.(*Server).processUnaryRPC(0xc000128000)",
         "\t/go/pkg/mod/google.golang.org/grpc@v1.64.0/server.go:1379 +0xdf8"],
        ["testing.tRunner(0xc0001)", "\t/opt/hostedtoolcache/go/1.22.1/x64/src/testing/testing.go:1689 +0xfb"],
    )[thrown.framework]  # fmt: skip
    return "\n".join([*lines, f"created by net/http.(*Server).Serve in goroutine {chance.randint(1, 9)}",
                      "\t/usr/local/go/src/net/http/server.go:3454 +0x485"])  # fmt: skip


def print_dotnet(thrown: Thrown, chance: random.Random) -> str:
    root = ("C:\\src\\", "/src/", "/agent/_work/7/s/", "D:\\a\\1\\s\\")[thrown.release]
    outside = (
        ["Microsoft.AspNetCore.Mvc.Infrastructure.ControllerActionInvoker.InvokeAsync()"],
        ["Grpc.AspNetCore.Server.Internal.CallHandlers.UnaryServerCallHandler`3.HandleCallAsyncCore(HttpContext c)"],
        ["Hangfire.Server.Worker.Execute(BackgroundProcessContext context)", "System.Threading.Tasks.Task.Execute()"],
    )[thrown.framework]

    def own(call: Call) -> str:
        file = f"{root}{call.module.title()}{chr(92) if chr(92) in root else '/'}{call.word.title()}Service.cs"
        name = f"Acme.{call.module.title()}.{call.word.title()}Service"
        if thrown.has_closure and call == thrown.calls[1]:
            closure = f"<>c__DisplayClass{chance.randint(1, 9)}_0.<{call.function('dotnet')}>b__{chance.randint(0, 9)}"
            return f"{name}.{closure}(Order order) in {file}:line {call.line}"
        # The same method before and after it was made asynchronous.
        method = f"{name}.{call.function('dotnet')}(Order order, Int32 n)"
        if chance.random() < 0.5:
            method = f"{name}.<{call.function('dotnet')}>d__{chance.randint(1, 40)}.MoveNext()"
        return f"{method} in {file}:line {call.line}"

    frames = [own(call) for call in thrown.calls]
    at = thrown.caught_at
    header = f"{thrown.error_type}: {thrown.message}"
    if thrown.wrapper is None:
        return "\n".join([header, *(f"   at {frame}" for frame in [*frames, *outside])])
    outer = {"first": "System.AggregateException: One or more errors occurred.", "second": "Acme.ShopException: later"}
    return "\n".join([
        outer[thrown.wrapper], f" ---> {header}", *(f"   at {frame}" for frame in frames[: at + 1]),
        "   --- End of inner exception stack trace ---",
        *(f"   at {frame}" for frame in [own(thrown.calls[at]), *frames[at + 1 :], *outside]),
    ])  # fmt: skip


def print_php(thrown: Thrown, chance: random.Random) -> str:
    root = ROOTS[thrown.release]

    def place(call: Call) -> tuple[str, int]:
        return f"{root}/src/{call.module.title()}/{call.word.title()}.php", call.line

    outside = (
        [
            (
                f"{root}/vendor/symfony/http-kernel/HttpKernel.php",
                181,
                "Symfony\\Component\\HttpKernel\\HttpKernel->handleRaw",
            )
        ],
        [
            (
                f"{root}/vendor/laravel/framework/src/Illuminate/Routing/Controller.php",
                54,
                "Illuminate\\Routing\\Router->run",
            )
        ],
        [(f"{root}/vendor/symfony/console/Application.php", 171, "Symfony\\Component\\Console\\Application->run")],
    )[thrown.framework]

    def stack(calls: Sequence[Call]) -> list[str]:
        names = [f"App\\{call.module.title()}\\{call.word.title()}->{call.function('php')}" for call in calls]
        if thrown.has_closure:
            names[1] = (
                f"App\\{calls[1].module.title()}\\{{closure:App\\{calls[1].word.title()}::run():{calls[1].line}}}"
            )
        places = (
            [place(call) for call in calls[1:]]
            + [(path, line) for path, line, _ in outside]
            + [(f"{root}/public/index.php", 20)]
        )
        called = [*names, *(name for _, _, name in outside)]
        lines = [f"#{at} {path}({line}): {name}(Object(App\\Order), {chance.randint(1, 99)})"
                 for at, (name, (path, line)) in enumerate(zip(called, places, strict=True))]  # fmt: skip
        return [*lines, f"#{len(lines)} {{main}}"]

    path, line = place(thrown.calls[0])
    first = [f"{thrown.error_type}: {thrown.message} in {path}:{line}", "Stack trace:", *stack(thrown.calls)]
    if thrown.wrapper is None:
        return "\n".join(["PHP Fatal error:  Uncaught " + first[0], *first[1:], f"  thrown in {path} on line {line}"])
    outer = {"first": "RuntimeException: could not", "second": "App\\Unavailable: later"}[thrown.wrapper]
    around = thrown.calls[thrown.caught_at :]
    path, line = place(around[0])
    return "\n".join([*first, "", f"Next {outer} in {path}:{line + 2}", "Stack trace:", *stack(around)])


PRINTERS: Final[dict[str, Callable[[Thrown, random.Random], str]]] = {
    "python": print_python,
    "java": print_java,
    "javascript": print_javascript,
    "go": print_go,
    "dotnet": print_dotnet,
    "php": print_php,
}
