import pytest

from prodintel_lib.analyses.behaviour.naming import ClassShape, measure_shape, name_classes

from .made import log_of


def shape(apart_by="x", *, converted=None, sessions=100, single=0.0, length=5.0):
    return ClassShape(apart_by, 2.0, converted, sessions, single, length)


def test_measure_shape_finds_what_sets_a_class_apart():
    whole = log_of("aab", "aac", "ccc", "a")
    found = measure_shape(whole.take([2]), whole, conversions=["c"])
    # c is 4 of 10 requests, and all of the class's.
    assert found == ClassShape("c", pytest.approx(2.5), 1, 1, 0.0, 3.0)


def test_measure_shape_without_a_conversion_counts_none():
    whole = log_of("ab", "a")
    assert measure_shape(whole, whole, conversions=["z"]).converted is None
    assert measure_shape(whole, whole, conversions=[]).single_share == 0.5


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (shape(single=0.8), "bouncers"),
        (shape(single=0.79), "mostly x"),
        (shape(converted=50), "buyers"),
        (shape(converted=49), "mostly x"),
        (shape(length=20.0, sessions=10), "long sessions, mostly x"),
        (shape(length=2.0), "short sessions, mostly x"),
    ],
)
def test_name_classes_goes_by_what_they_do(one, name):
    assert name_classes([one, shape("y")])[0] == name


def test_name_classes_numbers_those_that_would_share_a_name():
    assert name_classes([shape(), shape(), shape("y")]) == ("mostly x (1)", "mostly x (2)", "mostly y")


def test_name_classes_of_one_is_everybody():
    assert name_classes([shape(single=1.0)]) == ("everybody",)
