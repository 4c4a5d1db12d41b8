"""The answer first: how much comes when, from whom, what still fits, and how faithful a load test of it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE
from prodintel_lib.headline import Headline
from prodintel_lib.markup import four_digits, number
from prodintel_lib.windows import format_duration

if TYPE_CHECKING:
    from prodintel_lib.analyses.load import LoadProfiles
    from prodintel_lib.headline import Tile
    from prodintel_lib.load_patterns.exploration import LoadReport


LIKELY: Final = 0.5
"""An hour is called the busiest where another set of days would rather name it than any other."""


def write_headline(report: LoadReport) -> Headline:
    """Sum up production's load.

    Parameters
    ----------
    report : LoadReport
    """
    return Headline(title_of(report.profiles), sentence_of(report), (*_traffic(report.profiles), *_test(report)))


def title_of(profiles: LoadProfiles) -> str:
    """Return when most comes, and how much that is."""
    busiest = _busiest_bucket(profiles)
    peaks = profiles.peaks.filter(profiles.peaks["kind"] == "peak")
    if peaks.is_empty() or (peaks["chance"][0] or 0.0) < LIKELY:
        return f"Up to {four_digits(busiest['rps'])} requests a second, on {busiest['local']}"
    hour = int(peaks["hour"][0])
    clock = f"{hour:02d}:00 to {(hour + 1) % 24:02d}:00"
    return f"Most comes from {clock}, up to {four_digits(busiest['rps'])} requests a second"


def sentence_of(report: LoadReport) -> str:
    """Return what comes, what is still free, who comes, and what the load test of it is worth."""
    profiles = report.profiles
    recorded = f"{profiles.requests:,} requests in {format_duration(profiles.recorded_s)} that were recorded"
    said = [f"{recorded}, {four_digits(profiles.mean_rps)} a second on average."]
    first = report.headroom.frame.filter(report.headroom.frame["rps_at_limit"].is_not_null())
    if first.height:
        row = first.row(0, named=True)
        said.append(
            f"{row['service_name']} reaches {100 * report.headroom.limit:g} % of {row['resource']} at "
            f"{four_digits(row['rps_at_limit'])} requests a second, {row['times_peak']:.1f} times the peak."
        )
    if report.behaviour is None:
        said.append("No request names its visitor: how users behave is not known, and there is no load test.")
        return " ".join(said)
    classes = report.behaviour.classes
    kinds = "one kind of session" if len(classes) == 1 else f"{len(classes)} kinds of sessions"
    named = ", ".join(f"{one.name} {100 * one.share.share:.0f} %" for one in classes[:3])
    part = "" if report.learned_from == profiles.window else f" of {report.learned_from.label()}"
    said.append(f"{report.behaviour.sessions:,} sessions{part}, {kinds}{f': {named}' if len(classes) > 1 else ''}.")
    said.append(_fidelity_sentence(report) if report.model else f"There is no load test: {report.no_test_because}.")
    return " ".join(said)


def _fidelity_sentence(report: LoadReport) -> str:
    if report.rehearsal is None:
        return "There are too few sessions to say how faithful the load test is."
    close = int((report.rehearsal.scores["verdict"] == AS_CLOSE).sum())
    return (
        f"Rehearsed, the load test is as close to production as production's own halves are to each other "
        f"in {close} of {report.rehearsal.scores.height} measures."
    )


def _traffic(profiles: LoadProfiles) -> tuple[Tile, ...]:
    busiest = _busiest_bucket(profiles)
    every = profiles.burstiness.row(0, named=True)
    fano = "not known" if every["fano"] is None else four_digits(every["fano"])
    return (
        ("requests a second at most", number(busiest["rps"]), f"in {busiest['unit']}, {busiest['local']}", ""),
        ("on average", number(profiles.mean_rps), f"of {profiles.requests:,} requests", ""),
        ("burstiness", fano, f"{every['verdict']}; 1 is at random", ""),
    )


def _test(report: LoadReport) -> tuple[Tile, ...]:
    if report.behaviour is None:
        return (("kinds of sessions", "not known", "no request names its visitor", "warn"),)
    kinds: Tile = ("kinds of sessions", number(len(report.behaviour.classes)), f"of {report.behaviour.sessions:,}", "")
    if report.rehearsal is None:
        return (kinds, ("fidelity", "not known", "too few sessions", "warn"))
    close = int((report.rehearsal.scores["verdict"] == AS_CLOSE).sum())
    of = report.rehearsal.scores.height
    return (
        kinds,
        ("fidelity of the load test", f"{close} of {of}", "measures as near as production's halves, rehearsed",
         "good" if close == of else "warn"),
    )  # fmt: skip


def _busiest_bucket(profiles: LoadProfiles) -> dict[str, Any]:
    return profiles.busiest.row(1, named=True)
