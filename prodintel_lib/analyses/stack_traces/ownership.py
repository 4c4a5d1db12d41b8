"""Whose code a frame is: the service's own, or a library's, a framework's, the language's.

Told from where languages and their package managers keep code that is not one's own, and from what builds leave out for
it. Names of frameworks count only where a platform prints nothing else: packages of the JVM and of .NET have no folder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOREIGN: Final = re.compile(
    r"(^|/)(site-packages|dist-packages|node_modules|vendor|gems|go/pkg/mod|registry/src|rustc)/|^/usr/(local/)?(lib|go)|"
    r"^(node:)?internal/|^(java|javax|jdk|sun|kotlin|scala|System|Microsoft)/"
)
_FOREIGN_PLACES: Final = re.compile(
    r"^<|^node:|^native$|^\[native|^\[internal function\]|^webpack/|^(?:[a-z-]+-extension|webkit-masked-url):|"
    # Standard libraries outside /usr; Yarn's zipped packages; sources that .NET's package builds map to /_/.
    r"(?:^|/)(?:[Ll]ib/(?:python[0-9.]+|ruby)/|Python[0-9]+/Lib/|GOROOT/|libexec/src/|\.yarn/|hostedtoolcache/|\.cargo/)|"
    r"^/_/|"
    # Go without build paths: a dependency carries its version, which one's own module does not.
    r"@v[0-9]+\.[0-9]+\.[0-9]+[^/]*/"
)
# Roots of the packages that the platforms and the frameworks most services stand on bring along.
_FOREIGN_TYPES: Final = re.compile(
    r"^(?:java|javax|jakarta|jdk|sun|com\.sun|com\.oracle|kotlin|kotlinx|scala|akka|groovy|clojure|android|androidx|dalvik|"
    r"com\.android|io\.netty|io\.grpc|io\.vertx|io\.ktor|io\.micronaut|io\.quarkus|io\.undertow|io\.opentelemetry|"
    r"io\.micrometer|io\.lettuce|io\.reactivex|reactor|rx|okhttp3|okio|feign|retrofit2|redis\.clients|net\.bytebuddy|"
    r"ch\.qos|com\.zaxxer|com\.fasterxml|com\.google\.(?:common|gson|inject|protobuf)|com\.mysql|com\.mongodb|"
    r"com\.netflix|com\.rabbitmq|com\.datastax|org\.(?:springframework|apache|hibernate|jboss|eclipse|slf4j|postgresql|"
    r"mariadb|h2|jooq|mybatis|quartz|glassfish|aspectj|elasticsearch|opensearch|mongodb|redisson|reactivestreams|"
    r"junit|mockito|gradle|codehaus)|"
    r"System|Microsoft|Npgsql|Newtonsoft|MySql|MySqlConnector|Dapper|Grpc|Polly|Serilog|MediatR|StackExchange|RabbitMQ|"
    r"MassTransit|Castle|AutoMapper|FluentValidation|Swashbuckle|OpenTelemetry|Azure|Amazon|MongoDB|Google|Interop|Internal"
    r")[.$]"
)
_GENERATED: Final = re.compile(
    r"\$Proxy[0-9]*\b|GeneratedMethodAccessor|GeneratedConstructorAccessor|\$\$FastClass|LambdaForm\$|"
    r"^lambda_method\b|DynamicClass\."
)
_GO_STANDARD: Final = frozenset(
    re.findall(
        r"\w+",
        "archive bufio builtin bytes cmp compress container context crypto database debug embed encoding errors expvar "
        "flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp "
        "runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe weak",
    )
)


def is_foreign_path(path: str) -> bool:
    """Say whether a file lies where a language or its package manager keeps code of others.

    Examples
    --------
    >>> is_foreign_path("/srv/node_modules/express/index.js"), is_foreign_path("/srv/app/index.js")
    (True, False)
    """
    return _FOREIGN.search(path) is not None


def is_in_app(path: str, function: str, *, own: Sequence[str] = ()) -> bool:
    """Say whether a frame is the service's own code.

    Parameters
    ----------
    path : str
        Of the source file, ``/`` between folders; empty where the trace names none.
    function : str
        As printed, with its type or package where the language prints that.
    own : sequence of str
        Beginnings of packages, and folders, that are one's own whatever the rules say: ``org.apache.hadoop``,
        ``/srv/shop/vendor/shop``.

    Examples
    --------
    >>> is_in_app("com/shop/Tax.java", "com.shop.Tax.price"), is_in_app("", "org.hibernate.Session.load")
    (True, False)
    >>> is_in_app("", "org.apache.hadoop.ipc.Client.call", own=("org.apache.hadoop",))
    True
    """
    if any(_begins(function, name) or name in path for name in own):
        return True
    if _GENERATED.search(function) or _FOREIGN_TYPES.match(function):
        return False
    if is_foreign_path(path) or _FOREIGN_PLACES.search(path):
        return False
    return not (path.endswith((".go", ".s")) and _is_go_standard(path, function))


def _begins(function: str, name: str) -> bool:
    return function.startswith(name) and (name[-1:] in {".", "\\", "/"} or function[len(name) :][:1] in set(".\\$:/"))


def _is_go_standard(path: str, function: str) -> bool:
    """Tell Go's own packages, whose import paths begin with no domain, where the build wrote no absolute paths."""
    package = function.partition("(")[0].rpartition("/")[0] or function.partition(".")[0]
    root = package.partition("/")[0]
    return (
        root in _GO_STANDARD
        and (path.startswith(("/", package + "/")) or path[1:3] == ":/")
        and root in path.split("/")
    )
