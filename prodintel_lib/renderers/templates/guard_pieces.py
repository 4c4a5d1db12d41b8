"""Pieces of the generated guards, one function each; `code.fill` puts what belongs into the marks.

The names are what the generated code says; nothing in here is called.
"""
# ruff: noqa: ANN001, ANN201, ANN202, D103, F401, F821, F841, I001, N802, N806, PLC0415 - marks are no names
# mypy: ignore-errors


def data_module():
    SLOT("header")

    REQUESTS = SLOT("requests")

    BLOCK("constants")

    GUARDS = NAMES("guards")


def constant():
    NAME_constant = SLOT("value")


def test_module():
    SLOT("header")

    import pytest

    import guard_data as guards

    BLOCK("tests")


def reading():
    def test_NAME_test(system):
        SLOT("seen")
        system.assert_holds(guards.NAME_guard)


def writing():
    @pytest.mark.writes
    def test_NAME_test(system):
        SLOT("seen")
        system.assert_holds(guards.NAME_guard)
