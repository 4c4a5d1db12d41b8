import itertools

import pytest

from prodintel_lib.analyses.stack_traces import read_trace
from prodintel_lib.analyses.stack_traces.joining import Signature, join_parts

WHOLE = Signature("E", ("a", "b", "c"))


def test_join_parts_joins_a_stack_that_begins_one_other():
    part, end = Signature("E", ("a",)), Signature("E", ("a", "b"))
    assert join_parts([part, end, WHOLE]) == {part: WHOLE, end: WHOLE, WHOLE: WHOLE}


def test_join_parts_leaves_alone_what_fits_several_or_none():
    other = Signature("E", ("a", "x"))
    unclear, of_another_class, no_beginning = Signature("E", ("a",)), Signature("F", ("a",)), Signature("E", ("b", "c"))
    every = [WHOLE, other, unclear, of_another_class, no_beginning]
    assert join_parts(every) == {one: one for one in every}


@pytest.mark.parametrize("error_class", ["E", ""])
def test_join_parts_joins_a_stack_whose_throw_is_missing_by_its_callers(error_class):
    part = Signature(error_class, ("b", "c"), lacks_throw=True)
    assert join_parts([part, WHOLE])[part] == WHOLE
    other = Signature("E", ("x", "b", "c"))
    assert join_parts([part, WHOLE, other])[part] == part


def test_join_parts_joins_a_stack_without_a_class_that_begins_one():
    part = Signature("", ("a", "b"))
    assert join_parts([part, WHOLE])[part] == part
    assert join_parts([Signature("", ("a", "b", "c")), WHOLE])[Signature("", ("a", "b", "c"))] == WHOLE


def test_join_parts_joins_a_librarys_frames_to_the_only_own_stack_under_them():
    own = Signature("E", ("a",), lead=("lib", "pool"))
    library = Signature("E", ("(library)", "lib", "pool"))
    assert join_parts([own, library])[library] == own
    other = Signature("E", ("b",), lead=("lib", "pool"))
    assert join_parts([own, other, library])[library] == library


def test_join_parts_does_not_depend_on_order():
    every = [
        WHOLE,
        Signature("E", ("a", "b", "d")),
        Signature("E", ("a",)),
        Signature("", ("b", "c"), lacks_throw=True),
    ]
    answers = {tuple(sorted(join_parts(order).items(), key=repr)) for order in itertools.permutations(every)}
    assert len(answers) == 1


def test_signature_takes_the_recorded_class_where_the_trace_has_none():
    bare = read_trace("total@https://shop.example/cart.js:1:2")
    assert Signature.of(bare, error_type="TypeError") == Signature("TypeError", ("total cart.js",))
    named = read_trace("RangeError: x\n    at total (/srv/cart.js:1:2)")
    assert Signature.of(named, error_type="TypeError").error_class == "RangeError"


def test_signature_of_a_library_alone_keeps_its_topmost_frames():
    text = "a.E: x\n" + "\n".join(f"\tat java.util.A.f{at}(A.java:{at})" for at in range(9))
    signature = Signature.of(read_trace(text))
    assert signature.keys == ("(library)", "java.util.A.f0", "java.util.A.f1", "java.util.A.f2")
    assert signature.is_library


def test_signature_fingerprint_of_a_stack_without_its_throw_is_another():
    part = Signature("E", ("a",), lacks_throw=True)
    assert part.fingerprint != Signature("E", ("a",)).fingerprint


def test_signature_of_a_shortened_build_tells_errors_apart_by_their_words():
    texts = [
        f"TypeError: {said} 4711\n    at a (/js/bundle.js:1:{at})" for at, said in enumerate(["no x", "no y", "no x"])
    ]
    first, second, third = (Signature.of(read_trace(text)) for text in texts)
    assert first == third == Signature("TypeError: no x #", ("bundle.js",))
    assert second.error_class == "TypeError: no y #"
