"""What stays of a frame and of a stack from release to release: keys that two traces of one defect share."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.analyses.stack_traces.model import StackFrame, Trace

MAX_KEY_FRAMES: Final = 30
_MIN_SCRIPT_NAME: Final = 3
_EXHAUSTED: Final = re.compile(
    r"stack ?overflow|recursionerror|systemstackerror|maximum (?:call stack|recursion)|too much recursion|"
    r"stack level too deep",
    re.IGNORECASE,
)
# Comprehensions were frames of their own before Python 3.12.
_NO_FRAME: Final = re.compile(r"^<(?:list|dict|set)comp>$|^<genexpr>$|^\{main\}$")
_SCRIPT: Final = re.compile(r"\.(?:[cm]?[jt]sx?|vue|svelte)$")
_HASHED: Final = re.compile(
    r"[.-](?:v?[0-9]+(?:\.[0-9]+)+|[0-9a-f]{6,}|(?=[^.]*[0-9])[0-9A-Za-z_-]{8,12}|[0-9]+)(?=\.)|"
    r"^(?:[0-9a-f]{8,}|[0-9]+)(?=\.)"
)
# Files that every tree has many of: the folder tells them apart, unless it is one that every tree has too.
_MANY: Final = re.compile(r"^(?:__init__|__main__|index|main|mod|lib|init|app|utils?|helpers?|views|models)\.")
FOLDERS_OF_ALL: Final = frozenset(
    re.findall(r"\w+", "src lib app dist build out srv opt home var www html public code source static assets usr")
)
"""Folders that say where code is kept, not whose it is."""
# In the order they apply, each to what the ones before left.
_FUNCTION_RULES: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Whose class a proxy or a closure was generated for
        (r"\$\$(?:Enhancer|FastClass|SpringCGLIB|EnhancerBy|HibernateProxy|Lambda)[\w$]*(?:/0?x?[0-9a-f]+)?", ""),
        (r"\$\$Lambda[\w$/]*", ""),
        (r"\$Proxy[0-9]+", "$Proxy"),
        (r"\b(?:access|lambda)\$(?:static\$)?(\w*?)\$?[0-9]+$", r"\1"),
        (r"\$anonfun\$(?:\$?[a-z]+\$)??(\w+)\$[0-9]+", r"\1"),
        (r"\$(?:[0-9]+)(?=[.$]|$)", ""),
        (r"Generated(?:Method|Constructor)Accessor[0-9]+", "GeneratedAccessor"),
        # .NET: state machines, lambdas and local functions are part of the function they were written in
        (r"\.?<>c(?:__DisplayClass[0-9_]+)?(?:`[0-9]+)?(?=[.+]|$)", ""),
        (r"<{1,2}(\w+)>(?:b|g|d)__(?:\w+\|)?[0-9_]*(?:>d)?(?:\.MoveNext)?", r"\1"),
        (r"`[0-9]+|\[[^\[\]]*\]", ""),
        # Go: numbered closures; Rust: hashes of builds
        (r"(?:\.func[0-9]+(?:\.[0-9]+)*|\.gowrap[0-9]+|-fm|-range[0-9]+)+$", ""),
        (r"::h[0-9a-f]{16}$|::\{\{closure\}\}|::\{closure#[0-9]+\}", ""),
        # PHP: closures and classes without a name
        (r"\{closure[^}]*\}", "{closure}"),
        (r"@anonymous.*?(?=->|::|$)", "@anonymous"),
        # Ruby: blocks are part of their method
        (r"^(?:block (?:\([0-9]+ levels\) )?|rescue |ensure )+in ", ""),
        # What JavaScript engines say of how a function was called
        (r"\s*\[as [^\]]*\]|^async(?:\*|\s+)|^new\s+", ""),
        (r"0x[0-9a-f]+", "0x"),
    )
)


def frame_key(frame: StackFrame, language: str) -> str:
    """Return what names a function in all releases: ``function file``, or an empty text for no frame of its own.

    Line numbers, addresses, numbers of closures, suffixes of generated classes, hashes of builds and the folders a
    release was unpacked in are left out. Where the function bears its package (the JVM, .NET, Go, classes of PHP) the
    file adds nothing.

    Examples
    --------
    >>> from prodintel_lib.analyses.stack_traces.model import StackFrame
    >>> frame_key(StackFrame("com.shop.Tax$$EnhancerBySpringCGLIB$$1f.lambda$price$3", "com/shop/Tax.java", 4), "jvm")
    'com.shop.Tax.price'
    >>> frame_key(StackFrame("price", "/releases/20250929/orders/tax.py", 42), "python")
    'price tax.py'
    """
    if _NO_FRAME.match(frame.function):
        return ""
    name = function_name(frame.function, language)
    if (language in {"jvm", "dotnet", "go"} and name) or (language == "php" and re.search(r"->|::|\\", name)):
        return name
    return f"{name} {file_name(frame.path)}".strip()


def function_name(function: str, language: str) -> str:
    """Return a function's name without what compilers, engines and builds add to it."""
    for pattern, replacement in _FUNCTION_RULES:
        function = pattern.sub(replacement, function)
    if language == "javascript":
        return _script_function(function)
    if language == "ruby":
        # Since 3.4 Ruby names the class as well.
        return re.split(r"[#.]", function)[-1]
    return function.strip(". ")


def _script_function(function: str) -> str:
    """Return the function's own name: engines differ in what they put before it, and builds shorten it."""
    bare = re.split(r"[./\s]", function.strip().rstrip("/<"))[-1]
    is_name = re.fullmatch(r"[A-Za-z_$][\w$]*", bare) is not None
    return bare if is_name and len(bare) >= _MIN_SCRIPT_NAME and bare not in {"anonymous", "eval", "code"} else ""


def file_name(path: str) -> str:
    """Return a source file's name without the hashes of builds; the folder too where the name says little."""
    folder, _, name = path.rpartition("/")
    if path.startswith("<") or not name:
        return path
    name = _SCRIPT.sub(".js", _HASHED.sub("", name))
    # Nothing is left of a part of a build that bears a number for a name.
    name = f"chunk{name}" if name.startswith(".") else name
    parent = folder.rpartition("/")[2]
    return f"{parent}/{name}" if _MANY.match(name) and parent and parent.lower() not in FOLDERS_OF_ALL else name


def class_key(error_type: str) -> str:
    """Return an exception's class without package and outer class."""
    return re.split(r"[.\\$:/](?=\w)", error_type.strip())[-1] if " " not in error_type else error_type


def mask_digits(message: str) -> str:
    """Return a message with its numbers and long hexadecimal words masked.

    Examples
    --------
    >>> mask_digits("Cannot read properties of undefined (reading 'price'), order 4711")
    "Cannot read properties of undefined (reading 'price'), order #"
    """
    return re.sub(r"\b[0-9a-f]{8,}\b|[0-9]+", "#", message)


def stack_keys(trace: Trace, *, in_app: bool) -> tuple[str, ...]:
    """Return the keys of a stack, where it was thrown first; of one's own frames, or of all.

    A function that recurs counts once, where it comes first: how deep a recursion went does not matter. Of a stack that
    overflowed only the functions that recur count, in alphabetic order: where in the circle it ended is chance.
    """
    keys = [frame_key(frame, trace.language) for frame in trace.frames if frame.in_app or not in_app]
    keys = [key for key in keys if key]
    if _EXHAUSTED.search(f"{trace.root.error_type} {trace.root.message}"):
        recurring = sorted(key for key, count in Counter(keys).items() if count > 1)
        keys = recurring or keys
    return tuple(dict.fromkeys(keys))[:MAX_KEY_FRAMES]


def digest(error_class: str, keys: Iterable[str]) -> str:
    """Return ``ST-`` and ten hexadecimal digits of class and keys."""
    joined = "\0".join([error_class, *keys])
    return "ST-" + hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=5).hexdigest()
