"""`prodintel load-score`: how close what a load test sent is to what production did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, MAX_RATIO
from prodintel_lib.analyses.load_fidelity.shown import DISTANCE_NAMES
from prodintel_lib.load_patterns.runs import read_recording, read_run, score_run
from prodintel_lib.windows import US_PER_S, Window

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.analyses.load_fidelity import LoadFidelity
    from prodintel_lib.rollups.load_requests import LoadSource
    from prodintel_lib.terminal import Terminal

FAITHFUL: Final = 0
UNFAITHFUL: Final = 1
"""What cannot be told ends in an error, and so in 2."""

_SIDE: Final = 25


@dataclass(frozen=True, slots=True)
class ScoreWish:
    """What is asked for.

    Attributes
    ----------
    window : str
        Of the recording, ``START/END``; ``""`` for the time the run's curve was counted in.
    source : {"spans", "rum"} or None
        Of a workspace; None for what the load test was made of.
    bucket_s : float or None
        Of production's time; None for one that suits the part that was run.
    as_json : bool
    """

    window: str = ""
    source: LoadSource | None = None
    bucket_s: float | None = None
    as_json: bool = False


def show_score(run_path: Path, recording_path: Path, wish: ScoreWish, *, terminal: Terminal) -> int:
    """Write how faithful a run was on the terminal, the answer first.

    Parameters
    ----------
    run_path : Path
        A run's folder, or a log of what was sent (runs.read_run).
    recording_path : Path
        A workspace, or a log of what production did (runs.read_recording).
    wish : ScoreWish
    terminal : Terminal

    Returns
    -------
    int
        The exit code: 0 where the load is as close to production as production is to itself and its arrivals were
        kept, 1 where not.

    Raises
    ------
    ProdintelError
        Where it cannot be told: its exit code is 2.
    """
    terminal.step(0, 3, f"reading {run_path}")
    run = read_run(run_path)
    settings = run.settings
    asked = Window.parse(wish.window) if wish.window else None
    terminal.step(1, 3, f"reading {recording_path}")
    recording = read_recording(
        recording_path,
        window=asked or (settings.curve if settings else None),
        source=wish.source or (settings.source if settings else None),
    )
    terminal.step(2, 3, "comparing")
    origin_s = asked.start_us / US_PER_S if asked else None
    score = score_run(run, recording, origin_s=origin_s, bucket_s=wish.bucket_s)
    terminal.step(3, 3, "compared")
    written = json.dumps(score.to_dict(), indent=2, ensure_ascii=True)
    for line in written.splitlines() if wish.as_json else score_lines(score):
        terminal.say(line)
    return FAITHFUL if score.is_faithful else UNFAITHFUL


def score_lines(score: LoadFidelity) -> list[str]:
    """Lay a score out for the terminal, the answer first."""
    return [
        answer(score),
        *(f"  {sentence}" for sentence in score.sentences()),
        "",
        f"  {'Distance in':<{_SIDE}}  {'':<9}  {'load':>7}  {'production':>10}  {'nine cuts in ten':>16}",
        *(_row_line(row) for row in score.scores.iter_rows(named=True)),
        "",
        f"  0 is the same. Production: the median of {score.splits} random cuts of its sessions in two.",
        f"  Close is up to {MAX_RATIO:g} times that, or within nine cuts in ten. Buckets of {score.bucket_s:g} s.",
        f"  Up to {MAX_RATIO:g} times it alone: {_within_median(score)}.",
    ]


def _within_median(score: LoadFidelity) -> str:
    beyond = score.beyond_median
    rest = f"; not {', '.join(beyond)}" if beyond else ""
    return f"{score.scores.height - len(beyond)} of {score.scores.height}{rest}"


def _row_line(row: dict[str, Any]) -> str:
    verdict = "" if row["verdict"] == AS_CLOSE else row["verdict"]
    return (
        f"  {DISTANCE_NAMES[row['distance']]:<{_SIDE}}  {row['distance']:<9}  {row['value']:>7.3f}  "
        f"{row['halves_median']:>10.3f}  {row['halves_low']:>7.3f} to {row['halves_high']:.3f}  {verdict}"
    ).rstrip()


def answer(score: LoadFidelity) -> str:
    """Say in a sentence whether the load was production's."""
    if score.is_faithful:
        return "Faithful: the load is as close to production as production is to itself."
    far = [DISTANCE_NAMES[name] for name in score.scores.filter(score.scores["verdict"] != AS_CLOSE)["distance"]]
    reasons = [f"further off in {', '.join(name[:1].lower() + name[1:] for name in far)}"] if far else []
    if not score.kept_arrivals:
        reasons.append("arrivals were missed")
    return f"Not faithful: {'; '.join(reasons)}."
