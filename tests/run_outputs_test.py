"""The files every run has: where they go, what is listed, and how `result.json` begins."""

import json

import pytest

from prodintel_lib.headline import Headline
from prodintel_lib.renderers import RenderedFile
from prodintel_lib.run_outputs import describe_run, write_run
from prodintel_lib.sources.report import IngestReport
from prodintel_lib.workspace import open_workspace


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "prodintel.yaml").write_text("name: our <shop>\ngenerated_by: a script\n", encoding="utf-8")
    return open_workspace(folder)


def test_write_run_puts_texts_and_suites_where_they_belong(workspace, tmp_path):
    written = write_run(
        tmp_path / "run",
        notebook="anomalies",
        workspace=workspace,
        result={"a": 1},
        texts={"summary.md": "# Hello\n", "board.md": "| a |\n"},
        suites={"tests/": (RenderedFile("test_a.py", "pass\n"), RenderedFile("data/b.json", "{}\n"))},
        purposes={"board.md": "the board"},
        folders={"tests/": "guards"},
    )
    assert written.files == ("result.json", "summary.md", "board.md", "tests/test_a.py", "tests/data/b.json")
    assert sorted(str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.*")) == sorted(
        written.files
    )
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == {"a": 1}
    shown = written._repr_html_()
    assert "2 files: guards" in shown
    assert "the board" in shown
    assert "5 files." in shown


def test_write_run_without_a_folder_leaves_the_last_run_alone(workspace, tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    write_run("", notebook="anomalies", workspace=workspace, result={}, texts={}, suites={})
    assert (tmp_path / "reports" / "anomalies" / "shop.live" / "result.json").read_text() == "{}\n"


def test_describe_run_says_who_made_the_data_and_accounts_for_its_rows(workspace):
    described = describe_run(
        "prodintel/x/1",
        workspace,
        headline=Headline("t", "s", ()),
        kicker="k",
        digest="d",
        accounting=IngestReport(()),
    )
    assert described["headline"] == {"title": "t", "sentence": "s", "kicker": "k"}
    assert described["rows"] == {"read": 0, "kept": {}, "dropped": {}, "quarantined": 0}
    assert (described["schema"], described["generated_by"], described["input_digest"]) == (
        "prodintel/x/1",
        "a script",
        "d",
    )


def test_headline_escapes_what_it_is_given():
    shown = Headline("t", "<b>now</b>", (("users", "<i>3</i>", "of 4", "bad"),))._repr_html_()
    assert "&lt;b&gt;now&lt;/b&gt;" in shown
    assert "&lt;i&gt;3&lt;/i&gt;" in shown
