"""What varies from one log line to the next, masked in one pass: what is left is the shape of the message.

The rules say what a varying part looks like anywhere; none knows a system. A message may hold

- what has a form of its own: URLs, e-mail addresses, times and dates, addresses of networks and hosts, paths
- otherwise a word with a digit in it: identifiers, counts, sizes, versions and addresses of memory have digits, and
  words of a language do not

Masking is one alternation, so that a line is read once. What else of a shape is a value, only its place tells: that is
for the few shapes that are left (analyses.log_templates.settling).
"""

from __future__ import annotations

from typing import Final

import narwhals as nw

SLOT: Final = "<*>"
LINE_CHARS: Final = 1000
"""Of a message, what is looked at: a longer one is cut, so that memory stays bounded."""

_WORD: Final = r"[A-Za-z0-9_.$@~\\/+-]"
_PATH: Final = r"[A-Za-z0-9_.$~%+@-]"
_QUERY: Final = r"(?:\?[^ \"'<>()\[\]{},;|]*)?"
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_WEEKDAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK: Final = "[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
_DATE: Final = (
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
    r"(?:[ T_-][0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2}(?:[.,][0-9]+)?)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_DATE_IN_WORDS: Final = (
    rf"(?:{_WEEKDAY},? )?(?:{_MONTH} [0-9]{{1,2}}|[0-9]{{1,2}} {_MONTH})(?: [0-9]{{4}})?,? {_CLOCK}"
    "(?: [A-Z]{3,4})?(?: [0-9]{4})?"
)
# In the order in which they are tried at a place. Engines differ in what \b, \d and lookaround mean, so that none of
# these is used: a part begins where the one before it ended, and runs as far as its characters go.
PARTS: Final = (
    # A message that holds the mark itself.
    r"<\*>",
    r"[A-Za-z][A-Za-z0-9+.-]*://[^ \"'<>()\[\]{},;|]+",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    _DATE,
    _DATE_IN_WORDS,
    _CLOCK,
    # Hardware addresses, and those of IP version 6.
    r"[0-9a-fA-F]{1,4}(?:::?[0-9a-fA-F]{1,4}){3,}",
    r"/?[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?",
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)+:[0-9]+",
    r"(?:[A-Za-z]:)?\\[A-Za-z0-9_.$~%+@\\/-]*[A-Za-z0-9_$~%+@\\/-]",
    # Two slashes, or one after the mark of a folder: `and/or` is prose.
    rf"{_PATH}*(?:/+{_PATH}+){{2,}}/?{_QUERY}",
    rf"(?:\.{{1,2}}|~)(?:/+{_PATH}+)+/?{_QUERY}",
    r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?",
    # A word with a digit; a full stop at its end is the sentence's.
    rf"[-+#]?{_WORD}*[0-9](?:{_WORD}*[A-Za-z0-9_%])?",
)
_ANY_PART: Final = "|".join(PARTS)
# Engines differ in which characters are blank, so they are named.
_EDGES: Final = " \t\r\n"
# Stands where a message was cut; of a block that Unicode keeps for private use.
_CUT: Final = "\ue000"
# A line as it is masked: the first, without the word that a cut goes through (it would be another word at each length),
# the dots of a leader set apart, blanks and control characters made one blank each.
_CLEANING: Final = (
    (rf"[\r\n](?:.|[\r\n])*|[ \t][^ \t\r\n]*{_CUT}|{_CUT}", ""),
    (r"\.{3,}", " ... "),
    # Not a blank alone: nearly every line has those, and would be written anew.
    ("  +| ?[\x00-\x1f\x7f][\x00-\x20\x7f]*", " "),
)


def clean_line(message: nw.Expr) -> nw.Expr:
    """Return the first line of a message that says something, with every run of blanks made one.

    Of a message, LINE_CHARS characters are looked at. Null and what holds only blanks become empty.
    """
    text = message.fill_null("").str.strip_chars(_EDGES)
    cut = nw.concat_str(text.str.slice(0, LINE_CHARS), nw.lit(_CUT))
    line = nw.when(text.str.len_chars() > LINE_CHARS).then(cut).otherwise(text)
    for pattern, replacement in _CLEANING:
        line = line.str.replace_all(pattern, replacement)
    return line.str.strip_chars(_EDGES)


def mask_message(message: nw.Expr) -> nw.Expr:
    r"""Return the shape of a message: its first line with SLOT for every part that varies.

    Parameters
    ----------
    message : narwhals.Expr
        Text as it was logged; nulls count as empty.

    Returns
    -------
    narwhals.Expr
        Text; the same on every engine.

    Examples
    --------
    >>> import polars as pl
    >>> said = pl.DataFrame({"body": ["Order 4711 of ann@shop.example not paid:\n  at pay.py"]})
    >>> nw.from_native(said).select(mask_message(nw.col("body"))).item()
    'Order <*> of <*> not paid:'
    """
    return mask_line(clean_line(message))


def mask_line(line: nw.Expr) -> nw.Expr:
    """Return the shape of what clean_line returned."""
    return line.str.replace_all(_ANY_PART, SLOT)
