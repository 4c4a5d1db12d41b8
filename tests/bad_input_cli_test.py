"""Whatever a person points prodintel at, it ends with an account that adds up or with a message and a hint."""

import gzip
import os
import re
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import orjson
import polars as pl
import pytest
from click.testing import CliRunner

from prodintel_lib.cli import main

PRODINTEL = str(Path(sys.executable).with_name("prodintel"))
START_NS = 1_759_155_600_000_000_000
FIGURES = re.compile(r"Rows read ([0-9,]+) = kept ([0-9,]+)((?: \+ [^+]+? [0-9,]+)*) \+ quarantined ([0-9,]+)\.")


def otlp(*spans):
    """Return an OTLP document in bytes; a span is its number and what is different about it."""
    made = [
        {
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": f"{number:016x}",
            "name": "POST /api/orders",
            "kind": 2,
            "startTimeUnixNano": str(START_NS),
            "endTimeUnixNano": str(START_NS + 1_000_000_000),
            **changes,
        }
        for number, changes in spans
    ]
    resource_ = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return orjson.dumps({"resourceSpans": [{"resource": resource_, "scopeSpans": [{"spans": made}]}]})


GOOD = otlp((1, {}))
LINES = GOOD + b"\n" + otlp((2, {})) + b"\n"
LOG = b"2025-09-29 14:20:00,000 ERROR pay: no answer\n"
LOG_RECORD = b'{"time":"2025-09-29T14:20:00Z","level":"error","msg":"no answer"}\n'
TIMES = (
    "1759155600", "1759155600000", "1759155600000000", "1759155600000000000",
    "2025-09-29T14:20:00Z", "2025-09-29T16:20:00+02:00", "2025-09-29T10:20:00-04:00",
)  # fmt: skip
INCIDENT = "- id: INC-1\n  title: Orders fail\n  started: 2025-09-29T14:20:00Z\n  service: shop\n"
# What Polars and its threads reserve without using it counts here: more than twice what is allowed to be used.
ADDRESS_SPACE_BYTES = 6 << 30
RESIDENT_BYTES = 1 << 30
CPU_S = 60

# Name, content of the file, and the rows read, kept, dropped and quarantined that are expected.
FILES = {
    "truncated gzip": (lambda: gzip.compress(LINES)[:-12], None),
    "truncated early": (lambda: gzip.compress(os.urandom(4000) + LINES)[:200], None),
    "concatenated gzip": (lambda: gzip.compress(GOOD + b"\n") + gzip.compress(otlp((2, {}))), (2, 2, 0, 0)),
    "gzip with rubbish after it": (lambda: gzip.compress(GOOD + b"\n") + b"rubbish", (2, 1, 0, 1)),
    "a gzip header alone": (lambda: gzip.compress(b"")[:10], None),
    "raw deflate": (lambda: zlib.compress(GOOD), (1, 0, 0, 1)),
    "half a line": (lambda: LINES + GOOD[:100], (3, 2, 0, 1)),
    "byte order mark": (lambda: b"\xef\xbb\xbf" + LINES, (2, 2, 0, 0)),
    "two byte order marks": (lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + LINES, None),
    "utf-16": (lambda: LINES.decode().encode("utf-16"), (2, 2, 0, 0)),
    "utf-16 cut in a letter": (lambda: LINES.decode().encode("utf-16")[:-1], None),
    "utf-16 without a mark": (lambda: LINES.decode().encode("utf-16-le"), (1, 0, 0, 1)),
    "utf-32": (lambda: LINES.decode().encode("utf-32"), (1, 0, 0, 1)),
    "latin-1": (lambda: LINES + GOOD.replace(b"orders", b"commandes pass\xe9es"), (3, 2, 0, 1)),
    "pretty-printed": (lambda: orjson.dumps(orjson.loads(GOOD), option=orjson.OPT_INDENT_2), (1, 1, 0, 0)),
    "pretty-printed and cut": (
        lambda: orjson.dumps(orjson.loads(GOOD), option=orjson.OPT_INDENT_2)[:300],
        (1, 0, 0, 1),
    ),
    "windows line ends": (lambda: LINES.replace(b"\n", b"\r\n"), (2, 2, 0, 0)),
    "NaN": (lambda: LINES + GOOD.replace(b'"kind":2', b'"kind":NaN'), (3, 2, 0, 1)),
    "infinity": (lambda: LINES + GOOD.replace(b'"kind":2', b'"kind":1e999'), (3, 2, 0, 1)),
    "beyond 64 bits": (lambda: LINES + otlp((3, {"startTimeUnixNano": "9" * 30})), (3, 2, 0, 1)),
    "a number beyond 64 bits": (lambda: LINES + GOOD.replace(b'"kind":2', b'"kind":' + b"9" * 40), (3, 2, 0, 1)),
    "seconds for nanoseconds": (lambda: otlp((1, {"startTimeUnixNano": "1759155600"})), (1, 0, 0, 1)),
    "negative duration": (lambda: otlp((1, {}), (2, {"endTimeUnixNano": str(START_NS - 1)})), (2, 1, 0, 1)),
    "duplicate spans": (lambda: LINES + LINES, (4, 2, 2, 0)),
    "orphans": (lambda: otlp((1, {"parentSpanId": "00000000000000ff"})), (1, 1, 0, 0)),
    "own parent": (lambda: otlp((1, {"parentSpanId": "0000000000000001"})), (1, 1, 0, 0)),
    "cycle": (
        lambda: otlp((1, {"parentSpanId": "0000000000000002"}), (2, {"parentSpanId": "0000000000000001"})),
        (2, 2, 0, 0),
    ),
    "unknown enum": (lambda: otlp((1, {"kind": 99}), (2, {"status": {"code": 77}}), (3, {})), (3, 1, 0, 2)),
    "empty": (lambda: b"", (0, 0, 0, 0)),
    "blank lines": (lambda: b"\n \n\t\n", (0, 0, 0, 0)),
    "binary": (lambda: bytes(range(256)) * 40, (1, 0, 0, 1)),
    "NUL bytes": (lambda: b"\0" * 10_000, (1, 0, 0, 1)),
    "an archive": (lambda: b"PK\x03\x04" + os.urandom(3000), (1, 0, 0, 1)),
    "Parquet cut in half": (lambda: b"PAR1" + os.urandom(500), (1, 0, 0, 1)),
    "JSON of another tool": (lambda: b'{"hello": "world"}', (1, 0, 0, 1)),
    "a bare number": (lambda: b"42", (1, 0, 0, 1)),
    "nested too deep": (lambda: LINES + b"[" * 100_000, (3, 2, 0, 1)),
    "a YAML bomb": (lambda: b"incidents:\n" + yaml_bomb(), None),
    "YAML nested too deep": (lambda: b"incidents:\n- " + b"[" * 50_000, None),
    "a log cut in a letter": (lambda: LOG * 2 + "é".encode()[:1], (2, 2, 0, 0)),
    "a log with one endless record": (lambda: LOG + b"  at x\n" * 2_500, (3, 3, 0, 0)),
    "a log with NUL bytes": (lambda: LOG + b"\0" * 100, (1, 0, 0, 1)),
    "a log in latin-1": (lambda: LOG + LOG.replace(b"no", b"caf\xe9"), (2, 2, 0, 0)),
    "a log in utf-16": (lambda: (LOG * 2).decode().encode("utf-16"), (2, 2, 0, 0)),
    "a log of times that never were": (lambda: LOG.replace(b"09-29", b"99-99") * 3, (3, 0, 0, 3)),
    "a log's truncated gzip": (lambda: gzip.compress(LOG * 50)[:-12], None),
    "records of logs and half of one": (lambda: LOG_RECORD * 2 + LOG_RECORD[:20], (3, 2, 0, 1)),
    "records of logs of other fields": (lambda: LOG_RECORD + b'{"x": 1}\n[]\n7\n', (3, 1, 0, 2)),
    "surrogates": (lambda: LINES + GOOD.replace(b"orders", b"\\ud800"), None),
}


def yaml_bomb():
    lines = [b"- &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [b"- &a%d [%s]" % (n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)]
    return b"\n".join(lines) + b"\n"


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "evidence").mkdir(parents=True)
    (folder / "prodintel.yaml").write_text("name: x\nsources:\n  - path: evidence\n", encoding="utf-8")
    return folder


def run(*arguments):
    """Run a command in this process; return its exit code and all it said."""
    done = CliRunner().invoke(main, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise AssertionError(f"{arguments} ended in a traceback") from done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def account(output):
    """Return rows read, kept, dropped and quarantined, after checking that they add up."""
    found = FIGURES.search(output)
    assert found, output
    read, kept, quarantined = (int(found[group].replace(",", "")) for group in (1, 2, 4))
    dropped = sum(int(figure.replace(",", "")) for figure in re.findall(r" ([0-9,]+)(?= \+|$)", found[3]))
    assert read == kept + dropped + quarantined, output
    return read, kept, dropped, quarantined


def assert_told(code, output):
    """Check that a refusal says what is wrong and what to do."""
    assert code == 2, output
    assert re.search(r"prodintel: .+\nHint: .+", output), output


@pytest.mark.parametrize("name", FILES)
def test_ingest_ends_with_an_account_that_adds_up(workspace, name):
    make, expected = FILES[name]
    (workspace / "evidence" / "export").write_bytes(make())
    code, output = run("ingest", "--workspace", str(workspace))
    assert code == 0, output
    figures = account(output)
    assert expected is None or figures == expected, output
    lines = [line for file in workspace.glob("lake/quarantine/*") for line in file.read_bytes().splitlines()]
    assert len(lines) == figures[3]
    for line in map(orjson.loads, lines):
        assert line["reason"]
        assert (line["file"], line["line"] >= 1) == ("evidence/export", True)
        assert len(line["excerpt"]) <= 200
    again = run("ingest", "--workspace", str(workspace))
    assert again[0] == 0
    assert account(again[1]) == figures
    code, output = run("replay", "INC-1", "--workspace", str(workspace), "--reports", str(workspace / "reports"))
    assert_told(code, output)
    assert "No incident `INC-1`" in output
    assert not (workspace / "reports").exists()


@pytest.mark.parametrize("name", FILES)
def test_init_ends_with_a_configuration_or_says_why_not(tmp_path, name):
    (tmp_path / "export").write_bytes(FILES[name][0]())
    code, output = run("init", str(tmp_path))
    if code == 0:
        assert (tmp_path / "prodintel.yaml").is_file()
    else:
        assert_told(code, output)


def test_ingest_reads_times_of_four_units_and_mixed_zones(workspace):
    lines = [f"{time},{number}" for number, time in enumerate((*TIMES, "yesterday", "", "-1", "NaN", "9" * 25))]
    (workspace / "evidence" / "spans.csv").write_text("\n".join(["time,id", *lines]) + "\n", encoding="utf-8")
    (workspace / "prodintel.yaml").write_text(
        "name: x\nsources:\n  - path: evidence/spans.csv\n    table: logs\n"
        "    columns: {time_us: any_time(time), body: id}\n",
        encoding="utf-8",
    )
    code, output = run("ingest", "--workspace", str(workspace))
    assert code == 0, output
    assert account(output) == (12, 7, 0, 5)
    times_us = {row for file in workspace.rglob("*.parquet") for row in pl.read_parquet(file)["time_us"]}
    assert times_us == {START_NS // 1000}


CONFIGURATIONS = {
    "empty": b"",
    "a list": b"- a\n",
    "a word": b"hello",
    "an unknown key": b"name: x\nsorces: []\n",
    "an unknown key of a source": b"name: x\nsources:\n - path: evidence\n   fromat: otlp\n",
    "nested too deep": b"name: " + b"[" * 100_000,
    "aliases of aliases": b"name: x\nsources:\n" + yaml_bomb() + b"\n",
    "merges of merges": b"a0: &a0 {x: 1}\n"
    + b"".join(b"a%d: &a%d\n  <<: [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 20)) for n in range(1, 10))
    + b"name: x\n",
    "an anchor that holds itself": b"name: &a [*a]\n",
    "an object of Python's": b"name: !!python/object/apply:os.system ['true']\n",
    "bytes": bytes(range(256)),
    "NUL": b"name: x\0\n",
    "nothing for a list": b"name: x\nsources:\n",
    "numbers for texts": b"name: 5\nsources: 7\n",
    "a very long path": b"name: x\nsources:\n - path: " + b"a" * 5000 + b"\n",
    "a path that leaves": b"name: x\nsources:\n - path: ../../../../../etc/hostname\n",
    "a pattern that is none": b"name: x\nsources:\n - path: '**/**/[*'\n",
    "an unknown format": b"name: x\nsources:\n - path: evidence\n   format: oltp\n",
    "a date for a key": b"2020-01-01: x\nname: x\n",
    "two documents": b"name: x\n---\nname: y\n",
    "a number of 5,000 digits": b"name: x\nslos:\n - route: a\n   latency_ms: " + b"9" * 5000 + b"\n",
    "not a number": b"name: x\nslos:\n - route: a\n   latency_ms: .nan\n",
    "a device": b"name: x\nsources:\n - path: /dev/zero\n",
    "the lake": b"name: x\nsources:\n - path: lake\n",
}


@pytest.mark.parametrize("command", [("ingest",), ("replay", "INC-1")], ids=["ingest", "replay"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_that_cannot_be_is_an_error_with_a_hint(workspace, name, command):
    (workspace / "evidence" / "export").write_bytes(LINES)
    (workspace / "prodintel.yaml").write_bytes(CONFIGURATIONS[name])
    code, output = run(*command, "--workspace", str(workspace))
    assert_told(code, output)
    assert len(output) < 1500
    assert "prodintel.yaml" in output or "format" in output
    assert not (workspace / "lake").exists()


def spoil_manifest(change):
    return lambda lake: (lake / "manifest.json").write_bytes(change((lake / "manifest.json").read_bytes()))


def make_folder(lake):
    (lake / "manifest.json").unlink()
    (lake / "manifest.json").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_manifest(lambda content: content[:200]),
        spoil_manifest(lambda content: content.replace(b"lake/1", b"lake/9")),
        spoil_manifest(lambda _: b"[]"),
        spoil_manifest(lambda _: b'{"schema": "prodintel/lake/1", "readers": 1, "sources": {"a": 5}}'),
        make_folder,
    ],
    ids=["cut in half", "of a newer version", "a list", "of other entries", "a folder"],
)
def test_a_manifest_that_cannot_be_read_is_an_error_with_a_hint(workspace, spoil):
    (workspace / "evidence" / "export").write_bytes(LINES)
    assert run("ingest", "--workspace", str(workspace))[0] == 0
    spoil(workspace / "lake")
    for command in (("ingest",), ("replay", "INC-1")):
        code, output = run(*command, "--workspace", str(workspace))
        assert_told(code, output)
        assert "manifest.json is not a manifest of" in output


@pytest.mark.parametrize("table", ["spans", "incidents"])
@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_bytes(path.read_bytes()[:300]), Path.unlink, lambda path: path.write_bytes(b"")],
    ids=["cut", "gone", "empty"],
)
def test_a_file_of_the_lake_that_is_damaged_is_made_again(workspace, table, spoil):
    (workspace / "evidence" / "export").write_bytes(LINES)
    (workspace / "evidence" / "incidents.yaml").write_text(INCIDENT, encoding="utf-8")
    first = run("ingest", "--workspace", str(workspace))
    (file,) = (workspace / "lake" / table).rglob("*.parquet")
    whole = file.read_bytes()
    spoil(file)
    again = run("ingest", "--workspace", str(workspace))
    assert again[0] == 0, again[1]
    assert account(again[1]) == account(first[1]) == (3, 3, 0, 0)
    assert file.read_bytes() == whole


def test_a_file_of_the_lake_with_other_bytes_in_it_is_an_error_with_a_hint(workspace):
    (workspace / "evidence" / "incidents.yaml").write_text(INCIDENT, encoding="utf-8")
    run("ingest", "--workspace", str(workspace))
    (file,) = (workspace / "lake" / "incidents").rglob("*.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * (len(content) - 8) + content[-4:])
    code, output = run("replay", "INC-1", "--workspace", str(workspace))
    assert_told(code, output)
    assert "Parquet file cannot be read" in output


def test_a_folder_where_a_file_should_be_and_no_file_at_all_are_errors_with_a_hint(workspace):
    (workspace / "evidence" / "export").mkdir()
    os.mkfifo(workspace / "evidence" / "pipe")
    (workspace / "evidence" / "loop").symlink_to("loop")
    for path in ("evidence", "evidence/export", "evidence/pipe", "evidence/loop", "nothing"):
        (workspace / "prodintel.yaml").write_text(f"name: x\nsources:\n  - path: {path}\n", encoding="utf-8")
        code, output = run("ingest", "--workspace", str(workspace))
        assert_told(code, output)
        assert f"The source `{path}`" in output
    (workspace / "prodintel.yaml").unlink()
    for spoil in (lambda file: file.symlink_to(file.name), Path.mkdir):
        spoil(workspace / "prodintel.yaml")
        code, output = run("ingest", "--workspace", str(workspace))
        assert_told(code, output)
        if (workspace / "prodintel.yaml").is_symlink():
            (workspace / "prodintel.yaml").unlink()


def test_a_lake_that_is_a_file_is_an_error_with_a_hint(workspace):
    (workspace / "evidence" / "export").write_bytes(LINES)
    (workspace / "lake").write_text("not mine")
    code, output = run("ingest", "--workspace", str(workspace))
    assert_told(code, output)
    assert (workspace / "lake").read_text() == "not mine"


@pytest.fixture
def nobody():
    """Return a folder of a user who may do little, and be that user until the test ends; root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "evidence").mkdir()
        (folder / "prodintel.yaml").write_text("name: x\nsources:\n  - path: evidence\n", encoding="utf-8")
        (folder / "evidence" / "export").write_bytes(LINES)
        was_root = os.geteuid() == 0
        yield folder, (lambda: os.seteuid(65534) if was_root else None)
        if was_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


@pytest.mark.parametrize("closed", ["evidence/export", "evidence", "prodintel.yaml", "."])
def test_no_permission_is_an_error_with_a_hint(nobody, closed):
    folder, become_nobody = nobody
    # What the command imports when it runs must be there before the rights go.
    run("ingest", "--workspace", str(folder / "nothing"))
    (folder / closed).chmod(0o555 if closed == "." else 0)
    become_nobody()
    code, output = run("ingest", "--workspace", str(folder))
    assert_told(code, output)


# A process counts as its own peak what it was forked from, and this one is large by now: a small one stands between.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(str(peak))
sys.exit(code if code >= 0 else 128 - code)
"""


def run_bounded(*arguments, file_blocks="unlimited"):
    """Run a command as a process that may use so much and no more; return exit code, stdout, stderr, peak bytes."""
    limits = f"ulimit -v {ADDRESS_SPACE_BYTES >> 10}; ulimit -t {CPU_S}; ulimit -f {file_blocks}"
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        watched = [sys.executable, "-I", "-c", WATCH, peak, PRODINTEL, *arguments]
        done = subprocess.run(
            ["/bin/sh", "-c", f'{limits}; exec "$0" "$@"', *watched], capture_output=True, text=True, check=False
        )
        peak_bytes = int(peak.read_text()) * 1024
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr, peak_bytes


def line_of_50_mb():
    long = {"attributes": [{"key": "blob", "value": {"stringValue": "z" * (50 << 20)}}]}
    return LINES + otlp((3, long)) + b"\n"


HUGE = {
    "a gzip bomb in a line": (lambda: gzip.compress(GOOD + b"\n" + b'{"a": "' + b"x" * (120 << 20)), 1),
    "a line of 50 MB": (line_of_50_mb, 3),
    "a line of 140 MB": (lambda: LINES + b'{"x": "' + b"y" * (140 << 20) + b'"}\n' + otlp((3, {})), 3),
    "many blank lines": (lambda: LINES + b"\n" * (1 << 20), 2),
}


@pytest.mark.parametrize("name", HUGE)
def test_ingest_of_huge_input_stays_within_bounds(workspace, name):
    make, kept = HUGE[name]
    (workspace / "evidence" / "export").write_bytes(make())
    code, out, err, peak_bytes = run_bounded("ingest", "--workspace", str(workspace))
    assert code == 0, err
    assert account(out)[1] == kept
    assert peak_bytes < RESIDENT_BYTES


def test_ingest_on_a_full_disk_says_so_and_leaves_nothing_half_done(workspace):
    (workspace / "evidence" / "export").write_bytes(LINES)
    code, _, err, _ = run_bounded("ingest", "--workspace", str(workspace), file_blocks=1)
    assert_told(code, err)
    assert "cannot be written: File too large" in err
    assert not (workspace / "lake" / "manifest.json").exists()
    assert list((workspace / "lake").rglob("*.parquet*")) == []
    code, output = run("ingest", "--workspace", str(workspace))
    assert (code, account(output)) == (0, (2, 2, 0, 0))


def test_replay_into_a_folder_that_cannot_be_is_an_error_with_a_hint(workspace):
    (workspace / "evidence" / "export").write_bytes(LINES)
    (workspace / "evidence" / "incidents.yaml").write_text(INCIDENT, encoding="utf-8")
    reports = workspace / "evidence" / "export" / "reports"
    code, output = run("replay", "INC-1", "--workspace", str(workspace), "--reports", str(reports))
    assert_told(code, output)
    assert "Not a directory" in output
