from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.sources.expression_syntax import Site
from prodintel_lib.sources.expressions import FUNCTIONS, column_alias, compile_expression

NINE = 1_759_155_600_000_000


def value(text, **columns):
    """Evaluate an expression on one row and return its value as text."""
    frame = pl.DataFrame(
        {"row": [0]} | {column_alias(name): [cell] for name, cell in columns.items()},
        schema_overrides={column_alias(name): pl.String for name in columns},
    )
    compiled = compile_expression(Site("columns.x", text))
    return frame.with_columns(compiled.value.text().alias("made"))["made"].item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "5"),
        ("`a`", "5"),
        ("a + b", "12"),
        ("a - b * 2", "-9"),
        ("(a - b) * 2", "-4"),
        ("-a / 2", "-2.5"),
        ("a + 'ms'", "5ms"),
        ("concat(a, '-', z, b)", "5-7"),
        ("when(a == 5, 'five', 'other')", "five"),
        ("when(a == '5.0', 'text', 'other')", "other"),
        ("when(a < b and not (b < a), 1, 2)", "1"),
        ("when(z == null, 'none', z)", "none"),
        ("when(z > 1, 'more', 'unknown is not true')", "unknown is not true"),
        ("coalesce(z, a)", "5"),
        ("optional(z)", None),
        ("lower('AbC')", "abc"),
        ("upper('AbC')", "ABC"),
        ("replace('a.b.c', '.', '')", "abc"),
        ("split_part('a-b-c', '-', 2)", "b"),
        ("split_part('a-b-c', '-', -1)", "c"),
        ("split_part('a-b-c', '-', 9)", None),
        ("regex_extract('pod-7f9', '^(.*)-[0-9a-f]+$', 1)", "pod"),
        ("'it''s'", "it's"),
        ('"say ""no"""', 'say "no"'),
        ("number(b) * 1", "7"),
        ("ms(a)", "5"),
        ("s_to_ms(a)", "5000"),
        ("us_to_ms(a)", "0.005"),
        ("ns_to_ms(5000000)", "5"),
        ("json(j, '/k/0/n')", "deep"),
        ("json(j, '/odd~1key')", "slash"),
        ("json(j, '/absent')", None),
        ("json(a, '/k')", None),
        ("a / 0 > 3", "true"),
        ("z + 1", None),
    ],
)
def test_expression_gives(text, expected):
    cells = {"a": "5", "b": "7", "z": None, "j": '{"k": [{"n": "deep"}], "odd/key": "slash"}'}
    assert value(text, **cells) == expected


@pytest.mark.parametrize(
    ("text", "cell", "expected"),
    [
        ("epoch_s(t)", "1759155600", NINE),
        ("epoch_s(t)", "1759155600.25", NINE + 250_000),
        ("epoch_ms(t)", "1759155600000", NINE),
        ("epoch_us(t)", "1759155600000000", NINE),
        ("epoch_ns(t)", "1759155600000001999", NINE + 1),
        ("epoch_s(t)", "9223372036854775807", None),
        ("epoch_s(t)", "99999999999999999999999", None),
        ("epoch_s(t)", "NaN", None),
        ("iso(t)", "2025-09-29T14:20:00Z", NINE),
        ("iso(t)", "2025-09-29 16:20:00.123456789+02:00", NINE + 123_456),
        ("iso(t)", "2025-09-29T08:50:00-0530", NINE),
        ("iso(t)", "2025-09-29", NINE - 51_600_000_000),
        ("iso(t)", "2025-02-30T00:00:00Z", None),
        ("iso(t)", "yesterday", None),
        ("local(t, 'Europe/Berlin')", "2025-09-29T16:20:00", NINE),
        ("local(t, 'Europe/Berlin')", "2025-09-29T14:20:00Z", NINE),
        ("local(t, 'Europe/Berlin')", "2025-03-30T02:30:00", None),
        ("local(t, 'Europe/Berlin')", "2025-10-26T02:30:00", 1_761_438_600_000_000),
        ("strptime(t, '%d/%b/%Y:%H:%M:%S %z')", "29/Sep/2025:16:20:00 +0200", NINE),
        ("strptime(t, '%d.%m.%Y %H:%M:%S%.f', 'Europe/Berlin')", "29.09.2025 16:20:00.5", NINE + 500_000),
        ("strptime(t, '%d.%m.%Y')", "2025-09-29", None),
        *[("any_time(t)", cell, NINE) for cell in ("1759155600", "1759155600000", "1759155600000000", f"{NINE}000")],
        ("any_time(t)", "2025-09-29T16:20:00+02:00", NINE),
        ("any_time(t)", "soon", None),
    ],
)
def test_expression_reads_times(text, cell, expected):
    assert value(text, t=cell) == (None if expected is None else str(expected))


def test_expression_keeps_columns_with_names_that_mean_something_to_polars():
    assert [value("`*`", **{"*": "star", "b": "x"}), value("`^b$`", **{"^b$": "caret", "b": "x"})] == ["star", "caret"]


def test_expression_names_its_columns_and_which_a_file_may_lack():
    compiled = compile_expression(Site("k", "coalesce(optional(a), `b c`, a)"))
    assert (dict(compiled.columns), compiled.optional) == ({"a": 19, "b c": 23}, {"a"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"columns\.x, character 1 of ``: expected a column, a value or a function, found the end"),
        ("a +", r"character 4 of `a \+`: expected a column, a value or a function, found the end"),
        ("a b", r"character 3 of `a b`: expected an operator or the end, found `b`"),
        ("(a", r"character 3 of `\(a`: expected `\)`, found the end"),
        ("a == b == c", r"character 8 of .*: expected an operator or the end, found `==`"),
        ("'abc", r"character 1 of `'abc`: `'` is never closed"),
        ("a $ b", r"character 3 of `a \$ b`: `\$` has no meaning here"),
        ("a.b", r"character 2 of `a\.b`: `\.` has no meaning here\.\nHint: write a column's odd name in backticks"),
        ("1a", r"character 1 of `1a`"),
        ("epoch(a)", r"no function `epoch`; known: any_time, .*\nHint: did you mean `epoch_s`"),
        ("__import__('os')", r"no function `__import__`"),
        ("when(a)", r"`when` takes \(condition, then, otherwise\), not 1 arguments"),
        ("local(a, 'Europe/Berln')", r"character 10 of .*: no time zone `Europe/Berln`; did you mean `Europe/Berlin`"),
        ("local(a, b)", r"character 10 of .*: expected a value written out"),
        ("strptime(a, '%d %Q')", r"character 13 of .*: `%Q` is no part of a time"),
        ("strptime(a, '%d', 'Mars')", r"no time zone `Mars`"),
        ("regex_extract(a, '(', 1)", r"character 18 of .*: no pattern: "),
        ("regex_extract(a, '(x)', -1)", r"expected a group's number"),
        ("split_part(a, '-', 0)", r"expected a number such as 1, or -1"),
        ("json(a, 'k')", r"expected a JSON pointer such as '/error/message'"),
        ("json(a, '/it''s')", r"cannot be part of a pointer"),
        ("optional(a + 1)", r"`optional` takes a column"),
        ("(" * 60 + "a" + ")" * 60, r"character 51 of .*: nested deeper than 50"),
        ("-" * 60 + "a", r"nested deeper than 50"),
    ],
)
def test_expression_that_is_wrong_is_named_with_its_place(text, message):
    with pytest.raises(ParameterError, match=message):
        compile_expression(Site("columns.x", text))


def test_documentation_names_every_function():
    text = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    assert [name for name in FUNCTIONS if f"`{name}(" not in text] == []
