"""Pieces of the generated browser tests, one function each; `code.fill` puts what belongs into the marks."""
# ruff: noqa: ANN001, ANN201, ANN202, ARG001, D103, F401, F821, F841, N802, N806, PLC0415 - marks are no names
# mypy: ignore-errors


def test_module():
    SLOT("header")

    import pytest

    CLIENT = SLOT("client")

    BLOCK("tests")


def looking():
    @pytest.mark.client(CLIENT)
    def test_NAME_test(visitor):
        SLOT("seen")
        BLOCK("body")


def reading():
    @pytest.mark.client(CLIENT)
    def test_NAME_test(page, visitor):
        SLOT("seen")
        BLOCK("body")


def writing():
    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(page, visitor):
        SLOT("seen")
        BLOCK("body")


def writing_values():
    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(page, visitor, form_values):
        SLOT("seen")
        BLOCK("body")


def writing_blind():
    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(visitor):
        SLOT("seen")
        BLOCK("body")
