"""What all tests share: how a test says what it needs, and the shared data."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A shared machine's pauses are not the code's: time limits belong to benchmarks.
settings.register_profile("prodintel", deadline=None, print_blob=True)
settings.load_profile("prodintel")


def lacking(what: str) -> None:
    """Skip for want of something a machine may lack; fail where skips are forbidden, as in CI."""
    if os.environ.get("PRODINTEL_FORBID_SKIPS") == "1":
        pytest.fail(f"this machine must have {what} (PRODINTEL_FORBID_SKIPS is set)")
    pytest.skip(f"needs {what}; `make test-tools` installs it")


@pytest.fixture(scope="session")
def needs():
    """Return a function that skips the test where an optional Python package is not installed."""

    def check(module: str) -> None:
        if importlib.util.find_spec(module) is None:
            lacking(f"the Python package {module}")

    return check


@pytest.fixture(scope="session")
def needs_program():
    """Return a function that gives the path of a program, or skips the test where it is not installed."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            lacking(f"the program {name}")
        return str(found)

    return find


# A module's, not the session's: the browser's driver keeps an event loop running, which others could not start beside.
@pytest.fixture(scope="module")
def chromium(needs_program):
    """Return a headless Chromium with a fresh profile."""
    from playwright.sync_api import sync_playwright

    program = needs_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data with ground truth; it is not part of the repository."""
    folder = Path(os.environ.get("PRODINTEL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared data, which is not part of the repository ({folder} is absent)")
    return folder


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory):
    """Return a copy of the demo workspace with its lake, so that no test touches the repository's own."""
    from prodintel_lib.sources.ingest import ingest
    from prodintel_lib.workspace import open_workspace

    folder = tmp_path_factory.mktemp("demo") / "workspace"
    shutil.copytree(ROOT / "demo" / "workspace", folder, ignore=shutil.ignore_patterns("lake"))
    ingest(open_workspace(folder))
    return folder


@pytest.fixture(scope="session")
def demo_replay(demo_workspace):
    """Return the first incident of the demo, replayed."""
    from prodintel_lib.incident_replay import replay_incident

    return replay_incident(demo_workspace, "INC-2024-1234")
