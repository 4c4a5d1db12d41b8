"""What a load test sent and what production did, read from where they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prodintel_lib.analyses.load import gather_load, gather_steps
from prodintel_lib.analyses.load_fidelity.distances import LOG_COLUMNS
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.errors import MissingColumnsError, NoDataError, ParameterError, SourceFormatError
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import US_PER_S, Window
from prodintel_lib.workspace import CONFIG_NAME, open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from prodintel_lib.rollups.load_requests import LoadSource

RECORD: Final = "run.json"
REQUESTS: Final = "requests.csv"
PLANNED: Final = "planned.csv"

MARGIN_S: Final = 3600.0
"""A recording is read so long before and after the curve, so that no session is cut that was recorded whole."""

_REQUESTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "t": pl.Float64(),
    "status": pl.Int64(),
    "elapsed_ms": pl.Float64(),
    "setup": pl.Int64(),
}
_PLANNED_SCHEMA: Final[dict[str, pl.DataType]] = {"t": pl.Float64()}


class RunSettings(BaseModel):
    """What a run was told to do, from its ``run.json``; what else stands there is not needed here.

    Attributes
    ----------
    scale, compress, multiplier, start_s, length_s : float
        As scenarios.load_model.LoadDefaults has them.
    curve_start_us, curve_end_us : int
        The stretch of production the curve was counted in.
    source : {"spans", "rum"}
    cut_short : int
        Sessions that ended early for want of a value.
    begun_sessions : int
    failed : bool
    why : tuple of str
        Sentences.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_name: Literal["prodintel/load-run/1"] = Field(alias="schema")
    generator: str
    scale: float = Field(gt=0)
    compress: float = Field(gt=0)
    multiplier: float = Field(gt=0)
    start_s: float = Field(ge=0)
    length_s: float = Field(gt=0)
    curve_start_us: int
    curve_end_us: int
    source: Literal["spans", "rum"]
    cut_short: int = 0
    begun_sessions: int = 0
    failed: bool = False
    why: tuple[str, ...] = ()

    @property
    def curve(self) -> Window:
        """The stretch of production that was followed."""
        return Window(self.curve_start_us, self.curve_end_us)

    @property
    def volume(self) -> float:
        """How many times as many sessions as production had in the part that was run."""
        return self.scale * self.multiplier / self.compress


@dataclass(frozen=True, slots=True, eq=False)
class LoadRun:
    """What was sent.

    Attributes
    ----------
    requests : polars.DataFrame
        ``session, endpoint, t`` (seconds since the run's beginning), without set-up; ``elapsed_ms`` where known.
    begun : polars.DataFrame
        ``session, t``: the first request of each session, set-up included.
    planned : polars.DataFrame or None
        ``session, t``: when each was to begin.
    settings : RunSettings or None
        None for a bare log: as much as production, at its pace.
    """

    requests: pl.DataFrame
    begun: pl.DataFrame
    planned: pl.DataFrame | None = None
    settings: RunSettings | None = None


def read_run(path: Path) -> LoadRun:
    """Read what a load test sent.

    Parameters
    ----------
    path : Path
        The folder a run of Locust or k6 left (``run.json``, ``requests.csv``, ``planned.csv``), or a log of requests,
        CSV or Parquet: ``session, endpoint, t`` in seconds.

    Raises
    ------
    SourceFormatError
        Where there is nothing of these, or a file does not hold what it should.
    MissingColumnsError
        Where a log lacks a column.
    """
    if not path.is_dir():
        return _run_of(_read_log(path), planned=None, settings=None)
    record, requests, planned = path / RECORD, path / REQUESTS, path / PLANNED
    if not record.is_file():
        raise SourceFormatError(
            f"The folder of a run holds {RECORD}, {REQUESTS} and {PLANNED}; {path} holds no {RECORD}.",
            hint="name the folder that was given to the load test with --out; a run that was killed leaves no record.",
        )
    try:
        settings = RunSettings.model_validate_json(record.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceFormatError(
            f"{record} is not the record of a run: {where}: {first['msg']}.", hint="run the load test again."
        ) from error
    plan = _read_csv(planned, _PLANNED_SCHEMA) if planned.is_file() else None
    return _run_of(_read_log(requests), planned=plan, settings=settings)


def _run_of(log: pl.DataFrame, *, planned: pl.DataFrame | None, settings: RunSettings | None) -> LoadRun:
    begun = log.group_by("session").agg(pl.col("t").min()).sort("session")
    sent = log.filter(pl.col("setup") == 0) if "setup" in log.columns else log
    shown = [name for name in (*LOG_COLUMNS, "elapsed_ms") if name in sent.columns]
    return LoadRun(sent.select(shown), begun, planned, settings)


def _read_log(path: Path) -> pl.DataFrame:
    """Read requests, a row each."""
    if not path.is_file():
        raise SourceFormatError(
            f"A log of requests was expected at {path}; there is none.", hint="check the path of the run."
        )
    if path.suffix == ".parquet":
        try:
            log = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SourceFormatError(f"{path} cannot be read as Parquet: {error}") from error
    else:
        log = _read_csv(path, _REQUESTS_SCHEMA)
    _require_rows(log, path)
    return log


def _read_csv(path: Path, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    try:
        names = pl.read_csv(path, n_rows=0, infer_schema=False).columns
        # Sessions of other generators may be called anything.
        kinds = {name: pl.String() if name == "session" else schema.get(name, pl.String()) for name in names}
        log = pl.read_csv(path, schema_overrides=kinds)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceFormatError(
            f"{path} cannot be read as a log of columns {', '.join(schema)}: {reason}",
            hint="times are seconds; the file holds one run: a second one does not go into the same folder.",
        ) from error
    return log


def _require_rows(log: pl.DataFrame, path: Path) -> None:
    missing = set(LOG_COLUMNS) - set(log.columns)
    if missing:
        raise MissingColumnsError.in_table(
            str(path), missing=missing, available=log.columns, hint="rename the columns; t is in seconds."
        )
    if not log.schema["t"].is_numeric():
        raise SourceFormatError(
            f"Column `t` of {path} must be a number of seconds; it is {log.schema['t']}.", hint="convert the times."
        )
    whole = log.select(pl.col("session", "endpoint").is_not_null(), pl.col("t").is_not_null() & pl.col("t").is_finite())
    broken = log.height - int(whole.select(pl.all_horizontal(pl.all()).sum()).item())
    if broken:
        raise SourceFormatError(
            f"A request has a session, an endpoint and a time; {broken:,} of {log.height:,} rows of {path} lack one.",
            hint="leave out requests that belong to nobody, on both sides.",
        )


def read_recording(path: Path, *, window: Window | None = None, source: LoadSource | None = None) -> pl.DataFrame:
    """Read what production's users sent.

    Parameters
    ----------
    path : Path
        A workspace (the folder with prodintel.yaml), or a log: CSV or Parquet of ``session, endpoint, t`` in seconds.
    window : Window, optional
        Of a workspace's requests, which are read an hour further on both sides, so that no session is cut that was
        recorded whole. A log is read whole.
    source : {"spans", "rum"}, optional
        Of a workspace; default: spans.

    Returns
    -------
    polars.DataFrame
        ``session, endpoint, t``; of a workspace in seconds since the epoch, people replaced.

    Raises
    ------
    SourceFormatError, MissingColumnsError
        Where a log cannot be read.
    ParameterError
        Where the path is neither, or a workspace is named without a window.
    NoDataError
        Where no request in the window names its visitor.
    """
    if not (path / CONFIG_NAME).is_file():
        if path.is_dir():
            raise ParameterError(
                f"A recording is a workspace or a log of requests; {path} is a folder without {CONFIG_NAME}.",
                hint="name the workspace the load test was made of.",
            )
        return _read_log(path).select(LOG_COLUMNS)
    if window is None:
        raise ParameterError(
            "A workspace is compared over a window; none was given, and the run does not say which part it followed.",
            hint="give --window START/END.",
        )
    workspace = open_workspace(path)
    ingest(workspace)
    view = open_view(workspace)
    kind = source or "spans"
    steps = gather_steps(
        view,
        window=window.widened(before_s=MARGIN_S, after_s=MARGIN_S),
        source=kind,
        gap_min=workspace.config.journeys.session_gap_min,
        routes=gather_load(view, window=window, source=kind).routes if kind == "rum" else None,
    )
    if steps.is_empty():
        raise NoDataError(
            f"Of {window.label()}, no request in {path} names its visitor.",
            hint="choose a window that was recorded, or the other --source.",
        )
    return steps.select(session="session_key", endpoint="endpoint", t=pl.col("time_us") / US_PER_S)
