"""How each language prints a frame: the one place where lines of stack traces are recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES: Final = 400
MAX_LINE_LENGTH: Final = 1000
SUFFIXES: Final = (
    "go|py|jsx?|mjs|cjs|tsx?|mts|cts|vue|svelte|java|kt|kts|scala|groovy|rb|rs|cs|fs|vb|php|cpp|cc|c|exs?|swift|dart"
)
# In the order in which a line is tried.
FORMS: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(pattern)
    for name, pattern in {
        # File "/srv/orders/tax.py", line 42, in price
        "python": r'File "(?P<path>[^"<>]+)", line (?P<line>[0-9]+)(?:, in (?P<function>\S+))?',
        # Java, Kotlin, Scala: at app//com.shop.orders.Tax.price(Tax.java:42)
        "jvm": (
            r"\bat (?:[\w.@-]*/)*(?P<type>[\w.$]+)\.(?P<function>[\w$<>]+)"
            r"\((?P<path>[\w$-]+\.(?:java|kt|scala|groovy))(?::(?P<line>[0-9]+))?\)"
        ),
        # at Shop.Orders.Tax.Price(Order order) in C:\src\Orders\Tax.cs:line 42
        "dotnet": r"\bat (?P<function>[\w.`<>+]+)\([^()]*\) in (?P<path>(?:[A-Za-z]:)?[^:]+):line (?P<line>[0-9]+)",
        # #0 /var/www/src/Tax.php(42): App\Tax->price(), and: in /var/www/src/Tax.php on line 42
        "php": r"#[0-9]+ (?P<path>[^():]+\.php)\((?P<line>[0-9]+)\): (?P<function>[^(]+)",
        "php place": r"\bin (?P<path>\S+\.php)(?::| on line )(?P<line>[0-9]+)",
        # JavaScript as V8 prints it: at async price (file:///srv/src/tax.js:42:17), then as the other engines do
        "v8": (
            rf"\bat (?:async |new )*(?P<function>[^()]+?) "
            rf"\((?P<path>[^()]+\.(?:{SUFFIXES})[^():]*):(?P<line>[0-9]+):[0-9]+\)"
        ),
        "at sign": rf"^\s*(?P<function>[^@\s]*)@(?P<path>\S+\.(?:{SUFFIXES})[^():]*):(?P<line>[0-9]+):[0-9]+$",
        # /srv/app/tax.rb:42:in 'price'
        "ruby": r"(?<![\w./-])(?P<path>[\w./-]+\.rb):(?P<line>[0-9]+):in [`'](?P<function>[^']+)'",
        # Everything else that names a file and a line: Go, Rust, Swift, C, Elixir, and messages
        "plain": (
            rf"(?<![\w@+./\\-])(?P<path>(?:[A-Za-z]:)?[\w@+./\\-]+\.(?:{SUFFIXES}))"
            r"(?::(?P<line>[0-9]+)|\((?P<line_>[0-9]+)\))"
        ),
    }.items()
}
_GO_FUNCTION: Final = re.compile(
    r"^(?:created by )?(?P<function>[\w./*()\-]+?)(?:\([^()]*\))?(?: in goroutine [0-9]+)?$"
)
_SCHEME: Final = re.compile(r"^[a-z][a-z-]*://(?:[\w.-]+(?::[0-9]+)?(?=/))?")


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack trace that names a source file.

    Attributes
    ----------
    path : str
        As printed, with ``/`` between folders; of the JVM the package's folders and the file.
    line : int or None
    function : str
        As printed; empty where it is not.
    """

    path: str
    line: int | None
    function: str = ""


def read_frames(text: str) -> tuple[Frame, ...]:
    """Read the frames of any stack trace in a text, in the order they are printed.

    Traces of Python, the JVM, JavaScript, Go, .NET, PHP and Ruby are read in their own form, those of other languages
    where they name a file and a line. A line that is a JSON document is searched for texts.

    Examples
    --------
    >>> [frame.path for frame in read_frames("at com.shop.Tax.price(Tax.java:42)")]
    ['com/shop/Tax.java']
    """
    frames: dict[Frame, None] = {}
    before = ""
    for whole in split_lines(text, max_lines=MAX_LINES):
        # What goes on for longer is data, and costs patterns time that grows with its square.
        line = whole[:MAX_LINE_LENGTH]
        for pattern in FORMS.values():
            found = [frame_of(match, above=before) for match in pattern.finditer(line)]
            if found:
                frames |= dict.fromkeys(found)
                break
        before = line
    return tuple(frames)


def split_lines(text: str, *, max_lines: int) -> Iterator[str]:
    """Yield the lines of a text; of a line that is a JSON document, the lines of the texts in it."""
    for line in text.splitlines()[:max_lines]:
        document = read_document(line)
        if document is None:
            yield line
            continue
        nodes: list[object] = [document]
        while nodes:
            node = nodes.pop(0)
            if isinstance(node, dict | list):
                nodes += node.values() if isinstance(node, dict) else node
            elif isinstance(node, str):
                yield from node.splitlines()[:max_lines]


def read_document(line: str) -> dict[str, object] | list[object] | None:
    """Return the JSON object or list that a line is, else None."""
    if not line.startswith(("{", "[")):
        return None
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict | list) else None


def frame_of(match: re.Match[str], *, above: str = "") -> Frame:
    """Return the frame that one of FORMS found; `above` is the line before, where Go prints the function."""
    groups = match.groupdict()
    path = clean_path(groups["path"])
    if groups.get("type"):
        package = groups["type"].partition("$")[0].rpartition(".")[0]
        path = f"{package.replace('.', '/')}/{path}" if package else path
    function = groups.get("function") or ""
    is_go = path.endswith(".go") and match.string.lstrip().startswith(path)
    named = _GO_FUNCTION.match(above.strip()) if is_go else None
    number = groups.get("line") or groups.get("line_")
    return Frame(path, int(number) if number else None, named["function"] if named else function.strip())


def clean_path(path: str) -> str:
    """Return a path with ``/`` between folders and without scheme, host and query.

    Examples
    --------
    >>> clean_path("https://shop.example/js/cart.js?v=2")
    '/js/cart.js'
    """
    return _SCHEME.sub("", path.replace("\\", "/")).partition("?")[0]
