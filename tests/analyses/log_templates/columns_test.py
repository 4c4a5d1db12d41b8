import random

import pytest

from prodintel_lib.analyses.log_templates.columns import FEW_VALUES, MANY_VALUES, OPEN_VALUES, count_words, join_lines
from prodintel_lib.analyses.log_templates.settling import split_tokens

NAMES = [f"{a}{b}" for a in ("al", "bo", "cy", "di", "ed") for b in ("ana", "bert", "cora", "dan")]


def joined(*lines, values=frozenset()):
    counts = dict(lines) if isinstance(lines[0], tuple) else dict.fromkeys(lines, 1)
    found = join_lines({split_tokens(line): rows for line, rows in counts.items()}, values=values)
    return ["".join(found[split_tokens(line)]) for line in counts]


def test_join_lines_keeps_words_that_say_what_happened():
    lines = ["[instance: <*>] VM Started now", "[instance: <*>] VM Paused now", "[instance: <*>] VM Stopped now"]
    assert joined(*lines) == lines


def test_join_lines_takes_words_where_another_line_has_a_value():
    assert joined("login chdir(<*>) failed", "login chdir(pwd) failed") == ["login chdir(<*>) failed"] * 2


def test_join_lines_keeps_answers_where_another_line_has_a_value():
    lines = ["unregister callback for <*>", "unregister callback for null"]
    assert joined(*lines) == lines


def test_join_lines_needs_words_that_stay():
    assert joined("<*> done", "mail done") == ["<*> done", "mail done"]


@pytest.mark.parametrize("bearer", ["user", "the host"])
def test_join_lines_takes_names_after_a_preposition_and_what_bears_names(bearer):
    lines = [f"session opened for {bearer} root", f"session opened for {bearer} news"]
    assert joined(*lines) == [f"session opened for {bearer} <*>"] * 2


def test_join_lines_keeps_what_happens_to_what_bears_names():
    lines = ["the user left early", "the user came early", "looked for peace here", "looked for war here"]
    assert joined(*lines) == lines


def test_join_lines_takes_a_word_in_brackets_after_a_value():
    assert joined("kill process <*> (java) now", "kill process <*> (node) now") == ["kill process <*> (<*>) now"] * 2
    assert joined("kill it (java) now", "kill it (node) now") == ["kill it (java) now", "kill it (node) now"]


def test_join_lines_takes_words_that_are_values_elsewhere():
    lines = ["Accepted key for root from <*>", "Accepted key for news from <*>"]
    assert joined(*lines, values=frozenset({"root", "news"})) == ["Accepted key for <*> from <*>"] * 2
    assert joined(*lines, values=frozenset({"root"})) == lines


def test_join_lines_learns_values_from_the_lines_it_joins():
    opened = [f"session opened for user {name}" for name in ("root", "news")]
    accepted = [f"Accepted key as {name} ok" for name in ("root", "news")]
    assert joined(*opened, *accepted) == ["session opened for user <*>"] * 2 + ["Accepted key as <*> ok"] * 2


def test_join_lines_takes_an_open_set_of_words():
    lines = [f"coupon {name} applied" for name in NAMES[:FEW_VALUES]]
    assert joined(*lines) == ["coupon <*> applied"] * FEW_VALUES
    assert joined(*lines[:-1]) == lines[:-1]


def test_join_lines_keeps_a_closed_set_of_words():
    often = [(f"coupon {name} applied", 50) for name in NAMES[: OPEN_VALUES - 1]]
    assert joined(*often) == [line for line, _ in often]
    assert joined(*often, (f"coupon {'zz'} applied", 50)) == ["coupon <*> applied"] * OPEN_VALUES


def test_join_lines_asks_more_of_the_first_word():
    lines = [f"{name} was applied" for name in NAMES[: MANY_VALUES - 1]]
    assert joined(*lines) == lines
    assert joined(*lines, "zz was applied") == ["<*> was applied"] * MANY_VALUES


def test_join_lines_takes_a_word_with_a_slot_in_it_for_the_slot():
    assert joined("wpad:<*> could not connect", "<*> could not connect") == ["<*> could not connect"] * 2
    assert joined("wpad:<*> ended", "<*> ended") == ["wpad:<*> ended", "<*> ended"]


def test_join_lines_joins_lines_that_differ_in_several_values():
    lines = [f"driver {a} loaded from {b} by hand" for a, b in zip(NAMES, reversed(NAMES), strict=True)]
    assert joined(*lines) == ["driver <*> loaded from <*> by hand"] * len(NAMES)
    assert joined(*lines[:7]) == lines[:7]


def test_join_lines_does_not_depend_on_the_order():
    lines = [f"session of {a} moved to {b} <*>" for a in NAMES[:8] for b in NAMES[8:16]] + ["VM up", "VM down"]
    shuffled = lines[:]
    random.Random(5).shuffle(shuffled)
    expected = dict(zip(lines, joined(*lines), strict=True))
    assert joined(*shuffled) == [expected[line] for line in shuffled]


def test_count_words_counts_words_of_two_letters():
    assert count_words(split_tokens("a bc <*> (def) 1x -- über")) == 3
