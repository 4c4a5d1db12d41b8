"""An access log full of personal data and secrets in what was asked for: none of it is in a load test made of it."""

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.workspace import open_workspace
from tests.privacy.canaries import CANARIES, find_canaries

PRODINTEL = Path(sys.executable).parent / "prodintel"
VISITORS = 40
CONFIG = "name: logged\nsources: [{path: access.log}]\n"


def asked_for(number):
    """Return what a visitor asks for: pages, and each with some of the canaries in a query or a path."""
    mine = [canary for place, canary in enumerate(CANARIES) if place % 5 == number % 5]
    yield "/"
    yield "/help"
    for canary in mine:
        yield f"/account?{canary.field}={quote(canary.value, safe='')}&page=1"
    for canary in mine:
        if not canary.needs_field and "\n" not in canary.value and "/" not in canary.value:
            yield f"/profile/{quote(canary.value, safe='')}"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logged")
    lines = []
    for number in range(VISITORS):
        for step, path in enumerate(asked_for(number)):
            minute, second = divmod(number * 20 + step * 5, 60)
            lines.append(
                f"81.23.45.{number + 1} - - [21/Nov/2026:10:{minute:02d}:{second:02d} +0000] "
                f'"GET {path} HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0"'
            )
    (folder / "prodintel.yaml").write_text(CONFIG)
    (folder / "access.log").write_text("\n".join(sorted(lines, key=lambda line: line.split("[")[1])) + "\n")
    return folder


@pytest.mark.parametrize("verb", ["load", "load-test"])
def test_no_load_test_of_an_access_log_holds_a_canary(logged, tmp_path, verb):
    workspace = shutil.copytree(logged, tmp_path / "workspace")
    reports = tmp_path / "reports"
    done = subprocess.run(
        [PRODINTEL, verb, "--days", "1", "--workspace", workspace, "--reports", reports],
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr.decode()
    written = [path for path in reports.rglob("*") if path.is_file()]
    model = next(path for path in written if path.name == "load_model.json")
    assert "/account" in model.read_text(), "what held the canaries is sent"
    assert {path.name: kinds for path in written if (kinds := find_canaries(path.read_bytes()))} == {}
    assert find_canaries(done.stdout + done.stderr) == []
    assert not [path.name for path in written if b"81.23.45." in path.read_bytes()], "nor an address"
    # They really were in the lake, as recorded.
    rows = open_view(open_workspace(workspace)).scan("rum_events").collect("polars").to_native()
    assert len(find_canaries(str(rows.rows()).encode())) >= 20
