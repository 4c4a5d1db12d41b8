"""Measure the grouping of stack traces: `python -m benchmarks.logs.stacks ../shared [--seeds 5] [--only speed]`."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import random
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.logs.made_stacks import LANGUAGES, SCENARIOS, make_traces
from prodintel_lib.analyses.stack_traces import group_stacks, read_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from benchmarks.logs.made_stacks import Made

SPEED_ROWS: Final = 1_000_000
_FRAME: Final = re.compile(r"^\s*(?:at |File |#[0-9]+ |\S+\.go:)[^\n]*", re.MULTILINE)
_VARIES: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|[0-9]+|[\w.:\\/-]*[\\/]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="the folder that holds scorers and data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=("planted", "real", "speed", "hostile"), help="one part alone")
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "planted": lambda: _planted(options.shared / "scorers" / "log_ga.py", options.seeds),
        "real": lambda: _real(options.shared / "data"),
        "speed": _speed,
        "hostile": _hostile,
    }
    for name, part in parts.items():
        if options.only in {None, name}:
            _say(part())
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _planted(scorer_path: Path, seeds: int) -> Iterator[str]:
    scorer = _load(scorer_path)
    made = [
        (seed, one)
        for seed in range(seeds)
        for language in LANGUAGES
        for scenario in SCENARIOS
        for one in make_traces(language, scenario, random.Random(f"{seed} {language} {scenario}"))
    ]
    methods: dict[str, Callable[[list[Made]], list[str]]] = {
        "prodintel": _ours,
        "text, numbers and folders masked": lambda some: [_VARIES.sub("#", one.text) for one in some],
        "class and frames, masked": lambda some: [f"{one.error_type} {_frames(one, 1000)}" for one in some],
        "class and topmost frame, masked": lambda some: [f"{one.error_type} {_frames(one, 1)}" for one in some],
    }
    for name, method in methods.items():
        # A seed is a system of its own: groups are not looked for across seeds.
        answers = [answer for seed in range(seeds) for answer in method([one for at, one in made if at == seed])]
        rows = [(seed, one, f"{seed} {answer}") for (seed, one), answer in zip(made, answers, strict=True)]
        yield f"planted, {name}: {_score(scorer, rows)}"
        for part in (*SCENARIOS, *LANGUAGES):
            yield f"  {part}: {_score(scorer, [row for row in rows if part in {row[1].scenario, row[1].language}])}"


def _ours(some: list[Made]) -> list[str]:
    frame = pl.DataFrame({"stacktrace": [one.text for one in some], "error_type": [one.error_type for one in some]})
    ids = group_stacks(frame).assign(frame)["stack_id"]
    return [stack_id or f"none {at}" for at, stack_id in enumerate(ids)]


def _frames(one: Made, count: int) -> str:
    lines = [_VARIES.sub("#", line) for line in _FRAME.findall(one.text)]
    return "\n".join(lines[-count:] if one.language == "python" else lines[:count])


def _score(scorer: ModuleType, rows: list[tuple[int, Made, str]]) -> str:
    score = scorer.grouping([f"{seed} {one.bug}" for seed, one, _ in rows], [answer for _, _, answer in rows])
    figures = " ".join(f"{name} {score[name]:.3f}" for name in ("GA", "FGA", "precision_g", "recall_g", "pF1"))
    return f"{figures}, {score['true']} bugs, {score['pred']} groups, {score['n']} traces"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("log_ga", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _real(data: Path) -> Iterator[str]:
    for name, texts in (
        ("rootcausebench", _root_cause_bench(data / "rootcausebench")),
        ("trainticket", _trainticket(data / "trainticket")),
        ("loghub", _loghub(data / "loghub")),
        ("demo", _demo(Path("demo/workspace/lake"))),
    ):
        frame = pl.DataFrame({"stacktrace": list(texts)}, schema={"stacktrace": pl.String()})
        if frame.is_empty():
            yield f"real, {name}: not there"
            continue
        begun = time.process_time()
        groups = group_stacks(frame)
        seconds = time.process_time() - begun
        traced, distinct = int(groups.frame["rows"].sum()), int(groups.frame["traces"].sum())
        yield (
            f"real, {name}: {frame.height:,} records, {traced:,} with a trace, {distinct:,} texts, "
            f"{groups.frame.height} groups, {seconds:.2f} s of the processor"
        )
        for row in groups.frame.head(8).iter_rows(named=True):
            yield f"  {row['rows']:6,} {row['exception'] or '-'} | {row['top_frame']} | {len(row['frames'])} frames"


def _root_cause_bench(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*/logs.ndjson")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield f"{record.get('msg', '')}\n{record.get('stack', '')}"


def _trainticket(folder: Path) -> Iterator[str]:
    csv.field_size_limit(10_000_000)
    for path in sorted(folder.glob("rca_data/*/log/*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield next((value for value in row.values() if isinstance(value, str) and '"log"' in value), "")


def _loghub(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*/*.log")):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def _demo(lake: Path) -> Iterator[str]:
    for table in ("logs", "spans", "rum_events"):
        if (lake / table).exists():
            stacks = pl.scan_parquet(lake / table / "**" / "*.parquet").select("exception_stacktrace").drop_nulls()
            yield from stacks.collect()["exception_stacktrace"]


def _speed() -> Iterator[str]:
    chance = random.Random(0)
    made = [one for language in LANGUAGES for one in make_traces(language, "releases", chance, bugs=3)]
    few = pl.DataFrame({"stacktrace": [one.text for one in made], "error_type": [one.error_type for one in made]})
    many = few[[at % few.height for at in range(SPEED_ROWS)]]
    begun = time.process_time()
    groups = group_stacks(many)
    seconds = time.process_time() - begun
    yield f"speed: {SPEED_ROWS:,} rows, {few.height} texts: {seconds:.2f} s processor, {len(groups.frame)} groups"
    distinct = pl.concat(
        [few.with_columns(pl.col("stacktrace") + f"\nnote {at}") for at in range(20_000 // few.height)]
    )
    begun = time.process_time()
    group_stacks(distinct)
    seconds = time.process_time() - begun
    yield f"speed: {distinct.height:,} texts: {seconds:.2f} s, {distinct.height / seconds:,.0f} a second"


def _hostile() -> Iterator[str]:
    for name, text in HOSTILE.items():
        begun = time.process_time()
        trace = read_trace(text)
        seconds = time.process_time() - begun
        yield f"hostile, {name}: {len(text):,} characters, {seconds:.3f} s, {len(trace.frames)} frames"


HOSTILE: Final = {
    "one line of a's": "at " + "a" * 1_000_000,
    "one line of at's": "Traceback (most recent call last)\n" + "at " * 330_000,
    "dots": "at " + "a." * 500_000 + "b(",
    "colons": "\n".join(["x@" + ":1" * 480] * 1000),
    "open brackets": "\n".join(["at " + "(" * 990] * 1000),
    "blanks": "\n".join(["at " + " " * 990 + "x"] * 1000),
    "words in brackets": "\n".join(["at f (" + "a:1" * 300] * 1000),
    "classes": "\n".join(["A" * 300 + ".Error" * 100 + "!"] * 20 + ["\tat a.B.c(D.java:1)"]),
    "class after class": "\n".join(["aError " * 140] * 1000 + ["\tat a.B.c(D.java:1)"]),
    "php": "x in " * 200_000 + "\n#0 /a.php(1): f()",
    "ruby": "\n".join(["/a.rb:1:in 'f': " + "(A" * 400] * 1000),
    "go": "goroutine 1 [running]:\n" + "\n".join(["a." * 450 + "(", "\t/x.go:1"] * 500),
    "frames": "java.lang.E: x\n" + "\n".join(f"\tat com.a.B{at}.c(B.java:{at})" for at in range(40_000)),
    "chain": "\n".join(f"Caused by: a.E{at}: x\n\tat a.B.c(B.java:1)\n\t... 1 more" for at in range(20_000)),
    "json": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "escaped": "x\\n" * 300_000,
}


if __name__ == "__main__":
    raise SystemExit(main())
