from prodintel_lib.analyses.log_templates.matching import TemplateIndex
from prodintel_lib.analyses.log_templates.settling import split_tokens


def index(*templates):
    return TemplateIndex((split_tokens(text), frozenset(places)) for text, places in templates)


def find(known, line):
    found = known.find(split_tokens(line))
    return None if found is None else "".join(found)


def test_template_index_finds_a_line_that_is_a_template():
    assert find(index(("paid <*>", ())), "paid <*>") == "paid <*>"
    assert find(index(("paid <*>", ())), "refused <*>") is None


def test_template_index_takes_words_only_at_places_of_words():
    assert find(index(("for user <*>", (2,))), "for user ann") == "for user <*>"
    assert find(index(("for user <*>", ())), "for user ann") is None


def test_template_index_takes_no_answers_for_values():
    assert find(index(("for user <*>", (2,))), "for user null") is None


def test_template_index_prefers_the_template_that_says_more():
    known = index(("<*> user <*>", (0, 2)), ("for user <*>", (2,)))
    assert find(known, "for user ann") == "for user <*>"
    assert find(known, "by user ann") == "<*> user <*>"


def test_template_index_takes_a_word_with_a_slot_in_it_for_the_slot():
    assert find(index(("<*> could not connect", ())), "wpad:<*> could not connect") == "<*> could not connect"
