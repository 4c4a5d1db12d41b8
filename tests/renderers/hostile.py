"""Strings and values as hostile as production's, for properties."""

import string

from hypothesis import strategies as st

NASTY = (
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    '\\"',
    "\\N{BULLET}",
    "\\u0022",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\U0001f600",
    "\U000e0041",
    "é",
    "ß",
    "中",
    "${x}",
    "{{x}}",
    "{x!r}",
    "%s",
    "<placeholder>",
    "#",
    "|",
    "\\|",
    "\\n",
    " ",
    "@tag",
    "Scenario: x",
    "Examples:",
    '"); raise SystemExit("',
    "__import__('os').abort()",
    "~~~~",
    "```",
    "</script>",
)

texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=5) | st.sampled_from(string.printable), max_size=8).map(
    "".join
)
# Only first halves: a whole pair is one character to JSON.
surrogates = st.sampled_from(["\ud800", "\udbff"])
broken_texts = st.lists(texts | surrogates, max_size=4).map("".join)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def json_values(strings):
    return st.recursive(
        st.none() | st.booleans() | numbers | strings,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
        max_leaves=12,
    )
