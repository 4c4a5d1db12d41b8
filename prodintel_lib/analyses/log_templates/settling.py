"""What else of a shape is a value, told by where it stands: after an equals sign, in quotes, with its unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.rollups.log_masks import SLOT

if TYPE_CHECKING:
    import polars as pl

# Signs that stand for others while the rules apply; of a block that Unicode keeps for private use.
_KEPT: Final = "\ue000"
_KEY_QUOTE: Final = "\ue001"
_VALUE: Final = r"[^ ,;(){}\[\]\"|=<>]*"
_STRING: Final = r"(?:[^\"\\]|\\.)*"
_QUERY: Final = r"(?:\?[^ \"'()\[\]{},;|]*)?"
_SIZES: Final = "[KMGTP]i?[Bb]|[Bb]|bytes?"
_DURATIONS: Final = "ns|us|µs|ms|secs?|s|mins?|hrs?|h"
# What programs that log in pairs call their text, and how grave it is.
_SAYING: Final = "((?i:msg|message|event|error|err|exception|reason|level|lvl|severity))"
_ANSWER: Final = "(?i:true|false|ok|fail|failed|failure|success|succeeded|error)"
_WORDY: Final = (r"=( ?)<\*>(?: [^ ,;(){}\[\]\"|=<>]+)+(, ?[A-Za-z_][A-Za-z0-9_.-]*=)", f"=${{1}}{SLOT}${{2}}")
_OBJECT: Final = (r"[A-Za-z_$][A-Za-z0-9_.$]*\{[^{}]*\}", SLOT)
_PRINTED: Final = (
    r"=( ?)(?:<\*>)?(?:\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\))",
    f"=${{1}}{SLOT}",
)
_QUALIFIED: Final = (
    r"([^A-Za-z0-9_.>*-])[A-Za-z_$][A-Za-z0-9_$-]*(?:\.[A-Za-z0-9_$-]+){2,}([^A-Za-z0-9_.$=-]|\.?$|\. )",
    f"${{1}}{SLOT}${{2}}",
)
_LISTED: Final = (r"(: ?)\[[^\[\]]*(?:,|<\*>)[^\[\]]*\]", f"${{1}}{SLOT}")
# In the order they apply. Each is a rule about logs of any system:
_RULES: Final = (
    # In JSON what is quoted before a colon is a key, and what is quoted after it a value.
    (r"\"([A-Za-z_@][A-Za-z0-9_.@ -]*)\"( ?:)", f"{_KEY_QUOTE}${{1}}{_KEY_QUOTE}${{2}}"),
    (
        rf"{_KEY_QUOTE}{_SAYING}{_KEY_QUOTE}( ?: ?)\"({_STRING})\"",
        f"{_KEY_QUOTE}${{1}}{_KEY_QUOTE}${{2}}{_KEY_QUOTE}${{3}}{_KEY_QUOTE}",
    ),
    (rf"({_KEY_QUOTE} ?: ?)\"{_STRING}\"", f"${{1}}{SLOT}"),
    # `key=value`: what stands after the sign is a value. Not so where the key announces what is said, nor an answer:
    # `msg="pool exhausted"`, `ok=false`.
    (rf"(^|[ ,;{{(\[]){_SAYING}=\"([^\"]*)\"", f"${{1}}${{2}}{_KEPT}{_KEY_QUOTE}${{3}}{_KEY_QUOTE}"),
    (rf"(^|[ ,;{{(\[]){_SAYING}=", f"${{1}}${{2}}{_KEPT}"),
    (rf"=( ?)({_ANSWER})([^A-Za-z0-9_]|$)", f"{_KEPT}${{1}}${{2}}${{3}}"),
    (r"( = |=)\"[^\"]*\"", f"${{1}}{SLOT}"),
    (rf"( = |=){_VALUE}(?:<\*>{_VALUE})+", f"${{1}}{SLOT}"),
    (rf"( = |=)[A-Za-z_*]{_VALUE}", f"${{1}}{SLOT}"),
    # ... which may be empty.
    (r"([A-Za-z_]=)([ ,;]|$)", f"${{1}}{SLOT}${{2}}"),
    # ... to the comma before the next key, where pairs are parted by commas.
    _WORDY,
    _WORDY,
    # ... a list, a map or an object with its class, too: `stops=[a, b]`, `owner=User{42}`; those within others first.
    _PRINTED,
    _OBJECT,
    _PRINTED,
    _OBJECT,
    _LISTED,
    (_KEPT, "="),
    # A path of one part, where a word cannot go on; the query of a path.
    (rf"(^|[^A-Za-z0-9>*/])/[A-Za-z_.$~%@-]+/?{_QUERY}", f"${{1}}{SLOT}"),
    (r"<\*>\?[^ \"'()\[\]{},;|]*", SLOT),
    # A name of three parts or more: classes, hosts, packages, topics. The first word of a line says who speaks, and
    # what is before an equals sign is a key. Twice, since the sign between two names belongs to one of them.
    _QUALIFIED,
    _QUALIFIED,
    # What is quoted comes from elsewhere.
    (r"\"[^\"<]*\"", f'"{SLOT}"'),
    (r"([ (\[:=])'[^'<]*'", f"${{1}}'{SLOT}'"),
    # A number and its unit are one quantity; the same again in brackets, or nothing in them, is no second one.
    (rf"<?<\*> ?(?:{_SIZES}|{_DURATIONS}|%)([^A-Za-z0-9]|$)", f"{SLOT}${{1}}"),
    (r"<\*> ?\((?:<\*>)?\)", SLOT),
    # Lists are as long as they are: slots with nothing but punctuation between them are one.
    (r"<\*>(?:[ ,:;./\\|@_+-]*<\*>)+", SLOT),
    (_KEY_QUOTE, '"'),
)
# A blank belongs to the word after it, so that the words joined are the line again.
_SAID_VALUE: Final = r"(?: = |=)[A-Za-z][A-Za-z_-]*|\"[A-Za-z][A-Za-z_-]*\"|[ (\[=]'[A-Za-z][A-Za-z_-]*'"
_TOKEN: Final = re.compile(r" ?(?:<\*>|[^\s<>=:,;()\[\]{}\"'|*]+|.)")
_MAX_PERIOD: Final = 6


def settle_shapes(shape: pl.Expr) -> pl.Expr:
    """Return shapes with the values masked that only their place tells.

    Parameters
    ----------
    shape : polars.Expr
        As rollups.log_masks.mask_message makes them.

    Examples
    --------
    >>> import polars as pl
    >>> said = pl.lit("open pool=main size=<*> KB, retry=true in <*>, <*>, <*>")
    >>> pl.select(settle_shapes(said)).item()
    'open pool=<*> size=<*>, retry=true in <*>'
    """
    for pattern, text in _RULES:
        shape = shape.str.replace_all(pattern, text)
    return shape


def find_said_values(shapes: pl.Series) -> frozenset[str]:
    """Return the words that shapes say are values: those after an equals sign, and those in quotes."""
    words = shapes.str.extract_all(_SAID_VALUE).explode(empty_as_null=False).drop_nulls().unique()
    return frozenset(words.str.strip_chars("= \"'([").str.to_lowercase())


def split_tokens(settled: str) -> tuple[str, ...]:
    """Split a settled shape into words, slots and punctuation, each with the blank before it.

    A group of words that is repeated and holds a slot (``n1 <ok> n2 <ok> n3 <ok>``) is a list, and stands once.

    Examples
    --------
    >>> split_tokens("nodes <*> <ok> <*> <ok>: sick")
    ('nodes', ' <*>', ' <', 'ok', '>', ':', ' sick')
    """
    tokens = _TOKEN.findall(settled)
    # A list needs two slots: most lines have no more to lose than this.
    return tuple(tokens) if settled.count(SLOT) < 2 else _fold_lists(tokens)


def _fold_lists(tokens: list[str]) -> tuple[str, ...]:
    """Leave one of every group of at most _MAX_PERIOD tokens that follows itself and holds a slot."""
    folded: list[str] = []
    at = 0
    while at < len(tokens):
        for period in range(1, _MAX_PERIOD + 1):
            group = tokens[at : at + period]
            if len(group) < period or not any(token.endswith(SLOT) for token in group):
                continue
            end = at + period
            while tokens[end : end + period] == group:
                end += period
            if end > at + period:
                folded += group
                at = end
                break
        else:
            folded.append(tokens[at])
            at += 1
    return tuple(folded)
