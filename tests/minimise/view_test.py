from typing import get_args

import pytest

from prodintel_lib.certify import digest_suite
from prodintel_lib.errors import SourceFormatError
from prodintel_lib.minimise import (
    MINIMALS_FOLDER,
    Confirmation,
    MinimalScenario,
    MinimalView,
    read_minimal,
)
from prodintel_lib.minimise.parts import measure
from prodintel_lib.minimise.result import Finding, Role
from tests.renderers.suites import graceful, make_suite

SUITE = make_suite()


def made(**changes):
    whole = graceful(2500)
    known = {
        "incident_id": SUITE.incident_id, "suite_digest": digest_suite(SUITE), "confidence": 0.95, "often": 0.9,
        "seldom": 0.4, "time_scale": 0.2, "scenario": whole, "original_sizes": measure(whole) | {"customers": 40},
        "sizes": measure(whole), "original_shown": 5, "original_runs": 5, "shown": 4, "runs": 5,
        "findings": (
            Finding("condition", "<b>hangs</b>", "mattered", 0, 9),
            Finding("customers", "buyers", "reduced", 0, 2, "", 40, 6),
            Finding("payload_field", "x: body /y", "did_not_matter", 4, 4),
        ),
        "candidates": 7, "runs_taken": 31, "controls": 40, "took_ms": 9000,
        "confirmations": (Confirmation("faulty_with", "test_x.py::test_x", 3, 3, "3 red: server error"),),
    }  # fmt: skip
    return MinimalScenario(**known | changes)


def keep(root, minimal):
    (root / MINIMALS_FOLDER).mkdir(exist_ok=True)
    (root / MINIMALS_FOLDER / f"{minimal.incident_id}.json").write_bytes(minimal.as_json())


def test_a_result_round_trips(tmp_path):
    (tmp_path / "m.json").write_bytes(made().as_json())
    assert read_minimal(tmp_path / "m.json") == made()


@pytest.mark.parametrize("content", ["{", "{}", '{"schema": "prodintel/minimal/2"}', "[]"])
def test_read_minimal_of_something_else_is_an_error(tmp_path, content):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(SourceFormatError, match="is not a minimal scenario"):
        read_minimal(tmp_path / "m.json")


def test_view_takes_no_result_of_other_scenarios(tmp_path):
    assert MinimalView.of(SUITE, tmp_path).sentence() == "not minimised yet: make minimise INC=INC-2024-1234"
    keep(tmp_path, made(suite_digest="f" * 16))
    assert MinimalView.of(SUITE, tmp_path).minimal is None
    assert "Not minimised yet" in MinimalView.of(SUITE, tmp_path)._repr_html_()
    keep(tmp_path, made())
    assert MinimalView.of(SUITE, tmp_path).minimal == made()


def test_view_shows_what_mattered_with_its_runs_and_escapes_names():
    shown = MinimalView(SUITE.incident_id, made())._repr_html_()
    assert "&lt;b&gt;hangs&lt;/b&gt;" in shown
    assert "0 of 9" in shown
    assert "40 → 6" in shown
    assert "95 % confidence" in shown
    assert "faulty with: 3 of 3 as wanted" in shown


@pytest.mark.parametrize("role", get_args(Role))
def test_view_has_words_for_every_role(role):
    shown = MinimalView(SUITE.incident_id, made(findings=(Finding("copies", "orders", role, why="a reason"),)))
    assert f"{role.replace('_', ' ')}</span>" in shown._repr_html_() or f">{role}<" in shown._repr_html_()
    assert "a reason" in shown._repr_html_()


def test_write_into_puts_a_test_beside_the_suite_and_takes_an_old_one_away(tmp_path):
    (tmp_path / "tests").mkdir()
    written = MinimalView(SUITE.incident_id, made()).write_into(tmp_path)
    assert set(written) == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert "minimal/test_inc_2024_1234.py" in written
    assert MinimalView(SUITE.incident_id, None).write_into(tmp_path) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]


def test_sentence_says_what_became_smaller_or_why_it_is_not_known_to_be():
    assert made().sentence() == "1-minimal: 40 → 6 customers; 31 runs"
    assert made(stopped="31 runs were taken").sentence().startswith("not yet minimal (31 runs were taken): ")
    unclear = made(findings=(Finding("copies", "orders", "unclear", 11, 20),))
    assert (unclear.is_minimal, unclear.obstacle()) == (False, "flaky: the runs could not tell of 1 parts")


@pytest.mark.parametrize(
    ("confirmations", "confirmed"),
    [
        ((), False),
        ((Confirmation("faulty_with", "t", 1, 3, ""), Confirmation("faulty_without", "t", 3, 3, "")), True),
        ((Confirmation("faulty_with", "t", 0, 3, ""),), False),
        ((Confirmation("faulty_with", "t", 3, 3, ""), Confirmation("faulty_without", "t", 2, 3, "")), False),
        ((Confirmation("faulty_with", "t", 3, 3, ""), Confirmation("fixed_with", "t", 2, 3, "")), False),
    ],
)
def test_is_confirmed_wants_red_at_times_and_green_always(confirmations, confirmed):
    assert made(confirmations=confirmations).is_confirmed is confirmed


def test_reproduction_tells_the_ticket_what_mattered():
    found = MinimalView(SUITE.incident_id, made()).reproduction()
    assert (found.folder, found.needs_toxiproxy, found.is_minimal) == ("minimal", True, True)
    assert found.mattered == (
        "condition <b>hangs</b>: without it, or with less of it, 0 of 9 runs showed it",
        "customers buyers: 40 → 6 is enough (with less, 0 of 2 runs showed it)",
    )
    assert MinimalView(SUITE.incident_id, None).reproduction() is None
