"""Load as tables for the notebook and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.markup import (
    DASH,
    Markup,
    Tone,
    facts,
    figure_text,
    folded,
    four_digits,
    number,
    paragraph,
    percent,
    table,
    text,
    tone,
    with_note,
)
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.load.model import Headroom, LoadProfiles

MAX_SHOWN: Final = 20
EVERYTHING: Final = "all endpoints"
_TONES: Final[dict[str, Tone]] = {"bursty": "warn", "more than usual": "warn", "too few to say": "soft"}


def profiles(load: LoadProfiles) -> Markup:
    """Lay out the profiles of a window."""
    parts = [
        paragraph(_lead(load), kind="lead"),
        _key_figures(load),
        paragraph(" ".join(load.says)) if load.says else Markup(""),
        _peaks(load),
        _busiest(load.busiest),
        folded("Every hour of the day, and every day of the week", _profile(load.profile)),
        _burstiness(load.burstiness, load.bucket_s),
        _events(load.events),
        _quiet(load),
        _mix(load.mix),
        paragraph(_forecast_words(load)),
    ]
    return Markup("").join(parts)


def payloads(frame: pl.DataFrame, left_out: int) -> Markup:
    """Lay out the sizes of bodies."""
    if frame.is_empty():
        return paragraph("The size of no body is known: the sources do not say it.")
    rows = [
        (
            row["endpoint"],
            row["direction"],
            figure_text(number(row["mean_bytes"], unit="B"), n=row["n"], note=_unknown(row["unknown"])),
            *(number(row[name], digits=0, unit="B") for name in ("p50_bytes", "p95_bytes", "p99_bytes")),
        )
        for row in frame.head(MAX_SHOWN).iter_rows(named=True)
    ]
    rest = f" {frame.height - MAX_SHOWN} more are not shown." if frame.height > MAX_SHOWN else ""
    none = f" Of {left_out} more endpoints no size is known." if left_out else ""
    headers = ("Endpoint", "Direction", "Mean", "p50", "p95", "p99")
    caption = f"Bodies; percentiles are true to 1 %.{rest}{none}"
    return table(headers, rows, align="llrrrr", caption=caption)


def headroom(found: Headroom) -> Markup:
    """Lay out how much traffic fits."""
    if found.frame.is_empty():
        return paragraph("No resource with a known limit was recorded: how much traffic fits is not known.")
    rows = [
        (
            with_note(row["resource"], row["service_name"]),
            figure_text(_at_limit(row), n=row["n"]),
            number(row["times_peak"]),
            _range_text(row["lowest_rps"], row["highest_rps"]),
            row["says"],
        )
        for row in found.frame.head(MAX_SHOWN).iter_rows(named=True)
    ]
    rest = f" {found.frame.height - MAX_SHOWN} more are not shown." if found.frame.height > MAX_SHOWN else ""
    return table(
        ("Resource", f"Requests a second at {100 * found.limit:g} %", "Times the peak", "Seen at", "What is known"),
        rows,
        align="lrrrl",
        caption=f"The peak was {four_digits(found.peak_rps)} requests a second; intervals at 95 %.{rest}",
    )


def _lead(load: LoadProfiles) -> str:
    hours = {row["kind"]: row for row in reversed(load.peaks.to_dicts())}
    said = [
        f"{words} from {_hour_words(hours[kind]['hour'])} ({number(hours[kind]['rps'])})"
        for kind, words in (("peak", "most"), ("low", "least"))
        if kind in hours
    ]
    mean = f"Requests come at {number(load.mean_rps)} a second on average"
    return f"{', '.join([mean, *said])}: {load.window.label()}, hours in {load.time_zone}."


def _hour_words(hour: int) -> str:
    return f"{hour:02d}:00 to {(hour + 1) % 24:02d}:00"


def _forecast_words(load: LoadProfiles) -> str:
    known = load.forecast_says.removeprefix("no forecast: ")
    return f"Forecast: {known}." if load.forecast.height else f"There is no forecast: {known.strip()}."


def _key_figures(load: LoadProfiles) -> Markup:
    left = f"{load.left_out:,} more lie outside" if load.left_out else "all that were given"
    second = load.busiest.row(0, named=True)
    every = load.burstiness.row(0, named=True)
    fano = "not known" if every["fano"] is None else four_digits(every["fano"])
    days = f"{load.days.height:,} days, {load.hours.height:,} hours"
    return facts(
        [
            ("Requests", f"{load.requests:,}", left, ""),
            ("Recorded", format_duration(load.recorded_s), days, ""),
            ("Mean", f"{four_digits(load.mean_rps)} / s", "over the recorded time", ""),
            ("Fullest second", f"{second['requests']:,}", second["local"], ""),
            ("Burstiness", fano, f"{every['verdict']}; 1 is at random", _TONES.get(every["verdict"], "")),
        ]
    )


def _peaks(load: LoadProfiles) -> Markup:
    rows = []
    for row in load.peaks.iter_rows(named=True):
        kind = "Most" if row["kind"] == "peak" else "Least"
        hour = _hour_words(row["hour"])
        chance = DASH if row["chance"] is None else percent(row["chance"], digits=0)
        rate = figure_text(_rate(row), n=row["days"])
        rows.append((kind, hour, rate, chance))
    if not rows:
        return paragraph("No hour was recorded by half: which are the busiest is not known.")
    caption = "n are days. Chance: how often the hour came out first when days were resampled; intervals at 95 %."
    return table(("Traffic", "Hour", "Requests a second", "Chance"), rows, align="llrr", caption=caption)


def _busiest(frame: pl.DataFrame) -> Markup:
    rows = [
        (row["unit"], row["local"], f"{row['requests']:,}", number(row["rps"])) for row in frame.iter_rows(named=True)
    ]
    return table(("Fullest", "At", "Requests", "A second"), rows, align="llrr")


def _profile(frame: pl.DataFrame) -> Markup:
    rows = [
        (
            row["label"],
            figure_text(_rate(row), n=row["n"]),
            _range_text(row["least_rps"], row["most_rps"]),
            row["interval_from"],
        )
        for row in frame.filter(pl.col("cycle") != "hour of week").iter_rows(named=True)
    ]
    headers = ("When", "Requests a second", "Least to most seen", "Interval from")
    return table(headers, rows, align="lrrl") if rows else Markup("")


def _burstiness(frame: pl.DataFrame, bucket_s: int) -> Markup:
    rows = [
        (
            row["endpoint"] or EVERYTHING,
            figure_text(_with_interval(row["fano"], row["fano_low"], row["fano_high"]), n=row["requests"]),
            number(row["peak_over_mean"]),
            number(row["random_peak_over_mean"]),
            tone(row["verdict"], _TONES.get(row["verdict"], "")),
        )
        for row in frame.iter_rows(named=True)
    ]
    caption = f"Counts by second within {bucket_s} s: variance over mean, and the fullest second over the mean one."
    headers = ("Endpoint", "Dispersion", "Peak / mean", "At random", "Arrivals")
    return table(headers, rows, align="lrrrl", caption=caption)


def _events(frame: pl.DataFrame) -> Markup:
    if frame.is_empty():
        return Markup("")
    rows = [
        (
            row["event"],
            figure_text(f"{row['requests']:,}", note=f"{row['recorded_h']:.3g} h recorded"),
            number(row["expected"], digits=0),
            _with_interval(row["ratio"], row["ratio_low"], row["ratio_high"]),
            number(row["peak_ratio"]),
            with_note(tone(row["says"], _TONES.get(row["says"], "")), _against(row)),
        )
        for row in frame.iter_rows(named=True)
    ]
    headers = ("Event", "Requests", "Expected", "Times", "Fullest hour, times", "")
    return table(headers, rows, align="lrrrrl", caption="Expected: the same hours without the event; 95 % intervals.")


def _quiet(load: LoadProfiles) -> Markup:
    if load.quiet.is_empty():
        return Markup("")
    rows = [
        (
            f"{row['length_h']} h",
            f"from {row['label']}",
            figure_text(number(row["expected"], digits=0), n=row["n"]),
            _range_text(row["low"], row["high"], digits=0),
            number(row["most_seen"], digits=0),
        )
        for row in load.quiet.iter_rows(named=True)
    ]
    caption = f"Quietest stretches of the {load.quiet_cycle}; n are how often each was seen, intervals at 95 %."
    headers = ("Length", "When", "Requests it would hit", "Likely range", "Most seen")
    return table(headers, rows, align="llrrr", caption=caption)


def _mix(frame: pl.DataFrame) -> Markup:
    changed = frame.filter("differs").sort("js", descending=True)
    told = frame["differs"].is_not_null().sum()
    if not told:
        return paragraph("Whether the mix of endpoints changes cannot be told: too few hours hold a request.")
    of_all = f"{told:,} of {frame.height:,} hours of the day and days could be compared"
    if changed.is_empty():
        return paragraph(f"The mix of endpoints is the same at all times, as far as can be told: {of_all}.")
    rows = [
        (
            f"{row['part_kind']} {row['part']}",
            figure_text(number(row["js"]), n=row["requests"]),
            number(row["js_chance"]),
            row["most_changed"],
        )
        for row in changed.head(MAX_SHOWN).iter_rows(named=True)
    ]
    caption = f"{changed.height:,} differ from all other time; {of_all}."
    headers = ("When", "Divergence, bits", "By chance up to", "Most changed")
    return table(headers, rows, align="lrrl", caption=caption)


def _rate(row: dict[str, Any]) -> Markup:
    return _with_interval(row["rps"], row["low_rps"], row["high_rps"])


def _with_interval(value: float | None, low: float | None, high: float | None) -> Markup:
    if value is None:
        return DASH
    ends = "" if low is None or high is None else f" ({four_digits(low)} to {four_digits(high)})"
    return text(f"{four_digits(value)}{ends}")


def _range_text(low: float | None, high: float | None, *, digits: int | None = None) -> Markup:
    if low is None or high is None:
        return DASH
    return Markup("{} to {}").format(number(low, digits=digits), number(high, digits=digits))


def _at_limit(row: dict[str, Any]) -> Markup:
    if row["rps_at_limit"] is None:
        return text("not known")
    return _with_interval(row["rps_at_limit"], row["rps_low"], row["rps_high"])


def _against(row: dict[str, Any]) -> str:
    return f"against {row['n']} {row['against']}" if row["against"] else ""


def _unknown(count: int) -> str:
    return f"{count:,} not known" if count else ""
