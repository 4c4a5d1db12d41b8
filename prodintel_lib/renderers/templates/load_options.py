"""What a run was asked for on the command line, checked, and the load model it runs."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodintel_lib.renderers.templates.load_plan import Setting
from prodintel_lib.renderers.templates.target import check_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8080"
DAY_S = 86_400
READS = {"GET", "HEAD", "OPTIONS"}
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": DAY_S}
SCHEMA = "prodintel/load/1"

Data = dict[str, Any]


class OptionError(Exception):
    """An option that cannot be followed."""


@dataclass(frozen=True)
class Run:
    """What a run does: where it sends to, how it uses the model, how much slower the machine may be."""

    target: str
    setting: Setting
    latency_factor: float
    out: str


def read_model(path: Path) -> tuple[Data, str]:
    """Return the load model, its replacements in the form in which requests are filled, and its digest."""
    text = path.read_bytes()
    try:
        model = json.loads(text)
    except ValueError as error:
        raise OptionError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(model, dict) or model.get("schema") != SCHEMA:
        raise OptionError(f"{path.name} is no load model of schema {SCHEMA}.")
    for endpoint in model["endpoints"]:
        endpoint["variants"] = [fillable(endpoint, variant) for variant in endpoint["variants"]]
    return model, hashlib.sha256(text).hexdigest()[:16]


def fillable(endpoint: Data, variant: Data) -> Data:
    """Return a variant as replay_requests fills it, with the names of the values that it needs."""
    replacements = []
    for each in variant.get("replacements", []):
        value = each["value"]
        flat = {"into": each["into"], "at": each["at"]}
        if value["source"] == "fresh":
            flat |= {"fresh": value["format"], "length": value["length"]}
        elif value["source"] == "extracted":
            flat |= {"extracted": value["name"], "prefix": value.get("prefix", "")}
        else:
            flat["masked"] = value["name"]
        replacements.append(flat)
    needs = [each["extracted"] for each in replacements if "extracted" in each]
    return {**variant, "method": endpoint["method"], "replacements": replacements, "needs": needs}


def run_of(options: Mapping[str, Any], host: str | None, model: Data) -> Run:
    """Check what was asked for, and return what is done; refuse what cannot be done as it was asked for."""
    try:
        target, loopback = check_target(host or DEFAULT_URL)
    except ValueError as error:
        raise OptionError(str(error)) from error
    writes = any(endpoint["method"] not in READS for endpoint in model["endpoints"])
    if writes and not loopback and not options["allow_writes"]:
        raise OptionError(f"{target} is beyond loopback and this load writes: add --allow-writes.")
    defaults = model["defaults"]
    setting = Setting(
        scale=positive("--scale", options["scale"] or defaults["scale"]),
        compress=compression(options["compress"]) if options["compress"] else defaults["compress"],
        multiplier=multiplier(options["event"], model) if options["event"] else defaults["multiplier"],
        start_s=start(options["start"], model["curve"]) if options["start"] else defaults["start_s"],
        length_s=duration_s("--length", options["length"]) if options["length"] else defaults["length_s"],
        seed=int(positive("--seed", options["seed"], least=0) if options["seed"] else defaults["seed"]),
    )
    return Run(target, setting, positive("--latency-factor", options["latency_factor"] or 1), options["out"])


def positive(name: str, value: object, *, least: float | None = None) -> float:
    """Return an option's number; refuse what is none, and what is not above 0 (or, with `least`, below that)."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (number <= 0 if least is None else number < least):
        above = "above 0" if least is None else f"of {least:g} or more"
        raise OptionError(f"{name} is a number {above}, for instance 2; got {str(value)!a}.")
    return number


def duration_s(name: str, text: str) -> float:
    """Return the seconds of a duration such as 24h, 10m or 600."""
    number, unit = (text[:-1], UNITS_S[text[-1]]) if text[-1:] in UNITS_S else (text, 1)
    return positive(name, number) * unit


def compression(text: str) -> float:
    """Return how many times faster the curve goes by: a number, or a stretch of the curve and the time it takes."""
    long, equals, short = text.partition("=")
    if not equals:
        return positive("--compress", text)
    return duration_s("--compress", long) / duration_s("--compress", short)


def multiplier(text: str, model: Data) -> float:
    """Return the multiplier of an event by its name, or the number itself."""
    known = {event["name"]: float(event["ratio"]) for event in model.get("events", [])}
    if (name := text.lower().replace("-", "_")) in known:
        return known[name]
    try:
        return positive("--event", text)
    except OptionError as error:
        names = ", ".join(sorted(known)) or "none"
        raise OptionError(f"--event is a number above 0 or the name of an event ({names}); got {text!a}.") from error


def start(text: str, curve: Data) -> float:
    """Return how far into the curve an hour of the business's clock is."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if not found:
        raise OptionError(f"--start is an hour of {curve['time_zone']}, for instance 08:30; got {text!a}.")
    start_s = (int(found[1]) * 3_600 + int(found[2]) * 60 - curve["local_start_s"]) % DAY_S
    if start_s >= curve["bucket_s"] * len(curve["sessions"]):
        hours, minutes = divmod(curve["local_start_s"] // 60, 60)
        raise OptionError(
            f"the curve begins at {hours:02d}:{minutes:02d} and ends before {text}; choose an hour in it for --start."
        )
    return float(start_s)
