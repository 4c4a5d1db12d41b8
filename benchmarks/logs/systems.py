"""Grouping of the lines of real systems, against labels that others made."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from prodintel_lib.analyses.log_templates import mine_templates
from prodintel_lib.engines import collect
from prodintel_lib.rollups.log_masks import mask_message
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_KEYS, LOG_SHAPES_SCHEMA, build_log_shapes

if TYPE_CHECKING:
    from types import ModuleType

REPEATS = 3
# A template names the kind of each slot, the truth does not; where several values stand side by side the truth has one.
SLOT_OF_KIND = re.compile(r"<(?:[a-z]+|\*)>")


def load_scorer(data: Path) -> ModuleType:
    """Return ../scorers/log_ga.py as a module: it is not part of this repository."""
    spec = importlib.util.spec_from_file_location("log_ga", data.parent / "scorers" / "log_ga.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(data.parent / "scorers" / "log_ga.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure_systems(data: Path, *, drain3: Path | None) -> list[dict[str, Any]]:
    """Return a row for each system and way: GA, FGA, pF1, PA and lines a second of the processor."""
    scorer = load_scorer(data)
    rows = []
    for folder in sorted(path for path in (data / "loghub").iterdir() if path.is_dir()):
        truth = pl.read_csv(folder / f"{folder.name}_2k.log_structured.csv", infer_schema=False)
        lines = truth["Content"].fill_null("").to_list()
        ways = {"prodintel": _ours(lines)}
        if drain3 is not None:
            ways["Drain3"] = run_drain3(drain3, lines)
            ways["Drain3, four masks"] = run_drain3(drain3, lines, masks=True)
        for way, found in ways.items():
            grouped = scorer.grouping(truth["EventId"].to_list(), found["labels"])
            templates = [SLOT_OF_KIND.sub("<*>", text) for text in found["templates"]]
            rows.append(
                {
                    "system": folder.name,
                    "way": way,
                    **{name: grouped[name] for name in ("GA", "FGA", "pF1")},
                    "PA": scorer.pa(truth["EventTemplate"].to_list(), templates),
                    "found": grouped["pred"],
                    "true": grouped["true"],
                    "lines_s": len(lines) / found["processor_s"],
                }
            )
    return rows


def _ours(lines: list[str]) -> dict[str, Any]:
    frame = pl.DataFrame({"time_us": range(len(lines)), "service_name": "", "message": lines})
    best_s = float("inf")
    for _ in range(REPEATS):
        started_s = time.process_time()
        lazy = nw.from_native(frame.lazy())
        shapes = collect(build_log_shapes(lazy), schema=LOG_SHAPES_SCHEMA, sort_by=LOG_SHAPES_KEYS)
        templates = mine_templates(shapes)
        masked = nw.from_native(frame).select(mask_message(nw.col("message")).alias("shape")).to_native()
        labels = masked.join(templates.assignments, on="shape", how="left", maintain_order="left")["pattern_id"]
        best_s = min(best_s, time.process_time() - started_s)
    texts = dict(templates.frame.select("pattern_id", "template").iter_rows())
    return {"processor_s": best_s, "labels": labels.to_list(), "templates": [texts[label] for label in labels]}


def run_drain3(python: Path, lines: list[str], *, masks: bool = False) -> dict[str, Any]:
    """Run with_drain3.py in a Python that has Drain3."""
    with tempfile.TemporaryDirectory() as folder:
        said, found = Path(folder, "lines.json"), Path(folder, "found.json")
        said.write_text(json.dumps(lines), encoding="utf-8")
        command = [str(python), str(Path(__file__).with_name("with_drain3.py")), str(said), str(found)]
        subprocess.run([*command, *(["masks"] if masks else [])], check=True, stdin=subprocess.DEVNULL, cwd=folder)
        outcome: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return outcome


def show_systems(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table of Markdown, with the mean of each way."""
    lines = [
        "| system | way | GA | FGA | pF1 | PA | groups (true) | lines/s of processor |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['system']} | {row['way']} | {row['GA']:.3f} | {row['FGA']:.3f} | {row['pF1']:.3f} | {row['PA']:.3f} | "
        f"{row['found']} ({row['true']}) | {row['lines_s']:,.0f} |"
        for row in rows
    ]
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == way]
        means = " | ".join(f"{sum(row[name] for row in own) / len(own):.3f}" for name in ("GA", "FGA", "pF1", "PA"))
        worst = min(min(row["GA"], row["FGA"]) for row in own)
        lines.append(f"| **mean** | {way} | {means} | worst GA or FGA {worst:.3f} | |")
    return "\n".join(lines)
