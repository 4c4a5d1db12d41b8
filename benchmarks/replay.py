"""How long a warm replay takes, against running and exporting an empty notebook the stock way.

    python benchmarks/replay.py                         # medians and their ratio
    python benchmarks/replay.py --profile               # and where the time goes
    python benchmarks/replay.py --command "prodintel replay INC-2024-1234" --rounds 7

The stock way is papermill's `execute_notebook` and nbconvert's `HTMLExporter` in a fresh process. Rounds alternate, so
that a slow minute of the machine falls on both; one round of each goes before, uncounted, to fill caches.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
EMPTY = HERE / "empty.ipynb"
COMMAND = "prodintel replay INC-2024-1234"
AIM_RATIO = 2.0
STOCK = """
import sys
import papermill
from nbconvert import HTMLExporter
notebook = papermill.execute_notebook(sys.argv[1], sys.argv[2] + "/notebook.ipynb", progress_bar=False)
html, _ = HTMLExporter().from_notebook_node(notebook)
open(sys.argv[2] + "/report.html", "w", encoding="utf-8").write(html)
"""


def main() -> int:
    options = _options()
    replay = shlex.split(options.command)
    program = Path(sys.executable).with_name(replay[0])
    if program.exists():
        replay[0] = str(program)
    with tempfile.TemporaryDirectory() as folder:
        stock = [sys.executable, "-c", STOCK, str(EMPTY), folder]
        seconds: dict[str, list[float]] = {"replay": [], "stock": []}
        for number in range(options.rounds + 1):
            for name, command in (("replay", replay), ("stock", stock)):
                taken_s = _seconds(command)
                if number:
                    seconds[name].append(taken_s)
                    print(f"round {number}  {name:<6}  {taken_s:6.2f} s", flush=True)
    replay_s, stock_s = (statistics.median(seconds[name]) for name in ("replay", "stock"))
    print(f"\n{options.command}: median {replay_s:.2f} s of {options.rounds}")
    print(f"empty notebook, stock papermill and nbconvert: median {stock_s:.2f} s of {options.rounds}")
    print(f"ratio {replay_s / stock_s:.2f} (aim: at most {AIM_RATIO:.0f})")
    if options.profile:
        _profile(replay, options.run_dir)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default=COMMAND, help="what is timed")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each")
    parser.add_argument(
        "--profile", action="store_true", help="print the stages of the last run and the slowest imports"
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=HERE.parent / "reports" / "incident_replay" / "INC-2024-1234",
        help="where the command writes run.json",
    )
    return parser.parse_args()


def _seconds(command: list[str]) -> float:
    started_s = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    taken_s = time.perf_counter() - started_s
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed with {done.returncode}:\n{done.stderr[-2000:]}")
    return taken_s


def _profile(command: list[str], run_dir: Path) -> None:
    record = run_dir / "run.json"
    if record.is_file():
        print(f"\nstages of {record}")
        for name, stage_s in json.loads(record.read_text(encoding="utf-8"))["stages_s"].items():
            print(f"{stage_s:8.2f} s  {name}")
    notebook = run_dir / "notebook.ipynb"
    if notebook.is_file():
        print(f"\nslowest cells of {notebook}")
        _print_cells(json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    print("\nslowest imports, in the command and its kernel, each with what it imports in turn")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    )
    _print_imports(done.stderr)


def _print_cells(cells: list[dict], most: int = 8) -> None:
    timed = [
        (cell["metadata"].get("papermill", {}).get("duration") or 0.0, "".join(cell["source"]).strip().splitlines())
        for cell in cells
        if cell["cell_type"] == "code"
    ]
    for cell_s, lines in sorted(timed, key=lambda cell: cell[0], reverse=True)[:most]:
        print(f"{cell_s:8.2f} s  {lines[-1][:90] if lines else ''}")


def _print_imports(report: str, most: int = 12) -> None:
    found = {}
    for line in report.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and len(parts) == 3 and parts[1].strip().isdigit():
            found[parts[2].strip()] = int(parts[1]) / 1e6
    for name, import_s in sorted(found.items(), key=lambda item: item[1], reverse=True)[:most]:
        print(f"{import_s:8.2f} s  {name}")


if __name__ == "__main__":
    sys.exit(main())
