"""Each of these starts a kernel."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from nbformat import v4, write

from prodintel_lib.errors import NotebookRunError, ParameterError
from prodintel_lib.notebooks.run import Progress, run_notebook

PARAMETERS = 'incident: str = ""  # the incident\nlimit: int = 3  # rows'
HOSTILE = '\'"\\\n\u2028\x00${x}"); import os; ("'


@pytest.fixture
def notebook_of(tmp_path):
    def write_it(*cells):
        path = tmp_path / "{replay}.ipynb"
        tagged = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        spec = {"name": "a-kernel-nobody-has", "display_name": "?", "language": "python"}
        write(
            v4.new_notebook(cells=[v4.new_markdown_cell("# Q?"), tagged, *cells], metadata={"kernelspec": spec}),
            path,
        )
        return path

    return write_it


def code(source):
    return v4.new_code_cell(source)


def results(outcome):
    return [out["data"]["text/plain"] for cell in outcome.notebook.cells for out in cell.get("outputs", [])]


def test_run_notebook_runs_with_parameters_in_this_interpreter_and_its_own_folder(notebook_of, tmp_path):
    path = notebook_of(code("incident, limit"), code("import sys, os; sys.executable"), code("os.getcwd()"))
    with run_notebook(path, {"incident": HOSTILE, "limit": "5"}, run_dir=tmp_path / "r" / "A-1") as outcome:
        assert results(outcome) == [repr((HOSTILE, 5)), repr(sys.executable), repr(str(outcome.folder))]
        assert re.fullmatch(r"\.A-1\.[0-9a-f]{8}\.partial", outcome.folder.name)
        assert outcome.folder.parent == tmp_path / "r"


def test_run_notebook_tells_progress_by_heading_and_calls_meanwhile_once(notebook_of, tmp_path):
    path = notebook_of(
        v4.new_markdown_cell("## Blast *radius*\nLook."), code("1"), v4.new_markdown_cell("no"), code("2")
    )
    seen, calls = [], []
    with run_notebook(
        path, {"limit": 1}, run_dir=tmp_path / "A-1", progress=seen.append, meanwhile=lambda: calls.append(1)
    ):
        pass
    assert seen == [
        Progress(0, 3, "Q?"),
        Progress(1, 3, "Blast *radius*"),
        Progress(2, 3, "Blast *radius*"),
        Progress(3, 3, "done"),
    ]
    assert calls == [1]


def test_publish_writes_the_run_record_and_leaves_only_the_run(notebook_of, tmp_path):
    run_dir = tmp_path / "r" / "A-1"
    with run_notebook(notebook_of(code("1 + 1")), {"incident": "x"}, run_dir=run_dir) as outcome:
        with outcome.stage("report"):
            (outcome.folder / "report.html").write_text("<p>")
        assert outcome.publish(input_digest="sha256:0", finished_us=1_700_000_000_000_000) == run_dir
    record = json.loads((run_dir / "run.json").read_text())
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [".A-1.lock", "A-1"]
    assert sorted(path.name for path in run_dir.iterdir()) == ["notebook.ipynb", "report.html", "run.json"]
    assert list(record) == [
        "schema",
        "notebook",
        "run_id",
        "status",
        "parameters",
        "started",
        "finished",
        "stages_s",
        "prodintel_version",
        "input_digest",
        "files",
    ]
    assert record["schema"] == "prodintel/run/1"
    assert record["parameters"] == {"incident": "x"}
    assert record["finished"] == "2023-11-14T22:13:20Z"
    assert list(record["stages_s"]) == ["kernel start", "imports", "cells", "report"]
    assert [file["path"] for file in record["files"]] == ["notebook.ipynb", "report.html"]


def test_run_notebook_leaves_no_path_of_this_machine_in_the_notebook(notebook_of, tmp_path):
    with run_notebook(notebook_of(code("1")), {}, run_dir=tmp_path / "A-1") as outcome:
        assert str(tmp_path) not in (outcome.folder / "notebook.ipynb").read_text()


def test_an_outcome_that_is_not_published_leaves_nothing(notebook_of, tmp_path):
    with run_notebook(notebook_of(code("1")), {}, run_dir=tmp_path / "r" / "A-1"):
        pass
    assert [path.name for path in (tmp_path / "r").iterdir()] == [".A-1.lock"]


def test_a_failed_run_names_cell_line_and_cause_and_keeps_the_last_good_run(notebook_of, tmp_path):
    run_dir = tmp_path / "r" / "A-1"
    run_dir.mkdir(parents=True)
    (run_dir / "report.html").write_text("good")
    raising = (
        "from prodintel_lib.errors import NoDataError\n\nraise NoDataError('nothing in it', hint='widen the window.')"
    )
    path = notebook_of(code("1"), v4.new_markdown_cell("## Then"), code(raising))
    with pytest.raises(
        NotebookRunError, match=r"\{replay\}\.ipynb, cell 5, line 3: NoDataError: nothing in it"
    ) as caught:
        run_notebook(path, {"limit": 1}, run_dir=run_dir)
    failed = tmp_path / "r" / "A-1.failed"
    assert (caught.value.hint, caught.value.exit_code) == ("widen the window.", 2)
    assert (run_dir / "report.html").read_text() == "good"
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [".A-1.lock", "A-1", "A-1.failed"]
    assert "NoDataError" in (failed / "notebook.ipynb").read_text()
    assert "\x1b" not in (failed / "error.txt").read_text()
    assert "{replay}.ipynb, cell 5, line 3" in (failed / "error.txt").read_text()


def test_a_kernel_that_dies_is_a_failed_run(notebook_of, tmp_path):
    path = notebook_of(v4.new_markdown_cell("## Then"), code("import os\nos._exit(9)"))
    with pytest.raises(NotebookRunError, match=r"cell 4 \(Then\): the kernel ended: Kernel died"):
        run_notebook(path, {}, run_dir=tmp_path / "A-1")
    assert json.loads((tmp_path / "A-1.failed" / "notebook.ipynb").read_text())["nbformat"] == 4


def test_run_notebook_refuses_before_it_starts_anything(notebook_of, tmp_path):
    path = notebook_of(code("1"))
    with pytest.raises(ParameterError, match="did you mean `limit`"):
        run_notebook(path, {"limt": 1}, run_dir=tmp_path / "r" / "A-1")
    with pytest.raises(ParameterError, match="A run id is"):
        run_notebook(path, {}, run_dir=tmp_path / "r" / "A 1")
    assert not (tmp_path / "r").exists()


def test_the_kernel_does_not_load_what_an_unattended_run_never_uses(notebook_of, tmp_path):
    asked = "import sys, altair; [name for name in ('rfc3987_syntax', 'debugpy', 'jedi') if sys.modules.get(name)]"
    with run_notebook(notebook_of(code(asked)), {}, run_dir=tmp_path / "A-1") as outcome:
        assert results(outcome) == ["[]"]


def test_the_user_s_ipython_start_up_files_do_not_run(notebook_of, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("planted = True")
    monkeypatch.setitem(os.environ, "IPYTHONDIR", str(tmp_path / "ipython"))
    with run_notebook(notebook_of(code("'planted' in globals()")), {}, run_dir=tmp_path / "A-1") as outcome:
        assert results(outcome) == ["False"]


def test_input_is_refused_instead_of_waited_for(notebook_of, tmp_path):
    with pytest.raises(NotebookRunError, match="cell 3, line 1: StdinNotImplementedError"):
        run_notebook(notebook_of(code("input('?')")), {}, run_dir=tmp_path / "A-1")


def test_sources_of_the_library_are_those_of_the_host(notebook_of, tmp_path):
    import prodintel_lib

    path = notebook_of(code("import prodintel_lib; prodintel_lib.__file__"))
    with run_notebook(path, {}, run_dir=tmp_path / "A-1") as outcome:
        assert results(outcome) == [repr(str(Path(prodintel_lib.__file__)))]
