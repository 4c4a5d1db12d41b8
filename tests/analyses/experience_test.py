import sys
from pathlib import Path

import pytest

from prodintel_lib.analyses.experience import measure_experience, watch_experience
from prodintel_lib.analyses.frontend_errors.exemplars import find_error_sessions
from prodintel_lib.analyses.journeys import analyse_journeys, passes
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.errors import NoDataError
from prodintel_lib.lake import Lake, Manifest, SourceEntry
from prodintel_lib.tables import RUM_EVENTS
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).parent / "frontend_errors"))
from planted import CONVERSIONS, HOUR_US, START_US, site_events

WINDOW = Window(START_US - 24 * HOUR_US, START_US + 48 * HOUR_US)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "prodintel.yaml").write_text("name: site\n")
    lake = Lake(folder / "lake")
    events = site_events(600, seed=6)
    files = lake.write(RUM_EVENTS, events)
    lake.publish(Manifest(1, {"rum": SourceEntry(0, 0, "0" * 64, "otlp", events.height, {}, {}, 0, files)}))
    return open_workspace(folder)


def texts_of(found):
    frames = (
        found.vitals.cells,
        found.errors.patterns,
        found.errors.parts,
        found.errors.hours,
        found.features.features,
    )
    return [frame.write_csv() for frame in frames]


def test_measure_experience_reads_vitals_errors_and_features_in_one_go(workspace):
    found = measure_experience(open_view(workspace), window=WINDOW, conversions=CONVERSIONS)
    assert found.vitals.of("all").select("vital", "views").rows() == [("LCP", 600)]
    assert found.errors.sessions == found.features.sessions == 600
    assert found.features.features.row(0, named=True)["feature"] == "/"
    assert "Not an e-mail address" in found.errors.patterns["message"].to_list()


def test_measure_experience_gives_the_same_in_slices_and_on_another_engine(workspace, monkeypatch):
    whole = texts_of(measure_experience(open_view(workspace), window=WINDOW, conversions=CONVERSIONS))
    other = open_view(workspace, engine="duckdb")
    assert texts_of(measure_experience(other, window=WINDOW, conversions=CONVERSIONS)) == whole
    monkeypatch.setattr(passes, "ROWS_AT_ONCE", 100)
    assert texts_of(measure_experience(open_view(workspace), window=WINDOW, conversions=CONVERSIONS)) == whole


def test_measure_experience_keeps_to_its_window(workspace):
    half = Window(START_US, START_US + 13 * HOUR_US)
    found = measure_experience(open_view(workspace), window=half, conversions=CONVERSIONS)
    assert 0 < found.errors.sessions < 600
    assert found.features.features["last_us"].max() < half.end_us


def test_measure_experience_of_an_empty_window_says_so(workspace):
    with pytest.raises(NoDataError, match=r"No event of a visitor's browser was recorded in .*\n.*Hint: "):
        measure_experience(open_view(workspace), window=Window(0, HOUR_US))


def test_measure_experience_takes_what_was_counted_with_the_journeys_without_reading_again(workspace, monkeypatch):
    view = open_view(workspace)
    whole = texts_of(measure_experience(view, window=WINDOW, conversions=CONVERSIONS))
    monkeypatch.setattr(passes, "ROWS_AT_ONCE", 100)
    opened = passes.open_passes(view, window=WINDOW, conversions=CONVERSIONS, gap_min=30.0)
    tallies = watch_experience(opened)
    journeys = analyse_journeys(view, window=WINDOW, conversions=CONVERSIONS, passes=opened)
    monkeypatch.setattr(passes.Passes, "scan", lambda *_: pytest.fail("the lake was read again"))
    found = measure_experience(view, window=WINDOW, conversions=CONVERSIONS, passes=opened, tallies=tallies)
    assert texts_of(found) == whole
    assert journeys.counts.sessions == found.errors.sessions == 600


def test_measure_experience_counts_what_was_not_gone_through(workspace, monkeypatch):
    view = open_view(workspace)
    whole = texts_of(measure_experience(view, window=WINDOW, conversions=CONVERSIONS))
    monkeypatch.setattr(passes, "ROWS_AT_ONCE", 100)
    opened = passes.open_passes(view, window=WINDOW, conversions=CONVERSIONS, gap_min=30.0)
    tallies = watch_experience(opened)
    opened.part(opened.slices[3])
    opened.part(opened.slices[3])
    found = measure_experience(view, window=WINDOW, conversions=CONVERSIONS, passes=opened, tallies=tallies)
    assert texts_of(found) == whole


def test_find_error_sessions_gives_the_same_on_another_engine(workspace):
    patterns = measure_experience(open_view(workspace), window=WINDOW, conversions=CONVERSIONS).errors.patterns
    found = {
        engine: find_error_sessions(
            passes.open_passes(
                open_view(workspace, engine=engine), window=WINDOW, conversions=CONVERSIONS, gap_min=30.0
            ),
            patterns,
        )
        for engine in ("polars", "duckdb")
    }
    assert found["polars"] == found["duckdb"]
    assert all(len(sessions.met) == 3 for sessions in found["polars"].values())
