"""Tests that did not certify are left out by default; what was never certified runs, and says so."""

import json

import pytest

from prodintel_lib.certify.verification import Verification, write_verified
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.renderers.templates.replay_verified import Verified, read_verified, told
from tests.certify.certificates import GREEN, HOLDS, SLOW, certificate, one_test
from tests.renderers.execution_test import environment, run
from tests.renderers.suites import make_suite

NEVER = "they have not been run against a faulty and a fixed system"


@pytest.fixture
def folder(tmp_path):
    write_files(render_suite(make_suite()), tmp_path / "tests")
    return tmp_path / "tests"


def certified(name, *, holds=True):
    came = HOLDS if holds else ([SLOW, GREEN, SLOW], [GREEN] * 3, [GREEN] * 3)
    test = one_test("x", came)
    return type(test)(name, test.wanted_symptoms, test.settings, test.alterations, test.verdict, test.why)


def every_test(folder, flaky):
    modules = ("test_inc_2024_1234.py", "test_inc_2024_1234_feature.py")
    names = [f"{module}::test_{scenario.id}" for module in modules for scenario in make_suite().scenarios]
    return certificate(*(certified(name, holds=flaky not in name) for name in names))


def collected(folder, *options):
    done, _ = run(folder, "--collect-only", *options, env=environment())
    return done


def test_read_verified_knows_what_was_certified_until_a_file_changes(folder):
    assert read_verified(folder) == Verified(doubt=NEVER)
    write_verified(folder, every_test(folder, "product_pages"))
    found = read_verified(folder)
    assert (len(found.certified), len(found.unverified), found.doubt) == (6, 2, "")
    (folder / "inc_2024_1234.py").write_text("changed")
    assert read_verified(folder).doubt == "inc_2024_1234.py changed since they were certified"
    (folder / "inc_2024_1234.py").unlink()
    assert read_verified(folder).doubt == "verified.json cannot be read"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"certified": 1, "unverified": {}, "files": {}}'])
def test_read_verified_doubts_what_it_cannot_read(folder, content):
    (folder / "verified.json").write_text(content)
    assert read_verified(folder) == Verified(doubt="verified.json cannot be read")


def test_told_says_what_is_unverified_and_whether_it_runs():
    some = Verified(frozenset({"a.py::test_a"}), {"a.py::test_b": "flaky"})
    assert told(Verified(doubt=NEVER), include_unverified=False) == f"unverified: all of these tests; {NEVER}"
    assert told(Verified(frozenset({"a.py::test_a"})), include_unverified=False) == "certified: all 1 tests"
    assert (
        told(some, include_unverified=False)
        == "unverified: 1 of 2 tests, left out, --include-unverified runs them: test_b"
    )
    assert told(some, include_unverified=True) == "unverified: 1 of 2 tests, run as asked: test_b"


def test_a_suite_that_was_never_certified_runs_and_says_so(folder):
    done = collected(folder)
    assert f"replays: unverified: all of these tests; {NEVER}" in done.stdout
    assert "8 tests collected" in done.stdout


def test_what_did_not_certify_is_left_out_unless_asked_for(folder):
    write_verified(folder, every_test(folder, "product_pages"))
    done = collected(folder)
    assert "replays: unverified: 2 of 8 tests, left out" in done.stdout
    assert "6/8 tests collected (2 deselected)" in done.stdout
    whole = collected(folder, "--include-unverified")
    assert "replays: unverified: 2 of 8 tests, run as asked" in whole.stdout
    assert "8 tests collected" in whole.stdout
    marked = collected(folder, "--include-unverified", "-m", "unverified")
    assert "2/8 tests collected (6 deselected)" in marked.stdout


def test_a_changed_suite_runs_whole(folder):
    write_verified(folder, every_test(folder, "product_pages"))
    with (folder / "inc_2024_1234.py").open("a") as file:
        file.write("\n# somebody edits\n")
    done = collected(folder)
    assert "unverified: all of these tests; inc_2024_1234.py changed since they were certified" in done.stdout
    assert "8 tests collected" in done.stdout


def test_one_suites_certificate_leaves_another_suite_alone(folder, tmp_path):
    write_verified(folder, every_test(folder, "test_"))
    other = make_suite().model_copy(update={"incident_id": "OTHER-1"})
    write_files(render_suite(other), tmp_path / "other")
    done, _ = run(folder, str(tmp_path / "other"), "--collect-only", env=environment())
    assert "8/16 tests collected (8 deselected)" in done.stdout, done.stdout + done.stderr


def test_the_files_bytes_are_the_same_with_a_certificate_and_without(folder, tmp_path):
    Verification(make_suite(), None, every_test(folder, "product_pages")).write_into(tmp_path)
    rendered = {file.path: file.text for file in render_suite(make_suite())}
    assert {path.name for path in folder.iterdir()} == {*rendered, "verified.json"}
    assert {name: (folder / name).read_text() for name in rendered} == rendered
    assert json.loads((folder / "verified.json").read_text())["runs"] == 3
