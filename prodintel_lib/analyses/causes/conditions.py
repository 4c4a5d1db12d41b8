"""What needs no change of code to fail: certificates, nodes, data, dependencies of others, and crowds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.causes.model import Cause, Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prodintel_lib.analyses.causes.case import Case
    from prodintel_lib.analyses.causes.errors import ErrorText

SURGE_RATIO: Final = 1.5
STRAIGHT: Final = 0.999
MIN_COUNTDOWN: Final = 6
MOST: Final = 0.8
_CERTIFICATE: Final = re.compile(r"x509|certificate|\bcert\b|\bpkix\b|\bca bundle\b", re.IGNORECASE)
_INVALID: Final = re.compile(
    r"expired|not yet valid|not valid|unknown authority|self.signed|revoked|verif\w* failed|notafter|handshake",
    re.IGNORECASE,
)
_NODE: Final = re.compile(
    r"throttl|evict|(?:memory|disk|pid|node) ?pressure|contend|noisy.neighbo|co-?tenant|preempt|cpu.steal|"
    r"node\w* (?:not ready|unreachable|down|lost)|no space left|disk full",
    re.IGNORECASE,
)
_DATA: Final = re.compile(
    r"malformed|out of range|corrupt|poison|(?:cannot|could not|failed to|unable to) (?:be )?(?:parse|decode|deserial)|"
    r"unparse?able|unexpected (?:token|field|character)|schema (?:violation|mismatch)|validation error|bad record|"
    r"constraint violat|integrity error",
    re.IGNORECASE,
)
_STUCK: Final = re.compile(
    r"redeliver|same (?:offset|message|record)|dead.?letter|requeue|poison|blocked at", re.IGNORECASE
)
_TROUBLE: Final = re.compile(
    r"time[sd]? ?out|unavailable|fail|refused|reset|unreachable|deadline|returned [45]|\b5[0-9][0-9]\b|error",
    re.IGNORECASE,
)
_OTHERS: Final = "upstream|provider|third.?party|external|vendor|partner"
_LOCAL: Final = re.compile(r"(^|\.)(local|internal|svc|cluster|localhost|example)$|^localhost$|^[0-9.]+$")
_RESOURCES: Final = ("cpu", "memory", "saturation", "other")


def find_conditions(case: Case) -> Iterable[Cause]:
    """Yield the causes that need no change, as far as the evidence names any."""
    for find in (_certificate, _node, _data, _other_party, _crowd):
        cause = find(case)
        if cause is not None:
            yield cause


def _matching(texts: Iterable[ErrorText], *patterns: re.Pattern[str]) -> list[ErrorText]:
    return [text for text in texts if all(pattern.search(text.whole) for pattern in patterns)]


def _quote(texts: Sequence[ErrorText]) -> str:
    first = texts[0]
    return f"{first.service or 'a log'} says {first.rows:,} times `{first.example[:120]}`"


def _certificate(case: Case) -> Cause | None:
    said = _matching(case.errors, _CERTIFICATE, _INVALID)
    ran_out = _countdown_to_zero(case)
    claims = [Claim(_quote(said), 4.0)] if said else []
    if ran_out:
        claims.append(Claim(f"{ran_out[0]} of {ran_out[1]} had counted down and reached zero at the onset", 3.0))
    if not claims:
        return None
    return Cause(
        "certificate", "certificate or credential", "A certificate or credential that ran out", tuple(claims), (),
        "the same failure with a certificate that is valid", remediation="renew it now, and watch the days it has left",
    )  # fmt: skip


def _countdown_to_zero(case: Case) -> tuple[str, str] | None:
    """Find a series that falls on a straight line and passes zero at the onset."""
    for (service, signal), frame in case.signals.group_by("service_name", "signal", maintain_order=True):
        times, values = frame["time_us"].to_numpy(), frame["value"].to_numpy()
        before = times < case.onset_us
        if before.sum() < MIN_COUNTDOWN or np.ptp(values[before]) == 0:
            continue
        x, y = times[before].astype(np.float64), values[before]
        fit = np.corrcoef(x, y)[0, 1]
        if fit > -STRAIGHT:
            continue
        slope = np.polyfit(x - x[0], y, 1)
        zero_us = x[0] - slope[1] / slope[0]
        if abs(zero_us - case.onset_us) <= case.slack_us:
            return str(signal), str(service)
    return None


def _node(case: Case) -> Cause | None:
    worse = case.onsets.filter(pl.col("is_worse").fill_null(value=False))
    kinds = worse.group_by("service_name").agg(pl.col("kind").unique(), pl.col("onset_us").min())
    hosts = [
        row["service_name"]
        for row in kinds.sort("onset_us", "service_name").iter_rows(named=True)
        if set(row["kind"]) <= set(_RESOURCES)
        and not case.is_concerned(row["service_name"])
        and row["onset_us"] <= case.onset_us + case.slack_us
    ]
    said = _matching(case.errors, _NODE)
    squeezed = worse.filter(pl.col("signal").str.to_lowercase().str.contains("throttl|steal|pressure|evict"))
    claims = [Claim(f"{', '.join(hosts[:3])} ran hot first, though nobody calls it", 3.0)] if hosts else []
    if said:
        claims.append(Claim(_quote(said), 2.0))
    if squeezed.height:
        row = squeezed.row(0, named=True)
        claims.append(
            Claim(f"{row['signal']} of {row['service_name']}: {row['before']:.3g} → {row['during']:.3g}", 1.5)
        )
    if len(claims) < 2:
        return None
    own = case.onsets.filter(
        (pl.col("service_name") == case.first_failing) & (pl.col("kind") == "traffic") & (pl.col("effect") > 0)
    )
    against = (Claim(f"{case.first_failing} had more to do itself", 1.5),) if own.height else ()
    return Cause(
        "node", hosts[0] if hosts else "node", f"The machine under {case.first_failing or 'it'}, or its neighbours",
        tuple(claims), against, "the same failure on another machine",
        remediation="move the service or its neighbour to another machine; set limits and keep the two apart",
    )  # fmt: skip


def _data(case: Case) -> Cause | None:
    said = _matching(case.errors, _DATA)
    again = [text for text in case.errors if text.repeats_itself and text.level == "error"]
    stuck = _matching(case.errors, _STUCK)
    if not said:
        return None
    claims = [Claim(_quote(said), 1.5)]
    if set(again) & set(said):
        claims.append(Claim("it is the same record every time: the values in the message never change", 3.0))
    if stuck:
        claims.append(Claim("what cannot be handled is delivered again and again", 1.5))
    return Cause(
        "data", "a record", "A record that cannot be handled", tuple(claims), (),
        "the same record handled without an error, or the failure without it",
        remediation="set the record aside (a dead-letter queue), let the rest pass, and tell who sent it",
    )  # fmt: skip


def _other_party(case: Case) -> Cause | None:
    own = {name.lower() for name in case.reporting}
    texts = [text for text in _matching(case.errors, _TROUBLE) if text.level == "error"]
    hosts: dict[str, int] = {}
    for text in texts:
        for host in text.hosts:
            names = {host.lower(), *host.lower().split(".")}
            if not (names & own) and not _LOCAL.search(host):
                hosts[host] = hosts.get(host, 0) + text.rows
    if not hosts:
        return None
    subject = max(hosts, key=lambda host: (hosts[host], host))
    claims = [Claim(f"{hosts[subject]:,} errors name {subject}, which is none of ours", 3.0)]
    own_errors = [text for text in texts if text.service == case.first_failing]
    naming = sum(text.rows for text in own_errors if subject in text.hosts)
    every = sum(text.rows for text in own_errors)
    if every and naming >= MOST * every:
        claims.append(Claim(f"so do {naming:,} of the {every:,} errors of {case.first_failing}", 1.5))
    worse = case.onsets.filter(pl.col("is_worse").fill_null(value=False))
    named = worse.filter(pl.col("signal").str.contains(f"(?i){_OTHERS}"))
    if named.height and not any(
        caller == case.first_failing and callee in case.reporting for caller, callee in case.edges
    ):
        row = named.row(0, named=True)
        claims.append(Claim(f"{row['signal']}: {row['before']:.3g} → {row['during']:.3g}", 1.0))
    return Cause(
        "dependency", subject, f"{subject}, called by {case.first_failing or 'us'}", tuple(claims), (),
        f"{subject} well during the failure, by its own account or another customer's",
        remediation="fail over or degrade gracefully: a timeout, a bounded retry, a circuit breaker; tell its owner",
    )  # fmt: skip


def _crowd(case: Case) -> Cause | None:
    risen = case.onsets.filter(
        (pl.col("kind") == "traffic")
        & (pl.col("during") >= SURGE_RATIO * pl.col("before"))
        & (pl.col("before") > 0)
        & (pl.col("onset_us") <= case.onset_us + case.slack_us)
        & ~pl.col("signal").str.contains("(?i)per.request|retr|byte|log rows|calls of")
    )
    grown = set(risen["service_name"])
    callers = {callee: {above for above, below in case.edges if below == callee} for _, callee in case.edges}
    entries = [name for name in sorted(grown) if callers.get(name, set()) <= grown]
    # A database has more to do also when its one caller's cache is cold: only what people call counts.
    entries = [name for name in entries if callers.get(name) or name in {caller for caller, _ in case.edges}]
    if not entries:
        return None
    row = risen.filter(pl.col("service_name") == entries[0]).row(0, named=True)
    ratio = row["during"] / row["before"]
    claim = Claim(f"{row['signal']} of {entries[0]} × {ratio:.1f} ({row['before']:.3g} → {row['during']:.3g})", 2.5)
    return surge_cause((claim,))


def surge_cause(claims: tuple[Claim, ...]) -> Cause:
    """Return the cause "a surge of traffic" with its case."""
    return Cause(
        "traffic", "traffic", "A surge of traffic", claims, (), "the same failure at usual traffic",
        remediation="shed or queue what exceeds the capacity, and scale out before the next one",
    )  # fmt: skip
