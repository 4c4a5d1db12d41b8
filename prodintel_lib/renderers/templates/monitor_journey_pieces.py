"""Pieces of the generated monitors of journeys, one function each; `code.fill` puts what belongs into the marks."""
# ruff: noqa: ANN001, ANN201, ANN202, ARG001, D103, F401, F821, F841, N802, N806, PLC0415 - marks are no names
# mypy: ignore-errors


def test_module():
    SLOT("header")

    import pytest

    CLIENT = SLOT("client")

    BLOCK("tests")


def looking():
    def walk(page, visitor, form_values):
        BLOCK("body")

    @pytest.mark.client(CLIENT)
    def test_NAME_test(walks):
        SLOT("seen")
        walks.judge(walk)


def reading():
    def walk(page, visitor, form_values):
        BLOCK("body")

    @pytest.mark.client(CLIENT)
    def test_NAME_test(walks):
        SLOT("seen")
        walks.judge(walk)


def writing():
    def walk(page, visitor, form_values):
        BLOCK("body")

    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(walks):
        SLOT("seen")
        walks.judge(walk)


def writing_values():
    def walk(page, visitor, form_values):
        BLOCK("body")

    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(walks):
        SLOT("seen")
        walks.judge(walk)


def writing_blind():
    def walk(page, visitor, form_values):
        BLOCK("body")

    @pytest.mark.client(CLIENT)
    @pytest.mark.writes
    def test_NAME_test(walks):
        SLOT("seen")
        walks.judge(walk)
