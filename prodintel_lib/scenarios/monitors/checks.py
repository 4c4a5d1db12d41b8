"""What healthy answers of an endpoint are like, and the checks that hold a system to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.rollups.request_bins import coarse_value_of
from prodintel_lib.scenarios.guards.levels import BIN_EDGE, PATIENCE_MS, PATIENCE_RATIO, quantile_ms
from prodintel_lib.scenarios.guards.plans import upper_bound
from prodintel_lib.scenarios.monitors.answer_schema import MIN_ANSWERS, breaks, infer_schema
from prodintel_lib.scenarios.monitors.attempts import count_alarms, find_odds
from prodintel_lib.scenarios.monitors.left_out import LeftOut
from prodintel_lib.scenarios.monitors.model import Check, CheckKind
from prodintel_lib.scenarios.monitors.rules import Rule, learn_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from prodintel_lib.scenarios.monitors.rules import Case
    from prodintel_lib.workspace import RouteSlo

MIN_STATUS_SHARE: Final = 0.01
CLIENT_MS: Final = 100
"""What a client's clock may see beyond the server's: the network, and a connection a customer."""

PERCENTILES: Final = (99.0, 95.0, 90.0)
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """Requests of production that were bad in one way, of how many."""

    bad: int
    n: int

    @property
    def bound(self) -> float:
        """The upper end of the one-sided 95 % interval."""
        return upper_bound(self.bad, self.n)


@dataclass(frozen=True, slots=True)
class Limit:
    """When an answer is slow.

    Attributes
    ----------
    limit_ms : int
        For a client.
    server_ms : float
        The same for the server's own clock, by which production's share was counted.
    says : str
    """

    limit_ms: int
    server_ms: float
    says: str


@dataclass(frozen=True, slots=True)
class Standard:
    """How an endpoint answers when healthy.

    Attributes
    ----------
    route : str
    statuses : tuple of int
    patience_ms : int
    failed, slow, broken : Share or None
        Requests that failed or had no answer in time; that were slower than the limit; and answers of the second half
        that broke a schema of the first half. None where there is nothing to say.
    limit : Limit or None
    schemas : dict
        Status to schema.
    rules : tuple of Rule
    """

    route: str
    statuses: tuple[int, ...]
    patience_ms: int
    failed: Share
    slow: Share | None
    broken: Share | None
    limit: Limit | None
    schemas: dict[int, dict[str, Any]]
    rules: tuple[Rule, ...]


def find_limit(route: str, requests: pl.DataFrame, slos: Sequence[RouteSlo]) -> Limit | None:
    """Find the limit of an endpoint's durations: the promised one, else what production shows; None for too few."""
    return _promised_limit(route, slos) or _measured_limit(requests)


def measure_standard(
    route: str,
    *,
    limit: Limit | None,
    requests: pl.DataFrame,
    light: pl.DataFrame,
    cases: Sequence[Case],
    steps: Iterable[str],
    replaced: AbstractSet[str],
) -> Standard:
    """Measure how an endpoint answers when healthy.

    Parameters
    ----------
    route : str
    limit : Limit or None
        From find_limit.
    requests : polars.DataFrame
        Rows of request_bins of its healthy time.
    light : polars.DataFrame
        Its single requests: ``http_response_status_code, failed``.
    cases : sequence of Case
        One a session.
    steps : iterable of str
        What every customer of the monitor does before.
    replaced : set of str
        Places of answers that hold stand-ins.
    """
    statuses = _statuses(light)
    wanted_ms = PATIENCE_RATIO * quantile_ms(requests, 0.99)
    least_ms = limit.limit_ms if limit else 0
    patience_ms = round(min(PATIENCE_MS[1], max(PATIENCE_MS[0], wanted_ms, least_ms)))
    schemas, broken = _schemas(cases, statuses, replaced)
    n = int(requests["requests"].sum())
    failed = max(int(requests["failed"].sum()), _slower(requests, patience_ms))
    return Standard(
        route=route,
        statuses=statuses,
        patience_ms=patience_ms,
        failed=Share(failed, n),
        slow=Share(_slower(requests, limit.server_ms), n) if limit else None,
        broken=broken,
        limit=limit,
        schemas=schemas,
        rules=learn_rules([case for case in cases if case.request.succeeded], steps=steps),
    )


def make_checks(
    standard: Standard, customers: int, light: pl.DataFrame
) -> tuple[tuple[Check, ...], tuple[LeftOut, ...]]:
    """Make the checks of an endpoint, and say which could not be made.

    Parameters
    ----------
    standard : Standard
    customers : int
        Asking in one run.
    light : polars.DataFrame
        The endpoint's single requests in the order of time: ``duration_ms, failed``.
    """
    made: list[Check] = []
    without: list[LeftOut] = []
    for wish in _wishes(standard, light):
        if wish.share is None:
            without.append(LeftOut(what=f"{standard.route}: {wish.kind}", why=wish.says))
            continue
        odds = find_odds(wish.share.bound, customers)
        if odds is None:
            said = f"{wish.share.bad:,} of {wish.share.n:,} requests did not keep it in healthy time already"
            why = f"{said}, at most {100 * wish.share.bound:.0f} %: a bad answer proves nothing."
            without.append(LeftOut(what=f"{standard.route}: {wish.kind}", why=why))
            continue
        alarms, groups = count_alarms(wish.bad, customers, odds.tries)
        made.append(
            Check(
                id=wish.id,
                kind=wish.kind,
                says=wish.says,
                bad=wish.share.bad,
                n=wish.share.n,
                bound=wish.share.bound,
                tries=odds.tries,
                false_alarm=odds.false_alarm,
                detects=odds.detects,
                group_alarms=alarms,
                groups=groups,
                rule=wish.rule,
            )
        )
    return tuple(made), tuple(without)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A check to be made; without a share, `says` says why it cannot be."""

    id: str
    kind: CheckKind
    says: str
    share: Share | None
    bad: tuple[bool, ...] = ()
    rule: Rule | None = None


def _wishes(standard: Standard, light: pl.DataFrame) -> Iterable[_Wish]:
    slower = (light["duration_ms"] > standard.patience_ms).fill_null(value=False)
    named = ", ".join(map(str, standard.statuses))
    yield _Wish(
        "availability",
        "availability",
        f"is answered within {standard.patience_ms:,} ms with {named} or another success",
        standard.failed,
        tuple(light["failed"].fill_null(value=False) | slower),
    )
    if standard.limit and standard.slow:
        over = (light["duration_ms"] > standard.limit.server_ms).fill_null(value=False)
        yield _Wish("latency", "latency", standard.limit.says, standard.slow, tuple(over))
    else:
        yield _Wish("latency", "latency", "too few requests tell how long it takes.", None)
    if standard.broken:
        names = ", ".join(map(str, standard.schemas))
        yield _Wish("schema", "schema", f"answers of status {names} keep their schema", standard.broken)
    else:
        why = f"fewer than {MIN_ANSWERS} answers were recorded with their bodies."
        yield _Wish("schema", "schema", why, None)
    for number, rule in enumerate(standard.rules, 1):
        yield _Wish(f"rule_{number}", "rule", rule.says, Share(0, rule.n), rule=rule)


def _statuses(light: pl.DataFrame) -> tuple[int, ...]:
    known = light.filter(~pl.col("failed") & pl.col("http_response_status_code").is_between(100, 499))
    counts = known["http_response_status_code"].value_counts()
    return tuple(sorted(int(status) for status, n in counts.iter_rows() if n >= MIN_STATUS_SHARE * known.height)) or (
        200,
    )


def _promised_limit(route: str, slos: Sequence[RouteSlo]) -> Limit | None:
    own = [slo for slo in slos if slo.route == route and slo.latency_ms is not None]
    if not own:
        return None
    strictest = max(own, key=lambda slo: slo.percentile)
    limit_ms = float(strictest.latency_ms or 0)
    says = f"takes at most {limit_ms:,.0f} ms, as prodintel.yaml promises for {strictest.percentile:g} %"
    return Limit(math.ceil(limit_ms), limit_ms, says)


def _measured_limit(requests: pl.DataFrame) -> Limit | None:
    """Return the upper end of the 95 % interval of the highest percentile that has one, and what a client sees more."""
    counts = requests.group_by("bin").agg(pl.col("requests").sum()).sort("bin")
    n = int(counts["requests"].sum())
    for percentile in PERCENTILES:
        rank = _upper_rank(n, percentile / 100)
        if rank is None:
            continue
        reached = counts["requests"].cum_sum().to_numpy()
        value = float(coarse_value_of(counts["bin"].to_numpy())[int(np.searchsorted(reached, rank))])
        if not math.isfinite(value):
            return None
        server_ms = value * BIN_EDGE
        says = (
            f"takes at most {math.ceil(server_ms):,} ms, the upper bound of the {percentile:g}th percentile in "
            f"production, and {CLIENT_MS} ms for the way"
        )
        return Limit(math.ceil(server_ms) + CLIENT_MS, server_ms, says)
    return None


def _upper_rank(n: int, share: float) -> int | None:
    """Return the rank of the value that a quantile exceeds with a chance of 5 % at most; None where `n` is too few.

    Notes
    -----
    Order statistics as bounds of a quantile: David & Nagaraja (2003), Order Statistics, section 7.1.
    """
    from scipy import special  # noqa: PLC0415 - scipy costs half a second to import

    rank = max(1, math.ceil(float(special.bdtrik(_CONFIDENCE, n, share))))
    # The inverse is of floats; the rank has to be right.
    while rank <= n and special.bdtr(rank - 1, n, share) < _CONFIDENCE:
        rank += 1
    return rank if rank <= n else None


def _slower(requests: pl.DataFrame, limit_ms: float) -> int:
    slow = np.nan_to_num(coarse_value_of(requests["bin"].to_numpy())) > limit_ms
    return int(requests["requests"].to_numpy()[slow].sum())


def _schemas(
    cases: Sequence[Case], statuses: Sequence[int], replaced: AbstractSet[str]
) -> tuple[dict[int, dict[str, Any]], Share | None]:
    schemas: dict[int, dict[str, Any]] = {}
    bad = tried = 0
    for status in statuses:
        answers = [
            case.request.answer
            for case in cases
            if case.request.status == status and isinstance(case.request.answer, dict | list)
        ]
        if len(answers) < MIN_ANSWERS:
            continue
        schemas[status] = infer_schema(answers, replaced=replaced)
        # What the first half did not show, a schema of all may lack as well: the second half says how often.
        early = infer_schema(answers[: len(answers) // 2], replaced=replaced)
        later = answers[len(answers) // 2 :]
        bad, tried = bad + sum(breaks(early, answer) for answer in later), tried + len(later)
    return schemas, Share(bad, tried) if tried else None
