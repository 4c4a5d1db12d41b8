"""The closed loop of the monitors of journeys and of the contract: green on what works, red on what is broken.

The sessions are those of the demo; the front ends and the shop really run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.monitor_contracts import contract_files
from prodintel_lib.renderers.monitor_journeys import journey_files
from prodintel_lib.renderers.suite import RenderedFile
from prodintel_lib.rum_journeys import choose_window_of_visits
from prodintel_lib.scenarios.model import Request
from prodintel_lib.scenarios.monitors.contracts import SignIn, build_contract
from prodintel_lib.scenarios.monitors.journeys import build_journey_monitors
from prodintel_lib.scenarios.ui_model import ExpectVitals
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace
from tests.conftest import CHROMIUM_FLAGS

ROOT = Path(__file__).parents[1]
RECORDING = ROOT / "demo" / "workspace" / "rum" / "sessions.jsonl.zst"
# A pause of a shared machine is none of the shop's: here the limits are ample, what they do is tested elsewhere.
AMPLE = 60_000.0

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]


def write(files, folder):
    write_files([RenderedFile(path, text) for path, text in files.items()], folder)


def run(folder, url, *options, **environment):
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-o", "addopts=", *plugins, "--base-url", url, *options],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def with_ample_limits(monitor):
    steps = tuple(
        step.model_copy(update={"budgets": tuple(each.model_copy(update={"limit": AMPLE}) for each in step.budgets)})
        if isinstance(step, ExpectVitals)
        else step
        for step in monitor.scenario.steps
    )
    return monitor.model_copy(update={"scenario": monitor.scenario.model_copy(update={"steps": steps})})


@pytest.fixture(scope="module")
def journeys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "prodintel.yaml").write_text("name: recorded\nsources:\n  - path: rum/*\n", encoding="utf-8")
    (folder / "rum").mkdir()
    shutil.copy(RECORDING, folder / "rum")
    workspace = open_workspace(folder)
    ingest(workspace)
    view = open_view(workspace)
    window = choose_window_of_visits(view, "28d")
    made = build_journey_monitors(view, window=window, conversions=["purchase"])
    return made.model_copy(update={"monitors": tuple(with_ample_limits(each) for each in made.monitors)})


@pytest.fixture(scope="module")
def walk(journeys, tmp_path_factory, needs_program):
    """Return a function that walks the journeys on a build of the front end."""
    from demo.storefront import running

    folder = tmp_path_factory.mktemp("monitors")
    write(journey_files(journeys), folder)
    environment = {
        "PLAYWRIGHT_CHROMIUM": needs_program("chromium"),
        "PLAYWRIGHT_CHROMIUM_ARGS": " ".join(CHROMIUM_FLAGS),
        "THINK_TIME_SCALE": "0.01",
    }

    def on(build):
        with running(build) as url:
            return run(folder / "journeys", url, **environment)

    return on


def test_journeys_are_those_that_convert_as_the_clients_of_most_visitors(journeys):
    converting = [each for each in journeys.monitors if each.converts]
    clients = [each.scenario.client.user_agent for each in journeys.monitors if each.scenario.client.user_agent]

    assert len(journeys.monitors) == 7
    assert len(converting) == 6
    assert len(set(clients)) == len(clients) == 4
    assert journeys.left_out == ()


def test_journeys_go_well_on_the_fixed_front_end(walk):
    done = walk("fixed")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_journeys_break_off_on_the_faulty_front_end_for_whom_it_breaks(walk):
    done = walk("faulty")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "the journey broke off 2 times" in done.stdout
    assert "Cannot read properties of undefined (reading 'toFixed')" in done.stdout
    assert "the page says: Enter a valid postcode." in done.stdout
    # Most visitors are neither: the journey as a plain browser walks it is well.
    assert " passed" in done.stdout


def test_contract_is_kept_by_the_shop_and_not_by_one_whose_payment_is_down(tmp_path):
    from demo.estate import Estate

    workspace = open_workspace(ROOT / "demo" / "workspace")
    guest = Request(id="sign_in", method="POST", route="/api/sessions", path="/api/sessions", body={"locale": "en-GB"})
    sign_in = SignIn(header="Authorization", prefix="Bearer ", request=guest, pointer="/token")
    contract = build_contract(workspace).model_copy(update={"sign_in": sign_in})
    write(contract_files(contract), tmp_path)

    (tmp_path / "shop").mkdir()
    with Estate(tmp_path / "shop") as shop:
        kept = run(tmp_path / "contract", shop.base_url)
        written = run(tmp_path / "contract", shop.base_url, "--allow-writes")
        shop.faults.add_toxic("payment", "reset_peer", {"timeout": 0})
        broken = run(tmp_path / "contract", shop.base_url)

    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert f"{contract.reads} passed" in kept.stdout
    assert written.returncode == 0, written.stdout + written.stderr
    assert f"{contract.reads + contract.writes} passed" in written.stdout
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "test_contract[GET /api/products/{product_id}]" in broken.stdout
    assert "payment cannot be reached" in broken.stdout
    assert "1 failed" in broken.stdout
