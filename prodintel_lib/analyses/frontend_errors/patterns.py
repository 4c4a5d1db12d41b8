"""One error under all its wordings: what two reports have in common once numbers, ids and values are masked."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

import polars as pl

from prodintel_lib.rollups.rum_errors import ERROR_TEXTS

MESSAGE_CHARS: Final = 160
PATTERNS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "pattern_id": pl.String(),
    "kind": pl.String(),
    "error_type": pl.String(),
    "message": pl.String(),
    "frame": pl.String(),
    "field": pl.String(),
    "example": pl.String(),
}
VALIDATION: Final = "validation"
EXCEPTION: Final = "exception"
# ECMA-262, section 20.5: what the engine itself throws, in words of its own that differ from browser to browser.
ENGINE_ERRORS: Final = frozenset(
    {"EvalError", "InternalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"}
)
_MIN_NAME: Final = 3
_UNCAUGHT: Final = r"(?i)^(?:uncaught|unhandled(?: promise)? rejection:?)\s*(?:\(in promise\):?)?\s*(?:exception:)?\s*"
_CLASS: Final = r"^([A-Z][A-Za-z0-9_$]*(?:Error|Exception))\s*:\s*"
# What an engine quotes is the program's own word, not a user's: V8's `(reading 'x')`, JavaScriptCore's
# `(evaluating 'x.y')`, SpiderMonkey's `property "x"`.
_ENGINE_QUOTES: Final = (
    r"\b(reading|setting|evaluating|calling|deleting) ['\"]([^'\"]{1,80})['\"]",
    r"\b(property) ['\"]([A-Za-z_$][A-Za-z0-9_$]{0,60})['\"]",
)
# In the order they apply.
_MASKS: Final = (
    (r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>)\]]+", "<url>"),
    (r"[^\s@\"'<>(]+@[^\s@\"'<>)]+\.[A-Za-z]{2,}", "<email>"),
    (r"\"[^\"]*\"", "<value>"),
    (r"“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`", "<value>"),
    (r"(^|[^A-Za-z0-9_])'[^']*'", "${1}<value>"),
    (r"(^|[^A-Za-z0-9_])\u2018[^\u2019]*\u2019", "${1}<value>"),
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22,}", "<id>"),
    (r"\b0x[0-9a-fA-F]+\b", "<id>"),
    (r"\b[0-9a-fA-F]{12,}\b", "<id>"),
    (r"\b[A-Za-z]+[0-9]+[A-Za-z]+[A-Za-z0-9]*\b|\b[0-9]+[A-Za-z]+[0-9]+[A-Za-z0-9]*\b", "<id>"),
    (r"[0-9]+(?:[.,:][0-9]+)*", "<n>"),
    (r"\s+", " "),
)
_V8: Final = re.compile(r"^\s*at (?:async )?(?:new )?(?:(?P<name>.+?) \()?(?P<place>[^()\s]+?):[0-9]+(?::[0-9]+)?\)?$")
_OTHERS: Final = re.compile(r"^(?P<name>[^@]*)@(?P<place>\S+?)(?::[0-9]+){1,2}$")
_FOREIGN: Final = re.compile(
    r"^(?:[a-z-]+-extension:|webkit-masked-url:|safari-extension:|node:|native|<anonymous>|\[native)|/node_modules/"
)
_HASHED: Final = re.compile(r"[.-][0-9a-zA-Z_]*[0-9][0-9a-zA-Z_]{6,}(?=\.)")


def name_patterns(definitions: pl.DataFrame) -> pl.DataFrame:
    """Say which pattern each way of reporting an error belongs to.

    Parameters
    ----------
    definitions : polars.DataFrame
        ERROR_TEXTS of rum_errors, empty where unknown: each combination once.

    Returns
    -------
    polars.DataFrame
        The same rows in the same order with the columns of PATTERNS_SCHEMA:

        - ``kind``: ``validation``, or how it was caught: ``exception``, ``console``, ``network``; empty where unknown
        - ``error_type``: as reported, else the class the message begins with
        - ``message``: the first line with URLs, addresses, quoted values, ids and numbers masked
        - ``frame``: ``function file`` of the topmost frame of the stack that is the site's own; empty without a stack
        - ``example``: the message as it came
        - ``pattern_id``: digest of kind (validation or not), class, frame, field and message. The message does not
          count where a function is named and the engine wrote the words: one defect is then one pattern in all browsers
    """
    first_line = pl.coalesce(
        pl.when(pl.col("exception_message") != "").then(pl.col("exception_message")),
        pl.col("exception_stacktrace"),
    ).str.strip_chars().str.split("\n").list.first().fill_null("").str.slice(0, 1000)  # fmt: skip
    caught = first_line.str.replace(_UNCAUGHT, "")
    named = definitions.with_columns(
        first_line.str.slice(0, MESSAGE_CHARS).alias("example"),
        pl.coalesce(
            pl.when(pl.col("error_type") != "").then(pl.col("error_type")), caught.str.extract(_CLASS, 1), pl.lit("")
        ).alias("type"),
        mask_message(caught.str.replace(_CLASS, "")).alias("message"),
        pl.col("error_source").alias("kind"),
    ).with_columns(pl.col("exception_stacktrace").map_elements(find_frame, return_dtype=pl.String()).alias("frame"))
    ids = [pattern_id(*row) for row in named.select("kind", "type", "message", "frame", "field").iter_rows()]
    return named.with_columns(pl.Series("pattern_id", ids, dtype=pl.String())).select(
        *(name for name in ERROR_TEXTS if name not in {"error_type", "field"}),
        pl.col("error_type").alias("reported_type"),
        pl.col("type").alias("error_type"),
        *(name for name in PATTERNS_SCHEMA if name != "error_type"),
    )


def mask_message(message: pl.Expr) -> pl.Expr:
    """Return a message of one line with what varies masked, at most MESSAGE_CHARS characters.

    Examples
    --------
    >>> pl.select(mask_message(pl.lit("Order 4711 of 'Ann' not found at https://shop.example/o/4711"))).item()
    'Order <n> of <value> not found at <url>'
    >>> pl.select(mask_message(pl.lit("Cannot read properties of undefined (reading 'price')"))).item()
    'Cannot read properties of undefined (reading price)'
    """
    for pattern in _ENGINE_QUOTES:
        message = message.str.replace_all(pattern, "${1} ${2}")
    for pattern, mask in _MASKS:
        message = message.str.replace_all(pattern, mask)
    return message.str.strip_chars().str.slice(0, MESSAGE_CHARS)


@lru_cache(maxsize=4096)
def find_frame(stack: str) -> str:
    r"""Return function and file of the topmost frame that is the site's own; empty where the stack has none.

    Frames of browser extensions, of the engine and of packages are passed over. Line and column move with every
    release, and so do the hashes that builds put into names of files: they are left out.

    Examples
    --------
    >>> find_frame("TypeError: x\\n    at Cart.total (https://shop.example/js/cart.4f9a1c2e7b.js?v=2:10:15)")
    'total cart.js'
    >>> find_frame("total@https://shop.example/js/cart.js:10:15")
    'total cart.js'
    """
    for line in stack.splitlines():
        found = _V8.match(line) or _OTHERS.match(line.strip())
        if found is None or _FOREIGN.search(found["place"]):
            continue
        file = _HASHED.sub("", re.split(r"[?#]", found["place"], maxsplit=1)[0].rpartition("/")[2])
        # A script within a page bears the page's address, which may hold an id.
        file = file if "." in file else "page"
        return f"{_function_name(found['name'] or '')} {file}".strip()
    return ""


def _function_name(name: str) -> str:
    """Return the function's own name, empty where a build has shortened it or there is none."""
    bare = re.split(r"[./\s]", re.sub(r"\s*\[as [^\]]*\]", "", name).strip().rstrip("/<"))[-1]
    is_name = re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", bare) is not None
    return bare if is_name and len(bare) >= _MIN_NAME and bare not in {"anonymous", "eval", "code"} else ""


def pattern_id(kind: str, error_type: str, message: str, frame: str, field: str) -> str:
    """Return the pattern's id: the same for the same error today and next week, in this workspace and the next."""
    is_engines = error_type in ENGINE_ERRORS and " " in frame
    parts = (kind if kind == VALIDATION else "", error_type, frame, field, "" if is_engines else message)
    return "FE-" + hashlib.blake2b("\0".join(parts).encode(), digest_size=5).hexdigest()
