import fcntl
import os

import orjson
import polars as pl
import pytest

from prodintel_lib import lake as lake_module
from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.lake import LakeBusyError
from prodintel_lib.sources import ingest as ingest_module
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

DAY_US = 86_400_000_000
START_US = 1_759_155_600_000_000


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "prodintel.yaml").write_text("name: shop\nsources:\n  - path: evidence\n", encoding="utf-8")
    (tmp_path / "evidence").mkdir()
    return open_workspace(tmp_path)


@pytest.fixture
def put(workspace, span, traces):
    """Return a function that writes a source with spans of the given numbers, one a minute."""

    def write(name, numbers, *, extra=b"", offset_us=0):
        spans = [
            span(
                spanId=f"{number:016x}",
                startTimeUnixNano=(START_US + offset_us + number * 60_000_000) * 1000,
                endTimeUnixNano=(START_US + offset_us + number * 60_000_000 + 5) * 1000,
            )
            for number in numbers
        ]
        path = workspace.root / "evidence" / name
        path.write_bytes(orjson.dumps(traces(*spans)) + b"\n" + extra)
        return path

    return write


def span_numbers(workspace):
    frame = workspace.scan("spans").collect("polars").to_native()
    return sorted(int(text, 16) for text in frame["span_id"])


def account(report):
    return (report.rows_read, report.kept, report.dropped, report.quarantined)


def test_ingest_accounts_for_every_row(workspace, put):
    put("a.json", [1, 2, 2], extra=b'{"broken": \n')
    put("b.json", [2, 3])
    (workspace.root / "evidence" / "notes.txt").write_text("call Ada", encoding="utf-8")
    (workspace.root / "evidence" / "empty.json").write_bytes(b"")
    report = ingest(workspace)
    assert [(s.source, s.format, s.rows_read, s.kept, s.dropped, s.quarantined) for s in report.sources] == [
        ("evidence/a.json", "otlp", 4, {"spans": 2}, {"duplicate": 1}, 1),
        ("evidence/b.json", "otlp", 2, {"spans": 1}, {"duplicate": 1}, 0),
        ("evidence/empty.json", "", 0, {}, {}, 0),
        ("evidence/notes.txt", "", 1, {}, {}, 1),
    ]
    assert account(report) == (7, {"spans": 3}, {"duplicate": 2}, 2)
    assert report.sentence() == "Rows read 7 = kept 3 + duplicate 2 + quarantined 2."
    assert span_numbers(workspace) == [1, 2, 3]


def test_ingest_writes_what_it_could_not_read_to_the_quarantine(workspace, put):
    put("a.json", [1], extra=b'{"broken": "' + b"x" * 500 + b"\n")
    ingest(workspace)
    (path,) = (workspace.root / "lake" / "quarantine").iterdir()
    assert [orjson.loads(line) for line in path.read_bytes().splitlines()] == [
        {
            "reason": "not valid JSON",
            "file": "evidence/a.json",
            "line": 2,
            "excerpt": '{"broken": "' + "x" * 188,
        }
    ]


def test_ingest_reads_nothing_again_that_has_not_changed(workspace, put, monkeypatch):
    put("a.json", [1])
    first = ingest(workspace)
    manifest = (workspace.root / "lake" / "manifest.json").read_bytes()
    monkeypatch.setattr(ingest_module, "open_source", pytest.fail)
    monkeypatch.setattr(ingest_module, "_sha256", pytest.fail)
    second = ingest(open_workspace(workspace.root))
    assert (first.fresh, second.fresh) == (1, 0)
    assert account(second) == account(first)
    assert (workspace.root / "lake" / "manifest.json").read_bytes() == manifest


def test_ingest_goes_by_content_where_only_the_time_changed(workspace, put, monkeypatch):
    path = put("a.json", [1])
    ingest(workspace)
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(ingest_module, "open_source", pytest.fail)
    assert ingest(workspace).fresh == 0
    monkeypatch.setattr(ingest_module, "_sha256", pytest.fail)
    assert ingest(workspace).fresh == 0


def test_ingest_retires_the_rows_of_a_file_that_changed(workspace, put):
    put("a.json", [1, 2])
    put("b.json", [7])
    ingest(workspace)
    put("a.json", [2, 3])
    report = ingest(workspace)
    assert [(s.source, s.is_fresh) for s in report.sources] == [("evidence/a.json", True), ("evidence/b.json", False)]
    assert span_numbers(workspace) == [2, 3, 7]


def test_ingest_retires_the_rows_of_a_file_that_is_gone(workspace, put):
    put("a.json", [1])
    put("b.json", [2])
    ingest(workspace)
    (workspace.root / "evidence" / "a.json").unlink()
    assert [s.source for s in ingest(workspace).sources] == ["evidence/b.json"]
    assert span_numbers(workspace) == [2]


def test_ingest_reads_again_what_it_dropped_in_favour_of_a_file_that_changed(workspace, put):
    put("a.json", [1, 2])
    put("b.json", [2, 3])
    ingest(workspace)
    put("a.json", [1])
    assert ingest(workspace).dropped == {}
    assert span_numbers(workspace) == [1, 2, 3]


def test_ingest_counts_a_copy_once_and_outlives_the_original(workspace, put):
    original = put("a.json", [1, 2])
    (workspace.root / "evidence" / "b.json").write_bytes(original.read_bytes())
    assert account(ingest(workspace)) == (4, {"spans": 2}, {"copy of another source": 2}, 0)
    assert ingest(workspace).fresh == 0
    original.unlink()
    assert account(ingest(workspace)) == (2, {"spans": 2}, {}, 0)
    assert span_numbers(workspace) == [1, 2]


def test_ingest_reads_everything_again_when_the_readers_are_new(workspace, put, monkeypatch):
    put("a.json", [1])
    ingest(workspace)
    monkeypatch.setattr(ingest_module, "READERS_VERSION", 99)
    assert ingest(workspace).fresh == 1
    assert ingest(workspace).fresh == 0
    assert span_numbers(workspace) == [1]


def test_ingest_obeys_a_configured_format(workspace, put):
    put("a.json", [1])
    ingest(workspace)
    config = "name: shop\nsources:\n  - {path: evidence, format: github}\n"
    (workspace.root / "prodintel.yaml").write_text(config, encoding="utf-8")
    report = ingest(open_workspace(workspace.root))
    assert [(s.format, s.kept, s.quarantined) for s in report.sources] == [("github", {}, 1)]


def test_ingest_refuses_an_unknown_format_before_it_reads(workspace, put):
    put("a.json", [1])
    config = "name: shop\nsources:\n  - {path: evidence, format: otpl}\n"
    (workspace.root / "prodintel.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(ParameterError, match="did you mean `otlp`"):
        ingest(open_workspace(workspace.root))
    assert not (workspace.root / "lake").exists()


def test_ingest_says_how_far_it_is(workspace, put):
    put("a.json", [1])
    put("b.json", [2])
    steps = []
    ingest(workspace, progress=lambda done, total, what: steps.append((done, total, what)))
    assert steps == [(0, 2, "evidence/a.json"), (1, 2, "evidence/b.json"), (2, 2, "")]


def test_ingest_that_crashes_leaves_the_old_state_and_the_next_sweeps(workspace, put, monkeypatch):
    put("a.json", [1])
    ingest(workspace)
    put("b.json", [2])
    with monkeypatch.context() as patch:
        patch.setattr(lake_module.Lake, "publish", crash)
        with pytest.raises(KeyboardInterrupt, match="pulled the plug"):
            ingest(workspace)
    assert span_numbers(workspace) == [1]
    orphans = set((workspace.root / "lake" / "spans").rglob("*.parquet"))
    assert len(orphans) == 2
    (workspace.root / "lake" / "spans" / "day=2025-09-29" / ".half.parquet.1").write_bytes(b"PAR1")
    put("b.json", [3])
    ingest(workspace)
    assert span_numbers(workspace) == [1, 3]
    live = {file.name for file in workspace.lake.manifest().files("spans")}
    assert {path.name for path in (workspace.root / "lake" / "spans").rglob("*") if path.is_file()} == live


def crash(*_):
    raise KeyboardInterrupt("pulled the plug")


def test_ingest_keeps_retired_files_for_readers_that_have_just_opened_them(workspace, put):
    put("a.json", [1, 2])
    ingest(workspace)
    open_before = workspace.scan("spans")
    put("a.json", [3])
    ingest(workspace)
    assert len(open_before.collect("polars")) == 2
    assert span_numbers(workspace) == [3]


def test_ingest_waits_for_another_one_and_names_it(workspace, put, monkeypatch):
    put("a.json", [1])
    monkeypatch.setattr(lake_module.Lake.locked.__wrapped__, "__kwdefaults__", {"wait_s": 0.0})
    (workspace.root / "lake").mkdir()
    with (workspace.root / "lake" / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        other.write("4711")
        other.flush()
        with pytest.raises(LakeBusyError, match=r"Another process \(pid 4711\) is ingesting"):
            ingest(workspace)
    assert ingest(workspace).fresh == 1


def test_ingest_puts_rows_into_days_sorted_by_time(workspace, put):
    put("a.json", [3, 1, 2])
    put("b.json", [4], offset_us=DAY_US)
    ingest(workspace)
    files = sorted(workspace.lake.manifest().files("spans"), key=lambda file: file.day)
    assert [(file.day, file.rows) for file in files] == [("2025-09-29", 3), ("2025-09-30", 1)]
    first = pl.read_parquet(workspace.root / "lake" / files[0].relative_path, hive_partitioning=False)
    assert first["time_us"].is_sorted()


def test_scan_reads_only_the_days_of_the_window(workspace, put):
    put("a.json", [1, 2])
    put("b.json", [3], offset_us=DAY_US)
    ingest(workspace)
    (other,) = [file for file in workspace.lake.manifest().files("spans") if file.day == "2025-09-30"]
    (workspace.root / "lake" / other.relative_path).write_bytes(b"not parquet")
    window = Window(START_US + 60_000_000, START_US + 2 * 60_000_000)
    frame = workspace.scan("spans", window=window).collect("polars").to_native()
    assert frame["span_id"].to_list() == ["0000000000000001"]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_scan_gives_an_incident_once_in_its_last_known_state(workspace, engine):
    told = {"id": "Q1", "incident_number": 5, "created_at": "2025-09-29T14:00:00Z", "status": "triggered"}
    taken = told | {"status": "acknowledged", "acknowledgements": [{"at": "2025-09-29T14:05:00Z"}]}
    later = told | {"status": "resolved", "resolved_at": "2025-09-29T15:00:00Z"}
    for name, incident in (("monday", told), ("noon", taken), ("tuesday", later), ("copied", {**later, "more": 1})):
        (workspace.root / "evidence" / name).write_bytes(orjson.dumps({"incident": incident}))
    report = ingest(workspace)
    assert (report.kept, report.dropped) == ({"incidents": 3}, {"duplicate": 1})
    rows = workspace.scan("incidents", engine=engine).select("incident_id", "status").to_native()
    found = rows.collect().rows() if engine == "polars" else rows.fetchall()
    assert found == [("5", "resolved")]


def test_manifest_of_another_version_is_refused_with_a_way_out(workspace, put):
    put("a.json", [1])
    ingest(workspace)
    path = workspace.root / "lake" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"prodintel/lake/1", b"prodintel/lake/9"))
    with pytest.raises(SourceFormatError, match="is not a manifest of prodintel/lake/1: prodintel/lake/9"):
        workspace.scan("spans")
    path.write_bytes(b"{")
    with pytest.raises(SourceFormatError, match="Hint: delete the folder"):
        ingest(workspace)


def test_report_shows_itself_with_everything_escaped(workspace, put):
    put("<b>.json", [1])
    put("<i>.json", [1, 1])
    shown = ingest(workspace)._repr_html_()
    assert "&lt;i&gt;.json" in shown
    assert "<i>" not in shown
    assert "Rows read 3 = kept 1 + duplicate 2 + quarantined 0." in shown
