"""The report of the first incident in a real browser: charts are there, no request leaves, no console error."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def report(demo_workspace, tmp_path_factory):
    reports = tmp_path_factory.mktemp("reports")
    subprocess.run(
        [
            str(Path(sys.executable).with_name("prodintel")),
            *("replay", "INC-2024-1234", "--workspace", str(demo_workspace), "--reports", str(reports)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return (reports / "incident_replay" / "INC-2024-1234" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_replay_report_draws_its_charts_and_asks_for_nothing(report, visit, scheme):
    seen = visit(report, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    assert (seen.requests, seen.errors) == ([], [])
    assert seen.count("figure.chart") == seen.count("figure.chart .plot svg.marks") == 9
    assert seen.count("main section, main h2") >= 9


def test_the_replay_report_answers_on_its_first_screen(report, visit):
    seen = visit(report, viewport={"width": 1280, "height": 900})
    for text in ("185 of 216", "deployment of payment 2.4.2", "card-processor, called by payment"):
        box = seen.page.get_by_text(text).first.bounding_box()
        assert box["y"] + box["height"] < 900, text


def test_the_replay_report_fits_a_phone(report, visit):
    seen = visit(report, viewport={"width": 375, "height": 800})
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 375


def test_the_replay_report_says_which_tests_are_proven(report, visit):
    seen = visit(report)
    assert seen.page.get_by_text(re.compile("8 of 8 tests (certified: )?red / green / green")).count() >= 1
