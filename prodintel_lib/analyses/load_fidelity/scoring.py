"""Score a generated load against production, beside what parts of production itself score against each other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load_fidelity import shown
from prodintel_lib.analyses.load_fidelity.distances import (
    DISTANCES,
    RARE_PATH_SHARE,
    measure_distances,
    measure_facts,
    read_log,
)
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError

MAX_RATIO: Final = 1.5
"""A load is as close as production is to itself up to so many times the median distance of its parts."""

MAX_SPLITS: Final = 99
MIN_SPLITS: Final = 9
SPLIT_ROWS: Final = 2_000_000
"""Production is cut as often as keeps the work to about so many requests, within those bounds."""

LIKELY: Final = (0.05, 0.95)
"""Shares of the cuts between which a distance is nothing out of the ordinary."""

MIN_SESSIONS: Final = 20
LATE_S: Final = 1.0
MAX_MISSED_SHARE: Final = 0.01
"""A run that missed more of its arrivals did not make the load that was planned."""

AS_CLOSE: Final = "as close as production to itself"
FURTHER: Final = "further off"

SCORES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "distance": pl.String(),
    "value": pl.Float64(),
    "halves_median": pl.Float64(),
    "halves_low": pl.Float64(),
    "halves_high": pl.Float64(),
    "verdict": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Omission:
    """Arrivals that were planned and did not come, or came late: a load generator that waited for answers.

    Attributes
    ----------
    planned, missing, late : int
        Sessions planned; without any request; begun more than `late_s` after their time.
    late_s : float
    delay_p50_s, delay_p99_s, delay_max_s : float or None
        Of those that came; None where none did.
    """

    planned: int
    missing: int
    late: int
    late_s: float
    delay_p50_s: float | None
    delay_p99_s: float | None
    delay_max_s: float | None

    @property
    def missed_share(self) -> float:
        """Share of the plan that never began or began late."""
        return (self.missing + self.late) / self.planned if self.planned else 0.0

    @property
    def sentence(self) -> str:
        """Say how much of the plan was kept."""
        if not self.missing and not self.late:
            return f"All {self.planned:,} planned sessions began within {self.late_s:g} s of their time."
        delays = "" if self.delay_p99_s is None else f" (99 % within {self.delay_p99_s:,.1f} s)"
        return (
            f"Coordinated omission: of {self.planned:,} planned sessions {self.missing:,} never began and "
            f"{self.late:,} began more than {self.late_s:g} s late{delays}, {100 * self.missed_share:.1f} % in all. "
            "Response times of this run leave out what those users would have met."
        )


@dataclass(frozen=True, slots=True)
class LoadFidelity:
    """How close a generated load is to production.

    Attributes
    ----------
    scores : polars.DataFrame
        One row a distance, in the order of `distances.DISTANCES`: ``distance, value``; ``halves_median, halves_low,
        halves_high``: what random disjoint parts of production's sessions get against each other, the median and where
        nine in ten cuts lie; ``verdict``.
    omission : Omission or None
        None where no plan was given.
    original_sessions, original_requests, generated_sessions, generated_requests : int
    bucket_s, scale, compress : float
    splits, seed : int
    part_sessions : int
        In the smaller part of each cut: as many as the load has, half of production's at most.
    notes : tuple of str
        What else the reader of the scores must know.
    """

    scores: pl.DataFrame
    omission: Omission | None
    original_sessions: int
    original_requests: int
    generated_sessions: int
    generated_requests: int
    bucket_s: float
    scale: float
    compress: float
    splits: int
    seed: int
    part_sessions: int
    notes: tuple[str, ...] = ()

    @property
    def kept_arrivals(self) -> bool:
        """Whether as good as all planned sessions began in time, as far as there was a plan."""
        return self.omission is None or self.omission.missed_share <= MAX_MISSED_SHARE

    @property
    def is_faithful(self) -> bool:
        """Whether every distance is as small as production's own, and the arrivals were kept."""
        return bool((self.scores["verdict"] == AS_CLOSE).all()) and self.kept_arrivals

    @property
    def beyond_median(self) -> tuple[str, ...]:
        """The distances of more than `MAX_RATIO` times the median alone, whatever the cuts' chance allows."""
        far = self.scores.filter(pl.col("value") > MAX_RATIO * pl.col("halves_median"))
        return tuple(far["distance"])

    @property
    def parts(self) -> str:
        """Name what production was cut into."""
        if self.part_sessions == self.original_sessions // 2:
            return "production's own halves"
        return f"a part of production as small as the load ({self.part_sessions:,} sessions) and the rest of it"

    def sentences(self) -> tuple[str, ...]:
        """Say how many distances are as small as production's own, whether arrivals were missed, and what else."""
        close = int((self.scores["verdict"] == AS_CLOSE).sum())
        said = (
            f"{close} of {self.scores.height} distances are as small as between {self.parts}: "
            f"{self.generated_sessions:,} sessions ({self.generated_requests:,} requests) against "
            f"{self.original_sessions:,} ({self.original_requests:,})."
        )
        plan = self.omission.sentence if self.omission else "Missed arrivals were not looked for: no plan was given."
        return said, plan, *self.notes

    def _repr_html_(self) -> str:
        return str(shown.fidelity(self, close=AS_CLOSE, max_ratio=MAX_RATIO))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        return {
            "scores": self.scores.to_dicts(),
            "is_faithful": self.is_faithful,
            "beyond_median": list(self.beyond_median),
            "omission": None if self.omission is None else asdict(self.omission),
            "original": {"sessions": self.original_sessions, "requests": self.original_requests},
            "generated": {"sessions": self.generated_sessions, "requests": self.generated_requests},
            "bucket_s": self.bucket_s,
            "scale": self.scale,
            "compress": self.compress,
            "splits": self.splits,
            "seed": self.seed,
            "part_sessions": self.part_sessions,
            "notes": list(self.notes),
        }


def score_load(
    original: pl.DataFrame,
    generated: pl.DataFrame,
    *,
    bucket_s: float = 60.0,
    scale: float = 1.0,
    compress: float = 1.0,
    planned: pl.DataFrame | None = None,
    starts_s: tuple[float, float] | None = None,
    splits: int | None = None,
    seed: int = 0,
) -> LoadFidelity:
    """Score a generated load against production.

    Parameters
    ----------
    original, generated : polars.DataFrame
        ``session, endpoint, t`` (seconds, each on a clock of its own).
    bucket_s : float
        Of production's time, for rates and open sessions.
    scale : float
        How many times as many sessions the load was to have in all: a load of the same rate whose curve went by
        three times faster has a third of them.
    compress : float
        How many times faster they were to arrive; think times are taken as they are.
    planned : polars.DataFrame, optional
        ``session, t``: when each session of the load was to begin, on the clock of `generated`.
    starts_s : tuple of (float, float), optional
        What the clocks of `original` and `generated` say when the curve begins; default: at each one's first request.
    splits : int, optional
        Cuts of production's sessions into two random parts; default: up to `MAX_SPLITS`, fewer in a large log.
    seed : int
        Of the cuts.

    Raises
    ------
    MissingColumnsError
        Where a log lacks a column.
    NoDataError
        Where a log is empty, or either has fewer than `MIN_SESSIONS` sessions: so few say nothing.
    ParameterError
        Where a size is not above 0.

    Notes
    -----
    Few sessions differ from many by chance alone, so what production is compared with itself by is as large as the
    load: a random part of as many sessions, half of them at most, against the rest. A load is not held to more than
    production holds itself; but a small one is held to little. Coordinated omission is Tene's term (2013, How not to
    measure latency): a generator that waits for slow answers leaves out the requests that would have met them.
    """
    for name, value in {"bucket_s": bucket_s, "scale": scale, "splits": 1 if splits is None else splits}.items():
        if not value > 0:
            raise ParameterError(f"{name} must be above 0; it is {value}.", hint="leave it out for the default.")
    begins_s = starts_s or (None, None)
    production = read_log(original, name="original", start_s=begins_s[0])
    load = read_log(generated, name="generated", compress=compress, start_s=begins_s[1])
    sessions, made = production["session"].n_unique(), load["session"].n_unique()
    _require_sessions("Production", sessions, "take a longer window.")
    _require_sessions("The load", made, "let it run longer, or with a larger scale.")
    values = measure_distances(
        measure_facts(production, bucket_s=bucket_s), measure_facts(load, bucket_s=bucket_s), scale=scale
    )
    cuts = splits or int(np.clip(SPLIT_ROWS // production.height, MIN_SPLITS, MAX_SPLITS))
    found = _score_parts(production, made, bucket_s=bucket_s, is_aligned=starts_s is not None, splits=cuts, seed=seed)
    return LoadFidelity(
        scores=pl.DataFrame([_row(name, values[name], found[name]) for name in DISTANCES], schema=SCORES_SCHEMA),
        omission=None if planned is None else find_omission(planned, generated),
        original_sessions=sessions,
        original_requests=production.height,
        generated_sessions=made,
        generated_requests=load.height,
        bucket_s=bucket_s,
        scale=scale,
        compress=compress,
        splits=cuts,
        seed=seed,
        part_sessions=min(made, sessions // 2),
    )


def _require_sessions(whose: str, sessions: int, hint: str) -> None:
    if sessions < MIN_SESSIONS:
        raise NoDataError(
            f"{whose} must have {MIN_SESSIONS} sessions to be compared; it has {sessions}.",
            hint=hint,
        )


def _score_parts(
    log: pl.DataFrame, made: int, *, bucket_s: float, is_aligned: bool, splits: int, seed: int
) -> dict[str, list[float]]:
    """Score random parts of the sessions, as many as were made, against the rest."""
    rng = np.random.default_rng(seed)
    sessions = log["session"].unique(maintain_order=True)
    size = min(made, len(sessions) // 2)
    start_s = 0.0 if is_aligned else None
    found: dict[str, list[float]] = {name: [] for name in DISTANCES}
    for _ in range(splits):
        part = sessions.gather(np.sort(rng.permutation(len(sessions))[:size]))
        is_part = pl.col("session").is_in(part.implode())
        # What is a rare path in all of production is one in the rest, and what is one in the load is one in the part:
        # in a small part, 0.1 % would be less than one session.
        rest, own = (
            measure_facts(
                read_log(log.filter(chosen), name="original", start_s=start_s),
                bucket_s=bucket_s,
                rare_below=RARE_PATH_SHARE * out_of,
            )
            for chosen, out_of in ((~is_part, len(sessions)), (is_part, made))
        )
        for name, value in measure_distances(rest, own, scale=size / (len(sessions) - size)).items():
            found[name].append(value)
    return found


def _row(name: str, value: float, parts: list[float]) -> dict[str, object]:
    low, median, high = (float(x) for x in np.quantile(parts, [LIKELY[0], 0.5, LIKELY[1]]))
    return {
        "distance": name,
        "value": value,
        "halves_median": median,
        "halves_low": low,
        "halves_high": high,
        "verdict": AS_CLOSE if value <= max(MAX_RATIO * median, high) else FURTHER,
    }


def find_omission(planned: pl.DataFrame, generated: pl.DataFrame, *, late_s: float = LATE_S) -> Omission:
    """Count the planned sessions that never began or began late.

    Parameters
    ----------
    planned : polars.DataFrame
        ``session, t``: when each was to begin, seconds.
    generated : polars.DataFrame
        ``session, t`` of every request, on the same clock.
    late_s : float
    """
    for name, frame in {"planned": planned, "generated": generated}.items():
        missing = {"session", "t"} - set(frame.columns)
        if missing:
            raise MissingColumnsError.in_table(name, missing=missing, available=frame.columns)
    begun = generated.group_by("session").agg(begun_s=pl.col("t").min())
    plan = planned.group_by("session").agg(planned_s=pl.col("t").min())
    delays = plan.join(begun, on="session", how="left").select(pl.col("begun_s") - pl.col("planned_s")).to_series()
    came = delays.drop_nulls().to_numpy().astype(np.float64)
    p50, p99, longest = (float(x) for x in np.quantile(came, [0.5, 0.99, 1.0])) if len(came) else (None, None, None)
    return Omission(plan.height, plan.height - len(came), int((came > late_s).sum()), late_s, p50, p99, longest)
