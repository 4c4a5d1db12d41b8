import pytest

from prodintel_lib.analyses.behaviour.naming import ClassShape, measure_shape, name_classes

from .made import log_of


def shape(apart_by="x", *, converted=None, sessions=100, bounced=0.0, writing=0.0, ratio=1.0, repeated=0.0, length=5.0):
    return ClassShape(apart_by, 2.0, converted, sessions, 0.0, bounced, writing, ratio, repeated, length)


def test_measure_shape_finds_what_sets_a_class_apart():
    whole = log_of("aab", "aac", "ccc", "a")
    found = measure_shape(whole.take([2]), whole, conversions=["c"])
    # c is 4 of 10 requests, and all of the class's.
    assert found == ClassShape("c", pytest.approx(2.5), 1, 1, 0.0, 0.0, 0.0, 0.0, 1.0, 3.0)


def test_measure_shape_without_a_conversion_counts_none():
    whole = log_of("ab", "a")
    assert measure_shape(whole, whole, conversions=["z"]).converted is None
    assert measure_shape(whole, whole, conversions=[]).single_share == 0.5


def test_measure_shape_does_not_count_what_nearly_everybody_asks_for():
    enter = "POST /sign-in"
    paths = [[enter, "GET /a"], [enter], [enter, "GET /a", "GET /b"], [enter, enter, enter]]
    whole = log_of(*[(path, [1.0] * 3) for path in paths])
    found = measure_shape(whole, whole, conversions=[])
    # The first two: one request beyond the sign-in, and none. Signing in again and again is something to do.
    assert (found.bounced_share, found.single_share) == (0.5, 0.25)
    assert found.writing_share == 0.0


def test_measure_shape_counts_sessions_that_may_change_something_by_their_methods():
    asked = ["GET /a", "POST /a", "HEAD /a", "OPTIONS /a", "DELETE /a", "nightly job", "PATCH"]
    whole = log_of(*[([name], [1.0]) for name in asked])
    found = measure_shape(whole, whole, conversions=[])
    assert found.writing_share == pytest.approx(2 / 7)
    assert measure_shape(whole.take([1, 0]), whole, conversions=[]).writing_ratio == pytest.approx(1 / 2 / (2 / 7))


def test_measure_shape_counts_steps_that_repeat_the_one_before_within_a_session():
    whole = log_of("aab", "baa", "a")
    assert measure_shape(whole, whole, conversions=[]).repeated_share == 0.5


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (shape(bounced=0.8, converted=100), "bouncers"),
        (shape(bounced=0.79), "browsers"),
        (shape(converted=50, writing=1.0), "buyers"),
        (shape(converted=49, writing=0.5), "writers"),
        (shape(repeated=0.5, writing=1.0), "repeaters"),
        (shape(writing=0.5), "writers"),
        (shape(writing=0.49), "visitors"),
        (shape(writing=0.11), "visitors"),
        (shape(writing=0.1), "browsers"),
        (shape(writing=1.0, ratio=0.66), "browsers"),
        (shape(writing=1.0, ratio=0.67), "writers"),
    ],
)
def test_name_classes_goes_by_what_they_do(one, name):
    other = shape("y", converted=100) if name == "bouncers" else shape("y", bounced=1.0)
    assert name_classes([one, other])[0] == name


def test_name_classes_tells_classes_of_a_kind_apart_by_their_length():
    assert name_classes([shape(length=20.0, sessions=10), shape()]) == ("browsers (long sessions)", "browsers")
    assert name_classes([shape(length=2.0), shape()]) == ("browsers (short sessions)", "browsers")


def test_name_classes_tells_classes_of_a_kind_and_length_apart_by_their_endpoint():
    assert name_classes([shape(), shape("y"), shape(length=60.0, sessions=1)]) == (
        "browsers (often x)",
        "browsers (often y)",
        "browsers (long sessions)",
    )


def test_name_classes_numbers_those_that_still_share_a_name():
    assert name_classes([shape(), shape(), shape("y")]) == (
        "browsers (often x) 1",
        "browsers (often x) 2",
        "browsers (often y)",
    )


def test_name_classes_of_one_is_everybody():
    assert name_classes([shape(bounced=1.0)]) == ("everybody",)
