import multiprocessing

import pytest

from prodintel_lib.errors import NotebookRunError, ParameterError
from prodintel_lib.notebooks.run_folder import check_run_id, keep_failed, list_files, locked, new_partial, publish


@pytest.mark.parametrize("run_id", ["INC-2024-1234", "a", "0" * 64, "a.b_c-d"])
def test_check_run_id_returns_a_usable_id(run_id):
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize(
    "run_id", ["", "../x", "a/b", ".hidden", "-x", "a b", "a\n", "0" * 65, "é", "INC-1.failed", "$(x)"]
)
def test_check_run_id_refuses_what_cannot_name_a_folder(run_id):
    with pytest.raises(ParameterError, match="A run id is up to 64 of"):
        check_run_id(run_id)


def test_publish_replaces_the_old_run_and_removes_its_failure(tmp_path):
    run_dir = tmp_path / "A-1"
    run_dir.mkdir()
    (run_dir / "old.txt").write_text("old")
    keep_failed(run_dir, notebook="{}", error="broken")
    partial = new_partial(run_dir)
    (partial / "new.txt").write_text("new")
    publish(partial, run_dir)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A-1"]
    assert [path.name for path in run_dir.iterdir()] == ["new.txt"]


def test_publish_puts_the_old_run_back_when_the_new_one_cannot_move(tmp_path):
    run_dir = tmp_path / "A-1"
    run_dir.mkdir()
    (run_dir / "old.txt").write_text("old")
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / ".A-1.0.partial", run_dir)
    assert [path.name for path in run_dir.iterdir()] == ["old.txt"]


def test_new_partial_clears_what_dead_runs_left_and_restores_a_run_renamed_away(tmp_path):
    (tmp_path / ".A-1.dead.partial").mkdir()
    (tmp_path / ".A-1.dead.old").mkdir()
    (tmp_path / ".A-1.dead.old" / "good.txt").write_text("good")
    (tmp_path / ".A-10.live.partial").mkdir()
    partial = new_partial(tmp_path / "A-1")
    assert {path.name for path in tmp_path.iterdir()} == {"A-1", ".A-10.live.partial", partial.name}
    assert (tmp_path / "A-1" / "good.txt").read_text() == "good"


def test_list_files_gives_sizes_and_digests_by_path(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "t.py").write_text("x")
    (tmp_path / "a.txt").write_text("")
    assert list_files(tmp_path) == [
        {
            "path": "a.txt",
            "size_bytes": 0,
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
        {
            "path": "tests/t.py",
            "size_bytes": 1,
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        },
    ]


def _hold(run_dir, held, let_go):
    with locked(run_dir, wait_s=0):
        held.set()
        let_go.wait(30)


def test_locked_keeps_a_second_process_out_and_names_the_first(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "A-1", held, let_go))
    process.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(NotebookRunError, match=f"Run A-1 is being written by process {process.pid} since"),
            locked(tmp_path / "A-1", wait_s=0),
        ):
            pytest.fail("the lock was given twice")
        told = []
        with locked(tmp_path / "A-1", wait_s=30, busy=lambda holder: (told.append(holder), let_go.set())):
            assert [holder.split(" since ")[0] for holder in told] == [f"process {process.pid}"]
    finally:
        let_go.set()
        process.join(30)


def test_locked_lets_another_id_run_beside(tmp_path):
    with locked(tmp_path / "A-1", wait_s=0), locked(tmp_path / "A-2", wait_s=0):
        assert (tmp_path / ".A-1.lock").exists()
