import sys
from pathlib import Path

import pytest

from prodintel_lib.analyses.behaviour import find_behaviour

sys.path.insert(0, str(Path(__file__).parent))
from made import steps_of


@pytest.fixture(scope="module")
def model():
    quick = [("ab", [2.0])] * 30
    bounce = ["c"] * 10
    return find_behaviour(steps_of(*quick, *bounce), max_classes=1, conversions=["b"])


def test_behaviour_shows_each_class_with_what_it_rests_on(model):
    page = model._repr_html_()
    assert page.startswith('<p class="lead">One class of sessions in 40 (70 requests)')
    assert '100.0 % <small class="n">n 40</small>' in page
    assert '2 <small class="n">p95 2</small>' in page
    assert ">2 s</td>" in page
    assert "25 % have one request" in page
    assert "gaps: as seen 1" in page


def test_behaviour_shows_conversions_only_where_some_were_named(model):
    assert '75.0 % <small class="n">n 40</small>' in model._repr_html_()
    assert "Converted" in model._repr_html_()
    assert "Converted" not in find_behaviour(steps_of("ab", "c"))._repr_html_()


def test_behaviour_folds_away_what_was_tried(model):
    page = model._repr_html_()
    tried = page[page.index("<details>") :]
    assert "The numbers of classes and kinds of memory that were tried" in tried
    assert "accepted" in tried
    assert tried.count("taken") == 1


def test_behaviour_of_single_requests_has_no_gap():
    page = find_behaviour(steps_of("a", "a"))._repr_html_()
    assert "gaps:" not in page
    assert "100 % have one request" in page
