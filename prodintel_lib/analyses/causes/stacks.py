"""The source files that stack traces name, whatever language printed them, and whether one of them was changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES: Final = 400
MAX_LINE_LENGTH: Final = 1000
MIN_SHARED: Final = 2
_SUFFIXES: Final = (
    "go|py|jsx?|mjs|cjs|tsx?|mts|cts|vue|svelte|java|kt|kts|scala|groovy|rb|rs|cs|fs|vb|php|cpp|cc|c|exs?|swift|dart"
)
_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # Python: File "/srv/orders/tax.py", line 42, in price
        r'File "(?P<path>[^"<>]+)", line (?P<line>[0-9]+)(?:, in (?P<function>\S+))?',
        # Java, Kotlin, Scala: at app//com.shop.orders.Tax.price(Tax.java:42)
        (
            r"\bat (?:[\w.@-]*/)*(?P<type>[\w.$]+)\.(?P<function>[\w$<>]+)"
            r"\((?P<path>[\w$-]+\.(?:java|kt|scala|groovy))(?::(?P<line>[0-9]+))?\)"
        ),
        # .NET: at Shop.Orders.Tax.Price(Order order) in C:\src\Orders\Tax.cs:line 42
        r"\bat (?P<function>[\w.`<>+]+)\([^()]*\) in (?P<path>(?:[A-Za-z]:)?[^:]+):line (?P<line>[0-9]+)",
        # PHP: #0 /var/www/src/Tax.php(42): App\Tax->price(), and: in /var/www/src/Tax.php on line 42
        r"#[0-9]+ (?P<path>[^():]+\.php)\((?P<line>[0-9]+)\): (?P<function>[^(]+)",
        r"\bin (?P<path>\S+\.php)(?::| on line )(?P<line>[0-9]+)",
        # JavaScript as V8 prints it: at async price (file:///srv/src/tax.js:42:17), then as the other engines do
        (
            rf"\bat (?:async |new )*(?P<function>[^()]+?) "
            rf"\((?P<path>[^()]+\.(?:{_SUFFIXES})[^():]*):(?P<line>[0-9]+):[0-9]+\)"
        ),
        rf"^\s*(?P<function>[^@\s]*)@(?P<path>\S+\.(?:{_SUFFIXES})[^():]*):(?P<line>[0-9]+):[0-9]+$",
        # Ruby: /srv/app/tax.rb:42:in 'price'
        r"(?<![\w./-])(?P<path>[\w./-]+\.rb):(?P<line>[0-9]+):in [`'](?P<function>[^']+)'",
        # Everything else that names a file and a line: Go, Rust, Swift, C, Elixir, and messages
        rf"(?<![\w@+./\\-])(?P<path>(?:[A-Za-z]:)?[\w@+./\\-]+\.(?:{_SUFFIXES}))(?::(?P<line>[0-9]+)|\((?P<line_>[0-9]+)\))",
    )
)
_GO_FUNCTION: Final = re.compile(
    r"^(?:created by )?(?P<function>[\w./*()\-]+?)(?:\([^()]*\))?(?: in goroutine [0-9]+)?$"
)
_SCHEME: Final = re.compile(r"^[a-z][a-z-]*://(?:[\w.-]+(?::[0-9]+)?(?=/))?")
_FOREIGN: Final = re.compile(
    r"(^|/)(site-packages|dist-packages|node_modules|vendor|gems|go/pkg/mod|registry/src|rustc)/|^/usr/(local/)?(lib|go)|"
    r"^(node:)?internal/|^(java|javax|jdk|sun|kotlin|scala|System|Microsoft)/"
)
# What says little about which file it is: where code is kept, and what files are called everywhere.
_GENERAL: Final = frozenset(
    re.findall(
        r"\w+",
        "src lib app main dist build out java kotlin scala internal pkg cmd source code srv opt home usr var www html "
        "index __init__ __main__ mod utils util helpers types server client config",
    )
)
_COMPILED: Final = re.compile(r"\.(?:[cm]?tsx?|[cm]?jsx?|vue|svelte)$")


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack trace.

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
    for whole in _lines(text):
        # What goes on for longer is data, and costs patterns time that grows with its square.
        line = whole[:MAX_LINE_LENGTH]
        for pattern in _PATTERNS:
            found = [_frame(match, before) for match in pattern.finditer(line)]
            if found:
                frames |= dict.fromkeys(found)
                break
        before = line
    return tuple(frames)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines()[:MAX_LINES]:
        document = _document(line) if line.startswith(("{", "[")) else None
        if document is None:
            yield line
            continue
        nodes = [document]
        while nodes:
            node = nodes.pop(0)
            if isinstance(node, dict | list):
                nodes += node.values() if isinstance(node, dict) else node
            elif isinstance(node, str):
                yield from node.splitlines()[:MAX_LINES]


def _document(line: str) -> object:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict | list) else None


def _frame(match: re.Match[str], before: str) -> Frame:
    groups = match.groupdict()
    path = _SCHEME.sub("", groups["path"].replace("\\", "/")).partition("?")[0]
    if groups.get("type"):
        package = groups["type"].partition("$")[0].rpartition(".")[0]
        path = f"{package.replace('.', '/')}/{path}" if package else path
    function = groups.get("function") or ""
    # Go prints the function on the line above its file.
    is_go = path.endswith(".go") and match.string.lstrip().startswith(path)
    above = _GO_FUNCTION.match(before.strip()) if is_go else None
    number = groups.get("line") or groups.get("line_")
    return Frame(path, int(number) if number else None, above["function"] if above else function.strip())


def is_same_file(changed: str, frame: str) -> bool:
    """Say whether a frame's file is the changed one, though the two trees begin elsewhere.

    One path has to end with the other (folders that every tree has, such as ``src``, aside), or both end with the same
    two telling names. A file of a library needs the latter: many are called like one's own. What a compiler made of
    TypeScript counts as its source.

    Examples
    --------
    >>> is_same_file("services/orders/src/tax/rates.ts", "/app/dist/tax/rates.js")
    True
    >>> is_same_file("index.js", "/srv/node_modules/express/index.js")
    False
    """
    ours, theirs = _parts(changed), _parts(frame)
    shared = 0
    while shared < min(len(ours), len(theirs)) and ours[-1 - shared] == theirs[-1 - shared]:
        shared += 1
    if not shared:
        return False
    telling = sum(part.partition(".")[0] not in _GENERAL for part in theirs[len(theirs) - shared :])
    if telling >= MIN_SHARED:
        return True
    return not _FOREIGN.search(frame) and shared >= min(len(_trimmed(ours)), len(_trimmed(theirs)))


def _parts(path: str) -> list[str]:
    whole = _COMPILED.sub(".js", path.replace("\\", "/"))
    return [part for part in whole.split("/") if part not in {"", "."}]


def _trimmed(parts: list[str]) -> list[str]:
    """Leave out the folders at the beginning that say nothing."""
    first = next((at for at, part in enumerate(parts[:-1]) if part not in _GENERAL), len(parts) - 1)
    return parts[first:]
