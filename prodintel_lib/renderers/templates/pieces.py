"""Pieces of the generated modules, one function each; `code.fill` puts what belongs into the marks.

The names are what the generated code says; nothing in here is called.
"""
# ruff: noqa: ANN001, ANN201, ANN202, ARG001, D103, F401, F821, F841, I001, N802, N806, PLC0415 - marks are no names
# mypy: ignore-errors


def data_module():
    SLOT("header")

    BLOCK("constants")


def constant():
    NAME_constant = SLOT("value")


def test_module():
    SLOT("header")

    import pytest

    import NAME_data as incident

    pytestmark = pytest.mark.incident(SLOT("incident_id"))

    BLOCK("tests")


def reading():
    @pytest.mark.replays(incident.NAME_scenario)
    def test_NAME_test(system):
        SLOT("seen")
        BLOCK("body")


def reading_under_conditions():
    @pytest.mark.replays(incident.NAME_scenario)
    def test_NAME_test(system, conditions):
        SLOT("seen")
        BLOCK("body")


def writing():
    @pytest.mark.replays(incident.NAME_scenario)
    @pytest.mark.writes
    def test_NAME_test(system):
        SLOT("seen")
        BLOCK("body")


def writing_under_conditions():
    @pytest.mark.replays(incident.NAME_scenario)
    @pytest.mark.writes
    def test_NAME_test(system, conditions):
        SLOT("seen")
        BLOCK("body")


def prepare():
    NAME_label = system.prepare(incident.NAME_count, NAMES("requests"))


def prepare_otherwise():
    NAME_label = system.prepare(incident.NAME_count, NAMES("requests"), otherwise=NAMES("otherwise"))


def send_otherwise():
    NAME_label = system.send_NAME_how(incident.NAME_request, NAME_customers, otherwise=incident.NAME_otherwise)


def send_copies():
    NAME_label = system.send_together(incident.NAME_request, NAME_customers, copies=incident.NAME_copies)


def apply():
    conditions.apply(incident.NAME_condition)


def lift():
    conditions.lift()


def disturb():
    system.disturb(incident.NAME_request, NAME_customers)


def wait():
    system.wait(incident.NAME_seconds)


def send():
    NAME_label = system.send_NAME_how(incident.NAME_request, NAME_customers)


def send_unjudged():
    system.send_NAME_how(incident.NAME_request, NAME_customers)


def send_until_recovered():
    NAME_label = system.send_until_recovered(incident.NAME_request, NAME_customers, incident.NAME_expected)


def recovers():
    system.assert_recovered(NAME_label, incident.NAME_expected)


def answered():
    system.assert_answered(NAME_label, incident.NAME_expected)


def settles():
    system.assert_settled(NAME_label, incident.NAME_read, incident.NAME_expected)
