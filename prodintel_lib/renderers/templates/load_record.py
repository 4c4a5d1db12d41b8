"""What a run sent and what came of it: the record on disk, and the judgement."""

from __future__ import annotations

import csv
import json
import math
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prodintel_lib.renderers.templates.load_options import Run

SCHEMA = "prodintel/load-run/1"
LATE_S = 1.0
MISSED_SHARE = 0.01  # of the planned sessions; where more are missed, answers say nothing of those users
CUT_SHORT_SHARE = 0.05
MAX_CHANCE = 0.01  # a system at its limit goes beyond it so often by chance alone before a threshold is broken
NEGLIGIBLE = 1e-12
SLOW_MS = 100  # so late a process may begin its sessions before it says that it is slow itself
DECIMALS = 6
FILES = ("requests.csv", "planned.csv", "run.json")

Data = dict[str, Any]
Row = tuple[int, int, float, int | None, float, int]


class Record:
    """Everything that was sent, as it is reported: written to disk at once, counted for the judgement.

    A row is the session's number, the endpoint's place, the seconds since the run began at which it was sent, the
    status (None without an answer), the milliseconds it took, and 1 for a request that only prepared another.
    """

    def __init__(self, model: Data, run: Run, folder: Path) -> None:
        self._model, self._run, self._folder = model, run, folder
        count = len(model["endpoints"])
        self._elapsed_ms = [array("d") for _ in range(count)]
        self._sent, self._failed = [0] * count, [0] * count
        self._setup = 0
        self._begun_s: dict[int, float] = {}
        self._delays_s: list[float] = []
        self._errors: dict[tuple[str, str], int] = {}
        self.cut_short = 0
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        self._file = (folder / "requests.csv").open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(["session", "endpoint", "t", "status", "elapsed_ms", "setup"])

    def take(self, rows: Sequence[Row]) -> None:
        """Keep requests."""
        for session, place, at_s, status, elapsed_ms, setup in rows:
            endpoint = self._model["endpoints"][place]
            self._csv.writerow([session, endpoint["label"], round(at_s, DECIMALS), status, round(elapsed_ms, 3), setup])
            if setup:
                self._setup += 1
                continue
            self._sent[place] += 1
            self._failed[place] += status not in endpoint["statuses"]
            # A refused connection is no answer, and says nothing of how long one takes.
            if status is not None or elapsed_ms >= endpoint["patience_ms"]:
                self._elapsed_ms[place].append(elapsed_ms)

    def begin(self, sessions: Sequence[tuple[int, float]]) -> None:
        """Keep when sessions began, by number."""
        self._begun_s.update(sessions)

    def fail(self, what: str, where: str) -> None:
        """Keep an error that was thrown in the load test itself."""
        self._errors[what, where] = self._errors.get((what, where), 0) + 1

    def close(self, planned: Sequence[tuple[int, float]], stopped: str) -> Data:
        """Judge the run, write the rest of the record, and return the judgement; `stopped` says what ended it early."""
        self._file.close()
        with (self._folder / "planned.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["session", "t"])
            out.writerows((number, round(at_s, DECIMALS)) for number, at_s in planned)
        judged = self._judged(planned, stopped)
        text = json.dumps(judged, indent=1, ensure_ascii=True, allow_nan=False)
        (self._folder / "run.json").write_text(text + "\n", encoding="utf-8")
        return judged

    def _judged(self, planned: Sequence[tuple[int, float]], stopped: str) -> Data:
        delays_s = sorted(self._begun_s[number] - at_s for number, at_s in planned if number in self._begun_s)
        late = sum(delay_s > LATE_S for delay_s in delays_s)
        thresholds = [self._threshold(each) for each in self._model.get("thresholds", [])]
        setting, curve = self._run.setting, self._model["curve"]
        judged = {
            "schema": SCHEMA,
            "generator": "locust",
            "input_digest": self._model["input_digest"],
            "target": self._run.target,
            "seed": setting.seed,
            "scale": setting.scale,
            "compress": setting.compress,
            "multiplier": setting.multiplier,
            "start_s": setting.start_s,
            "length_s": setting.length_s,
            "bucket_s": curve["bucket_s"],
            "curve_start_us": curve["start_us"],
            "curve_end_us": curve["end_us"],
            "source": curve["source"],
            "planned_sessions": len(planned),
            "begun_sessions": len(delays_s),
            "late_sessions": late,
            "delay_p99_s": round(percentile(delays_s, 99), DECIMALS) if delays_s else None,
            "cut_short": self.cut_short,
            "requests": sum(self._sent),
            "failed_requests": sum(self._failed),
            "setup_requests": self._setup,
            "errors": [{"what": what, "where": where, "count": n} for (what, where), n in self._errors.items()],
            "thresholds": thresholds,
        }
        why = [*([stopped] if stopped else []), *reasons(judged)]
        return {**judged, "failed": bool(why), "why": why}

    def _threshold(self, threshold: Data) -> Data:
        place, latency = threshold["endpoint"], threshold["kind"] == "latency"
        limit = threshold["limit"] * (self._run.latency_factor if latency else 1.0)
        if latency:
            elapsed_ms = sorted(self._elapsed_ms[place])
            n, bad = len(elapsed_ms), sum(each > limit for each in elapsed_ms)
            share = 1 - threshold["percentile"] / 100
            value = percentile(elapsed_ms, threshold["percentile"]) if n else None
        else:
            n, bad, share = self._sent[place], self._failed[place], limit
            value = bad / n if n else None
        return {
            "endpoint": self._model["endpoints"][place]["label"],
            "kind": threshold["kind"],
            "percentile": threshold.get("percentile"),
            "limit": limit,
            "value": None if value is None else round(value, DECIMALS),
            "n": n,
            "held": None if value is None else held(value, limit, n=n, bad=bad, share=share),
        }


def held(value: float, limit: float, *, n: int, bad: int, share: float) -> bool | None:
    """Say whether a threshold was held; None where it was not, but chance alone may be the reason."""
    if value <= limit:
        return True
    return False if chance(n, bad, share) < MAX_CHANCE else None


def chance(n: int, bad: int, share: float) -> float:
    """Return how likely so many of n or more are bad where each is with this chance: 1 up to as many as expected.

    Beyond that it is a binomial's tail, term by term, each smaller than the one before.
    """
    if bad <= n * share or share <= 0:
        return float(bad <= n * share)
    ways = math.lgamma(n + 1) - math.lgamma(bad + 1) - math.lgamma(n - bad + 1)
    term = math.exp(ways + bad * math.log(share) + (n - bad) * math.log1p(-share))
    total = 0.0
    for number in range(bad, n + 1):
        total += term
        if term < NEGLIGIBLE * total:
            break
        term *= (n - number) / (number + 1) * share / (1 - share)
    return min(total, 1.0)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of ordered values, on the line between the two it lies between."""
    at = (len(ordered) - 1) * percent / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def reasons(judged: Data) -> list[str]:
    """Say why a run failed; nothing where it did not."""
    why = [f"{each['what']} ({each['where']}), {each['count']:,} times" for each in judged["errors"]]
    if not judged["requests"]:
        empty = "the model expects no session in this part of the curve, at this scale"
        why.append(f"nothing was sent{'' if judged['planned_sessions'] else f': {empty}'}.")
    planned, begun, late = judged["planned_sessions"], judged["begun_sessions"], judged["late_sessions"]
    missed = planned - begun + late
    if missed > MISSED_SHARE * planned:
        why.append(
            f"arrivals were missed: of {planned:,} planned sessions {planned - begun:,} never began and {late:,} began "
            f"more than {LATE_S:g} s late. Use more processes (--processes), or a smaller --scale."
        )
    if judged["cut_short"] > CUT_SHORT_SHARE * begun:
        why.append(f"{judged['cut_short']:,} of {begun:,} sessions were cut short: they lacked a value to send.")
    return why + [told(each) for each in judged["thresholds"] if each["held"] is False]


def told(threshold: Data) -> str:
    """Say how a threshold came out."""
    latency = threshold["kind"] == "latency"
    what = f"p{threshold['percentile']:g}" if latency else "failed"
    value, limit = (
        "nothing" if number is None else shown(number, latency=latency)
        for number in (threshold["value"], threshold["limit"])
    )
    how = {True: "held", False: "BROKEN", None: "not judged, for it may be chance"}[threshold["held"]]
    return f"{threshold['endpoint']!a}: {what} {value} of {threshold['n']:,}, limit {limit}: {how}"


def shown(value: float, *, latency: bool) -> str:
    """Write a latency in ms or a share in per cent."""
    return f"{value:,.0f} ms" if latency else f"{100 * value:.2f} %"


def sentence(judged: Data) -> str:
    """Say what came of a run, the answer first."""
    if judged["failed"]:
        return "FAILED: " + " ".join(judged["why"])
    count = sum(each["held"] is True for each in judged["thresholds"])
    on_time, lag_ms = judged["begun_sessions"] - judged["late_sessions"], 1000 * judged["delay_p99_s"]
    slow = f" This process was slow itself, by {lag_ms:,.0f} ms: answers were faster than they seemed."
    return (
        f"held: no threshold is broken, {count} of {len(judged['thresholds'])} are held; {on_time:,} of "
        f"{judged['planned_sessions']:,} planned sessions began within {LATE_S:g} s of their time (99 % within "
        f"{lag_ms:,.0f} ms); {judged['requests']:,} requests, {judged['failed_requests']:,} failed."
        f"{slow if lag_ms > SLOW_MS else ''}"
    )
