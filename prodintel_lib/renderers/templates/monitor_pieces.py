"""Pieces of the generated monitors, one function each; `code.fill` puts what belongs into the marks.

The names are what the generated code says; nothing in here is called.
"""
# ruff: noqa: ANN001, ANN201, ANN202, D103, F401, F821, N802, PLC0415 - marks are no names
# mypy: ignore-errors


def module():
    SLOT("header")

    import pytest

    BLOCK("tests")


def reading():
    def test_NAME_test(check):
        SLOT("told")
        check(SLOT("monitor"), SLOT("check"))


def signing_in():
    @pytest.mark.signs_in
    def test_NAME_test(check):
        SLOT("told")
        check(SLOT("monitor"), SLOT("check"))


def writing():
    @pytest.mark.writes
    def test_NAME_test(check):
        SLOT("told")
        check(SLOT("monitor"), SLOT("check"))
