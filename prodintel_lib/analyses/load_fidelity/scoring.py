"""Score a generated load against production, beside what production's own halves score against each other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from prodintel_lib.analyses.load_fidelity.distances import (
    DISTANCES,
    RARE_PATH_SHARE,
    measure_distances,
    measure_facts,
    read_log,
)
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError
from prodintel_lib.markup import figure_text, number, paragraph, table, text, tone

if TYPE_CHECKING:
    from prodintel_lib.markup import Tone

MAX_RATIO: Final = 1.5
"""A load is as close as production is to itself up to so many times the median distance of its halves."""

SPLITS: Final = 9
MIN_SESSIONS: Final = 20
LATE_S: Final = 1.0
AS_CLOSE: Final = "as close as production to itself"
FURTHER: Final = "further off"
_TONES: Final[dict[str, Tone]] = {AS_CLOSE: "good", FURTHER: "warn"}

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
    def sentence(self) -> str:
        """Say how much of the plan was kept."""
        if not self.missing and not self.late:
            return f"All {self.planned:,} planned sessions began within {self.late_s:g} s of their time."
        share = 100 * (self.missing + self.late) / self.planned
        delays = "" if self.delay_p99_s is None else f" (99 % within {self.delay_p99_s:,.1f} s)"
        return (
            f"Coordinated omission: of {self.planned:,} planned sessions {self.missing:,} never began and "
            f"{self.late:,} began more than {self.late_s:g} s late{delays}, {share:.1f} % in all. Response times of "
            "this run leave out what those users would have met."
        )


@dataclass(frozen=True, slots=True)
class LoadFidelity:
    """How close a generated load is to production.

    Attributes
    ----------
    scores : polars.DataFrame
        One row a distance, in the order of `distances.DISTANCES`: ``distance, value``; ``halves_median, halves_low,
        halves_high``: what random disjoint halves of production's sessions get against each other; ``verdict``.
    omission : Omission or None
        None where no plan was given.
    original_sessions, original_requests, generated_sessions, generated_requests : int
    bucket_s, scale, compress : float
    splits, seed : int
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

    @property
    def is_faithful(self) -> bool:
        """Whether every distance is as small as production's own."""
        return bool((self.scores["verdict"] == AS_CLOSE).all())

    def sentences(self) -> tuple[str, ...]:
        """Say how many distances are as small as production's own, and whether arrivals were missed."""
        close = int((self.scores["verdict"] == AS_CLOSE).sum())
        said = (
            f"{close} of {self.scores.height} distances are as small as between production's own halves: "
            f"{self.generated_sessions:,} sessions ({self.generated_requests:,} requests) against "
            f"{self.original_sessions:,} ({self.original_requests:,})."
        )
        plan = self.omission.sentence if self.omission else "Missed arrivals were not looked for: no plan was given."
        return said, plan

    def _repr_html_(self) -> str:
        rows = [
            [
                figure_text(text(row["distance"]), note=DISTANCES[row["distance"]]),
                number(row["value"], digits=3),
                figure_text(
                    number(row["halves_median"], digits=3),
                    note=f"{row['halves_low']:.3f} to {row['halves_high']:.3f}",
                ),
                tone(row["verdict"], _TONES[row["verdict"]]),
            ]
            for row in self.scores.iter_rows(named=True)
        ]
        caption = (
            f"0 is the same. Buckets of {self.bucket_s:g} s; {self.splits} random cuts of production's sessions into "
            f"halves (median, lowest and highest). A load counts as close up to {MAX_RATIO:g} times their median, or "
            f"up to their highest. Scale {self.scale:g}, time compressed {self.compress:g} times."
        )
        said = "".join(str(paragraph(sentence)) for sentence in self.sentences())
        return said + str(table(["Distance", "Load", "Production's halves", ""], rows, align="lrrl", caption=caption))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        return {
            "scores": self.scores.to_dicts(),
            "is_faithful": self.is_faithful,
            "omission": None if self.omission is None else asdict(self.omission),
            "original": {"sessions": self.original_sessions, "requests": self.original_requests},
            "generated": {"sessions": self.generated_sessions, "requests": self.generated_requests},
            "bucket_s": self.bucket_s,
            "scale": self.scale,
            "compress": self.compress,
            "splits": self.splits,
            "seed": self.seed,
        }


def score_load(
    original: pl.DataFrame,
    generated: pl.DataFrame,
    *,
    bucket_s: float = 60.0,
    scale: float = 1.0,
    compress: float = 1.0,
    planned: pl.DataFrame | None = None,
    splits: int = SPLITS,
    seed: int = 0,
) -> LoadFidelity:
    """Score a generated load against production.

    Parameters
    ----------
    original, generated : polars.DataFrame
        ``session, endpoint, t`` (seconds on any clock; each log's begins at its first request).
    bucket_s : float
        Of production's time, for rates and open sessions.
    scale : float
        How many times as many users the load was to have.
    compress : float
        How many times faster they were to arrive; think times are taken as they are.
    planned : polars.DataFrame, optional
        ``session, t``: when each session of the load was to begin, on the clock of `generated`.
    splits : int
        Cuts of production's sessions into random halves.
    seed : int
        Of the cuts.

    Raises
    ------
    MissingColumnsError
        Where a log lacks a column.
    NoDataError
        Where a log is empty, or production has fewer than `MIN_SESSIONS` sessions: halves of those say nothing.
    ParameterError
        Where a size is not above 0.

    Notes
    -----
    A half holds half the sessions, so its distances hold more chance than those of a load as large as production:
    a load is not held to more than production holds itself. Coordinated omission is Tene's term (2013, How not to
    measure latency): a generator that waits for slow answers leaves out the requests that would have met them.
    """
    for name, value in {"bucket_s": bucket_s, "scale": scale, "splits": splits}.items():
        if not value > 0:
            raise ParameterError(f"{name} must be above 0; it is {value}.", hint="leave it out for the default.")
    production = read_log(original, name="original")
    load = read_log(generated, name="generated", compress=compress)
    sessions = production["session"].n_unique()
    if sessions < MIN_SESSIONS:
        raise NoDataError(
            f"Production must have {MIN_SESSIONS} sessions to be compared with itself; it has {sessions}.",
            hint="take a longer window.",
        )
    values = measure_distances(
        measure_facts(production, bucket_s=bucket_s), measure_facts(load, bucket_s=bucket_s), scale=scale
    )
    halves = _score_halves(production, bucket_s=bucket_s, splits=splits, seed=seed)
    return LoadFidelity(
        scores=pl.DataFrame([_row(name, values[name], halves[name]) for name in DISTANCES], schema=SCORES_SCHEMA),
        omission=None if planned is None else find_omission(planned, generated),
        original_sessions=sessions,
        original_requests=production.height,
        generated_sessions=load["session"].n_unique(),
        generated_requests=load.height,
        bucket_s=bucket_s,
        scale=scale,
        compress=compress,
        splits=splits,
        seed=seed,
    )


def _score_halves(log: pl.DataFrame, *, bucket_s: float, splits: int, seed: int) -> dict[str, list[float]]:
    """Score random halves of the sessions against each other, each from its own first request on."""
    rng = np.random.default_rng(seed)
    sessions = log["session"].unique(maintain_order=True)
    # What is a rare path in all of the log is one in its halves: in a small half, 0.1 % is less than one session.
    rare_below = RARE_PATH_SHARE * len(sessions)
    found: dict[str, list[float]] = {name: [] for name in DISTANCES}
    for _ in range(splits):
        first = sessions.gather(np.sort(rng.permutation(len(sessions))[: len(sessions) // 2]))
        is_first = pl.col("session").is_in(first.implode())
        halves = [
            measure_facts(read_log(log.filter(chosen), name="original"), bucket_s=bucket_s, rare_below=rare_below)
            for chosen in (is_first, ~is_first)
        ]
        for name, value in measure_distances(*halves).items():
            found[name].append(value)
    return found


def _row(name: str, value: float, halves: list[float]) -> dict[str, object]:
    median = float(np.median(halves))
    is_close = value <= max(MAX_RATIO * median, *halves)
    return {
        "distance": name,
        "value": value,
        "halves_median": median,
        "halves_low": min(halves),
        "halves_high": max(halves),
        "verdict": AS_CLOSE if is_close else FURTHER,
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
